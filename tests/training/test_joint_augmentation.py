import pytest
import torch

from tt_actions.clips.dataset import NO_FRAME_LABEL
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.models import CNN, STGCN
from tt_actions.skeleton.layouts import NTU25, find_layout
from tt_actions.skeleton.streams import make_stream
from tt_actions.training.augmentation import Augmentation
from tt_actions.training.compatibility import check_input
from tt_actions.training.joint_augmentation import JointAugmentation

NOTHING = {
    "mirror": 0, "rotation_deg": 0, "tilt_deg": 0, "scale": 0, "noise": 0, "dropout": 0, "speed": 0,
    "crop": (1, 1),
}  # fmt: skip
LENGTHS = torch.tensor([12, 7])


def joints(layout="ntu25"):
    torch.manual_seed(0)
    layout = find_layout(layout)
    x = torch.randn(2, 12, layout.num_coordinates, len(layout.joints))
    x[1, 7:] = 0
    return x


def change(x, layout="ntu25", **options):
    torch.manual_seed(1)
    return JointAugmentation(layout, **{**NOTHING, **options})(x, LENGTHS)[0]


def test_without_changes_nothing_changes():
    torch.testing.assert_close(change(joints()), joints())


@pytest.mark.parametrize("layout", ["ntu25", "movenet13"])
def test_mirrored_twice_is_as_before_and_sides_change_places(layout):
    x = joints(layout)
    once = change(x, layout, mirror=1)
    torch.testing.assert_close(change(once, layout, mirror=1), x)
    left, right = (find_layout(layout).index(f"{side}_wrist") for side in ("left", "right"))
    torch.testing.assert_close(once[:, :, 0, left], -x[:, :, 0, right])
    torch.testing.assert_close(once[:, :, 1, left], x[:, :, 1, right])


@pytest.mark.parametrize("layout", ["ntu25", "movenet13"])
def test_turns_keep_lengths_and_tell_clips_apart(layout):
    x = joints(layout)
    turned = change(x, layout, rotation_deg=90, tilt_deg=30)
    torch.testing.assert_close(turned.norm(dim=2), x.norm(dim=2))
    assert not torch.allclose(turned, x)
    if layout == "ntu25":
        about_vertical = change(x, layout, rotation_deg=90)
        torch.testing.assert_close(about_vertical[:, :, 1], x[:, :, 1])


def test_a_dropped_joint_falls_together_with_the_one_that_it_hangs_on():
    lost = change(joints(), dropout=1.0)
    torch.testing.assert_close(lost, joints()[..., list(NTU25.parent_indices)])


def test_time_moves_within_the_clip_and_labels_with_it():
    x = torch.arange(12.0).view(1, 12, 1, 1).expand(2, 12, 3, 25)
    labels = torch.arange(12).expand(2, 12).clone()
    labels[1, 7:] = NO_FRAME_LABEL
    torch.manual_seed(0)
    augmentation = JointAugmentation("ntu25", **{**NOTHING, "speed": 0.5, "crop": (0.5, 0.6)})
    moved, moved_labels = augmentation(x, LENGTHS, labels)
    for clip, length in enumerate(LENGTHS.tolist()):
        times = moved[clip, :length, 0, 0]
        assert (times.diff() >= -1e-4).all()
        assert times.min() >= 0
        assert times.max() <= length - 1
        assert (moved_labels[clip, :length] - times).abs().max() <= 0.51
    assert (moved_labels[1, 7:] == NO_FRAME_LABEL).all()
    assert not moved[1, 7:].any()


def test_noise_and_scale_are_as_strong_as_set():
    noisy = change(joints(), noise=0.1) - joints()
    assert 0 < noisy[0].std() < 0.11
    assert not noisy[1, 7:].any()
    ratio = change(joints(), scale=0.1)[0] / joints()[0]
    assert (ratio - 1).abs().max() <= 0.1 + 1e-5


@pytest.mark.parametrize(
    "wrong", [{"mirror": 2}, {"crop": (0, 1)}, {"scale": 1}, {"noise": -1}, {"layout": "x"}]
)
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="Expected"):
        JointAugmentation(**{"layout": "ntu25", **wrong})


def test_frames_and_joints_are_not_mixed_up():
    frames, skeletons = Preprocessing(30, (32, 32)), JointPreprocessing("ntu25")
    check_input(STGCN(4, "ntu25"), JointAugmentation("ntu25"), skeletons)
    check_input(CNN(4), Augmentation(), frames)
    for network, augmentation, how in (
        (STGCN(4, "ntu25"), None, frames),
        (CNN(4), None, skeletons),
        (STGCN(4, "kinect20"), None, skeletons),
        (STGCN(4, "ntu25"), Augmentation(), skeletons),
        (STGCN(4, "ntu25"), JointAugmentation("kinect20"), skeletons),
    ):
        with pytest.raises(ValueError, match=r"Set `data\.preprocessing\.layout` for joints"):
            check_input(network, augmentation, how)


def test_streams_counted_by_hand():
    x = joints()
    bone = make_stream(x, NTU25, "bone")
    torch.testing.assert_close(bone[..., 5], x[..., 5] - x[..., 4])  # left elbow from left shoulder
    assert not bone[..., 0].any()
    motion = make_stream(x, NTU25, "joint_motion")
    torch.testing.assert_close(motion[:, 3], x[:, 3] - x[:, 2])
    assert not motion[:, 0].any()
    torch.testing.assert_close(make_stream(x[:, 4:], NTU25, "joint_motion", x[:, 3:4]), motion[:, 4:])
