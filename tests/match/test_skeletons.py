"""Skeletons on frames: where the joints are at any time, and what is drawn there."""

from dataclasses import replace

import numpy as np
import pytest
from joint_match import move

from tt_actions.clips.strokes import Stroke
from tt_actions.match.overlay import Overlay
from tt_actions.match.skeletons import Skeleton
from tt_actions.recognition.players import PlayerTrack
from tt_actions.skeleton.layouts import BLAZEPOSE33, NTU25
from tt_actions.video.frames import read_frames

WRIST = BLAZEPOSE33.index("right_wrist")


def test_the_skeleton_lies_on_the_drawn_player_at_any_scale(joint_results, joint_film):
    _, found = joint_results
    truth = np.load(joint_film / "truth.npz")["joints_2d"]
    tracks = [PlayerTrack("player", None)]
    for scale in (1.0, 0.5):
        size = round(240 * scale), round(320 * scale)
        frames = read_frames(found.video, size=size)
        with_one, without = (
            Overlay(found, tracks, size, scale, has_skeletons=has_skeletons)
            for has_skeletons in (True, False)
        )
        hits = []
        for number in range(5, len(truth), 10):
            time_s, image = frames.times_s[number], frames.values[number]
            changed = (with_one.draw(time_s, image) != without.draw(time_s, image)).any(-1)
            assert 0.001 < changed.mean() < 0.2
            for name in ("right_wrist", "right_elbow", "left_knee", "right_hip", "left_shoulder"):
                x, y = (scale * truth[number, NTU25.index(name)]).round().astype(int)
                reach = round(14 * scale)
                hits.append(changed[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach].any())
        assert np.mean(hits) > 0.9


def test_between_two_poses_the_joints_are_between():
    skeleton = Skeleton(move([np.linspace(0, 1, 31)]), "player")
    heights = [skeleton.points_at(time_s)[WRIST, 1] for time_s in (0.5, 0.5 + 1 / 120, 0.5 + 1 / 60)]
    step = 50 / 30
    assert np.diff(heights) == pytest.approx([-step / 4, -step / 4], abs=1e-3)
    assert skeleton.points_at(1.0) is not None
    assert skeleton.points_at(2.0) is None


def test_a_short_loss_is_bridged_and_a_long_one_is_not():
    hands = np.linspace(0, 1, 60)
    hands[[20, 21]], hands[40:50] = np.nan, np.nan
    skeleton = Skeleton(move([hands]), "player")
    assert skeleton.points_at(20.5 / 30)[WRIST, 1] == pytest.approx(
        np.mean([skeleton.points_at(n / 30)[WRIST, 1] for n in (19, 22)]), abs=1
    )
    assert skeleton.points_at(45 / 30) is None
    assert skeleton.points_at(50 / 30) is not None


def test_joints_do_not_glide_across_a_cut():
    found = move([np.repeat([0.0, 10.0], 15)])
    cut = found.motion.is_new_scene.copy()
    cut[15] = True
    whole, cut_there = (
        Skeleton(replace(found, motion=found.motion._replace(is_new_scene=scenes)), "player")
        for scenes in (found.motion.is_new_scene, cut)
    )
    heights = [cut_there.points_at(n / 60)[WRIST, 1] for n in range(58)]
    assert len(np.unique(np.round(heights, 3))) == 2
    assert len(np.unique(np.round([whole.points_at(n / 60)[WRIST, 1] for n in range(58)], 3))) > 2


def test_the_arm_that_plays_has_the_colour_of_the_class():
    stroke = Stroke("forehand", 0.2, 0.8, 0.5, 0.9, "player")
    found = move([np.sin(np.arange(30) / 3)], strokes=[stroke])
    assert Skeleton(found, "player").playing_side(stroke) == "right"
    overlay = Overlay(found, [PlayerTrack("player", None)], (480, 640), 2.0)
    frame = np.full((480, 640, 3), 90, np.uint8)
    drawn = [overlay.draw(time_s, frame)[60:400].astype(int) for time_s in (0.1, 0.5, 0.9)]
    num_amber = [(image[..., 0] - image[..., 2] > 100).sum() for image in drawn]  # between labels and band
    assert num_amber[0] == num_amber[2] == 0
    assert num_amber[1] > 10


def test_a_match_without_joints_has_no_skeletons():
    found = replace(move([np.zeros(30)]), motion=None)
    frame = np.full((240, 320, 3), 90, np.uint8)
    drawn = Overlay(found, [PlayerTrack("player", None)], (240, 320)).draw(0.5, frame)
    assert (drawn[60:180] == 90).all()
