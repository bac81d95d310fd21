import math

import pytest
import torch
from moving_arms import NUM_CLASSES as K
from moving_arms import strokes
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from tt_actions.models.fisher import Fisher, fisher_vectors


def fitted(clips, batch=4, **options):
    model = Fisher(K, "kinect20", **{"num_gaussians": 4, "num_components": 5, **options}).eval()
    for parts in zip(*(values.split(batch) for values in clips), strict=True):
        model.collect(*parts)
    return model, model.solve()


def test_the_vectors_are_the_mixtures_gradients_by_the_root_of_their_information():
    torch.manual_seed(0)
    m, d, lengths = 4, 3, torch.tensor([7, 2])
    x = torch.randn(2, 7, d).double()
    logits, means = torch.randn(m).double(), torch.randn(m, d).double()
    spreads = torch.rand(m, d).double() + 0.5
    weights = logits.softmax(0)
    vectors = fisher_vectors(x, lengths, weights, means, spreads)
    for vector, clip, length in zip(vectors, x, lengths.tolist(), strict=True):
        parts = [part.clone().requires_grad_() for part in (logits, means, spreads)]
        mixture = MixtureSameFamily(Categorical(logits=parts[0]), Independent(Normal(*parts[1:]), 1))
        by_weight, by_mean, by_spread = torch.autograd.grad(mixture.log_prob(clip[:length]).mean(), parts)
        expected = [
            by_weight / weights.sqrt(),
            (by_mean * spreads / weights.sqrt()[:, None]).flatten(),
            (by_spread * spreads / (2 * weights).sqrt()[:, None]).flatten(),
        ]
        torch.testing.assert_close(vector, torch.cat(expected))


def test_one_gaussian_counted_by_hand():
    x = torch.tensor([[[3.0], [1.0]]])
    vector = fisher_vectors(x, torch.tensor([2]), torch.ones(1), torch.tensor([[1.0]]), torch.tensor([[2.0]]))
    # deviations 1 and 0: their mean, and the mean of their squares less 1, divided by the root of 2
    torch.testing.assert_close(vector, torch.tensor([[0.0, 0.5, -0.5 / math.sqrt(2)]]))


def test_new_strokes_are_told_apart_and_chance_is_not_surpassed_on_noise():
    model, (left_out, labels) = fitted(strokes(18))
    joints, lengths, new_labels = strokes(9, seed=1)
    assert (model(joints, lengths)[:, 0].argmax(1) == new_labels).all()
    assert (left_out.argmax(1) == labels).all()
    _, (left_out, _) = fitted((torch.randn(48, 6, 3, 20), torch.full((48,), 6), torch.arange(48) % K))
    assert left_out.softmax(1).max() < 0.7  # the temperature says that little is known


def test_when_a_pose_is_taken_counts():
    model, _ = fitted(strokes(12))
    joints, lengths, _ = strokes(3, seed=2)
    still = joints[:, :1].expand_as(joints).clone()
    streams = model.components.read(torch.cat([still, joints]))
    described = model.describe(streams, lengths.repeat(2))
    assert not torch.allclose(described[:3], described[3:], atol=1e-2)
    backwards = model.describe(streams.flip(1), lengths.repeat(2))
    torch.testing.assert_close(backwards[:3], described[:3])  # nothing moves: the same
    assert not torch.allclose(backwards[3:], described[3:], atol=1e-2)


def test_batches_do_not_matter():
    clips, new = strokes(12), strokes(4, seed=1)[:2]
    one, other = (fitted(clips, batch)[0](*new) for batch in (12, 5))
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_fewer_frames_than_gaussians_are_refused():
    model = Fisher(K, "kinect20", num_gaussians=10)
    model.collect(torch.randn(3, 3, 3, 20), torch.full((3,), 3), torch.arange(3))
    with pytest.raises(ValueError, match=r"at least 10 training frames \(`num_gaussians`\), but got 9"):
        model.solve()
