"""Which source reads a user's own clips: the experiment decides."""

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
        *configs: The experiment's YAML files; a later one overrules those before.

    Raises:
        UserError: If one is not YAML.

    >>> names = ("cnn_lstm", "stgcn", "depth_cnn_lstm", "rally_cnn_lstm")
    >>> [user_source(Path(f"experiments/{name}.yaml")) for name in names]
    ['UserClips', 'UserJoints', 'UserDepth', 'UserRallies']
    """
    data: dict[str, Any] = {}
    for config in configs:
        try:
            content = yaml.safe_load(config.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            said = " ".join(str(error).split())
            raise UserError(f"Expected '{config}' to be YAML, but got: {said}. Correct it.") from error
        data |= (content.get("data") or {}) if isinstance(content, dict) else {}
    source, how = data.get("source"), data.get("preprocessing")
    name = source.get("class_path") if isinstance(source, dict) else source
    if str(name).rpartition(".")[2] in _UNTRIMMED:
        return "UserRallies"
    how = how if isinstance(how, dict) else {}
    how = how.get("init_args", how)  # as a run saves it, or plain
    if "layout" in how:
        return "UserJoints"
    return "UserDepth" if how.get("picture") == "depth" else "UserClips"


def data_words(
    configs: Sequence[Path], data: Path | None, layout: str | None, *, is_resumed: bool = False
) -> list[str]:
    """Return the options of a training by which an experiment reads a user's own clips.

    Args:
        configs: The experiment's YAML files.
        data: The clips, or None for those of the experiment.
        layout: Layout of the joints in them, or None for that of the experiment.
        is_resumed: Whether a run is resumed, whose own configuration names the source.

    >>> data_words([Path("experiments/stgcn.yaml")], Path("mine"), "ntu25")
    ['--data.source', 'UserJoints', '--data.source.path', 'mine', '--data.preprocessing.layout', 'ntu25']
    """
    words = []
    if data is not None:
        found = [config for config in configs if config.is_file()]  # another one is refused where it is read
        words = [] if is_resumed else ["--data.source", user_source(*found)]
        words += ["--data.source.path", str(data)]
    return words + ([] if layout is None else ["--data.preprocessing.layout", layout])
