import numpy as np
import pytest

from tt_actions.sources.synthetic.ball import (
    GRAVITY,
    NET_HEIGHT_M,
    RADIUS_M,
    TABLE_HEIGHT_M,
    delayed,
    fall_to_floor,
    fly,
    positions,
    toss,
)

NEAR, FAR = np.array([-1.6, 0.3, 1.0]), np.array([1.7, -0.4, 1.05])


@pytest.mark.parametrize("halves", [[1], [-1, 1]])
@pytest.mark.parametrize("seed", range(5))
def test_a_flight_bounces_where_it_must_and_loses_height_at_each_bounce(halves, seed):
    arcs = fly(np.random.default_rng(seed), NEAR, FAR, halves, 0.7)
    assert len(arcs) == len(halves) + 1
    assert arcs[0].start_s == 0
    np.testing.assert_allclose(arcs[0].position, NEAR)
    np.testing.assert_allclose(arcs[-1].position_at(np.array([arcs[-1].end_s]))[0], FAR, atol=1e-9)
    for half, before, after in zip(halves, arcs, arcs[1:], strict=False):
        np.testing.assert_allclose(before.position_at(np.array([before.end_s]))[0], after.position, atol=1e-9)
        assert after.position[2] == pytest.approx(TABLE_HEIGHT_M + RADIUS_M)
        assert 0 < half * after.position[0] < 1.37
        assert abs(after.position[1]) < 0.7625
        landing = GRAVITY * (before.end_s - before.start_s) - before.velocity[2]
        assert 0.85 <= after.velocity[2] / landing <= 0.90


@pytest.mark.parametrize("wanted_s", [0.3, 0.6, 1.2])
def test_a_flight_clears_the_net(wanted_s):
    arcs = fly(np.random.default_rng(0), FAR, NEAR, [-1], wanted_s)
    path = positions(arcs, np.linspace(0, arcs[-1].end_s, 4000, endpoint=False))
    over = path[np.abs(path[:, 0]) < 0.01]
    assert len(over)
    assert (over[:, 2] - RADIUS_M > TABLE_HEIGHT_M + NET_HEIGHT_M).all()


def test_a_flight_lasts_about_as_long_as_wanted():
    rng = np.random.default_rng(0)
    durations_s = [fly(rng, NEAR, FAR, [1], wanted_s)[-1].end_s for wanted_s in (0.7, 0.85, 1.1)]
    np.testing.assert_allclose(durations_s, [0.7, 0.85, 1.1], atol=0.06)


def test_an_impossible_flight_is_none():
    behind_the_side = np.array([1.5, 9.0, 1.0])
    assert fly(np.random.default_rng(0), NEAR, behind_the_side, [1], 0.6) is None


def test_a_toss_arrives_in_time():
    lower = np.add(NEAR, [0.05, 0, -0.2])
    arc = toss(0.5, 1.1, NEAR, lower)
    np.testing.assert_allclose(arc.position_at(np.array([1.1]))[0], lower)
    assert arc.position_at(np.array([0.8]))[0, 2] > NEAR[2] + 0.16


def test_a_ball_fall_to_floor_ends_on_the_floor_and_stays_above_it():
    arcs = fall_to_floor(toss(0, 1, NEAR, FAR))
    heights = positions(arcs, np.linspace(0, arcs[-1].end_s, 500, endpoint=False))[:, 2]
    assert heights.min() >= RADIUS_M - 1e-9
    assert arcs[0].position_at(np.array([arcs[0].end_s]))[0, 2] == pytest.approx(RADIUS_M)


def test_outside_its_arcs_there_is_no_ball():
    arcs = delayed([toss(0, 1, NEAR, FAR)], 2)
    ball = positions(arcs, np.array([1.9, 2.0, 2.9, 3.0]))
    assert np.isnan(ball[:, 0]).tolist() == [True, False, False, True]
    np.testing.assert_allclose(ball[1], NEAR)
