"""Graphs in TorchScript format, traced, with a compiled recurrence.

PyTorch deprecates TorchScript, and PyTorch 2.13 warns on every call. The files still load in Python and C++.
"""

import io
import warnings

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.export.graphs import ClipGraph, StepGraph, clip_example, step_example
from tt_actions.export.joint_graph import JointGraph, joint_example
from tt_actions.export.onnx_graphs import plain_attention
from tt_actions.models.peephole_lstm import PeepholeLSTM, State
from tt_actions.recognition.recognizer import Recognizer


def write_clip_graph(model: Recognizer) -> bytes:
    """Return the TorchScript file for clips: frames and lengths, or joints, lengths and hands -> logits.

    Args:
        model: The trained model.
    """
    if isinstance(model.preprocessing, JointPreprocessing):
        return _write(JointGraph(model, scripted_layer), joint_example(model))
    return _write(ClipGraph(model, scripted_layer), clip_example(model))


def write_step_graph(model: Recognizer) -> bytes:
    """Return the TorchScript file for a stream: frames, ``is_first`` and state -> logits and new state.

    Args:
        model: The trained model with a causal network.
    """
    return _write(StepGraph(model, scripted_layer), step_example(model))


def _write(graph: nn.Module, example: tuple[Tensor, ...]) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), plain_attention(), torch.no_grad():
        warnings.filterwarnings("ignore", category=TracerWarning)  # other shapes are checked later
        warnings.simplefilter("ignore", DeprecationWarning)
        traced = torch.jit.trace(graph, example, check_trace=False)  # type: ignore[no-untyped-call]  # in torch
        torch.jit.save(traced, file)
    return file.getvalue()


def scripted_layer(layer: nn.Module) -> nn.Module | None:
    """Return a peephole LSTM with a compiled loop, or None for any other layer.

    Args:
        layer: The layer.
    """
    return ScriptedLSTM(layer) if isinstance(layer, PeepholeLSTM) else None


class ScriptedLSTM(nn.Module):
    """A peephole LSTM with a compiled loop over time, for sequences of any length.

    Args:
        lstm: The LSTM with the weights.
    """

    def __init__(self, lstm: PeepholeLSTM) -> None:
        super().__init__()
        self.hidden_size = lstm.hidden_size
        self.weight_ih, self.weight_hh, self.bias = lstm.weight_ih, lstm.weight_hh, lstm.bias
        peephole = lstm.weight_peephole
        self.peephole = lstm.weight_hh.new_zeros(3, lstm.hidden_size) if peephole is None else peephole
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self.recur = torch.jit.script(run_recurrence)

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
        projected = F.linear(x, self.weight_ih, self.bias).transpose(0, 1)  # (T, B, 4H)
        h0, c0 = state or (x.new_zeros(x.shape[0], self.hidden_size),) * 2
        steps, h, c = self.recur(projected, h0, c0, self.weight_hh, self.peephole)
        return steps.transpose(0, 1), (h, c)


def run_recurrence(
    projected: Tensor, h: Tensor, c: Tensor, weight: Tensor, peephole: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute all time steps with the equations of :class:`PeepholeLSTM`.

    Args:
        projected: The projected input of each step.
        h: Hidden state before the first step.
        c: Cell state before the first step.
        weight: Weights of the hidden state.
        peephole: Weights of the cell state.

    Shape:
        projected ``(T, B, 4H)``, h and c ``(B, H)``, weight ``(4H, H)``, peephole ``(3, H)`` -> h of each
        step ``(T, B, H)``, and the last h and c.
    """
    steps: list[Tensor] = []
    for t in range(projected.shape[0]):
        i, f, g, o = (projected[t] + h @ weight.t()).chunk(4, 1)
        i = torch.sigmoid(i + peephole[0] * c)
        f = torch.sigmoid(f + peephole[1] * c)
        c = f * c + i * torch.tanh(g)
        h = torch.sigmoid(o + peephole[2] * c) * torch.tanh(c)
        steps.append(h)
    return torch.stack(steps), h, c
