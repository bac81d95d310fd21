"""Inference with an exported model: ONNX Runtime instead of PyTorch, with the same interface."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tt_actions.clips.preprocessing import make_preprocessing
from tt_actions.clips.timing import StrokeTiming
from tt_actions.clips.typical import TypicalClip
from tt_actions.clips.typical_swing import TypicalSwing
from tt_actions.errors import UserError
from tt_actions.files import file_digest
from tt_actions.models.base import ActionModel, Average
from tt_actions.models.causal import CausalModel
from tt_actions.models.crf import CRF
from tt_actions.onnx_session import missing_package_error, open_session
from tt_actions.recognition.normalisation import Normalisation
from tt_actions.recognition.onnx_description import (
    FILE,
    Format,
    ModelDescription,
    export_error,
    read_description,
)
from tt_actions.recognition.onnx_joints import INPUTS, OnnxJointNetwork
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.skeleton.layouts import find_layout

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def check_installed() -> None:
    """Raise an error if a package of the extra `export` is missing.

    Raises:
        ValueError: If a package is missing.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise missing_package_error(error) from error


class OnnxNetwork(ActionModel):
    """A network for whole clips that runs as an ONNX Runtime graph and reads raw video frames.

    Args:
        num_classes: Number of classes *K*.
        session: The graph for clips.
        average: How per-frame probabilities are averaged into those of a clip.

    Shape:
        frames ``(B, T, C, H, W)``, uint8, and lengths ``(B,)`` -> logits ``(B, T, K)``.
    """

    def __init__(self, num_classes: int, session: "InferenceSession", average: Average = "mean") -> None:
        super().__init__(num_classes, average)
        self.session = session

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits; logits past ``lengths`` are meaningless.

        Args:
            inputs: Frames of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, C, H, W)``, uint8, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        return run_clips(self.session, inputs, lengths)


