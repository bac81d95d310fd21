import pytest
import torch

from tt_actions.recognition.normalisation import normalise
from tt_actions.training.augmentation import Augmentation

OFF = {
    "flip": 0.0,
    "crop": (1.0, 1.0),
    "stretch": 1.0,
    "rotation_deg": 0.0,
    "brightness": 0.0,
    "contrast": 0.0,
    "saturation": 0.0,
    "blur": 0.0,
    "noise": 0.0,
    "erase": 0.0,
    "speed": 0.0,
    "jitter": 0.0,
}


def batch(b=4, t=6, h=12, w=16):
    torch.manual_seed(0)
    return torch.randint(0, 256, (b, t, 3, h, w), dtype=torch.uint8), torch.full((b,), t)


def only(**options):
    return Augmentation(**{**OFF, **options})


def test_nothing_switched_on_changes_nothing():
    frames, lengths = batch()
    x, labels = only()(frames, lengths)
    torch.testing.assert_close(x, frames.float() / 255, atol=1e-5, rtol=0)
    assert labels is None


def test_flip_mirrors_whole_clips():
    frames, lengths = batch()
    x, _ = only(flip=1.0)(frames, lengths)
    torch.testing.assert_close(x, frames.flip(-1).float() / 255, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "options",
    [
        {"crop": (0.5, 0.9)},
        {"rotation_deg": 20.0},
        {"brightness": 0.3},
        {"contrast": 0.5},
        {"saturation": 0.8},
        {"blur": 1.0},
        {"erase": 1.0},
    ],
)
def test_all_frames_of_a_clip_change_alike_and_clips_differently(options):
    frames, lengths = batch(b=6)
    frames = frames[:1, :1].expand_as(frames).contiguous()  # the same still picture everywhere
    torch.manual_seed(1)
    x, _ = only(**options)(frames, lengths)
    assert torch.equal(x[:, :1].expand_as(x), x)
    assert not torch.allclose(x, frames.float() / 255)
    if "blur" not in options:
        assert not torch.allclose(x[0], x[1])


def test_time_changes_move_labels_with_frames_and_leave_padding():
    t, lengths = 10, torch.tensor([10, 6])
    frames = torch.arange(t, dtype=torch.uint8).view(1, t, 1, 1, 1).expand(2, t, 3, 8, 8)
    labels = torch.arange(t).expand(2, t).clone()
    labels[1, 6:] = -100
    torch.manual_seed(0)
    x, moved = only(speed=0.5, jitter=0.3)(frames, lengths, labels)
    shown = (x[:, :, 0, 4, 4] * 255).round().long()
    assert torch.equal(shown[0], moved[0])
    assert torch.equal(shown[1, :6], moved[1, :6])
    assert (moved[1, :6] < 6).all()
    assert (moved[1, 6:] == -100).all()
    assert not torch.equal(moved[0], labels[0])


def test_rotation_keeps_shape_in_pictures_that_are_not_square():
    """A rotated disc stays a disc: the aspect enters the rotation."""
    y, x = torch.meshgrid(torch.arange(60.0), torch.arange(90.0), indexing="ij")
    disc = (((y - 29.5) ** 2 + (x - 44.5) ** 2) < 20**2).to(torch.uint8) * 255
    frames = disc.expand(8, 1, 3, 60, 90).contiguous()
    torch.manual_seed(0)
    turned, _ = only(rotation_deg=90.0)(frames, torch.ones(8, dtype=torch.long))
    assert (turned - frames.float() / 255).abs().mean() < 0.02


def test_mixup_blends_clips_and_targets_by_the_same_share():
    x = torch.eye(8)
    torch.manual_seed(0)
    mixed, targets, nothing = only(mixup=1.0).mix(x, x.clone())
    assert torch.equal(mixed, targets)
    assert nothing is None
    torch.testing.assert_close(targets.sum(1), torch.ones(8))
    assert ((targets > 0).sum(1) <= 2).all()
    assert not torch.equal(targets, x)


def test_the_seed_decides_and_results_stay_in_range():
    frames, lengths = batch()
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(Augmentation()(frames, lengths)[0])
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    assert results[0].min() >= 0
    assert results[0].max() <= 1


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels_than_rgb_are_taken(channels):
    frames = torch.randint(0, 256, (2, 3, channels, 16, 16), dtype=torch.uint8)
    assert Augmentation()(frames, torch.tensor([3, 3]))[0].shape == frames.shape


@pytest.mark.parametrize(
    "options", [{"flip": 1.5}, {"crop": (0.0, 1.0)}, {"crop": (0.9, 0.5)}, {"noise": -1.0}]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="Expected"):
        Augmentation(**options)


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("scale", [1, 255])
def test_normalised_frames_are_those_of_the_formula_and_the_given_ones_stay(channels_last, scale):
    frames = torch.randint(0, 256, (2, 3, 4, 6, 3), dtype=torch.uint8).permute(0, 1, 4, 2, 3)
    frames = frames if channels_last else frames.contiguous()
    given = frames if scale == 1 else frames / scale
    before = given.clone()
    mean, std = torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1), torch.tensor([0.25, 0.2, 0.1]).view(3, 1, 1)
    assert torch.equal(normalise(given, mean, std), (frames / 255 - mean) / std)
    assert torch.equal(given, before)
