import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.kernel_ridge import KernelRidge
from torch.nn.utils.rnn import pad_sequence

from tt_actions.clips.dataset import HANDS
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.models import JointKernel
from tt_actions.models.either_hand import LEFT_SHARES, fit_either_hand
from tt_actions.models.ridge import RIDGES, TEMPERATURES
from tt_actions.sources.synthetic.motion import FPS, clip_motion
from tt_actions.sources.synthetic.player import draw_player

CLASSES = ("forehand", "backhand")
PREPROCESSING = JointPreprocessing("ntu25")
K = len(CLASSES)


@cache
def draw(seed, hand):
    """The joints of one forehand (even seeds) or backhand, from the start to the end of the stroke."""
    rng = np.random.default_rng(seed)
    player = replace(draw_player(rng, "player"), left_handed=hand == "left")
    motion = clip_motion(rng, player, CLASSES[seed % K], 2.5, None)
    stroke = motion.strokes[0]
    inside = slice(round(FPS * stroke.start_s), round(FPS * stroke.end_s))
    upright = motion.players[0].joints[inside][..., [0, 2, 1]] * (1, 1, -1)  # the height is y
    return PREPROCESSING.normalise(upright, Path("drawn"))


def clips(seeds, hands, mirrored=False):
    """Strokes of players with one hand after the other: joints, lengths, classes and hands."""
    of_clips = [hands[i // K % len(hands)] for i in range(len(seeds))]
    joints = [draw(seed, hand) for seed, hand in zip(seeds, of_clips, strict=True)]
    if mirrored:
        joints = [
            PREPROCESSING.to_right_handed(x) if hand == "left" else x
            for x, hand in zip(joints, of_clips, strict=True)
        ]
    inputs = pad_sequence([torch.from_numpy(x).movedim(-1, 1) for x in joints], batch_first=True)
    labels = torch.tensor([seed % K for seed in seeds])
    return inputs, torch.tensor(list(map(len, joints))), labels, torch.tensor([HANDS[x] for x in of_clips])


@pytest.mark.parametrize("num_times", [1, 2, 16])
def test_positions_are_interpolated_as_pytorch_does(num_times):
    lengths = torch.tensor([1, 2, 7, 16, 40])
    inputs = torch.randn(5, 40, 3, 25, generator=torch.Generator().manual_seed(0))
    found = JointKernel(K, "ntu25", num_times).describe(inputs, lengths)
    for row, clip, length in zip(found, inputs, lengths, strict=True):
        of_joints = clip[:length].flatten(1).T[None]  # (1, C * V, T)
        expected = F.interpolate(of_joints, num_times, mode="linear", align_corners=True)
        torch.testing.assert_close(row, expected.flatten(), atol=1e-5, rtol=0)


def fitted(inputs, lengths, labels, hands=None):
    model = JointKernel(K, "ntu25").eval()
    model.collect(inputs, lengths, labels, hands)
    return model, model.solve()


def accuracy(logits, labels):
    return (logits[:, 0].argmax(1) == labels).float().mean().item()


TRAIN, TEST = range(40), range(100, 140)
BOTH = ("right", "left")


@pytest.mark.parametrize("given", [False, True], ids=["hands unknown", "hands given"])
def test_strokes_of_both_hands_are_told_apart_without_the_hand(given):
    inputs, lengths, labels, hands = clips(TRAIN, BOTH, mirrored=given)
    model, (left_out, _) = fitted(inputs, lengths, labels, hands if given else None)
    inputs, lengths, labels, _ = clips(TEST, BOTH)
    assert accuracy(model(inputs, lengths), labels) >= 0.95
    assert left_out.shape == (len(TRAIN), K)


def test_left_handers_are_expected_only_as_often_as_the_clips_suggest():
    few, _ = fitted(*clips(TRAIN, ("right",))[:3])
    many, _ = fitted(*clips(TRAIN, BOTH)[:3])
    assert few.prior.exp()[1] < many.prior.exp()[1]
    torch.testing.assert_close(many.prior.exp().sum(), torch.tensor(1.0))


def test_a_given_hand_decides():
    """A clip that is no left-hander's is classified by the fit to right-handers alone."""
    model, _ = fitted(*clips(TRAIN, BOTH, mirrored=True))
    inputs, lengths, labels, hands = clips(TEST, BOTH, mirrored=True)
    given = model.forward_with_hands(inputs, lengths, hands)
    assert accuracy(given, labels) == 1
    features = model.describe(inputs, lengths).double()
    scores = model.compare(features, model.described.double()) @ model.coefficients.double()
    torch.testing.assert_close(given[:, 0], scores.float() / model.temperature)
    mixed = model.forward_with_hands(inputs, lengths, hands * (torch.arange(len(hands)) % 2))
    torch.testing.assert_close(mixed[1::2], given[1::2])
    torch.testing.assert_close(mixed[::2], model(inputs, lengths)[::2])
    assert not torch.allclose(mixed, given)
    torch.testing.assert_close(model.forward_with_hands(inputs, lengths, None), model(inputs, lengths))


def test_without_hands_in_training_a_given_hand_changes_nothing():
    model, _ = fitted(*clips(TRAIN, BOTH)[:3])
    inputs, lengths, _, hands = clips(TEST, BOTH, mirrored=True)
    torch.testing.assert_close(model.forward_with_hands(inputs, lengths, hands), model(inputs, lengths))


def test_the_mirror_image_is_that_of_the_preprocessing():
    inputs, lengths, _, _ = clips(range(6), BOTH)
    mirrored = np.stack([PREPROCESSING.to_right_handed(x.movedim(1, -1).numpy()) for x in inputs])
    model = JointKernel(K, "ntu25")
    expected = model.describe(torch.from_numpy(mirrored).movedim(-1, 2), lengths)
    torch.testing.assert_close(model.mirror(model.describe(inputs, lengths)), expected)


def test_mirror_images_get_the_same_class_if_both_hands_are_equally_likely():
    model, _ = fitted(*clips(TRAIN, BOTH)[:3])
    assert model.prior.exp().tolist() == pytest.approx([0.5, 0.5])
    inputs, lengths, _, _ = clips(TEST, ("left",))
    mirrored, _, _, _ = clips(TEST, ("left",), mirrored=True)
    torch.testing.assert_close(model(inputs, lengths), model(mirrored, lengths), rtol=1e-3, atol=1e-3)


def references(same, mirrored, labels, num_classes):
    """Scores of left-out clips by scikit-learn: a clip and its mirror image are left out together."""
    n, kernel = len(labels), np.block([[same, mirrored], [mirrored, same]])
    doubled = torch.cat([labels, labels + num_classes])  # the mirrored classes follow
    targets = F.one_hot(doubled, 2 * num_classes).double().numpy() - 1 / (2 * num_classes)
    for ridge in RIDGES.tolist():
        scores = []
        for i in range(n):
            rest = np.flatnonzero(np.arange(2 * n) % n != i)
            reference = KernelRidge(alpha=ridge, kernel="precomputed")
            reference.fit(kernel[np.ix_(rest, rest)], targets[rest])
            scores.append(reference.predict(kernel[i : i + 1, rest])[0])
        yield torch.tensor(np.array(scores)).view(n, 2, num_classes)


def test_the_fit_is_the_likeliest_regression_on_clips_and_mirror_images():
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(18, 4, generator=generator, dtype=torch.float64)
    labels = torch.arange(18) % 3
    points[:, 0] += labels
    flipped = points * torch.tensor([1.0, 1.0, -1.0, -1.0])
    same, mirrored = (torch.exp(-0.3 * torch.cdist(points, p).square()) for p in (points, flipped))
    fit = fit_either_hand(same, mirrored, labels, 3)
    choices = []
    for scores in references(same.numpy(), mirrored.numpy(), labels, 3):
        for share in LEFT_SHARES:
            prior = torch.tensor([1 - share, share]).double().log().view(2, 1)
            for temperature in TEMPERATURES:
                log_probs = (scores / temperature + prior).logsumexp(1).log_softmax(1)
                choices.append((F.nll_loss(log_probs, labels).item(), share, log_probs))
    loss, share, log_probs = min(choices, key=lambda choice: choice[0])
    assert fit.loss == pytest.approx(loss)
    assert fit.prior[1] == pytest.approx(math.log(share))
    torch.testing.assert_close(fit.left_out, log_probs)


def test_unknown_hands_are_compared_with_the_clips_as_recorded():
    """Left-handers are collected mirrored, but the fit for unknown hands is one to the recorded clips."""
    model, _ = fitted(*clips(TRAIN, BOTH, mirrored=True))
    inputs, lengths, labels, _ = clips(TRAIN, BOTH)
    new, num_frames, _, _ = clips(TEST, BOTH)
    recorded, described = (model.describe(*clip).double() for clip in ((inputs, lengths), (new, num_frames)))
    spread = ((model.spread**2 + model.mirror(model.spread[None])[0] ** 2) / 2).sqrt().double()

    def kernel(some, others):
        distances = torch.cdist(some / spread, others / spread, compute_mode="donot_use_mm_for_euclid_dist")
        return torch.exp(-model.either_gamma * distances**2 / len(spread))

    fit = fit_either_hand(kernel(recorded, recorded), kernel(recorded, model.mirror(recorded)), labels, K)
    same, mirrored = kernel(described, recorded), kernel(described, model.mirror(recorded))
    scores = [same @ fit.own + mirrored @ fit.mirrored, same @ fit.mirrored + mirrored @ fit.own]
    expected = (torch.stack(scores) + fit.prior.view(2, 1, 1)).logsumexp(0).float()
    torch.testing.assert_close(model(new, num_frames)[:, 0], expected, rtol=1e-3, atol=1e-3)


def test_a_checkpoint_without_the_second_fit_predicts_as_before():
    inputs, lengths, labels, hands = clips(TRAIN, BOTH, mirrored=True)
    model, _ = fitted(inputs, lengths, labels, hands)
    new = ("either_gamma", "either_coefficients", "prior", "knows_hands")
    old = {name: value for name, value in model.state_dict().items() if name not in new}
    for fresh in (JointKernel(K, "ntu25"), fitted(inputs, lengths, labels)[0]):
        fresh.load_state_dict(old)
        given = model.forward_with_hands(inputs, lengths, hands)
        torch.testing.assert_close(fresh(inputs, lengths), given)
        torch.testing.assert_close(fresh.forward_with_hands(inputs, lengths, hands), given)


def test_a_path_has_no_mirror_image():
    inputs, lengths, labels = torch.randn(12, 8, 3, 1), torch.full((12,), 8), torch.arange(12) % K
    model = JointKernel(K, "ball").eval()
    model.collect(inputs, lengths, labels)
    left_out, _ = model.solve()
    assert left_out.shape == (12, K)
    assert not len(model.either_coefficients)
    assert model(inputs, lengths).isfinite().all()
