"""Writing a model as graphs, and checking them against the model."""

import io
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.errors import UserError
from tt_actions.export import onnx_graphs, torchscript_graphs
from tt_actions.export.description import describe_model
from tt_actions.export.graphs import check_exportable, has_step_graph
from tt_actions.export.held_out import HeldOut, read_held_out
from tt_actions.export.joint_verification import RunJoints, compare_held_out, compare_joints
from tt_actions.export.measurement import Comparison, compare_engines, table, verdict
from tt_actions.export.quantization import clip_feeds, quantise, step_feeds
from tt_actions.export.verification import RunStretch, compare_clips, compare_stream
from tt_actions.files import write_atomically
from tt_actions.onnx_session import open_session
from tt_actions.recognition.loading import load
from tt_actions.recognition.onnx_description import FILE, SUFFIXES, Format, ModelDescription
from tt_actions.recognition.onnx_joints import run_joints
from tt_actions.recognition.onnx_recognizer import (
    make_recognizer,
    run_clips,
    run_stretch,
)
from tt_actions.recognition.recognizer import Recognizer

WRITERS: dict[Format, ModuleType] = {"onnx": onnx_graphs, "torchscript": torchscript_graphs}

Run = Callable[..., Tensor]
"""Runs a graph for whole clips: its inputs -> logits."""

Graphs = dict[str, bytes]
"""The contents of each file, by its name without suffix."""


def export_model(
    checkpoint: Path,
    folder: Path,
    format: Format,  # noqa: A002
    int8: bool = False,
    data: Path | None = None,
) -> list[str]:
    """Write a checkpoint as graphs that were checked against the model; return what the checks found.

    Args:
        checkpoint: Checkpoint of a trained model.
        folder: Folder to write to; it is created if needed.
        format: Format of the graphs.
        int8: Whether to write int8 graphs too, and measure their speed and accuracy.
        data: Folder or manifest of labelled clips for the measurements; None for the clips of the training.

    Raises:
        ValueError: If the model can't be exported, the logits of a graph differ from the model's, or the data
            are unsuitable.
        OSError: If the checkpoint or the data do not exist, or a file can't be written.
    """
    model = load(checkpoint)
    check_exportable(model)
    is_joints = isinstance(model.preprocessing, JointPreprocessing)
    if int8 and is_joints:
        raise UserError(
            "Expected a model of video frames with `int8`, but got a model of joints, which float graphs run "
            "fast enough. Remove `int8`."
        )
    held_out = read_held_out(model, checkpoint, data) if int8 else None
    description = describe_model(model, checkpoint, format)
    graphs = write_graphs(model, format)
    worst = verify(model, graphs, format)
    description = replace(description, max_difference=worst)
    lines = [f"The logits of the graphs differ from the model's by at most {worst:.1g}."]
    if is_joints:
        lines.append(check_on_clips(model, _OPENERS[format](graphs["model"])[0], checkpoint, data))
    if held_out is not None:
        graphs |= quantise_graphs(graphs, held_out, description)
        comparison = measure(model, graphs, held_out, description)
        description = replace(description, int8=comparison.to_plain())
        lines += [table(comparison), verdict(comparison)]
    write_folder(folder, graphs, description)
    sizes = ", ".join(f"{name}{SUFFIXES[format]} {len(g) / 1000:.0f} KB" for name, g in graphs.items())
    return [*lines, f"{folder}: {sizes}"]


def check_on_clips(model: Recognizer, run: RunJoints, checkpoint: Path, data: Path | None) -> str:
    """Compare the graph of a model of joints with the model on held-out clips, and say how they agree.

    Args:
        model: The trained model.
        run: The graph.
        checkpoint: Its checkpoint.
        data: Folder or manifest of labelled clips; None for the clips of the training, if they are still
            there.

    Raises:
        ValueError: If the logits differ, or ``data`` is unsuitable.
        OSError: If ``data`` does not exist.
    """
    try:
        samples = read_held_out(model, checkpoint, data).measured
    except (OSError, UserError) as error:
        if data is not None:
            raise
        return f"The graph was compared with the model on synthetic strokes only. {error}"
    return str(compare_held_out(model, run, samples))


def write_graphs(model: Recognizer, format: Format) -> Graphs:  # noqa: A002
    """Return the graph ``model`` and, for a causal network, the graph ``step``.

    Args:
        model: The trained model.
        format: Format of the graphs.

    Raises:
        ValueError: If the network can't be written in this format.
    """
    writer, network = WRITERS[format], model.network.frame_network
    writes = {"model": writer.write_clip_graph}
    if has_step_graph(model):
        writes["step"] = writer.write_step_graph
    try:
        return {name: write(model) for name, write in writes.items()}
    except Exception as error:  # torch.export, the ONNX exporter and TorchScript raise different errors
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"Expected a network that can be exported as {format}, but {type(network).__name__} can't: "
            f"{reason}"
        ) from error


