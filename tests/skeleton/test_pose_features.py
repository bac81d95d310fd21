import numpy as np
import pytest
import torch

from tt_actions.skeleton.layouts import COCO17, KINECT20, MOVENET13, NTU25, RACKET, THETIS15
from tt_actions.skeleton.pose_features import PoseFeatures

BODIES = [NTU25, KINECT20, THETIS15, COCO17, MOVENET13]


def pose(layout, **places):
    """Return a standing body with its left towards -x and some joints moved: (1, 1, C, V)."""
    body = {
        "left_shoulder": (-0.4, 1, 0),
        "right_shoulder": (0.4, 1, 0),
        "left_hip": (-0.2, 0, 0),
        "right_hip": (0.2, 0, 0),
    }
    joints = torch.zeros(1, 1, layout.num_coordinates, len(layout.joints))
    for name, place in (body | places).items():
        joints[0, 0, :, layout.index(name)] = torch.tensor(place)[: layout.num_coordinates]
    return joints


def measure(layout, joints, before=None):
    measured = PoseFeatures(layout)
    return dict(zip(measured.names, measured(joints, before)[0, 0].tolist(), strict=True))


@pytest.mark.parametrize("layout", BODIES, ids=lambda layout: layout.name)
def test_every_body_has_features(layout):
    features = PoseFeatures(layout)
    joints = torch.randn(2, 5, layout.num_coordinates, len(layout.joints))
    values = features(joints)
    assert values.shape == (2, 5, len(features.names))
    assert len(set(features.names)) == len(features.names)
    assert values.isfinite().all()


def test_a_pose_measured_by_hand():
    found = measure(
        KINECT20, pose(KINECT20, right_elbow=(0.8, 1, 0), right_wrist=(0.8, 1.4, 0), left_wrist=(0.8, 1, 0))
    )
    assert found["right_elbow_angle"] == pytest.approx(90)
    assert found["right_shoulder_angle"] == pytest.approx(90 + np.degrees(np.arctan2(0.2, 1)), abs=1e-3)
    assert found["right_wrist_above_chest"] == pytest.approx(0.4)
    assert found["right_wrist_beside_chest"] == pytest.approx(0.8)
    assert found["wrists_apart"] == pytest.approx(0.4)
    assert found["trunk_lean"] == pytest.approx(0, abs=0.1)
    assert found["trunk_turn"] == pytest.approx(0, abs=1e-3)


def test_a_hand_replaces_a_wrist_and_is_in_front_of_a_person_facing_the_camera():
    found = measure(THETIS15, pose(THETIS15, right_hand=(0.0, 1, -0.7)))
    assert found["right_wrist_before_chest"] == pytest.approx(0.7)


def test_a_turned_trunk_is_measured():
    turned = pose(KINECT20, left_shoulder=(0.0, 1, -0.4), right_shoulder=(0.0, 1, 0.4))
    other = pose(KINECT20, left_shoulder=(0.0, 1, 0.4), right_shoulder=(0.0, 1, -0.4))
    angles = [measure(KINECT20, joints)["trunk_turn"] for joints in (turned, other)]
    np.testing.assert_allclose(np.abs(angles), 90, rtol=1e-5)
    assert angles[0] == -angles[1]


def test_speed_is_measured_from_the_frame_before():
    still, moved = pose(KINECT20), pose(KINECT20, right_wrist=(0.3, 0.4, 0))
    assert measure(KINECT20, moved)["right_wrist_speed"] == 0
    assert measure(KINECT20, moved, still)["right_wrist_speed"] == pytest.approx(0.5)


def test_a_trajectory_has_no_pose():
    with pytest.raises(ValueError, match="Expected `layout` of a body, but got 'racket'"):
        PoseFeatures(RACKET)
