"""Choice of the source for a user's own clips, according to the experiment."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tt_actions.errors import UserError
from tt_actions.sources.synthetic.rallies import SyntheticRallies
from tt_actions.sources.user_rallies import UserRallies

_UNTRIMMED = (SyntheticRallies.__name__, UserRallies.__name__)


def user_source(*configs: Path) -> str:
    """Return the name of the source class that reads user data for an experiment.

    Args:
        *configs: YAML files of the experiment; later files override earlier ones.

    Raises:
        UserError: If a file is not YAML.

    >>> names = ("cnn_lstm", "stgcn", "depth_cnn_lstm", "rally_cnn_lstm")
    >>> [user_source(Path(f"experiments/{name}.yaml")) for name in names]
    ['UserClips', 'UserJoints', 'UserDepth', 'UserRallies']
    """
    data = _read_data(configs)
    source, preprocessing = data.get("source"), data.get("preprocessing")
    name = source.get("class_path") if isinstance(source, dict) else source
    if str(name).rpartition(".")[2] in _UNTRIMMED:
        return "UserRallies"
    preprocessing = preprocessing if isinstance(preprocessing, dict) else {}
    preprocessing = preprocessing.get("init_args", preprocessing)  # as a run saves it, or plain
    if "layout" in preprocessing:
        return "UserJoints"
    return "UserDepth" if preprocessing.get("picture") == "depth" else "UserClips"


def _read_data(configs: Sequence[Path]) -> dict[str, Any]:
    """Return the section ``data`` of an experiment."""
    data: dict[str, Any] = {}
    for config in configs:
        try:
            content = yaml.safe_load(config.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            problem = " ".join(str(error).split())
            raise UserError(f"Expected '{config}' to be YAML, but got: {problem}. Correct it.") from error
        data |= (content.get("data") or {}) if isinstance(content, dict) else {}
    return data


def data_words(
    configs: Sequence[Path],
    data: Path | None,
    layout: str | None,
    pose: str | None = None,
    *,
    is_resumed: bool = False,
) -> list[str]:
    """Return the options of `train` with which an experiment reads a user's own clips.

    Args:
        configs: YAML files of the experiment.
        data: The clips, or None for the clips of the experiment.
        layout: Joint layout of the clips, or None for the layout of the experiment.
        pose: Model that finds the joints in videos, or None for that of the experiment.
        is_resumed: Whether a run is resumed; its saved configuration contains the source.

    Raises:
        UserError: If a layout or a pose model is given, and the experiment reads video frames.

    >>> data_words([Path("experiments/stgcn.yaml")], Path("mine"), "ntu25")
    ['--data.source', 'UserJoints', '--data.source.path', 'mine', '--data.preprocessing.layout', 'ntu25']
    """
    words = []
    found = [config for config in configs if config.is_file()]  # training reports a missing file
    if data is not None:
        words = [] if is_resumed else ["--data.source", user_source(*found)]
        words += ["--data.source.path", str(data)]
    for name, value in (("layout", layout), ("pose", pose)):
        if value is not None:
            _check_joints(found, name, value)
        words += [] if value is None else [f"--data.preprocessing.{name}", value]
    return words


def _check_joints(configs: Sequence[Path], name: str, value: str) -> None:
    """Refuse an option of joints if the preprocessing of each file is that of frames."""
    parts = [_read_data([config]).get("preprocessing") for config in configs]
    given = [str(part) for part in parts if part is not None]
    if given and not any("layout" in part or "JointPreprocessing" in part for part in given):
        raise UserError(
            f"Expected no `{name}`, because the model reads video frames, but got '{value}'. Remove it."
        )
