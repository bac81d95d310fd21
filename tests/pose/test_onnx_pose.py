"""A user's own keypoint model instead of the built-in one: what it finds, what is refused, what is kept."""

import shutil
import sys

import numpy as np
import pytest
import torch
from keypoint_models import SIZE, film_markers, kind_of, save_graph, save_model

from tt_actions import load
from tt_actions.clips.cache import FrameCache
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.pose_spec import PoseSpec
from tt_actions.clips.records import ClipRecord
from tt_actions.errors import UserError
from tt_actions.main import main
from tt_actions.pose.choice import open_pose
from tt_actions.pose.keypoints import read_heat_maps, read_simcc
from tt_actions.pose.onnx_pose import find_anchors
from tt_actions.pose.regions import Region, region_around
from tt_actions.pose.video import POINTS, VISIBILITY, WORLD, find_poses
from tt_actions.skeleton.layouts import BLAZEPOSE33, BLAZEPOSE33_2D, COCO17
from tt_actions.video.frames import read_frames

OF_COCO = [BLAZEPOSE33.index(name) for name in COCO17.joints]


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """A video of a player who wears markers, and where they are."""
    ((video, places),) = film_markers(tmp_path_factory.mktemp("marked")).items()
    return video, places


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A keypoint model that finds the markers."""
    return save_model(tmp_path_factory.mktemp("model") / "markers.onnx")


@pytest.mark.parametrize(
    "kind", [{}, {"simcc": True}, {"half": True}, {"batch": 4}], ids=["maps", "simcc", "half", "batch"]
)
def test_joints_are_found_where_the_model_sees_them(marked, tmp_path, kind):
    video, places = marked
    poses = find_poses(video, 30, pose=f"onnx:{save_model(tmp_path / 'model.onnx', **kind)}").values
    assert (~np.isnan(poses[:, 0, 0])).mean() > 0.95
    for name in COCO17.joints:
        true = places[kind_of(name)][: len(poses)]
        apart = np.linalg.norm(poses[:, BLAZEPOSE33.index(name), POINTS] - true, axis=1)
        assert np.nanmedian(apart) < 4, name
    visibility = poses[:, OF_COCO, VISIBILITY]
    assert 0.3 < np.nanmedian(visibility) <= np.nanmax(visibility) <= 1


def test_what_coco_does_not_have_is_missing(marked, own):
    poses = find_poses(marked[0], 30, pose=f"onnx:{own}").values
    poses = poses[~np.isnan(poses[:, 0, 0])]
    others = [index for index in range(33) if index not in OF_COCO]
    assert np.isnan(poses[:, others, POINTS]).all()
    assert (poses[:, others, VISIBILITY] == 0).all()
    assert np.isnan(poses[..., WORLD]).all()


def test_a_region_moves_the_joints_back_to_the_whole_picture(marked, own):
    video, places = marked
    corners = np.concatenate(list(places.values()))
    x0, y0 = np.floor(corners.min(0) - 60).clip(0).astype(int).tolist()
    x1, y1 = np.ceil(corners.max(0) + 60).clip(0, (640, 480)).astype(int).tolist()
    poses = find_poses(video, 30, roi=(x0, y0, x1, y1), pose=f"onnx:{own}").values
    apart = poses[:, BLAZEPOSE33.index("left_hip"), POINTS] - places["hip"][: len(poses)]
    assert np.nanmedian(np.linalg.norm(apart, axis=1)) < 4


def test_the_crop_is_upright_even_if_the_body_is_not(marked, own):
    video, places = marked
    image, pose = read_frames(video).values[0], open_pose(f"onnx:{own}", 1)
    region = Region(*places["hip"][0].tolist(), 300)
    upright, turned = (pose.find_landmarks(image, region._replace(turn=turn)) for turn in (0.0, 0.4))
    assert np.array_equal(turned.points, upright.points, equal_nan=True)


@pytest.mark.parametrize("aspect", [0.75, 1.0, 1.5])
def test_the_next_crop_contains_every_joint_that_is_seen(aspect):
    rng = np.random.default_rng(0)
    for _ in range(50):
        places, scores = rng.normal(250, 60, (17, 2)), rng.random(17)
        centre, above = find_anchors(places, scores, aspect)
        hips = places[[COCO17.index(f"{side}_hip") for side in ("left", "right")]].mean(0)
        assert centre == pytest.approx(hips)
        region = region_around(centre, above)
        assert region.turn == pytest.approx(0)
        half = np.array([min(1.0, aspect) if aspect < 1 else aspect, 1.0]) * region.side / 2
        inside = np.abs(places - centre) / half
        assert inside[scores >= 0.3].max() <= 1 / 1.25 + 1e-9


def test_a_joint_that_is_not_seen_does_not_enlarge_the_next_crop():
    places, scores = np.zeros((17, 2)), np.full(17, 0.9)
    places[COCO17.index("left_ankle")], places[COCO17.index("right_wrist")] = (0, 60), (500, 500)
    scores[COCO17.index("right_wrist")] = 0.1
    assert find_anchors(places, scores, 0.75).tolist() == [[0, 0], [0, -60]]


def test_a_body_whose_limbs_are_out_of_sight_keeps_room_for_them():
    places = np.zeros((17, 2))
    for side, x in (("left", -15), ("right", 15)):
        places[COCO17.index(f"{side}_shoulder")] = (x, -50)
        places[COCO17.index(f"{side}_hip")] = (x, 0)
    _, above = find_anchors(places, np.full(17, 0.9), 0.75)
    assert above.tolist() == [0, -75]


def test_a_peak_is_read_to_a_fraction_of_a_cell():
    maps = np.zeros((1, 17, 16, 12), np.float32)
    maps[0, :, 5, 7], maps[0, :, 5, 8], maps[0, :, 4, 7] = 1, 0.5, 0.2
    x, y, score = read_heat_maps(maps, (64, 48))[0, 0]
    assert (x, y, score) == (4 * 7.75 - 0.5, 4 * 5.25 - 0.5, 1)
    along_x, along_y = np.zeros((1, 17, 96)), np.zeros((1, 17, 128))
    along_x[..., 31], along_y[..., 50] = 0.7, 0.9
    assert read_simcc(along_x, along_y, (64, 48))[0, 3].tolist() == [15.5, 25, 0.7]


def refusal(pose):
    """The message about a model that can't be opened, which has one line."""
    with pytest.raises(UserError) as refused:
        PoseSpec(30, pose=pose).prepare()
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_another_model_is_refused_when_it_is_opened(tmp_path):
    same = (("Identity", ["image"], ["same"]), {})
    other = save_graph(tmp_path / "other.onnx", [same], [("same", ("N", 3, *SIZE))], {})
    assert "but got outputs [(1, 3, 256, 192)]" in refusal(f"onnx:{other}")
    flat = save_graph(tmp_path / "flat.onnx", [same], [("same", ("N", 3))], {}, ("N", 3))
    assert "but got an input ['N', 3] of tensor(float)" in refusal(f"onnx:{flat}")


