"""Explanations from joints: limbs that a model can or can't use, faithfulness, and the command."""

import json

import numpy as np
import pytest
import torch
from drawn_joints import CLASSES, PREPROCESSING, draw_stroke, teach, write_joints

import tt_actions
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.records import ClipRecord
from tt_actions.evaluation.explain import explain, write_explanation
from tt_actions.evaluation.joint_explanation import choose_key_frames, score_hidden
from tt_actions.evaluation.occlusion import smooth_windows
from tt_actions.evaluation.player_pictures import cut_out_player
from tt_actions.main import main
from tt_actions.models import Fisher, HMMClassifier, JointKernel, SkeletonLSTM, TrajectoryCNN
from tt_actions.models.base import ActionModel
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.skeleton.layouts import BODIES, NTU25, RACKET
from tt_actions.skeleton.limbs import find_limbs

NUM_FRAMES = 40
RAISED = slice(20, 30)
"""When the arm moves."""

MODELS = {
    "JointKernel": lambda: JointKernel(2, "ntu25"),
    "Fisher": lambda: Fisher(2, "ntu25", num_gaussians=4),
    "HMMClassifier": lambda: HMMClassifier(2, "ntu25", num_states=4, num_gaussians=1, num_iterations=3),
    "TrajectoryCNN": lambda: TrajectoryCNN(2, "ntu25", channels=[8], dilations=[1]),
    "SkeletonLSTM": lambda: SkeletonLSTM(2, "ntu25", feature_size=16, hidden_size=16, dropout=0),
}
ARM = [NTU25.index(f"right_{name}") for name in ("elbow", "wrist", "hand", "fingertips", "thumb")]


class OneArm(ActionModel):
    """A model that sees the right arm alone; all other joints are at the origin."""

    layout = NTU25

    def __init__(self, network):
        super().__init__(network.num_classes)
        self.network = network

    def forward(self, inputs, lengths):
        return self.network(only_arm(inputs), lengths)


def only_arm(inputs):
    seen = torch.zeros_like(inputs)
    seen[..., ARM] = inputs[..., ARM]
    return seen


def standing(raises, seed, arm="right"):
    """A player who stands, trembles everywhere alike, and raises one arm or lowers it."""
    rng = np.random.default_rng(seed)
    joints = np.repeat(draw_stroke(0, "forehand")[:1], NUM_FRAMES, 0)
    joints = joints + 0.01 * rng.normal(size=joints.shape)
    hands = ARM if arm == "right" else [NTU25.mirrored[joint] for joint in ARM]
    joints[RAISED, hands, 1] += (0.3 if raises else -0.3) * np.hanning(10)[:, None]
    return joints


@pytest.fixture(scope="module")
def drawn():
    """The normalised joints of drawn strokes of 12 players, and their classes."""
    seeds = [(seed, label) for seed in range(12) for label in CLASSES]
    clips = [PREPROCESSING.normalise(draw_stroke(*chosen), "drawn") for chosen in seeds]
    return clips, [CLASSES.index(label) for _, label in seeds]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_sees_only_one_arm_is_explained_by_this_arm(name, tmp_path):
    torch.manual_seed(0)
    labels = [seed % 2 for seed in range(24)]
    clips = [PREPROCESSING.normalise(standing(y, seed), "drawn") for seed, y in enumerate(labels)]
    seen = [only_arm(torch.from_numpy(clip).mT).mT.numpy() for clip in clips]
    names = ("lowers", "raises")
    model = Recognizer(OneArm(teach(MODELS[name](), seen, labels, names).network), names, PREPROCESSING)
    highest = []
    for raises, class_name in enumerate(names):
        found = explain(model, write_joints(tmp_path / "clip.npy", standing(raises, 99 + raises)))
        assert found.prediction.label == found.class_name == class_name
        limb, now = found.limbs.index("right arm"), found.prediction.probabilities[class_name]
        assert np.abs(np.delete(found.falls, ARM, 1)).max() < 1e-3
        assert np.abs(np.delete(found.limb_falls, limb)).max() < 1e-3
        assert np.delete(found.hidden_probabilities, limb) == pytest.approx(now, abs=1e-4)
        assert abs(found.hidden_probabilities[limb] - now) > 1e-3
        highest.append(found.falls[:, ARM].max())
    assert max(highest) > 0.1  # a class that is the answer without evidence needs no support


