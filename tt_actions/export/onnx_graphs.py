"""Graphs in ONNX format, written with ``torch.export`` and PyTorch's ONNX exporter."""

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.export.graphs import ClipGraph, StepGraph, clip_example, state_leaves, step_example
from tt_actions.export.joint_graph import JointGraph, joint_example
from tt_actions.export.recurrent import OnnxRecurrent
from tt_actions.models.peephole_lstm import PeepholeLSTM, State
from tt_actions.recognition.onnx_joints import INPUTS
from tt_actions.recognition.recognizer import Recognizer

OPSET = 18
"""Version of the ONNX operators: the oldest that PyTorch's exporter writes."""

LSTM_SINCE = 14
"""The operator version that introduced the form of ONNX's LSTM that is used here."""


def write_clip_graph(model: Recognizer) -> bytes:
    """Return the ONNX graph for whole clips: frames and lengths, or joints, lengths and hands -> logits.

    Args:
        model: The trained model.
    """
    if isinstance(model.preprocessing, JointPreprocessing):
        per_clip = {0: Dim.DYNAMIC}
        dims = ({0: Dim.DYNAMIC, 1: Dim.DYNAMIC}, per_clip, per_clip)
        return _write(JointGraph(model, onnx_layer), joint_example(model), dims, list(INPUTS), ["logits"])
    dynamic = ({0: Dim.DYNAMIC, 1: Dim.DYNAMIC}, {0: Dim.DYNAMIC})
    graph = ClipGraph(model, onnx_layer)
    return _write(graph, clip_example(model), dynamic, ["frames", "lengths"], ["logits"])


def write_step_graph(model: Recognizer) -> bytes:
    """Return the ONNX graph for a stream: frames, ``is_first`` and state -> logits and new state.

    Args:
        model: The trained model with a causal network.
    """
    names = [name for name, _ in state_leaves(model)]
    per_track = {0: Dim.DYNAMIC}
    dynamic = ({0: Dim.DYNAMIC, 1: Dim.DYNAMIC}, per_track, *([(per_track,) * len(names)] if names else []))
    graph = StepGraph(model, onnx_layer)
    inputs, outputs = ["frames", "is_first", *names], ["logits", *(f"new_{name}" for name in names)]
    return _write(graph, step_example(model), dynamic, inputs, outputs)


def _write(
    graph: nn.Module,
    example: tuple[Tensor, ...],
    dynamic: tuple[object, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> bytes:
    with _quiet(), plain_attention(), torch.no_grad():
        exported = torch.export.export(graph, example, dynamic_shapes=dynamic, strict=False)
        program = torch.onnx.export(
            exported, (), input_names=inputs, output_names=outputs, opset_version=OPSET, verbose=False
        )
    assert program is not None
    proto = program.model_proto
    _name_axes(proto.graph)
    content: bytes = proto.SerializeToString()
    return content


def _name_axes(graph: Any) -> None:
    """Name the variable axes of a graph: batch, the first of each input and output, and time."""
    shapes = {value.name: value.type.tensor_type.shape.dim for value in (*graph.input, *graph.output)}
    first = shapes[graph.input[0].name]
    names = {first[1].dim_param: "time", **{dims[0].dim_param: "batch" for dims in shapes.values()}}
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            for symbol, name in names.items():
                if dim.dim_param and symbol:
                    dim.dim_param = re.sub(rf"\b{re.escape(symbol)}\b", name, dim.dim_param)
    shapes["logits"][1].dim_param = "time"  # computed from the frames, but as many


def onnx_layer(layer: nn.Module) -> nn.Module | None:
    """Return a recurrent layer as operators of ONNX, or None for any other layer.

    Args:
        layer: The layer.
    """
    if isinstance(layer, PeepholeLSTM):
        return OnnxLSTM(layer)
    return OnnxRecurrent(layer) if isinstance(layer, nn.GRU | nn.LSTM) else None


@contextmanager
def plain_attention() -> Iterator[None]:
    """Compute transformers with plain operators instead of PyTorch's fused one, which can't be exported."""
    was_enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was_enabled)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's messages about its own deprecated calls and missing packages."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logger.setLevel(level)


class OnnxLSTM(nn.Module):
    """A peephole LSTM as ONNX's LSTM operator, for sequences of any length.

    ONNX defines peepholes in the same way; it orders gates i, o, f, g and peepholes i, o, f. Outside an
    export this module computes nothing.

    Args:
        lstm: The LSTM with the weights.
    """

    weight_ih: Tensor
    weight_hh: Tensor
    bias: Tensor
    peephole: Tensor | None

    def __init__(self, lstm: PeepholeLSTM) -> None:
        super().__init__()
        self.hidden_size = lstm.hidden_size
        bias = _reorder(lstm.bias)
        peephole = lstm.weight_peephole
        self.register_buffer("weight_ih", _reorder(lstm.weight_ih))  # (1, 4H, D)
        self.register_buffer("weight_hh", _reorder(lstm.weight_hh))  # (1, 4H, H)
        self.register_buffer("bias", torch.cat([bias, torch.zeros_like(bias)], 1))  # (1, 8H)
        self.register_buffer("peephole", None if peephole is None else peephole[[0, 2, 1]].view(1, -1))

    def forward(
        self,
        x: Tensor,
        state: State | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Run the LSTM over whole sequences.

        Args:
            x: Sequences.
            state: Hidden and cell state before the first step; zeros if None.
            lengths: Must be None: all steps are read.

        Shape:
            x ``(B, T, D)``, state twice ``(B, H)`` -> h ``(B, T, H)``, twice ``(B, H)``.
        """
        assert lengths is None
        b, t = x.shape[:2]
        h0, c0 = state or (x.new_zeros(b, self.hidden_size),) * 2
        weights = (self.weight_ih, self.weight_hh, self.bias)
        one = (1, b, self.hidden_size)
        y, h, c = torch.onnx.ops.symbolic_multi_out(
            "LSTM",
            (x.transpose(0, 1), *weights, None, h0[None], c0[None], self.peephole),
            {"hidden_size": self.hidden_size},
            dtypes=(x.dtype,) * 3,
            shapes=((t, *one), one, one),
            version=LSTM_SINCE,
        )
        return y[:, 0].transpose(0, 1), (h[0], c[0])


def _reorder(weight: Tensor) -> Tensor:
    i, f, g, o = weight.detach().chunk(4)
    return torch.cat([i, o, f, g])[None]
