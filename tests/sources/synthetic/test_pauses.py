import json

import numpy as np
import pytest

from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.strokes import NO_STROKE
from tt_actions.sources import DrawnSwings
from tt_actions.sources.synthetic.body import BONES
from tt_actions.sources.synthetic.motion import FPS, clip_motion
from tt_actions.sources.synthetic.player import draw_player

DURATION_S = 2.2
HIPS, LEFT_HAND, RIGHT_HAND, LEFT_FOOT, RIGHT_FOOT = 0, 7, 11, 15, 19


def draw(seed):
    rng = np.random.default_rng(seed)
    return clip_motion(rng, draw_player(rng, "a"), NO_STROKE, DURATION_S, None)


MOTIONS = [draw(seed) for seed in range(60)]


def joints_of(motion):
    return motion.players[0].joints.astype(float)


def is_walking(motion):
    return np.ptp(joints_of(motion)[:, [LEFT_FOOT, RIGHT_FOOT], :2], axis=0).max() > 0.3


WALKING = list(filter(is_walking, MOTIONS))


def test_every_pose_is_finite_keeps_the_length_of_every_bone_and_stays_above_the_floor():
    for motion in MOTIONS:
        joints = joints_of(motion)
        assert np.isfinite(joints).all()
        lengths = np.stack([np.linalg.norm(joints[:, a] - joints[:, b], axis=-1) for a, b in BONES])
        np.testing.assert_allclose(lengths, np.broadcast_to(lengths[:, :1], lengths.shape), atol=2e-3)
        assert joints[..., 2].min() > -0.01


def test_nobody_plays_and_no_ball_flies():
    for motion in MOTIONS:
        assert motion.strokes == ()
        assert np.isnan(motion.ball).all()


def test_nothing_jumps():
    for motion in MOTIONS:
        assert np.linalg.norm(np.diff(joints_of(motion), axis=0), axis=-1).max() * FPS < 12


def test_a_third_walks_or_runs_and_one_foot_is_still_at_a_time():
    assert 0.2 < len(WALKING) / len(MOTIONS) < 0.5
    walkers = 0
    for motion in WALKING:
        speed = np.linalg.norm(np.diff(joints_of(motion)[:, [LEFT_FOOT, RIGHT_FOOT]], axis=0), axis=-1) * FPS
        assert (speed.min(0) < 0.05).all()  # each foot stands at some time
        walkers += (speed.min(1) < 0.3).mean() > 0.9  # runners fly between two steps
    assert walkers > len(WALKING) / 3


def test_the_free_arm_swings_against_the_leg_on_its_side():
    agreements = []
    for motion in WALKING:
        joints = joints_of(motion) - joints_of(motion)[:, [HIPS]]
        shoulders = joints[:, 4] - joints[:, 8]  # to the left
        ahead = np.stack([shoulders[:, 1], -shoulders[:, 0]], -1)
        left = motion.players[0].player.left_handed
        hand, foot = (RIGHT_HAND, RIGHT_FOOT) if left else (LEFT_HAND, LEFT_FOOT)
        of_hand, of_foot = ((joints[:, joint, :2] * ahead).sum(-1) for joint in (hand, foot))
        agreements.append(np.corrcoef(of_hand, of_foot)[0, 1])
    assert np.median(agreements) < -0.5


def test_some_reach_down_to_the_floor():
    lowest = [joints_of(motion)[:, [LEFT_HAND, RIGHT_HAND], 2].min() for motion in MOTIONS]
    assert 0.1 < np.mean(np.array(lowest) < 0.3) < 0.6


@pytest.mark.parametrize("sport", ["table_tennis", "tennis"])
def test_clips_without_a_stroke_follow_those_of_strokes_and_leave_them_as_they_are(sport, tmp_path):
    options = {"clips": 2, "players": 2, "halls": 2, "size": (160, 120), "workers": 1}
    alone = DrawnSwings(tmp_path / "alone", sport, **options)
    source = DrawnSwings(tmp_path / "both", sport, **options, pauses=2)
    alone.prepare()
    source.prepare()
    labels = [record.label for record in source.records()]
    assert labels[-2:] == [NO_STROKE, NO_STROKE]
    assert labels[:-2] == [record.label for record in alone.records()]
    for record in read_manifest(tmp_path / "alone" / "manifest.csv"):
        same = tmp_path / "both" / record.path.relative_to(tmp_path / "alone")
        assert same.read_bytes() == record.path.read_bytes()
    lengths = {round(record.end_s - record.start_s, 3) for record in source.records()[-2:]}
    assert len(lengths) == 1
    assert json.loads((tmp_path / "both" / "settings.json").read_text("utf-8"))["pauses"] == 2
