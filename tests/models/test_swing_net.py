import pytest
import torch

from tt_actions.errors import UserError
from tt_actions.models import SwingNet
from tt_actions.skeleton.layouts import THETIS15

LENGTHS = torch.tensor([30, 21, 12])


def mirror(joints):
    signs = torch.tensor([-1.0, 1.0, 1.0])[:, None]
    return joints[..., list(THETIS15.mirrored)] * signs


@pytest.fixture
def joints():
    torch.manual_seed(1)
    return torch.randn(3, 30, 3, 15)


def make(**options):
    torch.manual_seed(0)
    return SwingNet(4, "thetis15", **options).eval()


def test_the_mirror_image_swaps_the_hands(joints):
    scores = make().score_hands(joints, LENGTHS)
    mirrored = make().score_hands(mirror(joints), LENGTHS)
    torch.testing.assert_close(mirrored, scores.flip(0))
    assert not torch.allclose(scores[0], scores[1], atol=1e-3)


def test_without_a_usual_hand_a_clip_and_its_mirror_image_are_the_same_stroke(joints):
    model = make(right_handed=0.5)
    torch.testing.assert_close(model(joints, LENGTHS), model(mirror(joints), LENGTHS))


def test_a_given_hand_decides_and_an_unknown_one_is_usually_the_right_one(joints):
    model = make()
    scores = model.score_hands(joints, LENGTHS)
    given = model.forward_with_hands(joints, LENGTHS, torch.tensor([1, -1, 0]))[:, 0]
    torch.testing.assert_close(given[:2], scores[0, :2])  # left-handers come mirrored
    expected = (0.85 * scores[0, 2].exp() + 0.15 * scores[1, 2].exp()).log()
    torch.testing.assert_close(given[2], expected)
    torch.testing.assert_close(model(joints, LENGTHS)[2, 0], expected)


def test_the_speed_of_the_video_does_not_matter(joints):
    smooth = joints[:, :16].cumsum(1) / 16
    slow = torch.nn.functional.interpolate(
        smooth.flatten(2).mT, 31, mode="linear", align_corners=True
    ).mT.reshape(3, 31, 3, 15)
    fast, slow = (make()(each, torch.full((3,), each.shape[1])).softmax(-1)[:, 0] for each in (smooth, slow))
    torch.testing.assert_close(fast, slow, atol=1e-4, rtol=1e-4)


def test_a_temperature_changes_how_sure_the_network_is_and_not_what_it_says(joints):
    model = make()
    before = model(joints, LENGTHS)[:, 0].softmax(1)
    model.temperature.fill_(3.0)
    after = model(joints, LENGTHS)[:, 0].softmax(1)
    assert (after.max(1).values < before.max(1).values).all()
    assert torch.equal(after.argmax(1), before.argmax(1))


def test_the_loss_teaches_strokes_and_hands(joints):
    model = make(dropout=0.0).train()
    labels = torch.tensor([0, 1, 2])
    optimizer = torch.optim.Adam(model.parameters(), 0.01)

    def class_loss(logits):
        return torch.nn.functional.cross_entropy(logits[:, 0], labels)

    for _ in range(60):
        loss, _ = model.objective(joints, LENGTHS, class_loss)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    right, left = model.score_hands(joints, LENGTHS).logsumexp(2)
    assert (right > left + 1).all()
    assert torch.equal(model.score_hands(joints, LENGTHS)[0].argmax(1), labels)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_hand_that_nobody_uses_is_refused(share):
    with pytest.raises(UserError, match="Expected `right_handed` to be between 0 and 1"):
        make(right_handed=share)
