"""Differences between the compared models."""

import numpy as np
import pytest
import torch

from tt_actions.models import C3D, CNN, LSTM, MOF, CNNLSTMPlus, R3DTransformer
from tt_actions.models.c3d import zero_padding
from tt_actions.models.mof import smoothness_loss
from tt_actions.models.r3d_transformer import sinusoids

LENGTHS = torch.tensor([8, 8])


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def changed_frames(model, t, frames=None):
    """Frames whose logits change with frame t."""
    frames = torch.rand(2, 8, 3, 32, 32) if frames is None else frames
    other = frames.clone()
    other[:, t] = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        difference = (model(frames, LENGTHS) - model(other, LENGTHS)).abs().amax((0, 2))
    return (difference > 1e-6).tolist()


def test_frames_of_the_cnn_do_not_know_of_each_other():
    assert changed_frames(CNN(4).eval(), 3) == [t == 3 for t in range(8)]


@pytest.mark.parametrize("model_class", [LSTM, CNNLSTMPlus])
def test_causal_models_see_the_past_alone(model_class):
    assert changed_frames(model_class(4).eval(), 3) == [t >= 3 for t in range(8)]


def test_the_transformer_sees_both_ways():
    assert all(changed_frames(R3DTransformer(4).eval(), 7))


@pytest.mark.parametrize("model_class", [C3D, R3DTransformer])
def test_logits_of_a_step_are_repeated_for_its_frames(model_class):
    logits = model_class(4).eval()(torch.rand(2, 10, 3, 32, 32), torch.tensor([10, 10]))
    for start in (0, 4, 8):
        block = logits[:, start : start + 4]
        torch.testing.assert_close(block, block[:, :1].expand_as(block), atol=0, rtol=0)
    assert not torch.equal(logits[:, 0], logits[:, 4])


def test_the_lstm_reads_the_means_of_a_grid():
    model = LSTM(4, grid=(2, 3)).eval()
    frames = torch.rand(2, 8, 3, 8, 12)
    means = frames.view(2, 8, 3, 2, 4, 3, 4).mean((4, 6)).flatten(2)
    torch.testing.assert_close(model(frames, LENGTHS), model.head(model.lstm(means)[0]))


def test_smoothness_is_the_squared_change_of_valid_neighbours():
    logits, lengths = torch.randn(3, 5, 4), torch.tensor([5, 3, 1])
    probabilities = logits.double().softmax(-1).numpy()
    changes = [
        ((probabilities[b, t + 1] - probabilities[b, t]) ** 2).sum()
        for b, length in enumerate(lengths.tolist())
        for t in range(length - 1)
    ]
    assert smoothness_loss(logits, lengths).item() == pytest.approx(np.mean(changes), rel=1e-5)


def test_the_objectives_are_weighed_by_their_uncertainty():
    model = MOF(4).eval()
    with torch.no_grad():
        model.log_variances.copy_(torch.tensor([0.5, -1.0, 2.0]))
    frames, lengths = torch.rand(2, 1, 3, 16, 16), torch.tensor([1, 1])  # one frame: neither change nor order
    loss, _ = model.objective(frames, lengths, lambda logits: logits.sum() * 0 + 3.0)
    assert loss.item() == pytest.approx(3 * np.exp(-0.5) + (0.5 - 1.0 + 2.0) / 2, rel=1e-5)


def test_the_order_of_frames_is_learnt():
    model = MOF(4, channels=(4, 4, 4), feature_size=16)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    brightness = torch.linspace(-1, 1, 8).view(1, 8, 1, 1, 1)
    losses = []
    for _ in range(60):
        frames = brightness + 0.1 * torch.randn(4, 8, 3, 16, 16)
        lengths = torch.full((4,), 8)
        losses.append(model._order_loss(model.features(frames, lengths), lengths))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[0].item() > 0.5  # chance is 0.69
    assert losses[-1].item() < 0.1


def test_padding_is_cleared():
    x = torch.ones(2, 3, 4, 2, 2)
    cleared = zero_padding(x, torch.tensor([4, 1]))
    assert cleared[0].all()
    assert cleared[1, :, 0].all()
    assert not cleared[1, :, 1:].any()


def test_positions_are_told_apart():
    code = sinusoids(64, 16)
    distances = torch.cdist(code, code) + 10 * torch.eye(64)
    assert distances.min() > 0.1


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="Expected `num_heads` to divide the last of `channels`"):
        R3DTransformer(4, channels=(8, 10), num_heads=4)


def test_widths_that_groups_do_not_divide_are_refused():
    with pytest.raises(ValueError, match=r"Expected `channels` to be multiples of 8, but got \[12\]"):
        CNNLSTMPlus(4, channels=[12])


def test_without_motion_a_still_clip_is_seen_alike():
    still = torch.rand(2, 1, 3, 32, 32).expand(2, 8, 3, 32, 32)
    model = CNNLSTMPlus(4, motion=True).eval()
    moving = still.clone()
    moving[:, 4:] += 0.3
    seen = []
    model.stem[0].register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    with torch.no_grad():
        model(moving, LENGTHS)
    change = seen[0].view(2, 8, 6, 32, 32)[:, :, 3:]
    torch.testing.assert_close(change.amax((0, 2, 3, 4)), torch.tensor([0, 0, 0, 0, 0.6, 0, 0, 0]))
    assert CNNLSTMPlus(4, motion=False).stem[0].in_channels == 3


def test_plus_does_without_peepholes_and_learns_its_average():
    assert CNNLSTMPlus(4, peepholes=False).lstm.weight_peephole is None
    model, frames, lengths = (
        CNNLSTMPlus(4, average="learned"),
        torch.rand(2, 3, 3, 32, 32),
        torch.tensor([3, 2]),
    )
    model.clip_log_probability(model(frames, lengths), lengths)[:, 0].sum().backward()
    assert model.average.score.weight.grad.any()
    with pytest.raises(ValueError, match="'mean' or 'learned', but got 'median'"):
        CNNLSTMPlus(4, average="median")
