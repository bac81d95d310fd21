"""A user's own pose model finds the joints of the stroke and of its references."""

import json

import numpy as np
import pytest
from coached import coach, train, write_keypoints
from drawn_motions import draw
from keypoint_models import film_markers, kind_of, save_model

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.records import ClipRecord
from tt_actions.coach.reference_clips import ClipReader
from tt_actions.errors import UserError
from tt_actions.pose.video import POINTS
from tt_actions.recognition.loading import load
from tt_actions.skeleton.layouts import BLAZEPOSE33, COCO17


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """Reference strokes in the image, a model that has learnt from them, and a stroke with markers."""
    folder = tmp_path_factory.mktemp("pose")
    for label in ("forehand", "smash"):
        (folder / "references" / label).mkdir(parents=True)
        for number in range(8):
            write_keypoints(folder / "references" / label / f"{number}.csv", draw(label, number))
    ((video, places),) = film_markers(folder).items()
    return folder, train(folder, "movenet13", folder / "references"), video, places


def test_the_joints_of_a_clip_are_those_of_the_own_model(room, tmp_path):
    _, checkpoint, video, places = room
    own = f"onnx:{save_model(tmp_path / 'model.onnx')}"
    reader = ClipReader(load(checkpoint, pose=own).preprocessing, FrameCache(tmp_path / "cache"), 30)
    points = reader.read_landmarks(ClipRecord(video)).values[:, :, POINTS]
    for name in COCO17.joints:
        true = places[kind_of(name)][: len(points)]
        apart = np.linalg.norm(points[:, BLAZEPOSE33.index(name)] - true, axis=1)
        assert np.nanmedian(apart) < 4, name


def test_a_stroke_is_judged_by_the_joints_of_the_own_model(room, tmp_path):
    folder, checkpoint, video, _ = room
    own = f"onnx:{save_model(tmp_path / 'model.onnx')}"
    known = (("checkpoint", checkpoint), ("input", video), ("reference", folder / "references"))
    coach(*known, ("pose", own), ("class", "smash"), ("roi", "0,0,640,480"), ("out", tmp_path / "out"))
    told = json.loads((tmp_path / "out" / "findings.json").read_text())
    contact_s = float(np.load(next((folder / "drawn").rglob("*.npz")))["stroke_contact_s"][0])
    assert told["phases_s"]["contact"] == pytest.approx(contact_s, abs=0.1)
    assert told["num_references"] == 8
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "coach.html",
        "findings.json",
        "findings.csv",
    }


@pytest.mark.parametrize(
    ("pose", "reason"),
    [
        ("nonsense", "Expected `pose` to be blazepose, or onnx:PATH"),
        ("onnx:nowhere.onnx", "there is no such file"),
    ],
)
def test_what_is_no_model_is_refused(room, tmp_path, pose, reason):
    folder, checkpoint, video, _ = room
    known = (("checkpoint", checkpoint), ("input", video), ("reference", folder / "references"))
    with pytest.raises(UserError, match=reason):
        coach(*known, ("pose", pose), ("out", tmp_path / "none"))
    assert not (tmp_path / "none").exists()
