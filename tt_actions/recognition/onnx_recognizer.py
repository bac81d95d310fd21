"""An exported model at work: ONNX Runtime in the place of PyTorch, behind the same face."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.clips.timing import StrokeTiming
from tt_actions.clips.typical import TypicalClip
from tt_actions.errors import UserError
from tt_actions.files import file_digest
from tt_actions.models.base import ActionModel, Average
from tt_actions.models.causal import CausalModel
from tt_actions.models.crf import CRF
from tt_actions.recognition.onnx_description import FILE, Format, ModelDescription, broken, read_description
from tt_actions.recognition.recognizer import Normalisation, Recognizer

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def check_installed() -> None:
    """Refuse to go on without the packages of the extra `export`.

    Raises:
        ValueError: If one is missing.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise missing(error) from error


def missing(error: ImportError) -> UserError:
    """Return what to raise where a package of the extra `export` is missing.

    Args:
        error: What its import raised.
    """
    return UserError(
        f"Expected ONNX Runtime and ONNX for exported models, but '{error.name}' can't be imported. "
        "Install them: `pip install 'tt-actions[export]'`."
    )


def open_session(graph: bytes | Path) -> "InferenceSession":
    """Make a graph ready to run, on as many threads as PyTorch takes.

    Args:
        graph: The graph, or its file.

    Raises:
        ValueError: If it is no graph that ONNX Runtime can run, or the extra `export` is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise missing(error) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry(
        "session.intra_op.allow_spinning", "0"
    )  # it would slow PyTorch beside it
    options.log_severity_level = 3  # errors; below it tells of constants that it has folded
    try:
        source = graph if isinstance(graph, bytes) else str(graph)
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own classes, which derive from no common one
        raise broken(graph if isinstance(graph, Path) else Path("the graph"), error) from error


class OnnxNetwork(ActionModel):
    """A network of whole clips whose graph ONNX Runtime runs; it reads frames as they come from a video.

    Args:
        num_classes: Number of classes *K*.
        session: The graph of clips.
        average: How per-frame probabilities become a clip's.

    Shape:
        frames ``(B, T, C, H, W)``, uint8, and lengths ``(B,)`` -> logits ``(B, T, K)``.
    """

    def __init__(self, num_classes: int, session: "InferenceSession", average: Average = "mean") -> None:
        super().__init__(num_classes, average)
        self.session = session

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits; those past ``lengths`` mean nothing.

        Args:
            inputs: Frames of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, C, H, W)``, uint8, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        return run_clips(self.session, inputs, lengths)


class OnnxCausalNetwork(CausalModel):
    """A causal network whose graphs ONNX Runtime runs; it reads frames as they come from a video.

    Args:
        num_classes: Number of classes *K*.
        session: The graph of clips.
        steps: The graph of a stretch of a stream.
        average: How per-frame probabilities become a clip's.
        delay: Number of frames by which a frame's logits come later.
        state: Shape of each tensor of the state by its name, without its first dimension.

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
        """Return per-frame logits; those past ``lengths`` mean nothing.

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
        lengths: Tensor | None = None,  # noqa: ARG002 - what comes after padding means nothing
    ) -> tuple[Tensor, list[np.ndarray]]:
        """Read on, without delay.

        Args:
            inputs: The next frames of each clip.
            state: What the call before returned; None at the start.
            lengths: Not looked at: padding comes after all that counts.

        Returns:
            The logits that come out at each frame, and the state to hand to the next call.

        Shape:
            inputs ``(B, T, C, H, W)``, uint8, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        is_first = np.full(len(inputs), state is None)
        before = first_state(self.state, len(inputs)) if state is None else state
        logits, *after = run_stretch(self.steps, inputs.numpy(force=True), is_first, before)
        return torch.from_numpy(logits), after


def first_state(shapes: dict[str, list[int]], num_tracks: int) -> list[np.ndarray]:
    """Return the state to give a step graph with the first frames: it is not looked at.

    Args:
        shapes: Shape of each tensor by its name, without the first dimension.
        num_tracks: Number of tracks *P*.
    """
    return [np.zeros((num_tracks, *shape), np.float32) for shape in shapes.values()]


