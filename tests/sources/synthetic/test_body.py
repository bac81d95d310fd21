from dataclasses import replace

import numpy as np
import pytest

from tt_actions.sources.synthetic.body import BONES, MIRRORED, bend, body_of
from tt_actions.sources.synthetic.player import BLACK, RED, draw_player


def test_the_bones_make_one_tree_of_all_joints():
    assert len(BONES) == 24
    assert sorted(child for _, child in BONES) == sorted(set(range(25)) - {0})


def test_mirroring_twice_gives_the_same_joints_and_keeps_every_bone():
    assert [MIRRORED[joint] for joint in MIRRORED] == list(range(25))
    bones = {frozenset(bone) for bone in BONES}
    assert {frozenset(MIRRORED[joint] for joint in bone) for bone in bones} == bones


def test_a_limb_reaches_its_target_with_bones_of_the_right_length():
    rng = np.random.default_rng(0)
    root, target = np.zeros((50, 3)), rng.uniform(-0.3, 0.3, (50, 3))
    target *= np.maximum(1, 0.25 / np.linalg.norm(target, axis=1, keepdims=True))
    middle, end = bend(root, target, 0.3, 0.25, np.array([0.0, 0.0, -1.0]))
    np.testing.assert_allclose(end, target, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(middle, axis=1), 0.3)
    np.testing.assert_allclose(np.linalg.norm(end - middle, axis=1), 0.25)


def test_a_limb_stretches_towards_what_it_cannot_reach():
    middle, end = bend(np.zeros(3), np.array([2.0, 0, 0]), 0.3, 0.25, np.array([0.0, 0.0, -1.0]))
    assert 0.5 < end[0] < 0.55
    assert np.linalg.norm(end - middle) == pytest.approx(0.25)
    assert middle[2] < 0


def test_bones_grow_with_height_and_proportions():
    player = draw_player(np.random.default_rng(0), "a")
    tall = body_of(replace(player, height_m=1.1 * player.height_m, arm_scale=2 * player.arm_scale))
    assert tall.thigh == pytest.approx(1.1 * body_of(player).thigh)
    assert tall.forearm == pytest.approx(2.2 * body_of(player).forearm)


def test_players_differ_and_about_one_in_ten_is_left_handed():
    rng = np.random.default_rng(0)
    players = [draw_player(rng, str(i)) for i in range(600)]
    assert 0.05 < np.mean([player.left_handed for player in players]) < 0.15
    assert len({player.leg_scale for player in players}) == 600
    assert all({player.forehand_rubber, player.backhand_rubber} == {RED, BLACK} for player in players)
    assert draw_player(np.random.default_rng(7), "x") == draw_player(np.random.default_rng(7), "x")
