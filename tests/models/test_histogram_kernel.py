import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_ridge import KernelRidge

from tt_actions.models.histogram_kernel import HistogramKernel, direction_bins, gradient

K = 3


def clips(num, seed=0, t=6, size=16):
    """Noisy clips whose middle moves in a different direction for each class, and their classes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(num) % K
    frames = 0.3 * torch.randn(num, t, 5, size, size, generator=generator)
    angles = 2 * math.pi * labels / K
    frames[:, :, 3, 4:12, 4:12] += angles.cos().view(-1, 1, 1, 1)
    frames[:, :, 4, 4:12, 4:12] += angles.sin().view(-1, 1, 1, 1)
    return frames, torch.full((num,), t), labels


def fitted(frames, lengths, labels, batch=4, **options):
    model = HistogramKernel(K, **options).eval()
    for start in range(0, len(frames), batch):
        part = slice(start, start + batch)
        model.collect(frames[part], lengths[part], labels[part])
    return model, model.solve()


def test_directions_add_up_to_the_vector():
    field = torch.randn(10, 2, 4, 5)
    shares = direction_bins(field, 7)
    angles = torch.arange(7) * 2 * math.pi / 7
    total = torch.stack([(shares * axis.view(-1, 1, 1)).sum(1) for axis in (angles.cos(), angles.sin())], 1)
    torch.testing.assert_close(total, field)
    assert (shares >= 0).all()
    assert ((shares > 1e-6).sum(1) <= 2).all()


def test_short_vectors_do_not_count():
    field = torch.tensor([[0.1, 0.0], [0.3, 0.4]]).view(2, 2, 1, 1)
    assert direction_bins(field, 8, min_length=0.2)[0].abs().sum() == 0
    torch.testing.assert_close(direction_bins(field, 8, min_length=0.2)[1], direction_bins(field, 8)[1])


def test_the_gradient_is_numpys():
    maps = torch.randn(3, 5, 6)
    down, right = np.gradient(maps.numpy(), axis=(1, 2))
    np.testing.assert_allclose(gradient(maps).numpy(), np.stack([right, down], 1), rtol=1e-6, atol=1e-6)


def test_a_pixel_counts_in_the_cells_beside_it_the_more_the_nearer():
    model = HistogramKernel(K, descriptors=["hof"], grid=(4, 4), parts=3, num_directions=4)
    frames = torch.zeros(1, 6, 5, 16, 16)
    frames[0, 3, 3, 6, 4] = 1000  # to the right, so fast that the rest is nothing
    described = model.describe(frames, torch.tensor([6]))[0].square().view(3, 4, 4, 4)  # unit length
    assert described[:, 0].sum() == pytest.approx(1, abs=1e-3)
    # centres of parts at 1, 3 and 5 frames, of cells at 2, 6, 10 and 14 pixels; outer ones have fewer samples
    by_time = np.array([0.0, 0.75 / 2, 0.25 / 1.75])
    by_row = np.array([0.0, 0.875 / 4, 0.125 / 4, 0.0])
    by_column = np.array([0.375 / 3.5, 0.625 / 4, 0.0, 0.0])
    expected = np.einsum("t,r,c->trc", by_time, by_row, by_column)
    np.testing.assert_allclose(described[:, 0], expected / expected.sum(), atol=1e-3)


def kernel(model, some, others):
    """The kernel between descriptors of clips, by scikit-learn."""
    width = 1 / math.sqrt(2 * model.gamma)
    return RBF(width)(*(model.describe(*clips[:2]).double().numpy() for clips in (some, others)))


def targets(labels):
    return F.one_hot(labels, K).double().numpy() - 1 / K


def left_out_scores(kernel, labels, ridge):
    """The scores of each clip from a fit to all other clips."""
    scores = []
    for i in range(len(labels)):
        others = np.arange(len(labels)) != i
        reference = KernelRidge(alpha=ridge, kernel="precomputed")
        reference.fit(kernel[np.ix_(others, others)], targets(labels)[others])
        scores.append(reference.predict(kernel[i : i + 1, others])[0])
    return torch.tensor(np.array(scores))


def choose(kernel, labels):
    """The ridge and temperature that maximise the leave-one-out likelihood, and the resulting logits."""
    choices = []
    for ridge in np.logspace(-2, 1, 13):
        scores = left_out_scores(kernel, labels, ridge)
        for temperature in np.logspace(1, -1.3, 47):
            loss = F.cross_entropy(scores / temperature, labels).item()
            choices.append((loss, ridge, temperature, scores / temperature))
    return min(choices, key=lambda choice: choice[0])[1:]


def test_the_fit_is_the_likeliest_kernel_ridge_regression():
    frames, lengths, labels = training = clips(24)
    labels[::5] = (labels[::5] + 1) % K  # some are wrong, so that the least ridge is not the best
    new = clips(9, seed=1)
    model, (left_out, same) = fitted(frames, lengths, labels)
    assert torch.equal(same, labels)
    similarities = kernel(model, training, training)
    ridge, temperature, logits = choose(similarities, labels)
    assert 0.01 < ridge < 10
    torch.testing.assert_close(left_out, logits.float(), rtol=1e-4, atol=1e-4)
    reference = KernelRidge(alpha=ridge, kernel="precomputed").fit(similarities, targets(labels))
    scores = reference.predict(kernel(model, new, training)) / temperature
    np.testing.assert_allclose(model(*new[:2])[:, 0].numpy(), scores, rtol=1e-3, atol=1e-4)


def test_new_clips_are_told_apart_and_chance_is_not_surpassed_on_noise():
    model, (left_out, labels) = fitted(*clips(30))
    frames, lengths, new_labels = clips(30, seed=1)
    assert (model(frames, lengths)[:, 0].argmax(1) == new_labels).all()
    assert (left_out.argmax(1) == labels).all()
    _, (left_out, labels) = fitted(torch.randn(60, 4, 5, 8, 8), torch.full((60,), 4), torch.arange(60) % K)
    probabilities = left_out.softmax(1)
    assert probabilities.max() < 0.6  # the temperature says that little is known


def test_batches_and_order_don_t_matter():
    frames, lengths, labels = clips(15)
    one, _ = fitted(frames, lengths, labels, batch=15)
    order = torch.randperm(15)
    other, _ = fitted(frames[order], lengths[order], labels[order], batch=2)
    new = clips(5, seed=2)[:2]
    torch.testing.assert_close(one(*new), other(*new), rtol=1e-3, atol=1e-4)


def test_a_fresh_model_takes_up_the_weights_of_a_fitted_one():
    model, _ = fitted(*clips(15))
    fresh = HistogramKernel(K)
    fresh.load_state_dict(model.state_dict())
    new = clips(5, seed=2)[:2]
    torch.testing.assert_close(fresh(*new), model(*new))
    with pytest.raises(RuntimeError, match="described"):
        HistogramKernel(K, parts=2).load_state_dict(model.state_dict())


def test_a_second_fit_begins_anew():
    frames, lengths, labels = clips(15)
    model, (first, _) = fitted(frames, lengths, labels)
    model.collect(frames, lengths, labels)
    second, _ = model.solve()
    torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-3)
    assert len(model.described) == 15


def test_one_clip_of_each_class_is_enough():
    model, _ = fitted(*clips(K))
    frames, lengths, labels = clips(9, seed=1)
    assert (model(frames, lengths)[:, 0].argmax(1) == labels).all()


@pytest.mark.parametrize("still", [True, False])
def test_clips_have_a_finite_gradient(still):
    model, _ = fitted(*clips(12), descriptors=["hog", "hof", "mbh"])
    frames = torch.zeros(1, 3, 5, 16, 16) if still else clips(1, t=3)[0]
    frames.requires_grad_()
    model(frames, torch.tensor([3]))[0, 0, 0].backward()
    assert frames.grad.isfinite().all()
    assert still or frames.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"descriptors": []}, "Expected `descriptors` to be any of"),
        ({"descriptors": ["sift"]}, "Expected `descriptors` to be any of"),
        ({"grid": (0, 4)}, "Expected `grid`"),
        ({"parts": 0}, "Expected `parts`"),
        ({"num_directions": 2}, "Expected `num_directions` >= 3"),
        ({"gamma": 0.0}, "`gamma` > 0"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        HistogramKernel(K, **options)
