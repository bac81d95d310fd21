import json

import numpy as np
from joint_match import move
from marked import flatten

from tt_actions.label.joint_series import MAX_STRETCH_S, JointSeries, list_lines
from tt_actions.pose.video import POINTS
from tt_actions.skeleton.layouts import BLAZEPOSE33

HANDS = np.stack([np.linspace(0, 1, 90), np.where(np.arange(90) < 30, np.nan, 0.5)])


def test_a_stretch_has_the_points_of_each_player_and_gaps():
    analysis = move(HANDS, players=("anna", "bert"))
    found = JointSeries(analysis).between(0.5, 1.5)
    assert found["times"] == [round(time_s, 4) for time_s in np.arange(15, 45) / 30]
    anna, bert = found["players"]
    assert bert[:15] == [None] * 15
    assert None not in [*anna, *bert[15:]]
    wrist = BLAZEPOSE33.index("right_wrist")
    lines = [(one, other) for one, other, side in list_lines() if side == "right"]
    place = lines[1][1]  # shoulder to elbow, elbow to wrist
    expected = analysis.motion.poses[0, 15:45, wrist, POINTS]
    assert np.allclose([body[place] for body in anna], expected, atol=0.06)
    json.dumps(found, allow_nan=False)


def test_joints_that_the_pose_model_does_not_know_are_gaps_in_the_body():
    (body,) = JointSeries(flatten(move(np.zeros((1, 2))))).between(0, 0.01)["players"][0]
    lines = {side: [(one, other) for one, other, own in list_lines() if own == side] for side in ("left",)}
    arm, leg = lines["left"][:3], lines["left"][3:]
    for limb in (arm, leg):
        *known, (before, end) = limb
        assert None not in [body[index] for index in {before, *(i for line in known for i in line)}]
        assert body[end] is None  # fingertips and foot


def test_a_stretch_is_never_too_long_and_may_be_empty():
    series = JointSeries(move(np.zeros((1, 1800))))
    assert len(series.between(0, 1e9)["times"]) == MAX_STRETCH_S * 30
    assert series.between(100, 101) == {"times": [], "players": [[]]}


def test_the_lines_join_points_that_are_sent():
    (body,) = JointSeries(move(np.zeros((1, 2)))).between(0, 0.01)["players"][0]
    assert {index for one, other, _ in list_lines() for index in (one, other)} == set(range(len(body)))
    assert [side for *_, side in list_lines()].count("trunk") == 4
