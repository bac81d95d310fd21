"""The moments of a stroke, in the speed of the hand."""

import numpy as np
import pytest

from tt_actions.clips.strokes import Stroke
from tt_actions.recognition.swings import find_moments

TIMES_S = np.arange(0, 4, 1 / 30)


def bump(at_s, width_s=0.15, height=8.0):
    return height * np.exp(-(((TIMES_S - at_s) / width_s) ** 2))


def test_slow_moments_lie_before_and_after_the_contact():
    speed = 1 + bump(1.2, height=4.0) + bump(2.0) + bump(2.8, height=4.0)
    moments = find_moments(Stroke("serve", 1.0, 3.0, 2.0), TIMES_S, speed)
    assert moments.contact_s == 2.0
    assert moments.backswing_s == pytest.approx(1.6, abs=0.15)
    assert moments.follow_through_s == pytest.approx(2.4, abs=0.15)


def test_a_player_who_rests_is_shown_near_the_contact_and_not_at_the_edge():
    speed = 0.01 * np.abs(TIMES_S - 4) + bump(2.0)  # ever slower, if ever so little, away from the contact
    moments = find_moments(Stroke("serve", 0.5, 3.9, 2.0), TIMES_S, speed)
    assert 1.4 < moments.backswing_s < 1.8
    assert 2.2 < moments.follow_through_s < 2.6


def test_moments_lie_within_the_stroke():
    generator = np.random.default_rng(0)
    for _ in range(200):
        start_s, end_s = np.sort(generator.uniform(0, 3.9, 2)) + np.array([0, 0.05])
        contact_s = float(generator.uniform(start_s, end_s)) if generator.random() < 0.7 else None
        stroke = Stroke("serve", float(start_s), float(end_s), contact_s)
        moments = find_moments(stroke, TIMES_S, generator.uniform(0, 9, len(TIMES_S)))
        assert list(moments) == sorted(moments)
        assert start_s <= moments.backswing_s
        assert moments.follow_through_s <= end_s
        assert contact_s in (None, moments.contact_s)


def test_without_a_contact_it_is_where_the_hand_is_fastest():
    moments = find_moments(Stroke("serve", 1.0, 3.0), TIMES_S, bump(1.9))
    assert moments.contact_s == pytest.approx(1.9, abs=1 / 30)


def test_a_lost_player_has_no_moments():
    speed = np.where(TIMES_S < 2, 1.0, np.nan)
    assert find_moments(Stroke("serve", 2.5, 3.0, 2.7), TIMES_S, speed) is None
