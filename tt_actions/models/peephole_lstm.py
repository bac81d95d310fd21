"""An LSTM with peepholes: the cell state also feeds the gates."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from tt_actions.errors import UserError
from tt_actions.models.averages import valid_frames
from tt_actions.models.checks import check_positive

State = tuple[Tensor, Tensor]


class PeepholeLSTM(nn.Module):
    r"""One layer of LSTM cells with peepholes, over padded batches of sequences.

    The cell of Gers & Schmidhuber, "Recurrent nets that time and count" (2000), with one peephole weight per
    unit and gate:

    .. math::
        i_t &= \sigma(W_{xi} x_t + U_{hi} h_{t-1} + w_{ci} * c_{t-1} + b_i) \\
        f_t &= \sigma(W_{xf} x_t + U_{hf} h_{t-1} + w_{cf} * c_{t-1} + b_f) \\
        g_t &= \tanh(W_{xc} x_t + U_{hc} h_{t-1} + b_c) \\
        c_t &= f_t * c_{t-1} + i_t * g_t \\
        o_t &= \sigma(W_{xo} x_t + U_{ho} h_{t-1} + w_{co} * c_t + b_o) \\
        h_t &= o_t * \tanh(c_t)

    Weights are laid out as in :class:`torch.nn.LSTM`: ``weight_ih`` (4H, D), ``weight_hh`` (4H, H) in the
    order i, f, g, o, but with a single ``bias`` (4H), and ``weight_peephole`` (3, H) in the order i, f, o.
    All are initialised uniformly in +-1/sqrt(H), except the bias of the forget gate, which starts at 1
    (Jozefowicz et al. 2015). Under autocast, the input projection runs in low precision and the recurrence in
    the precision of the weights.

    Args:
        input_size: Width *D* of the input.
        hidden_size: Width *H* of the state.
        peepholes: Whether the cell state feeds the gates; without, this is :class:`torch.nn.LSTM`.

    Raises:
        ValueError: If a size is below 1.
    """

    weight_peephole: Tensor | None

    def __init__(self, input_size: int, hidden_size: int, peepholes: bool = True) -> None:
        super().__init__()
        check_positive(input_size=input_size, hidden_size=hidden_size)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.empty(4 * hidden_size))
        weight_peephole = nn.Parameter(torch.empty(3, hidden_size)) if peepholes else None
        self.register_parameter("weight_peephole", weight_peephole)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Reinitialise the weights."""
        bound = self.hidden_size**-0.5
        for weight in self.parameters():
            nn.init.uniform_(weight, -bound, bound)
        nn.init.ones_(self.bias.data.view(4, -1)[1])

    def forward(
        self, x: Tensor, state: State | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Process whole sequences.

        Args:
            x: Sequences, padded to the longest.
            state: Hidden and cell state before the first step; zeros if None.
            lengths: Number of valid steps of each sequence, at least 1; all if None.

        Returns:
            The hidden state of every step, zero past ``lengths``, and the hidden and cell state after each
            sequence's last valid step.

        Shape:
            x ``(B, T, D)``, state twice ``(B, H)``, lengths ``(B,)`` -> h ``(B, T, H)``, twice ``(B, H)``.

        Raises:
            ValueError: If ``x`` is not ``(B, T, D)`` with at least one step.
        """
        if x.ndim != 3 or x.shape[1] < 1 or x.shape[2] != self.input_size:
            raise UserError(
                f"Expected `x` to be (B, T, {self.input_size}) with T >= 1, but got {tuple(x.shape)}. "
                "Set `input_size` to the last dimension."
            )
        b, t = x.shape[:2]
        projected = F.linear(x.transpose(0, 1).flatten(0, 1), self.weight_ih, self.bias)  # (T*B, 4H)
        h0, c0 = state or (self.weight_hh.new_zeros(b, self.hidden_size),) * 2
        gates = projected.to(h0.dtype).view(t, b, -1)
        h, c = _recur(gates, h0, c0, self.weight_hh, self.weight_peephole)  # (T, B, H)
        if lengths is None:
            return h.transpose(0, 1), (h[-1], c[-1])
        batch = torch.arange(b, device=x.device)
        final = h[lengths - 1, batch], c[lengths - 1, batch]
        return h.transpose(0, 1).masked_fill(~valid_frames(lengths, t)[..., None], 0), final

    def step(self, x_t: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Process one more time step of each sequence.

        Args:
            x_t: The step's input.
            state: State that the previous step returned; None at the start.

        Returns:
            The hidden state of this step, and the state for the next step.

        Shape:
            x_t ``(B, D)`` -> h_t ``(B, H)``, twice ``(B, H)``.
        """
        h, state = self(x_t[:, None], state)
        return h[:, 0], state


class _Recurrence(torch.autograd.Function):
    """The recurrence, with a hand-written backward pass.

    Autograd would record many small operations per step. Here the backward loop contains only the
    computations that depend on the next step. The slopes of the gates (before the loop) and the gradients of
    the weights (after it) are computed for all steps at once.
    """

    @staticmethod
    def forward(
        ctx: Any, projected: Tensor, h0: Tensor, c0: Tensor, weight: Tensor, peephole: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Compute h and c (T, B, H) from the projected input (T, B, 4H) and the initial h0, c0 (B, H)."""
        gates = torch.empty_like(projected)
        i, f, g_in, o = gates.chunk(4, 2)
        i_and_f = gates.view(*gates.shape[:2], 4, -1)[:, :, :2]
        g, tanh_c = projected.new_empty(2, *o.shape)
        h, c = projected.new_empty(2, len(projected) + 1, *h0.shape)
        h[0], c[0] = h0, c0
        steps = zip(projected, gates, i, f, g_in, o, i_and_f, g, tanh_c, h[1:], c[1:], strict=True)
        h_prev, c_prev = h0, c0
        for x_t, gates_t, i_t, f_t, g_in_t, o_t, i_and_f_t, g_t, tanh_c_t, h_t, c_t in steps:
            torch.addmm(x_t, h_prev, weight.t(), out=gates_t)
            if peephole is not None:
                i_and_f_t.addcmul_(c_prev[:, None], peephole[:2])
            i_and_f_t.sigmoid_()
            g_t.copy_(g_in_t).tanh_()  # tanh is three times as fast on contiguous memory
            torch.mul(f_t, c_prev, out=c_t).addcmul_(i_t, g_t)
            if peephole is not None:
                o_t.addcmul_(c_t, peephole[2])
            torch.mul(o_t.sigmoid_(), torch.tanh(c_t, out=tanh_c_t), out=h_t)
            h_prev, c_prev = h_t, c_t
        g_in.copy_(g)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(gates, tanh_c, h, c, weight, peephole)
        return h[1:], c[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_h: Tensor | None, grad_c: Tensor | None) -> tuple[Tensor | None, ...]:
        gates, tanh_c, h, c, weight, peephole = ctx.saved_tensors
        i, f, g, o = gates.chunk(4, 2)
        # Slopes first: d c_t / d (inputs of i, f and g), and d h_t / d (input of o)
        d_gates = gates - gates * gates
        d_i, d_f, d_g, d_o = d_gates.chunk(4, 2)
        d_i *= g
        d_f *= c[:-1]
        torch.addcmul(i, i, g * g, value=-1, out=d_g)
        d_o *= tanh_c
        dh_dc, dc_dc = torch.addcmul(o, o, tanh_c * tanh_c, value=-1), f  # d h_t / d c_t, d c_t / d c_{t-1}
        if peephole is not None:
            dh_dc = torch.addcmul(dh_dc, d_o, peephole[2])
            dc_dc = torch.addcmul(f, d_i, peephole[0]).addcmul_(d_f, peephole[1])
        # Then multiply by the gradients of h_t and c_t, from the last step to the first
        d_ifg = d_gates.view(*gates.shape[:2], 4, -1)[:, :, :3]
        d_h, d_c = torch.zeros_like(h[0]), torch.zeros_like(c[0])
        for t in reversed(range(len(gates))):
            if grad_h is not None:
                d_h += grad_h[t]
            d_c.addcmul_(d_h, dh_dc[t])
            if grad_c is not None:
                d_c += grad_c[t]
            d_ifg[t].mul_(d_c[:, None])
            d_o[t].mul_(d_h)
            d_c *= dc_dc[t]
            torch.mm(d_gates[t], weight, out=d_h)
        d_weight = d_gates.flatten(0, 1).t() @ h[:-1].flatten(0, 1)
        d_peephole = None
        if peephole is not None:
            pairs = (d_i, c[:-1]), (d_f, c[:-1]), (d_o, c[1:])
            d_peephole = torch.stack([(d_gate * cell).sum((0, 1)) for d_gate, cell in pairs])
        return d_gates, d_h, d_c, d_weight, d_peephole


_recur: Callable[..., tuple[Tensor, Tensor]] = _Recurrence.apply  # untyped in torch
