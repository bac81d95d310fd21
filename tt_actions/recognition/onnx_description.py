"""What an exported model is: the file ``model.json`` beside its graphs."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.errors import UserError

Format = Literal["onnx", "torchscript"]

FILE = "model.json"
VERSION = 1
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "torchscript": ".pt"}


@dataclass(frozen=True)
class ModelDescription:
    """All that is known of an exported model but its graphs; plain types alone.

    Args:
        format: What the graphs are written in.
        network: Name of the network's class, of a CRF that of the network below it, which the graphs hold.
        class_names: Names of the classes, in the order of the logits.
        preprocessing: How video becomes frames: a :class:`Preprocessing`. Mean and std are in the graphs.
        delay: Number of frames by which the step graph's logits come later.
        state: Name and shape, from its second dimension on, of each float32 tensor of the step graph's
            state; None without a step graph.
        average: Weights of the learned average over a clip's frames; None for the mean.
        chain: Of a CRF ``initial`` and ``transitions``, by which the logits become its own; else None.
        timing: How long strokes last: a :class:`StrokeTiming`, or None.
        typical_clip: The median of the training clips: a :class:`TypicalClip`, or None.
        checkpoint: ``name`` and ``sha256`` of the checkpoint.
        versions: Of the packages that wrote it.
        max_difference: The largest difference of a logit from the checkpoint's that was found.
        int8: What was measured of the int8 graphs; None where there are none.
        has_regions: Whether most training clips had a region of their own; absent in older files.
        version: Of this description.
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
    version: int = VERSION

    def to_json(self) -> str:
        """Return the text of the file."""
        return json.dumps(asdict(self), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def read_description(folder: Path) -> ModelDescription:
    """Read what :meth:`ModelDescription.to_json` gave; nothing in the file is run or looked up as a path.

    Args:
        folder: The exported model's.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no such file.
    """
    path = folder / FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected an exported model, but there is no '{path}'. "
            "Write one: `tt-actions export --checkpoint CHECKPOINT --format onnx`."
        )
    try:
        plain = json.loads(path.read_text("utf-8"))
        names = {field.name for field in fields(ModelDescription)}
        if not isinstance(plain, dict) or {*plain, "has_regions"} != names:
            raise ValueError(f"it needs {', '.join(sorted(names))}")
        if plain["version"] != VERSION or plain["format"] not in get_args(Format):
            raise ValueError(f"it is of version {plain['version']} and format '{plain['format']}'")
        Preprocessing(**plain["preprocessing"])
        return ModelDescription(**plain | {"class_names": tuple(map(str, plain["class_names"]))})
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise broken(path, error) from error


def broken(path: Path, error: Exception) -> UserError:
    """Return what to raise for a file of an exported model that can't be used.

    Args:
        path: The file.
        error: What using it raised.
    """
    reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
    return UserError(f"Expected '{path}' to be of an exported model, but {reason}. Export it anew.")
