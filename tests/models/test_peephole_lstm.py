import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tt_actions.models.peephole_lstm import PeepholeLSTM

LENGTHS = torch.tensor([7, 3, 1, 5])


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def make_pair(peepholes):
    """Our LSTM with zero or no peepholes, and torch's LSTM with the same weights."""
    ours, reference = PeepholeLSTM(5, 6, peepholes), nn.LSTM(5, 6, batch_first=True)
    with torch.no_grad():
        if ours.weight_peephole is not None:
            ours.weight_peephole.zero_()
        reference.weight_ih_l0.copy_(ours.weight_ih)
        reference.weight_hh_l0.copy_(ours.weight_hh)
        reference.bias_ih_l0.copy_(ours.bias)
        reference.bias_hh_l0.zero_()
    return ours, reference


def run_by_hand(lstm, x, h, c):
    """The equations, computed one sequence and one step at a time."""

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    w_x, w_h, b, p = (
        w.detach().double().numpy() for w in (lstm.weight_ih, lstm.weight_hh, lstm.bias, lstm.weight_peephole)
    )
    x, h, c = (v.double().numpy() for v in (x, h, c))
    (w_xi, w_xf, w_xc, w_xo), (u_i, u_f, u_c, u_o), (b_i, b_f, b_c, b_o) = (
        np.split(w, 4) for w in (w_x, w_h, b)
    )
    hidden = []
    for x_t in x:
        i = sigmoid(w_xi @ x_t + u_i @ h + p[0] * c + b_i)
        f = sigmoid(w_xf @ x_t + u_f @ h + p[1] * c + b_f)
        c = f * c + i * np.tanh(w_xc @ x_t + u_c @ h + b_c)
        o = sigmoid(w_xo @ x_t + u_o @ h + p[2] * c + b_o)
        h = o * np.tanh(c)
        hidden.append(h)
    return np.stack(hidden), h, c


@pytest.mark.parametrize("peepholes", [True, False])
@pytest.mark.parametrize("used", ["hidden", "state"])
def test_without_peepholes_it_is_torch_lstm_forward_and_backward(peepholes, used):
    ours, reference = make_pair(peepholes)
    results = []
    inputs = torch.randn(4, 7, 5), torch.randn(4, 6), torch.randn(4, 6)
    weights = torch.randn(4, 7, 6), torch.randn(4, 6), torch.randn(4, 6)
    for lstm in (ours, reference):
        x, h0, c0 = (v.clone().requires_grad_() for v in inputs)
        h, (h_n, c_n) = lstm(x, (h0, c0)) if lstm is ours else lstm(x, (h0[None], c0[None]))
        h_n, c_n = h_n.view(4, 6), c_n.view(4, 6)
        loss = (h * weights[0]).sum()
        if used == "state":
            loss = (h_n * weights[1]).sum() + (c_n * weights[2]).sum()
        loss.backward()
        parameters = list(lstm.parameters())[:3]
        results.append([h, h_n, c_n, x.grad, h0.grad, c0.grad, *(p.grad for p in parameters)])
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


def test_with_lengths_it_is_a_packed_torch_lstm():
    ours, reference = make_pair(peepholes=False)
    x = torch.randn(4, 7, 5)
    h, (h_n, c_n) = ours(x, lengths=LENGTHS)
    packed, state = reference(pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False))
    torch.testing.assert_close(h, pad_packed_sequence(packed, batch_first=True)[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.stack([h_n, c_n]), torch.cat(state), atol=1e-5, rtol=1e-5)


def test_with_peepholes_it_follows_the_equations():
    lstm = PeepholeLSTM(5, 6)
    x, h0, c0 = torch.randn(4, 7, 5), torch.randn(4, 6), torch.randn(4, 6)
    h, (h_n, c_n) = lstm(x, (h0, c0), LENGTHS)
    for k, length in enumerate(LENGTHS.tolist()):
        hidden, last_h, last_c = run_by_hand(lstm, x[k, :length], h0[k], c0[k])
        np.testing.assert_allclose(h[k, :length].detach(), hidden, atol=1e-5)
        np.testing.assert_allclose(h_n[k].detach(), last_h, atol=1e-5)
        np.testing.assert_allclose(c_n[k].detach(), last_c, atol=1e-5)


@pytest.mark.parametrize("peepholes", [True, False])
def test_gradients_are_those_of_finite_differences(peepholes):
    lstm = PeepholeLSTM(3, 4, peepholes).double()
    x = torch.randn(2, 5, 3, dtype=torch.double, requires_grad=True)
    h0, c0 = (torch.randn(2, 4, dtype=torch.double, requires_grad=True) for _ in range(2))
    names = [name for name, _ in lstm.named_parameters()]

    def run(x, h0, c0, *weights):
        call = (x, (h0, c0), torch.tensor([5, 3]))
        h, state = torch.func.functional_call(lstm, dict(zip(names, weights, strict=True)), call)
        return h, *state

    assert torch.autograd.gradcheck(run, (x, h0, c0, *lstm.parameters()))


def test_padding_changes_neither_results_nor_gradients():
    lstm = PeepholeLSTM(5, 6)
    results = []
    for padding in (0.0, 1e6):
        x = torch.randn(4, 7, 5, generator=torch.Generator().manual_seed(1))
        x[torch.arange(7) >= LENGTHS[:, None]] = padding
        h, (h_n, c_n) = lstm(x, lengths=LENGTHS)
        gradients = torch.autograd.grad(h.sum() + h_n.sum() + c_n.sum(), list(lstm.parameters()))
        results.append([h, h_n, c_n, *gradients])
    for plain, padded in zip(*results, strict=True):
        torch.testing.assert_close(plain, padded, atol=0, rtol=0)


def test_steps_equal_forward():
    lstm = PeepholeLSTM(5, 6)
    x, state, hidden = torch.randn(4, 7, 5), None, []
    for x_t in x.unbind(1):
        h_t, state = lstm.step(x_t, state)
        hidden.append(h_t)
    h, final = lstm(x)
    torch.testing.assert_close(torch.stack(hidden, 1), h, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(state, final, atol=1e-6, rtol=1e-5)


def test_layout_is_that_of_torch_lstm_and_the_forget_gate_starts_open():
    lstm, reference = PeepholeLSTM(5, 6), nn.LSTM(5, 6)
    assert lstm.weight_ih.shape == reference.weight_ih_l0.shape
    assert lstm.weight_hh.shape == reference.weight_hh_l0.shape
    assert lstm.weight_peephole.shape == (3, 6)
    assert (lstm.bias.view(4, 6)[1] == 1).all()
    assert lstm.bias.view(4, 6)[[0, 2, 3]].abs().max() <= 6**-0.5


def test_trains_under_bfloat16_autocast():
    lstm = PeepholeLSTM(5, 6)
    x = torch.randn(4, 7, 5)
    exact, _ = lstm(x, lengths=LENGTHS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        h, _ = lstm(x, lengths=LENGTHS)
        h.sum().backward()
    torch.testing.assert_close(h.float(), exact, atol=2e-2, rtol=0)
    assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in lstm.parameters())


@pytest.mark.parametrize("shape", [(4, 5), (4, 0, 5), (4, 7, 3)])
def test_wrong_input_is_refused(shape):
    with pytest.raises(ValueError, match=r"Expected `x` to be \(B, T, 5\)"):
        PeepholeLSTM(5, 6)(torch.randn(shape))


def test_sizes_below_one_are_refused():
    with pytest.raises(ValueError, match=r"Expected `hidden_size` to be at least 1, but got 0\."):
        PeepholeLSTM(5, 0)