def verify(model: Recognizer, graphs: Graphs, format: Format) -> float:  # noqa: A002
    """Return the largest difference between the logits of the graphs and of the model.

    Args:
        model: The trained model.
        graphs: Its graphs.
        format: Format of the graphs.

    Raises:
        ValueError: If the difference is above the tolerance.
    """
    opened = _OPENERS[format]
    run = opened(graphs["model"])[0]
    if isinstance(model.preprocessing, JointPreprocessing):
        return compare_joints(model, run)
    worst = compare_clips(model, run)
    if "step" in graphs:
        worst = max(worst, compare_stream(model, opened(graphs["step"])[1]))
    return worst


def _open_onnx(graph: bytes) -> tuple[Run, RunStretch]:
    session = open_session(graph, torch.get_num_threads())

    def run(*inputs: Tensor) -> Tensor:
        return run_joints(session, *inputs) if len(inputs) == 3 else run_clips(session, *inputs)

    return run, (lambda *stretch: run_stretch(session, *stretch))


def _open_torchscript(graph: bytes) -> tuple[Run, RunStretch]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        module = torch.jit.load(io.BytesIO(graph))  # type: ignore[no-untyped-call]  # untyped in torch

    @torch.no_grad()
    def run(*inputs: Tensor) -> Any:
        return module(*inputs)

    def run_step(frames: np.ndarray, is_first: np.ndarray, state: list[np.ndarray]) -> list[np.ndarray]:
        found = run(*map(torch.from_numpy, (frames, is_first, *state)))
        return [part.numpy() for part in ((found,) if isinstance(found, Tensor) else found)]

    return run, run_step


_OPENERS: dict[Format, Callable[[bytes], tuple[Run, RunStretch]]] = {
    "onnx": _open_onnx,
    "torchscript": _open_torchscript,
}


def quantise_graphs(graphs: Graphs, held_out: HeldOut, description: ModelDescription) -> Graphs:
    """Return int8 versions of the graphs.

    Args:
        graphs: The float graphs.
        held_out: The clips; those for calibration give the range of each value.
        description: Description of the model.
    """
    feeds = {"model": clip_feeds(held_out.calibration)}
    if description.state is not None:
        feeds["step"] = step_feeds(held_out.calibration, description.state)
    return {f"{name}_int8": quantise(graphs[name], of_graph) for name, of_graph in feeds.items()}


def measure(
    model: Recognizer, graphs: Graphs, held_out: HeldOut, description: ModelDescription
) -> Comparison:
    """Measure the speed and accuracy of the model, its float graphs and its int8 graphs.

    Args:
        model: The trained model.
        graphs: All its graphs.
        held_out: The clips to evaluate on.
        description: Description of the model.
    """
    names = ("model", "step")
    engines: dict[str, Recognizer] = {"torch": model}
    for engine, suffix in (("onnx", ""), ("onnx int8", "_int8")):
        engines[engine] = make_recognizer(description, {n: graphs.get(f"{n}{suffix}") for n in names})
    weights = sum(p.numel() * p.element_size() for p in model.network.parameters())
    num_bytes = {"torch": weights, "onnx": len(graphs["model"]), "onnx int8": len(graphs["model_int8"])}
    return compare_engines(engines, num_bytes, held_out.measured)


def write_folder(folder: Path, graphs: Graphs, description: ModelDescription) -> None:
    """Write the files of an exported model atomically, with ``model.json`` last.

    ``model.json`` therefore exists only while all files that it describes exist. Files of an earlier export
    are deleted.

    Args:
        folder: Folder to write to; it is created if needed.
        graphs: The graphs.
        description: Description of the model.

    Raises:
        OSError: If a file can't be written.
    """
    suffix = SUFFIXES[description.format]
    (folder / FILE).unlink(missing_ok=True)
    for name in ("model", "step", "model_int8", "step_int8"):
        for other in SUFFIXES.values():
            if name not in graphs or other != suffix:
                (folder / f"{name}{other}").unlink(missing_ok=True)
    for name, content in graphs.items():
        with write_atomically(folder / f"{name}{suffix}") as path:
            path.write_bytes(content)
    with write_atomically(folder / FILE) as path:
        path.write_text(description.to_json(), "utf-8")
