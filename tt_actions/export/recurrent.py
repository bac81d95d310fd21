"""PyTorch's GRU and LSTM as operators of ONNX, for sequences of any length."""

from typing import Any

import torch
from torch import Tensor, nn

from tt_actions.errors import UserError

SINCE = 14
"""The operator version that introduced the form of ONNX's GRU and LSTM that is used here."""

ORDER = {"GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}
"""For each gate of ONNX, in its order, the place of the gate in PyTorch's weights."""


class OnnxRecurrent(nn.Module):
    """A GRU or an LSTM as ONNX's operators, one for each layer. Outside an export it computes nothing.

    Args:
        layer: The GRU or LSTM with the weights.

    Raises:
        UserError: If it is an LSTM with projections, which ONNX does not have.
    """

    def __init__(self, layer: nn.GRU | nn.LSTM) -> None:
        super().__init__()
        if layer.proj_size:
            raise UserError(
                f"Expected `proj_size` of the LSTM to be 0, because ONNX has no projections, but got "
                f"{layer.proj_size}. Use 0, or export as TorchScript."
            )
        self.kind, self.hidden_size, self.num_layers = layer.mode, layer.hidden_size, layer.num_layers
        self.batch_first, self.num_directions = layer.batch_first, 1 + layer.bidirectional
        for number in range(layer.num_layers):
            for name in ("weight_ih", "weight_hh", "bias"):
                self.register_buffer(f"{name}_{number}", self._weights(layer, name, number))

    def _weights(self, layer: nn.GRU | nn.LSTM, name: str, number: int) -> Tensor:
        """Return the weights of a layer in ONNX's order of gates, one row per direction."""
        rows = []
        for ending in ("", "_reverse")[: self.num_directions]:
            parts = [name] if name != "bias" else ["bias_ih", "bias_hh"]
            gates = []
            for part in parts:
                weight = getattr(layer, f"{part}_l{number}{ending}", None)
                if weight is None:  # a layer without biases
                    weight = torch.zeros(len(ORDER[self.kind]) * self.hidden_size)
                chunks = weight.detach().chunk(len(ORDER[self.kind]))
                gates += [chunks[place] for place in ORDER[self.kind]]
            rows.append(torch.cat(gates))
        return torch.stack(rows)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Run the layers over whole sequences.

        Args:
            x: Sequences.
            state: State before the first step, as of PyTorch's layer; zeros if None.

        Returns:
            The hidden states of the last layer, and the state after the last step.

        Shape:
            x ``(B, T, D)``, or ``(T, B, D)`` as the layer has it -> h ``(B, T, H)``, or ``(T, B, H)``.
        """
        x = x.transpose(0, 1) if self.batch_first else x
        num_states = 2 if self.kind == "LSTM" else 1
        if state is None:
            state = (
                x.new_zeros(self.num_layers * self.num_directions, x.shape[1], self.hidden_size),
            ) * num_states
        before = state if isinstance(state, tuple) else (state,)
        after = []
        for number in range(self.num_layers):
            own = slice(number * self.num_directions, (number + 1) * self.num_directions)
            x, *ends = self._run(number, x, [part[own] for part in before])
            after.append(ends)
        parts = tuple(torch.cat(ends) for ends in zip(*after, strict=True))
        return (x.transpose(0, 1) if self.batch_first else x), parts if num_states == 2 else parts[0]

    def _run(self, number: int, x: Tensor, before: list[Tensor]) -> tuple[Tensor, ...]:
        """Run one layer: x ``(T, B, D)`` -> h ``(T, B, directions * H)``, states after the last step."""
        t, b = x.shape[:2]
        names = ("weight_ih", "weight_hh", "bias")
        weights = [getattr(self, f"{name}_{number}") for name in names]
        end = (self.num_directions, b, self.hidden_size)
        attributes: dict[str, Any] = {"hidden_size": self.hidden_size}
        attributes |= {"direction": "bidirectional"} if self.num_directions == 2 else {}
        attributes |= {"linear_before_reset": 1} if self.kind == "GRU" else {}
        y, *ends = torch.onnx.ops.symbolic_multi_out(
            self.kind,
            (x, *weights, None, *before),
            attributes,
            dtypes=(x.dtype,) * (1 + len(before)),
            shapes=((t, *end), *(end for _ in before)),
            version=SINCE,
        )
        return y.transpose(1, 2).reshape(t, b, -1), *ends
