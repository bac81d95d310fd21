"""The speed of the hands on the page: nothing fast is lost, nothing is invented, and it stays small."""

import base64

import numpy as np
import pytest
from joint_match import move

from tt_actions.match.speed_curve import LOST, MAX_BYTES, MAX_RATE, embed_speeds, reduce_speeds


def test_the_highest_speed_of_each_short_time_is_kept():
    found = move([np.random.default_rng(1).uniform(0, 3, 900)])
    speed = found.motion.hand_speed[0]
    curves = reduce_speeds(found.motion, found.times_s, found.duration_s)
    assert curves.rate == MAX_RATE
    shown = curves.levels[0] / 254 * curves.top
    for place in range(len(shown)):
        inside = (found.times_s >= place / MAX_RATE - 1e-6) & (found.times_s < (place + 1) / MAX_RATE - 1e-6)
        assert shown[place] == pytest.approx(speed[inside].max(), abs=curves.top / 254)


def test_a_lost_player_leaves_a_gap():
    hands = np.linspace(0, 9, 300)
    hands[100:200] = np.nan
    found = move([hands, hands[::-1]], players="ab")
    curves = reduce_speeds(found.motion, found.times_s, found.duration_s)
    is_lost = curves.levels == LOST
    assert is_lost[:, 70:130].all()
    assert not is_lost[:, :65].any()
    assert not is_lost[:, 136:].any()


@pytest.mark.parametrize("fps", [5, 10, 25, 60])
def test_a_slow_video_has_no_false_gaps(fps):
    found = move([np.sin(np.arange(20 * fps))], fps=fps)
    curves = reduce_speeds(found.motion, found.times_s, found.duration_s)
    assert curves.rate <= fps + 1e-6
    assert (curves.levels != LOST).all()


def test_three_hours_of_two_players_stay_small():
    speed = np.random.default_rng(0).uniform(0, 9, (2, 3 * 3600 * 30)).astype(np.float32)
    found = move(np.zeros((2, 2)), players="ab")
    motion = found.motion._replace(hand_speed=speed)
    curves = reduce_speeds(motion, np.arange(speed.shape[1]) / 30, 3 * 3600.0)
    assert curves.levels.nbytes <= MAX_BYTES + 2
    assert curves.levels.shape[1] > 6 * 3600 * 3


def test_a_player_who_is_never_found_is_lost_throughout():
    found = move([np.full(30, np.nan)])
    (levels,) = embed_speeds(found)["levels"]
    assert set(base64.b64decode(levels)) == {LOST}
