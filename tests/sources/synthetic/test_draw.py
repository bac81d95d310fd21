from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from tt_actions.sources.synthetic.background import draw_background
from tt_actions.sources.synthetic.camera import project
from tt_actions.sources.synthetic.draw import draw_pictures, draw_truth
from tt_actions.sources.synthetic.motion import clip_motion
from tt_actions.sources.synthetic.player import draw_player
from tt_actions.sources.synthetic.scene import World, draw_hall, draw_scene
from tt_actions.sources.synthetic.shapes import draw_shapes


def filmed(seed, size=(320, 240), wide=False, num_frames=4, **knobs):
    rng = np.random.default_rng(seed)
    opponent = draw_player(rng, "opponent") if wide else None
    motion = clip_motion(rng, draw_player(rng, "player"), "forehand", 2.0, opponent)
    world = World(**knobs)
    scene = draw_scene(rng, draw_hall(rng, 0, world), motion, wide, size, world)
    cut = slice(30, 30 + num_frames)
    tracks = tuple(
        replace(
            track,
            joints=track.joints[cut],
            racket_position=track.racket_position[cut],
            racket_rotation=track.racket_rotation[cut],
        )
        for track in motion.players
    )
    return replace(scene, shake=scene.shake[cut]), replace(motion, players=tracks, ball=motion.ball[cut])


BEHIND = {"azimuth_deg": (120.0, 180.0)}


@pytest.mark.parametrize("size", [(160, 120), (320, 240), (1280, 720)])
def test_pictures_and_truth_have_the_size_asked_for(size):
    scene, motion = filmed(0, size, num_frames=2)
    pictures, truth = list(draw_pictures(scene, motion)), list(draw_truth(scene, motion))
    assert [p.shape for p in pictures] == [(size[1], size[0], 3)] * 2
    assert all(p.dtype == np.uint8 for p in pictures)
    assert all(d.shape == s.shape == (size[1], size[0]) for d, s in truth)


@pytest.mark.parametrize("seed", range(3))
def test_silhouette_covers_the_projected_joints_and_little_else(seed):
    scene, motion = filmed(seed, **BEHIND)
    pixels, _ = project(scene.camera, motion.players[0].joints)
    for (_, silhouette), joints in zip(draw_truth(scene, motion), pixels.round().astype(int), strict=True):
        x, y = joints[((joints >= 0) & (joints < scene.size)).all(1)].T
        assert silhouette[y, x].mean() > 0.95
        near = np.zeros_like(silhouette, np.uint8)
        cv2.fillConvexPoly(near, cv2.convexHull(joints.astype(np.int32)), 1)
        near = cv2.dilate(near, np.ones((51, 51)))
        assert not (silhouette & (near == 0)).any()
        assert 0.2 < silhouette.sum() / (near > 0).sum() < 0.9


def test_depth_of_player_and_floor_agrees_with_the_camera():
    scene, motion = filmed(1, **BEHIND)
    pixels, depths = project(scene.camera, motion.players[0].joints)
    for t, (depth, silhouette) in enumerate(draw_truth(scene, motion)):
        x, y = pixels[t, 1].round().astype(int)
        assert depth[y, x] == pytest.approx(depths[t, 1], abs=0.3)
        feet = motion.players[0].joints[t, 0] * [1, 1, 0]
        around = np.mgrid[-0.8:0.8:9j, -0.8:0.8:9j, 0:0:1j].reshape(3, -1).T
        floor, away = project(scene.camera[t], feet + around)
        checked = 0
        for (u, v), expected in zip(floor.round().astype(int), away, strict=True):
            if 0 <= u < 320 and 0 <= v < 240 and not silhouette[v, u]:
                assert depth[v, u] == pytest.approx(expected, rel=0.02)
                checked += 1
        assert checked > 10


def test_every_picture_differs_from_the_still_hall_and_from_the_next():
    scene, motion = filmed(2, noise=(0.0, 0.0), drift=0.0, tremor=0.0)
    pictures = list(draw_pictures(scene, motion))
    margin = draw_background(scene).margin
    hall = draw_background(scene).hall[margin:-margin, margin:-margin, :3]
    for picture in pictures:
        assert (np.abs(picture.astype(int) - hall).max(-1) > 40).mean() > 0.03
    for picture, following in pairwise(pictures):
        assert not np.array_equal(picture, following)


def test_the_same_scene_is_drawn_the_same_twice():
    scene, motion = filmed(3)
    for one, other in zip(draw_pictures(scene, motion), draw_pictures(scene, motion), strict=True):
        np.testing.assert_array_equal(one, other)


def test_wide_view_shows_both_players_whole():
    scene, motion = filmed(4, wide=True)
    for track in motion.players:
        pixels, _ = project(scene.camera, track.joints)
        assert ((pixels > 0) & (pixels < scene.size)).mean() > 0.97
        assert 0.03 < np.ptp(pixels[..., 0], axis=1).mean() / 320 < 0.25


def test_close_view_shows_the_player_large():
    for seed in range(8):
        scene, motion = filmed(seed)
        pixels, _ = project(scene.camera, motion.players[0].joints)
        assert 0.4 < np.ptp(pixels[..., 1], axis=1).mean() / 240 < 0.9


def test_fast_parts_are_smeared_while_the_shutter_is_open():
    scene, motion = filmed(5, noise=(0.0, 0.0), drift=0.0, tremor=0.0, softness_px=(0.0, 0.0))
    sharp = next(draw_pictures(replace(scene, shutter=1e-3), motion)).astype(int)
    fast = replace(motion.players[0], racket_position=motion.players[0].racket_position.copy())
    fast.racket_position[1:] += [0, 0, 0.8]
    still_hand = replace(motion, players=(fast,))
    smeared = next(draw_pictures(replace(scene, shutter=0.6), still_hand)).astype(int)
    changed = np.abs(smeared - sharp).max(-1) > 6
    ends = draw_shapes(replace(scene, shutter=0.6), still_hand, slice(0, 1), 4).outlines[-1, :, 0, 0]
    low, high = ends.min((0, 1)).astype(int), ends.max((0, 1)).astype(int)
    assert changed[low[1] : high[1], low[0] : high[0]].mean() > 0.3


def test_racket_shows_the_rubber_that_faces_the_camera():
    scene, motion = filmed(6)
    red, black = (196, 30, 36), (26, 26, 28)
    track = motion.players[0]
    player = replace(track.player, forehand_rubber=red, backhand_rubber=black)
    eye = -np.linalg.solve(scene.still[:, :3], scene.still[:, 3])
    towards = eye - track.racket_position
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    across = np.cross(towards, [0, 0, 1.0])
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    for normal, is_red in ((towards, True), (-towards, False)):
        turn = np.stack([np.cross(across, normal), across, normal], -1).astype(np.float32)
        shown = replace(motion, players=(replace(track, player=player, racket_rotation=turn),))
        colour = draw_shapes(scene, shown, slice(0, 1), 4).colours[-1, 0, 2]
        assert (colour[0] > 2 * colour[1]) == is_red