def run_clips(session: "InferenceSession", inputs: Tensor, lengths: Tensor) -> Tensor:
    """Run a graph of clips.

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
    """Run a step graph.

    Args:
        session: The graph.
        frames: The next frames of each track.
        is_first: Whether they are the track's first.
        state: The tensors of the state before.

    Returns:
        The logits that come out at each frame, and the tensors of the state after.

    Shape:
        frames ``(P, n, C, H, W)``, uint8, is_first ``(P,)``, bool, state ``(P, ...)`` each -> logits
        ``(P, n, K)``, state.
    """
    names = [one.name for one in session.get_inputs()]
    found: list[np.ndarray] = session.run(
        None, dict(zip(names, [np.ascontiguousarray(frames), is_first, *state], strict=True))
    )
    return found


class OnnxRecognizer(Recognizer):
    """An exported model in the place of a trained one: in ``predict``, and in the analysis of a match.

    Args:
        description: What ``model.json`` says of it.
        network: Its graphs, as a network that reads frames as they come from a video.

    Raises:
        ValueError: If the description's timing is none.
    """

    def __init__(self, description: ModelDescription, network: ActionModel) -> None:
        how: dict[str, Any] = {  # JSON knows no tuples
            name: tuple(value) if isinstance(value, list) else value
            for name, value in description.preprocessing.items()
        }
        super().__init__(network, description.class_names, Preprocessing(**how))
        self.normalise = Normalisation()  # the graphs bring frames to scale
        timing, typical = description.timing, description.typical_clip
        self.timing = None if timing is None else StrokeTiming.from_plain(timing)
        self.typical_clip = None if typical is None else TypicalClip(**typical)
        self.has_regions = description.has_regions
        self.eval()


def check_inputs(session: "InferenceSession", names: list[str]) -> None:
    """Refuse a graph that takes something else than its description says.

    Args:
        session: The graph.
        names: Names of its inputs in order.

    Raises:
        ValueError: If they are others.
    """
    found = [one.name for one in session.get_inputs()]
    if found != names:
        raise ValueError(f"a graph takes {', '.join(found)} in place of {', '.join(names)}")


def make_recognizer(description: ModelDescription, graphs: dict[str, Any]) -> OnnxRecognizer:
    """Join graphs and what is known of them to a model that is used as a trained one is.

    Args:
        description: What ``model.json`` says.
        graphs: The graphs or their files, by ``model`` and, of a causal network, ``step``.

    Raises:
        ValueError: If a graph can't be run, it and the description don't fit, or the extra `export` is not
            installed.
    """
    num_classes = len(description.class_names)
    average: Average = "mean" if description.average is None else "learned"
    session = open_session(graphs["model"])
    check_inputs(session, ["frames", "lengths"])
    network: ActionModel
    if description.state is None:
        network = OnnxNetwork(num_classes, session, average)
    else:
        steps, delay = open_session(graphs["step"]), description.delay
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
    """Return the folder that a checkpoint is exported to unless another is named: one beside it.

    Args:
        checkpoint: The checkpoint.
        format: What the graphs are written in.

    >>> default_folder(Path("checkpoints/best.ckpt"), "onnx").name
    'best_onnx'
    """
    return checkpoint.with_name(f"{checkpoint.stem}_{format}")


def open_engine(path: Path | str, int8: bool = False) -> Recognizer:
    """Open an exported ONNX model: it is used as a trained one, such as by ``analyze_video``.

    Args:
        path: The folder that was exported to, or a checkpoint with its export beside it.
        int8: Whether to take the int8 graphs.

    Raises:
        FileNotFoundError: If there is no export.
        ValueError: If it is an export of another checkpoint or format, has no int8 graphs or is broken, or
            the extra `export` is not installed.
    """
    path = Path(path)
    folder = default_folder(path, "onnx") if path.is_file() else path
    description = read_description(folder)
    if path.is_file() and file_digest(path) != description.checkpoint["sha256"]:
        raise UserError(
            f"Expected '{folder}' to be the export of '{path}', but the checkpoint has changed since. "
            f"Export it anew: `tt-actions export --checkpoint {path} --format onnx`."
        )
    if description.format != "onnx" or (int8 and description.int8 is None):
        raise UserError(
            f"Expected {'int8 ' * int8}graphs in ONNX in '{folder}', but it holds none. "
            f"Write them: `tt-actions export --format onnx{' --int8' * int8}`."
        )
    files = {name: folder / f"{name}{'_int8' * int8}.onnx" for name in ("model", "step")}
    try:
        return make_recognizer(description, files)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise broken(folder / FILE, error) from error