@pytest.mark.parametrize("name", ["JointKernel", "Fisher", "HMMClassifier"])
def test_the_arm_that_makes_the_difference_explains_it(name, tmp_path):
    labels = [seed % 2 for seed in range(24)]
    clips = [PREPROCESSING.normalise(standing(y, seed), "drawn") for seed, y in enumerate(labels)]
    model = teach(MODELS[name](), clips, labels, ("lowers", "raises"))
    found = explain(model, write_joints(tmp_path / "clip.npy", standing(True, 99)))
    frame, joint = np.unravel_index(found.heat.argmax(), found.heat.shape)
    assert found.class_name == "raises"
    assert joint in ARM
    limb = found.limbs.index("right arm")
    assert found.limb_falls.argmax() == limb
    assert RAISED.start - 2 <= frame < RAISED.stop + 2
    assert found.hidden_probabilities.argmin() == limb


def test_hiding_what_is_hot_hurts_more_than_hiding_as_much_elsewhere(drawn, tmp_path):
    clips, labels = drawn
    model = teach(JointKernel(4, "ntu25"), clips[:32], labels[:32])
    rng = np.random.default_rng(0)
    hot_falls, other_falls = [], []
    for clip, label in zip(clips[32:], labels[32:], strict=True):
        path = write_joints(tmp_path / "clip.npy", clip)
        found = explain(model, path, class_name=CLASSES[label])
        hot = np.zeros(found.heat.shape)
        hot.flat[found.heat.argsort(None)[-hot.size // 8 :]] = 1
        elsewhere = [
            np.roll(hot, rng.integers(len(hot)), 0)[:, rng.permutation(hot.shape[1])] for _ in range(8)
        ]
        masks = np.stack([np.zeros_like(hot), hot, *elsewhere])
        log_probs = score_hidden(model, found.joints, masks, ClipRecord(path))[:, label].numpy()
        hot_falls.append(log_probs[0] - log_probs[1])
        other_falls.append((log_probs[0] - log_probs[2:]).mean())
    assert np.mean(hot_falls) > 2 * max(np.mean(other_falls), 0)
    assert np.mean(np.array(hot_falls) > other_falls) > 0.8


def test_a_left_hander_is_read_mirrored_but_shown_as_recorded(tmp_path):
    labels = [seed % 2 for seed in range(24)]
    clips = [PREPROCESSING.normalise(standing(y, seed), "drawn") for seed, y in enumerate(labels)]
    model = teach(JointKernel(2, "ntu25"), clips, labels, ("lowers", "raises"))
    path = write_joints(tmp_path / "clip.npy", standing(True, 99, arm="left"))
    found = explain(model, path, hand="left")
    assert found.heat.max(0).argmax() in [NTU25.mirrored[joint] for joint in ARM]
    assert found.prediction.probabilities == pytest.approx(model.predict(path, hand="left").probabilities)
    lifted = found.joints[25] - found.joints[0]
    assert lifted[NTU25.index("left_hand"), 1] > 5 * abs(lifted[NTU25.index("right_hand"), 1])


def test_nothing_supports_a_clip_in_which_nothing_moves(drawn, tmp_path):
    clips, labels = drawn
    model = teach(JointKernel(4, "ntu25"), clips, labels)
    for num_frames in (1, 5):
        still = np.repeat(draw_stroke(0, "serve")[:1], num_frames, 0)
        found = explain(model, write_joints(tmp_path / "clip.npy", still))
        assert found.heat.shape == (num_frames, 25)
        assert np.abs(found.falls).max() < 1e-3
        write_explanation(tmp_path / "out", found, model, "none")


BUMP = slice(30, 40)
"""When a drawn trajectory, which travels all the time, leaves its way."""


def drawn_path(goes_up, seed, start=BUMP.start):
    """A racket that travels and leaves its way once, upwards or downwards."""
    rng = np.random.default_rng(seed)
    times = np.linspace(0, 1, 60)
    path = np.stack([1.2 * times, 0.3 * np.sin(3 * times + rng.uniform()), 0.2 * times], 1)[:, None]
    path = path + 0.01 * rng.normal(size=path.shape)
    path[start : start + 10, 0, 1] += (0.2 if goes_up else -0.2) * np.hanning(10)
    return path


@pytest.mark.parametrize("name", ["JointKernel", "Fisher"])
def test_the_time_at_which_a_trajectory_makes_the_difference_is_hot(name, tmp_path):
    networks = {
        "JointKernel": lambda: JointKernel(2, "racket"),
        "Fisher": lambda: Fisher(2, "racket", num_gaussians=4),
    }
    rng = np.random.default_rng(0)
    spec = JointPreprocessing("racket", sampling="all")
    labels = [seed % 2 for seed in range(48)]
    starts = rng.integers(12, 38, 48)
    clips = [spec.normalise(drawn_path(y, seed, starts[seed]), "drawn") for seed, y in enumerate(labels)]
    model = teach(networks[name](), clips, labels, ("down", "up"), spec)
    on_bump, before = [], []
    for seed in range(100, 112):
        path = write_joints(tmp_path / "clip.npy", drawn_path(seed % 2, seed))
        found = explain(model, path, class_name=("down", "up")[seed % 2])
        assert (found.limbs, found.joint_names) == (("racket",), ("racket",))
        assert found.heat.shape == (60, 1)
        on_bump.append(found.falls[BUMP].mean())
        before.append(np.delete(found.falls, np.r_[25:45], 0).mean())
    assert np.mean(on_bump) > 3 * max(np.mean(np.abs(before)), 0)
    write_explanation(tmp_path / "out", found, model, "none")


@pytest.mark.parametrize("layout", [*BODIES, RACKET], ids=lambda layout: layout.name)
def test_every_joint_belongs_to_one_limb(layout):
    limbs = find_limbs(layout)
    assert sorted(joint for chosen in limbs.values() for joint in chosen) == list(range(len(layout.joints)))
    assert len(limbs) == (1 if layout is RACKET else 6)
    for limb in ("left arm", "right leg") if layout is not RACKET else ():
        assert {layout.joints[joint].partition("_")[0] for joint in limbs[limb]} == {limb.split()[0]}


@pytest.mark.parametrize("num_frames", [1, 2, 11, 12, 13, 64])
def test_windows_cover_every_frame_once(num_frames):
    windows = smooth_windows(num_frames)
    assert len(windows) == min(num_frames, 12)
    assert windows.sum(0) == pytest.approx(1)
    assert windows.min() >= 0
    chosen = choose_key_frames(num_frames, num_frames // 3)
    assert num_frames // 3 in chosen
    assert (np.diff(chosen) > 0).all()


def test_a_method_or_a_hand_that_does_not_fit_is_refused(drawn, tmp_path):
    model = teach(JointKernel(4, "ntu25"), *drawn)
    path = write_joints(tmp_path / "clip.npy", draw_stroke(0, "serve"))
    with pytest.raises(
        ValueError, match="`method` to be occlusion for a model of joints, but got 'hirescam'"
    ):
        explain(model, path, method="hirescam")
    with pytest.raises(ValueError, match="left or right"):
        explain(model, path, hand="both")


def test_the_command_explains_a_video_by_its_joints(posed_run, posed_clips, tmp_path, capsys):
    video, checkpoint = sorted(posed_clips.rglob("*.mp4"))[0], posed_run / "checkpoints" / "best.ckpt"
    out = tmp_path / "out"
    main(["explain", "--checkpoint", str(checkpoint), "--clip", str(video), "--out", str(out)])
    model = tt_actions.load(checkpoint)
    expected = model.predict(video)
    metadata = json.loads((out / "explanation.json").read_text("utf-8"))
    assert metadata["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)
    assert metadata["made_by"]["method"] == "occlusion"
    assert metadata["made_by"]["limbs"][2] == "left arm"
    assert metadata["true_label"] == video.parent.name
    with np.load(out / "heatmaps.npz") as arrays:
        assert arrays["heat"].shape == (len(expected.times_s), 25)
        assert arrays["joint_names"][11] == "right hand"
        assert arrays["heat"] == pytest.approx(arrays["falls"].clip(0) / arrays["falls"].max())
    assert "supports" in capsys.readouterr().out
    found = explain(model, video)
    images, points = found.pictures
    assert len(images) == len(points) == len(found.key_frames)
    assert ((points > 0) & (points < images.shape[1])).mean() > 0.95  # the player is in the pictures
    first = (out / "explanation.png").read_bytes()
    assert first.startswith(b"\x89PNG")
    main(["explain", "--checkpoint", str(checkpoint), "--clip", str(video), "--out", str(out)])
    assert (out / "explanation.png").read_bytes() == first


def test_joints_that_a_pose_model_lacks_do_not_hide_the_player(posed_clips):
    clip = ClipRecord(sorted(posed_clips.rglob("*.mp4"))[0])
    points = np.random.default_rng(0).uniform((120, 60), (200, 220), (3, 5, 2))
    points[1] = np.nan  # the player is not found
    whole = cut_out_player(clip, 30, np.array([2, 5, 9]), points)
    lacking = np.insert(points, 2, np.nan, 1)
    images, placed = cut_out_player(clip, 30, np.array([2, 5, 9]), lacking)
    assert images.shape[1] > 100
    assert (images == whole.images).all()
    assert np.delete(placed, 2, 1) == pytest.approx(whole.points, nan_ok=True)
