"""What is said when strokes may be missing."""

import numpy as np
import pytest

from tt_actions.clips.typical_swing import TypicalSwing
from tt_actions.recognition.joint_remarks import PoseRates, remark_on_motion
from tt_actions.recognition.players import NO_NAME

TYPICAL = TypicalSwing(seconds=1.0, speed=10.0, contact=0.6)
SAME = PoseRates(30.0, 30.0)


def speeds(*rows):
    return np.array(rows, float)


def test_nothing_is_said_when_all_is_well():
    assert remark_on_motion(["left"], speeds([1, 9, 2]), TYPICAL, [True], SAME) == ()
    assert remark_on_motion(["left"], speeds([1, 9, 2]), TYPICAL, [True], PoseRates(29.97, 30.0)) == ()


def test_the_fastest_hand_of_each_player_is_compared_with_the_least_speed_of_a_stroke():
    both = speeds([1, 2, 9], [4.5, 1, 0])
    (remark,) = remark_on_motion(["a", "b"], both, TYPICAL, [True, False], SAME)
    assert remark.startswith(
        "No hand of b moved fast enough for a stroke: the fastest reached 4.5 trunk lengths per second, and "
        "a stroke needs 6.0. Check that"
    )
    assert "mark the strokes with `tt-actions label`" in remark
    (remark,) = remark_on_motion([NO_NAME], both[1:], TYPICAL, [False], SAME)
    assert remark.startswith("No hand moved fast enough")


def test_a_hand_that_is_always_fast_makes_no_swing():
    (remark,) = remark_on_motion(["a"], speeds([9, 9, 9]), TYPICAL, [False], SAME)
    assert remark.startswith("No hand of a made a swing")


@pytest.mark.parametrize(
    ("num_lost", "expected"), [(0, None), (4, None), (30, "left is not found in 30 % of the images")]
)
def test_a_lost_player_is_named(num_lost, expected):
    speed = np.full(100, 9.0)
    speed[:num_lost] = np.nan
    remarks = remark_on_motion(["left"], speed[None], TYPICAL, [True], SAME)
    assert [remark[: len(expected or "")] for remark in remarks] == ([] if expected is None else [expected])


def test_without_any_player_the_speed_is_not_blamed():
    (remark,) = remark_on_motion(["left"], np.full((1, 9), np.nan), TYPICAL, [False], SAME)
    assert remark.startswith("left is not found in the video")


@pytest.mark.parametrize(
    ("num_lost", "expected"),
    [(100, "The player is not found in the video, and"), (30, "The player is not found in 30 % of the")],
)
def test_a_player_without_a_name_is_the_player(num_lost, expected):
    speed = np.full(100, 9.0)
    speed[:num_lost] = np.nan
    (remark,) = remark_on_motion([NO_NAME], speed[None], TYPICAL, [True], SAME)
    assert remark.startswith(expected)


@pytest.mark.parametrize(("num", "images"), [(1, "1 image,"), (2, "2 images,")])
def test_a_few_images_are_too_short_and_the_speed_is_not_blamed(num, images):
    (remark,) = remark_on_motion(["a"], np.ones((1, num)), TYPICAL, [False], SAME)
    assert remark == f"With {images} the video is too short to show a stroke."


def test_a_slow_video_is_told():
    (remark,) = remark_on_motion(["a"], speeds([1, 9, 2]), TYPICAL, [True], PoseRates(20.0, 30.0))
    assert "20 times per second. The model expects 30" in remark
