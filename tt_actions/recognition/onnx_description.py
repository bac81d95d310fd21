"""Description of an exported model: the file ``model.json`` next to its graphs."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from tt_actions.clips.preprocessing import make_preprocessing
from tt_actions.errors import UserError

Format = Literal["onnx", "torchscript"]

FILE = "model.json"
VERSION = 1
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "torchscript": ".pt"}


@dataclass(frozen=True)
class ModelDescription:
    """Everything about an exported model except its graphs, as plain types.

    Args:
        format: File format of the graphs.
        network: Class name of the network in the graphs; for a CRF, that of the network below it.
        class_names: Names of the classes, in the order of the logits.
        preprocessing: How a video becomes frames or joints: the fields of a ``Preprocessing``, whose mean
            and std are in the graphs, or of a ``JointPreprocessing``, which has a ``layout``.
        delay: Number of frames by which the step graph returns its logits late.
        state: Name and shape (without the first dimension) of each float32 tensor in the step graph's state;
            None without a step graph.
        average: Weights of the learned average over a clip's frames; None for the mean.
        chain: ``initial`` and ``transitions`` of a CRF, which turn the logits of the graphs into those of the
            CRF; None for other models.
        timing: How long strokes last: the fields of a ``StrokeTiming``, or None.
        typical_clip: Medians of the training clips: the fields of a ``TypicalClip``, or None.
        checkpoint: ``name`` and ``sha256`` of the checkpoint.
        versions: Versions of the packages that wrote the export.
        max_difference: The largest difference found between a logit of the export and of the checkpoint.
        int8: Measurements of the int8 graphs; None without int8 graphs.
        has_regions: Whether most training clips had a region of their own; absent in older files.
        typical_swing: Medians of training clips of joints: the fields of a ``TypicalSwing``, or None; absent
            in older files.
        graphs: ``inputs`` and ``outputs`` of each graph in their order, each with ``name``, ``type``,
            ``shape`` (``batch`` and ``time`` may be any number) and ``range`` (lowest and highest value, None
            for no limit); absent in older files.
        version: Version of this description.
    """

    format: Format
    network: str
    class_names: tuple[str, ...]
    preprocessing: dict[str, Any]
    delay: int
    state: dict[str, list[int]] | None
    average: list[float] | None
    chain: dict[str, Any] | None
    timing: dict[str, Any] | None
    typical_clip: dict[str, Any] | None
    checkpoint: dict[str, str]
    versions: dict[str, str]
    max_difference: float | None = None
    int8: dict[str, Any] | None = None
    has_regions: bool = False
    typical_swing: dict[str, Any] | None = None
    graphs: dict[str, Any] | None = None
    version: int = VERSION

    def to_json(self) -> str:
        """Return the text of the file."""
        return json.dumps(asdict(self), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def read_description(folder: Path) -> ModelDescription:
    """Read the ``model.json`` of an exported model; nothing in it is executed or used as a path.

    Args:
        folder: Folder of the exported model.

    Raises:
        FileNotFoundError: If the folder has no ``model.json``.
        ValueError: If that file doesn't describe an exported model.
    """
    path = folder / FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected an exported model, but '{path}' doesn't exist. "
            "Create one with `tt-actions export --checkpoint CHECKPOINT --format onnx`."
        )
    try:
        plain = json.loads(path.read_text("utf-8"))
        names = {field.name for field in fields(ModelDescription)}
        if not isinstance(plain, dict) or {*plain, "has_regions", "typical_swing", "graphs"} != names:
            raise ValueError(f"it must have exactly the fields {', '.join(sorted(names))}")
        if plain["version"] != VERSION or plain["format"] not in get_args(Format):
            raise ValueError(f"it has version {plain['version']} and format '{plain['format']}'")
        make_preprocessing(plain["preprocessing"])
        return ModelDescription(**plain | {"class_names": tuple(map(str, plain["class_names"]))})
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise export_error(path, error) from error


def export_error(path: Path, error: Exception) -> UserError:
    """Return the error to raise for a file of an exported model that can't be used.

    Args:
        path: The file.
        error: The error raised while using it.
    """
    reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
    return UserError(
        f"Expected '{path}' to be part of an exported model, but {reason}. Export the model again."
    )
