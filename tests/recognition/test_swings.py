import numpy as np
import pytest

from tt_actions.clips.typical_swing import TypicalSwing, find_typical_swing
from tt_actions.errors import UserError
from tt_actions.recognition.swings import find_swings
from tt_actions.skeleton.hands import hand_speeds
from tt_actions.skeleton.layouts import NTU25

TYPICAL = TypicalSwing(seconds=1.0, speed=10.0, contact=0.6)
TIMES_S = np.arange(300) / 30


def bumps(*peaks):
    """Hand speed with a bump of a fifth of a second at each time and height."""
    return sum(height * np.exp(-(((TIMES_S - at_s) / 0.1) ** 2)) for at_s, height in peaks)


def test_each_fast_movement_is_a_swing_placed_as_in_the_training_clips():
    found = find_swings(bumps((2.0, 10), (4.0, 7), (6.0, 4), (8.0, 12)), TIMES_S, TYPICAL)
    assert [round(swing.contact_s, 2) for swing in found] == [2.0, 4.0, 8.0]
    assert found[0].start_s == pytest.approx(1.4)
    assert found[0].end_s == pytest.approx(2.4)


def test_two_peaks_of_one_movement_are_one_swing():
    assert len(find_swings(bumps((2.0, 10), (2.3, 8)), TIMES_S, TYPICAL)) == 1
    assert len(find_swings(bumps((2.0, 10), (2.8, 8)), TIMES_S, TYPICAL)) == 2


def test_a_swing_at_the_edge_stays_within_the_scene_and_keeps_its_length():
    first, last = find_swings(bumps((0.2, 10), (9.8, 10)), TIMES_S, TYPICAL)
    assert (first.start_s, first.end_s) == pytest.approx((0, 1))
    assert (last.start_s, last.end_s) == pytest.approx((9, 10))


def test_in_a_short_scene_two_swings_of_the_same_time_are_the_faster_one():
    speed, short = bumps((0.5, 9), (1.1, 11)), slice(0, 38)
    (swing,) = find_swings(speed[short], TIMES_S[short], TYPICAL)
    assert swing.contact_s == pytest.approx(1.1, abs=0.02)


def test_a_scene_of_a_frame_or_two_has_no_swing():
    assert find_swings(np.array([20.0, 0.0]), TIMES_S[:2], TYPICAL) == []


def test_speeds_are_relative_to_the_hips_and_ignore_a_jump_of_one_frame():
    joints = np.zeros((60, 25, 3))
    joints[..., 0] = np.arange(60)[:, None] / 30  # the whole body moves a unit a second
    hand = NTU25.index("right_hand")
    joints[:, hand, 1] = np.arange(60) * 5 / 30
    joints[40, hand, 1] += 3
    speeds = hand_speeds(joints, NTU25, 30)
    assert speeds[:, 0] == pytest.approx(0, abs=1e-9)
    assert speeds[5:30, 1] == pytest.approx(5)
    assert speeds[:, 1].max() < 50  # 3 units in a frame are 90 a second


def test_the_typical_swing_is_that_of_the_median_clip():
    clips = []
    for height in (2, 4, 9):
        joints = np.zeros((30, 25, 3))
        speed = height * np.exp(-(((np.arange(30) - 20) / 4) ** 2))
        joints[:, NTU25.index("left_hand"), 2] = np.cumsum(speed) / 30
        clips.append(joints)
    found = find_typical_swing(clips, NTU25, 30)
    assert found.seconds == 1.0
    assert found.contact == pytest.approx(20 / 30, abs=0.04)
    assert found.speed == pytest.approx(4, rel=0.15)
    assert TypicalSwing(**found.to_plain()) == found


def test_a_swing_that_makes_no_sense_is_refused():
    with pytest.raises(UserError, match="more than 0 seconds"):
        TypicalSwing(0.0, 1.0, 0.5)
