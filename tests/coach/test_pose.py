"""The joints of a video as a file, by a user's own pose model."""

import numpy as np
import pytest
from keypoint_models import film_markers, kind_of, save_model

from tt_actions.coach.pose import find_joints
from tt_actions.errors import UserError
from tt_actions.skeleton.keypoint_files import read_csv
from tt_actions.skeleton.layouts import COCO17
from tt_actions.video.info import probe


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    ((video, places),) = film_markers(tmp_path_factory.mktemp("marked")).items()
    return video, places


def test_a_file_has_the_joints_of_every_frame(tmp_path, marked):
    video, places = marked
    model = save_model(tmp_path / "model.onnx")
    found = read_csv(find_joints(f"onnx:{model}", video, tmp_path / "out" / "joints.csv"))
    assert found.layout is COCO17
    assert found.joints.shape == (probe(video).num_frames, 17, 2)
    for name in COCO17.joints:
        true = places[kind_of(name)][: len(found.joints)] * [1, -1]
        apart = np.linalg.norm(found.joints[:, COCO17.index(name)] - true, axis=1)
        assert np.nanmedian(apart) < 4, name


@pytest.mark.parametrize(
    ("pose", "reason"),
    [
        ("blazepose", "Expected `--pose` to be onnx:MODEL"),
        ("nonsense", "Expected `pose` to be blazepose, or onnx:PATH"),
        ("onnx:nowhere.onnx", "there is no such file"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path, marked, pose, reason):
    with pytest.raises(UserError, match=reason):
        find_joints(pose, marked[0], tmp_path / "a.csv")
    assert not (tmp_path / "a.csv").exists()
