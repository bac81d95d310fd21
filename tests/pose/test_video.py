from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from joint_match import SHORT

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.records import ClipRecord
from tt_actions.errors import UnreadableError, UserError
from tt_actions.main import main
from tt_actions.models import JointKernel
from tt_actions.pose.video import POINTS, VISIBILITY, WORLD, ScenePoses, borrow_models, find_poses, pose_rate
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.skeleton.layouts import BLAZEPOSE33, NTU25
from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.video.encoder import write_video
from tt_actions.video.frames import read_frames

JOINTS = ("shoulder", "hip", "knee", "wrist")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A drawn stroke in a video of 640x480, with the true joints."""
    out = tmp_path_factory.mktemp("drawn")
    synthesize(out, 1, 2, size=(640, 480), num_workers=1, world=SHORT)
    return next(out.rglob("*.mp4"))


@pytest.fixture(scope="module")
def poses(drawn):
    """The joints found in it, for all tests."""
    return find_poses(drawn, pose_rate(drawn, 30))


def test_the_joints_of_a_drawn_player_are_where_they_were_drawn(drawn, poses):
    truth = np.load(drawn.with_suffix(".npz"))
    assert poses.values.shape == (len(truth["joints_2d"]), 33, 6)
    assert not np.isnan(poses.values).any()
    assert np.diff(poses.times_s) == pytest.approx(1 / float(truth["fps"]))
    height = np.ptp(truth["joints_2d"][..., 1], axis=1).mean()
    for name in JOINTS:
        for side in ("left", "right"):
            found = poses.values[:, BLAZEPOSE33.index(f"{side}_{name}"), POINTS]
            true = truth["joints_2d"][:, NTU25.index(f"{side}_{name}")]
            assert np.median(np.linalg.norm(found - true, axis=1)) < 0.08 * height


def test_joints_in_space_stand_upright_and_have_the_size_of_a_person(poses):
    world = poses.values[..., WORLD]
    assert np.abs(world[:, [BLAZEPOSE33.index(f"{s}_hip") for s in ("left", "right")]].mean(1)).max() < 0.05
    tall = world[:, BLAZEPOSE33.index("nose"), 1] - world[:, BLAZEPOSE33.index("left_ankle"), 1]
    assert 0.9 < np.median(tall) < 1.8


def test_a_region_moves_the_joints_back_to_the_whole_picture(drawn, poses):
    points = poses.values[..., POINTS]
    x0, y0 = np.floor(points.min((0, 1)) - 40).clip(0).astype(int)
    x1, y1 = np.ceil(points.max((0, 1)) + 40).clip(0, (640, 480)).astype(int)
    part = find_poses(drawn, 30, roi=(int(x0), int(y0), int(x1), int(y1)))
    of_body = slice(BLAZEPOSE33.index("left_shoulder"), None)
    apart = np.linalg.norm(part.values[:, of_body, POINTS] - points[:, of_body], axis=-1)
    assert np.median(apart) < 6


def test_a_stretch_is_that_part_of_the_whole(drawn, poses):
    part = find_poses(drawn, 30, start_s=0.5, end_s=1.0)
    assert part.times_s == pytest.approx(poses.times_s[15:30])
    apart = np.linalg.norm(part.values[..., POINTS] - poses.values[15:30, :, POINTS], axis=-1)
    assert np.median(apart) < 4


@pytest.mark.parametrize(("fps", "is_followed"), [(None, False), (8.0, True)])
def test_how_far_a_player_may_move_depends_on_the_time_between_images(drawn, fps, is_followed):
    image = read_frames(drawn).values[0]
    with ThreadPoolExecutor(1) as threads, borrow_models(1) as models:
        scene = ScenePoses(models, threads, 120.0, [None])
        first = scene.push(0.0, [image]).poses
        second = scene.push(1 / 8, [np.roll(image, 110, 1)], fps).poses
    assert not np.isnan(first).any()
    assert np.isfinite(second).all() == is_followed


def test_a_picture_without_a_person_is_refused_by_name(tmp_path):
    video = tmp_path / "empty.mp4"
    write_video(video, [np.full((120, 160, 3), 90, np.uint8)] * 10, fps=30)
    with pytest.raises(UnreadableError, match=r"empty\.mp4' from 0 s to the end, but no person was found"):
        find_poses(video, 30)


def test_a_training_reads_videos_and_finds_their_joints_once(drawn, tmp_path, monkeypatch):
    cache, record = FrameCache(tmp_path), ClipRecord(drawn)
    of_body = JointPreprocessing("ntu25").spec
    joints = cache.frames(record, of_body)
    assert joints.shape[1:] == (25, 3)
    assert joints == pytest.approx(of_body.read(drawn).values)
    monkeypatch.setattr("tt_actions.clips.pose_spec.find_poses", None)  # a second search would fail
    assert cache.frames(record, replace(of_body, centre="joint")).shape == joints.shape
    assert cache.frames(record, JointPreprocessing("coco17").spec).shape[1:] == (17, 2)


def test_another_pose_model_finds_the_joints_anew(drawn, tmp_path, monkeypatch):
    cache, record, of_body = FrameCache(tmp_path), ClipRecord(drawn), JointPreprocessing("ntu25").spec
    before = cache._file(record, of_body)
    monkeypatch.setattr("tt_actions.clips.pose_spec._VERSION", 99)
    assert cache._file(record, of_body) != before


def test_a_left_hander_looks_like_a_right_hander(drawn):
    preprocessing = JointPreprocessing("blazepose33")
    joints = preprocessing.read(drawn).values
    mirrored = preprocessing.to_right_handed(joints)
    left, right = (BLAZEPOSE33.index(f"{side}_wrist") for side in ("left", "right"))
    assert mirrored[:, right] == pytest.approx(joints[:, left] * [-1, 1, 1])
    assert preprocessing.to_right_handed(mirrored) == pytest.approx(joints)


def test_visibility_is_a_probability(poses):
    visible = poses.values[..., VISIBILITY]
    assert 0 <= visible.min() <= visible.max() <= 1
    assert visible[:, BLAZEPOSE33.index("nose")].mean() > 0.5


def test_trajectories_are_not_found_in_a_video(drawn):
    with pytest.raises(UnreadableError, match=r"`layout` racket, but .* is a video"):
        JointPreprocessing("racket").read_clip(drawn)


def test_own_videos_are_classified_by_joints(posed_run, posed_clips, tmp_path):
    assert (posed_run / "report" / "metrics.json").is_file()
    checkpoint = posed_run / "checkpoints" / "best.ckpt"
    with pytest.raises(SystemExit) as end:
        main(["predict", str(posed_clips), "--checkpoint", str(checkpoint), "--out", str(tmp_path)])
    assert end.value.code == 0
    again = (tmp_path / "predictions.csv").read_text().splitlines()
    reported = (posed_run / "report" / "predictions.csv").read_text().splitlines()
    assert len(again) == 13
    assert {tuple(line.split(",")[:3]) for line in reported} <= {tuple(line.split(",")[:3]) for line in again}


def test_a_player_of_a_tenth_of_the_picture_is_found(drawn, tmp_path):
    video, truth = tmp_path / "small.mp4", np.load(drawn.with_suffix(".npz"))["joints_2d"]
    share = 72 / np.ptp(truth[..., 1], axis=1).mean()
    size = (round(640 * share), round(480 * share))
    frames = []
    for frame in read_frames(drawn).values:
        canvas = np.full((720, 1280, 3), 90, np.uint8)
        canvas[400 : 400 + size[1], 900 : 900 + size[0]] = cv2.resize(
            frame, size, interpolation=cv2.INTER_AREA
        )
        frames.append(canvas)
    write_video(video, frames, fps=30, crf=18)
    points = find_poses(video, 30).values[..., POINTS]
    is_found = ~np.isnan(points).any((1, 2))
    assert is_found.mean() > 0.9
    hips = points[:, [BLAZEPOSE33.index(f"{side}_hip") for side in ("left", "right")]].mean(1)
    true = truth[:, [NTU25.index(f"{side}_hip") for side in ("left", "right")]].mean(1) * share + (900, 400)
    assert np.median(np.linalg.norm(hips - true, axis=1)[is_found]) < 6


def test_a_model_of_joints_in_regions_refuses_a_video_without_one(drawn):
    network = JointKernel(2, "ntu25")
    model = Recognizer(network, ("serve", "smash"), JointPreprocessing("ntu25")).eval()
    joints = torch.randn(4, 9, 3, 25)
    network.collect(joints, torch.full((4,), 9), torch.tensor([0, 1, 0, 1]))
    network.solve()
    model.has_regions = True
    with pytest.raises(UserError, match="Expected `roi`, the player's region"):
        model.predict(drawn)
    assert model.predict(drawn, roi=(0, 0, 640, 480)).label in ("serve", "smash")
    assert model.predict(drawn.with_suffix(".npz")).label in ("serve", "smash")