class OnnxCausalNetwork(CausalModel):
    """A causal network that runs as ONNX Runtime graphs and reads raw video frames.

    Args:
        num_classes: Number of classes *K*.
        session: The graph for clips.
        steps: The graph for a stretch of a stream.
        average: How per-frame probabilities are averaged into those of a clip.
        delay: Number of frames by which the step graph returns a frame's logits late.
        state: Shape of each state tensor by name, without the first dimension.

    Shape:
        frames ``(B, T, C, H, W)``, uint8, and lengths ``(B,)`` -> logits ``(B, T, K)``.
    """

    def __init__(
        self,
        num_classes: int,
        session: "InferenceSession",
        steps: "InferenceSession",
        average: Average = "mean",
        delay: int = 0,
        state: dict[str, list[int]] | None = None,
    ) -> None:
        super().__init__(num_classes, average, delay)
        self.session, self.steps, self.state = session, steps, state or {}

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits; logits past ``lengths`` are meaningless.

        Args:
            inputs: Frames of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, C, H, W)``, uint8, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        return run_clips(self.session, inputs, lengths)

    def advance(
        self,
        inputs: Tensor,
        state: list[np.ndarray] | None = None,
        lengths: Tensor | None = None,  # noqa: ARG002 - logits after padding are meaningless
    ) -> tuple[Tensor, list[np.ndarray]]:
        """Process the next frames, without delay.

        Args:
            inputs: The next frames of each clip.
            state: The state returned by the previous call; None for the first call.
            lengths: Ignored, because padding comes after all valid frames.

        Returns:
            The logits of each step, and the state for the next call.

        Shape:
            inputs ``(B, T, C, H, W)``, uint8, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        is_first = np.full(len(inputs), state is None)
        before = first_state(self.state, len(inputs)) if state is None else state
        logits, *after = run_stretch(self.steps, inputs.numpy(force=True), is_first, before)
        return torch.from_numpy(logits), after


def first_state(shapes: dict[str, list[int]], num_tracks: int) -> list[np.ndarray]:
    """Return a dummy state for the first call of a step graph, which ignores it.

    Args:
        shapes: Shape of each tensor by its name, without the first dimension.
        num_tracks: Number of tracks *P*.
    """
    return [np.zeros((num_tracks, *shape), np.float32) for shape in shapes.values()]


def run_clips(session: "InferenceSession", inputs: Tensor, lengths: Tensor) -> Tensor:
    """Run a graph on whole clips.

    Args:
        session: The graph.
        inputs: Frames of each clip, padded to the longest.
        lengths: Number of valid frames of each clip.

    Shape:
        inputs ``(B, T, C, H, W)``, uint8, lengths ``(B,)`` -> logits ``(B, T, K)``.
    """
    frames = np.ascontiguousarray(inputs.numpy(force=True))
    (logits,) = session.run(["logits"], {"frames": frames, "lengths": lengths.numpy(force=True)})
    return torch.from_numpy(logits)


def run_stretch(
    session: "InferenceSession", frames: np.ndarray, is_first: np.ndarray, state: list[np.ndarray]
) -> list[np.ndarray]:
    """Run a step graph on the next frames of a stream.

    Args:
        session: The graph.
        frames: The next frames of each track.
        is_first: Whether they are the first frames of the track.
        state: The tensors of the state before these frames.

    Returns:
        The logits of each step, and the tensors of the state after these frames.

    Shape:
        frames ``(P, n, C, H, W)``, uint8, is_first ``(P,)``, bool, state ``(P, ...)`` each -> logits
        ``(P, n, K)``, state.
    """
    names = [one.name for one in session.get_inputs()]
    outputs: list[np.ndarray] = session.run(
        None, dict(zip(names, [np.ascontiguousarray(frames), is_first, *state], strict=True))
    )
    return outputs


class OnnxRecognizer(Recognizer):
    """An exported model with the interface of a trained one, for ``predict`` and match analysis.

    Args:
        description: The contents of ``model.json``.
        network: The graphs, as a network that reads raw video frames or normalised joints.

    Raises:
        ValueError: If the timing in the description is invalid.
    """

    def __init__(self, description: ModelDescription, network: ActionModel) -> None:
        preprocessing: dict[str, Any] = {  # JSON has no tuples
            name: tuple(value) if isinstance(value, list) else value
            for name, value in description.preprocessing.items()
        }
        super().__init__(network, description.class_names, make_preprocessing(preprocessing))
        self.normalise = Normalisation()  # the graphs normalise the frames
        timing, typical = description.timing, description.typical_clip
        self.timing = None if timing is None else StrokeTiming.from_plain(timing)
        self.typical_clip = None if typical is None else TypicalClip(**typical)
        swing = description.typical_swing
        self.typical_swing = None if swing is None else TypicalSwing(**swing)
        self.has_regions = description.has_regions
        self.eval()


def check_inputs(session: "InferenceSession", names: list[str]) -> None:
    """Raise an error if a graph's inputs don't match its description.

    Args:
        session: The graph.
        names: Names of the inputs in order, according to the description.

    Raises:
        ValueError: If the graph has other inputs.
    """
    found = [one.name for one in session.get_inputs()]
    if found != names:
        raise ValueError(f"a graph has the inputs {', '.join(found)} instead of {', '.join(names)}")


def make_recognizer(description: ModelDescription, graphs: dict[str, Any]) -> OnnxRecognizer:
    """Combine graphs and their description into a model that is used like a trained one.

    Args:
        description: The contents of ``model.json``.
        graphs: The graphs or their files, with the keys ``model`` and, for a causal network, ``step``.

    Raises:
        ValueError: If a graph can't be run, a graph doesn't match the description, or the extra `export` is
            not installed.
    """
    num_classes = len(description.class_names)
    average: Average = "mean" if description.average is None else "learned"
    session = open_session(graphs["model"], torch.get_num_threads())
    layout = description.preprocessing.get("layout")
    check_inputs(session, ["frames", "lengths"] if layout is None else list(INPUTS))
    network: ActionModel
    if layout is not None:
        network = OnnxJointNetwork(num_classes, session, find_layout(layout), average)
    elif description.state is None:
        network = OnnxNetwork(num_classes, session, average)
    else:
        steps, delay = open_session(graphs["step"], torch.get_num_threads()), description.delay
        check_inputs(steps, ["frames", "is_first", *description.state])
        network = OnnxCausalNetwork(num_classes, session, steps, average, delay, description.state)
    if description.chain is not None:
        below = network
        network = CRF(num_classes, lambda _: below)
        network.initial.data.copy_(torch.tensor(description.chain["initial"]))
        network.transitions.data.copy_(torch.tensor(description.chain["transitions"]))
    if network.average is not None:
        network.average.score.weight.data.copy_(torch.tensor([description.average]))
    return OnnxRecognizer(description, network)


def default_folder(checkpoint: Path, format: Format) -> Path:  # noqa: A002 - the option's name
    """Return the default export folder of a checkpoint, which is next to it.

    Args:
        checkpoint: The checkpoint.
        format: File format of the graphs.

    >>> default_folder(Path("checkpoints/best.ckpt"), "onnx").name
    'best_onnx'
    """
    return checkpoint.with_name(f"{checkpoint.stem}_{format}")


def open_engine(path: Path | str, int8: bool = False) -> Recognizer:
    """Open an exported ONNX model, which is used like a trained one, for example by ``analyze_video``.

    Args:
        path: The export folder, or a checkpoint with its export next to it.
        int8: Whether to use the int8 graphs.

    Raises:
        FileNotFoundError: If there is no export.
        ValueError: If the export is of another checkpoint or format, has no int8 graphs or is broken, or the
            extra `export` is not installed.
    """
    path = Path(path)
    folder = default_folder(path, "onnx") if path.is_file() else path
    description = read_description(folder)
    if path.is_file() and file_digest(path) != description.checkpoint["sha256"]:
        raise UserError(
            f"Expected '{folder}' to be the export of '{path}', but the checkpoint has changed since. "
            f"Export it again with `tt-actions export --checkpoint {path} --format onnx`."
        )
    if description.format != "onnx" or (int8 and description.int8 is None):
        raise UserError(
            f"Expected {'int8 ' * int8}ONNX graphs in '{folder}', but there are none. "
            f"Create them with `tt-actions export --format onnx{' --int8' * int8}`."
        )
    files = {name: folder / f"{name}{'_int8' * int8}.onnx" for name in ("model", "step")}
    try:
        return make_recognizer(description, files)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise export_error(folder / FILE, error) from error