def test_a_damaged_file_is_refused_by_name(tmp_path, own, capfd):
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(own.read_bytes()[:-300])
    message = refusal(f"onnx:{damaged}")
    assert message.startswith(
        f"Expected '{damaged}' to be an ONNX model that ONNX Runtime can run, but got: "
    )
    assert message.endswith("Export it again.")
    assert capfd.readouterr().err == ""


def test_a_missing_model_or_runtime_is_named_with_what_to_do(own, monkeypatch):
    assert "no such file. Pass its path with `--pose onnx:PATH`." in refusal("onnx:nowhere.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "`pip install 'tt-actions[export]'`" in refusal(f"onnx:{own}")


def test_joints_in_space_are_refused_and_other_names_too(own):
    with pytest.raises(UserError, match=r"`layout` to be coco17, .* in the image only, but got ntu25"):
        JointPreprocessing("ntu25", pose=f"onnx:{own}")
    for pose in (str(own), "onnx:", "mediapipe"):
        with pytest.raises(UserError, match="Expected `pose` to be blazepose, or onnx:PATH"):
            JointPreprocessing("coco17", pose=pose)


@pytest.mark.parametrize("layout", ["coco17", "movenet13", "blazepose33_2d"])
def test_every_layout_in_the_image_is_complete(marked, own, layout):
    preprocessing = JointPreprocessing(layout, pose=f"onnx:{own}")
    joints = preprocessing.read_clip(marked[0]).values
    assert np.isfinite(joints).all()
    if layout == "blazepose33_2d":
        for joint, parent in (
            ("left_mouth", "nose"),
            ("right_thumb", "right_wrist"),
            ("left_foot", "left_ankle"),
        ):
            one, other = BLAZEPOSE33_2D.index(joint), BLAZEPOSE33_2D.index(parent)
            assert joints[:, one] == pytest.approx(joints[:, other])


def test_joints_are_kept_by_the_content_of_the_model_and_not_by_its_place(marked, own, tmp_path):
    cache, record = FrameCache(tmp_path / "cache"), ClipRecord(marked[0])

    def file(pose):
        return cache._file(record, JointPreprocessing("coco17", pose=pose).spec)

    moved = shutil.copy(own, tmp_path / "moved.onnx")
    assert file(f"onnx:{moved}") == file(f"onnx:{own}")
    assert len({file(f"onnx:{own}"), file("blazepose"), file(f"onnx:{save_model(moved, simcc=True)}")}) == 3
    before = file(f"onnx:{own}")
    (own.parent / f"{own.name}.data").write_bytes(b"weights in a file of their own")
    assert file(f"onnx:{own}") != before
    (own.parent / f"{own.name}.data").unlink()


def test_joint_files_are_kept_whatever_the_pose_model(own):
    one, other = (JointPreprocessing("coco17", pose=pose).spec for pose in ("blazepose", f"onnx:{own}"))
    assert one.cache_key(None) == other.cache_key(None)


def test_a_pose_model_is_opened_by_its_name(own):
    assert type(open_pose("blazepose", 1)).__name__ == "BlazePose"
    assert type(open_pose(f"onnx:{own}", 1)).__name__ == "OnnxPose"


def test_a_trained_model_knows_its_pose_model_and_takes_another_place_for_it(tmp_path, capsys):
    clips = film_markers(tmp_path, 8, (320, 240))
    pose = save_model(tmp_path / "pose.onnx")
    folders = ("--runs", str(tmp_path / "runs"), "--data.cache_dir", str(tmp_path / "cache"))
    options = ("--data", str(tmp_path / "clips"), "--layout", "coco17", "--pose", f"onnx:{pose}")
    main(["train", "--config", "experiments/strokes.yaml", *options, *folders])
    run = tmp_path / "runs" / "strokes" / "version_0"
    checkpoint = run / "checkpoints" / "best.ckpt"
    video = next(iter(clips))
    assert load(checkpoint).preprocessing.pose == f"onnx:{pose}"
    label = load(checkpoint).predict(video).label

    moved = pose.rename(tmp_path / "moved.onnx")
    with pytest.raises(
        UserError, match=r"pose\.onnx', but there is no such file\. Pass .* `--pose onnx:PATH`"
    ):
        load(checkpoint).predict(video)
    assert load(checkpoint, pose=f"onnx:{moved}").predict(video).label == label
    out = tmp_path / "named"
    words = ["predict", str(tmp_path / "clips"), "--checkpoint", str(checkpoint), "--out", str(out)]
    with pytest.raises(UserError, match="there is no such file"):
        main(words)
    assert not out.exists()
    with pytest.raises(SystemExit) as end:
        main([*words, "--pose", f"onnx:{moved}"])
    assert end.value.code == 0
    again = {tuple(line.split(",")[:3]) for line in (out / "predictions.csv").read_text().splitlines()}
    reported = (run / "report" / "predictions.csv").read_text().splitlines()
    assert {tuple(line.split(",")[:3]) for line in reported} <= again

    match = [
        "analyze",
        str(video),
        "--checkpoint",
        str(checkpoint),
        "--out",
        str(tmp_path / "out"),
        "--no-video",
    ]
    with pytest.raises(UserError, match="there is no such file"):
        main(match)
    assert not (tmp_path / "out").exists()
    for is_done in (False, True):
        with pytest.raises(SystemExit) as end:
            main([*match, "--pose", f"onnx:{moved}"])
        assert end.value.code == 0
        assert ("already analysed" in capsys.readouterr().out) == is_done

    content = torch.load(checkpoint, weights_only=True)
    del content["hyper_parameters"]["preprocessing"]["pose"]
    torch.save(content, tmp_path / "old.ckpt")
    assert load(tmp_path / "old.ckpt").preprocessing.pose == "blazepose"
