import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tt_actions.clips.strokes import STROKES
from tt_actions.sources.synthetic.ball import GRAVITY, RADIUS_M
from tt_actions.sources.synthetic.body import BONES, GRIP_M
from tt_actions.sources.synthetic.exchange import draw_hit
from tt_actions.sources.synthetic.motion import FPS, clip_motion, rally_motion
from tt_actions.sources.synthetic.performance import perform
from tt_actions.sources.synthetic.player import draw_player
from tt_actions.sources.synthetic.strokes import plan_swing

DURATION_S = 2.5
IDLE = len(STROKES)


def make_clip(label, seed, with_opponent=False, left_handed=None):
    rng = np.random.default_rng(seed)
    player, other = draw_player(rng, "near"), draw_player(rng, "far")
    if left_handed is not None:
        player = replace(player, left_handed=left_handed)
    return clip_motion(rng, player, label, DURATION_S, other if with_opponent else None)


def make_rally(seed, duration_s=20.0, num_players=2):
    rng = np.random.default_rng(seed)
    return rally_motion(rng, [draw_player(rng, str(i)) for i in range(num_players)], duration_s)


CLIPS = [(label, make_clip(label, seed, seed % 2 == 1)) for label in STROKES for seed in range(12)]
RALLIES = [make_rally(seed) for seed in range(3)]
PLAYER_MOTIONS = [
    player_motion for motion in [clip for _, clip in CLIPS] + RALLIES for player_motion in motion.players
]


def own_stroke(motion):
    (stroke,) = (stroke for stroke in motion.strokes if stroke.player == 0)
    return stroke


def hand_joints(player_motion):
    """Shoulder, elbow, wrist and hand of the playing arm."""
    return range(4, 8) if player_motion.player.left_handed else range(8, 12)


def angle_deg(a, b, c):
    u, v = a - b, c - b
    cosine = (u * v).sum(-1) / (np.linalg.norm(u, axis=-1) * np.linalg.norm(v, axis=-1))
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def ball_at(motion, time_s):
    """Where the ball is just before a moment, extrapolated from the two frames before it."""
    last = int(np.ceil(time_s * FPS)) - 1
    velocity = (motion.ball[last] - motion.ball[last - 1]) * FPS - [0, 0, GRAVITY / 2 / FPS]
    t = time_s - last / FPS
    return motion.ball[last] + velocity * t - [0, 0, GRAVITY / 2 * t**2]


def height_over_net(ball):
    """The ball's height at x = 0 between the middle two of four frames, which may include a bounce."""
    heights = []
    for one, other in ((ball[1], ball[0]), (ball[2], ball[3])):
        step = one - other  # per frame, away from the other one
        t = -one[0] / step[0] / FPS
        heights.append(one[2] + (step[2] * FPS - GRAVITY / 2 / FPS) * t - GRAVITY / 2 * t**2)
    return np.nanmax(heights)


def value_at(values, time_s):
    """A value at a point in time, by the parabola through the frames around it."""
    i = int(time_s * FPS)
    s = np.array(time_s * FPS - i)
    a, b, c, d = values[i - 1 : i + 3].astype(float)
    return b + s * (c - b) - s * (1 - s) / 4 * (a - b - c + d)


def test_a_clip_is_whole_and_finite():
    for label, motion in CLIPS:
        assert motion.ball.shape == (75, 3)
        for player_motion in motion.players:
            assert player_motion.joints.shape == (75, 25, 3)
            assert player_motion.joints.dtype == player_motion.racket_position.dtype == np.float32
            assert np.isfinite(player_motion.joints).all()
            assert np.isfinite(player_motion.racket_position).all()
        stroke = own_stroke(motion)
        assert stroke.label == label
        assert 0 <= stroke.start_s < stroke.contact_s < stroke.end_s <= DURATION_S


def test_bones_keep_their_length():
    a, b = np.transpose(BONES)
    for player_motion in PLAYER_MOTIONS:
        lengths = np.linalg.norm(player_motion.joints[:, a] - player_motion.joints[:, b], axis=-1)
        np.testing.assert_allclose(lengths, lengths[:1].repeat(len(lengths), 0), atol=2e-6)


def test_the_racket_is_a_proper_rotation_held_in_the_playing_hand():
    for player_motion in PLAYER_MOTIONS:
        r = player_motion.racket_rotation
        np.testing.assert_allclose(r @ r.swapaxes(1, 2), np.tile(np.eye(3), (len(r), 1, 1)), atol=1e-5)
        np.testing.assert_allclose(np.linalg.det(r), 1, atol=1e-5)
        hand = player_motion.joints[:, hand_joints(player_motion)[3]]
        np.testing.assert_allclose(player_motion.racket_position - GRIP_M * r[:, :, 0], hand, atol=1e-5)


def test_elbows_knees_and_wrists_stay_within_human_limits():
    for player_motion in PLAYER_MOTIONS:
        for joint in (5, 9, 13, 17):
            angles = angle_deg(*(player_motion.joints[:, i] for i in (joint - 1, joint, joint + 1)))
            assert angles.min() > (40 if joint < 12 else 70)
            assert angles.max() < 175
        _, elbow, wrist, _ = hand_joints(player_motion)
        forearm = player_motion.joints[:, wrist] - player_motion.joints[:, elbow]
        assert angle_deg(forearm, 0 * forearm, player_motion.racket_rotation[:, :, 0]).max() < 70


def test_feet_stay_on_the_floor_and_do_not_slide_while_planted():
    for player_motion in PLAYER_MOTIONS:
        toes = player_motion.joints[:, [15, 19]]
        assert player_motion.joints[..., 2].min() > 0
        planted = toes[..., 2] < 0.0305
        assert planted.mean() > 0.5
        slid = np.linalg.norm(np.diff(toes[..., :2], axis=0), axis=-1)[planted[1:] & planted[:-1]]
        assert np.percentile(slid, 99) < 0.01


def test_players_stand_behind_their_end_of_the_table_and_face_it():
    for motion in [clip for _, clip in CLIPS] + RALLIES:
        for side, player_motion in zip((-1, 1), motion.players, strict=False):
            assert (side * player_motion.joints[:, 0, 0] > 1.5).all()
            left, right = player_motion.joints[:, 12, 1], player_motion.joints[:, 16, 1]
            assert (side * (right - left) > 0).all()


@pytest.mark.parametrize("label", STROKES)
@pytest.mark.parametrize("side", [0, 1])
def test_racket_and_ball_touch_at_the_moment_of_contact(label, side):
    rng = np.random.default_rng(side)
    times_s = np.linspace(0, 2, 61)
    for _ in range(10):
        player = draw_player(rng, "a")
        hit = draw_hit(rng, (player, player), side, label)
        unseen = np.full((61, 3), np.nan)
        _, blade, rotation = perform(rng, player, side, times_s, [(1.0, hit.swing)], np.zeros(61), unseen)
        offset = hit.position - blade[30]
        assert np.linalg.norm(offset) == pytest.approx(RADIUS_M + 0.006)
        facing = offset @ rotation[30, :, 2] / np.linalg.norm(offset)
        assert facing == pytest.approx(-1 if label == "backhand" else hit.swing.side)


def test_the_ball_meets_the_blade_at_contact():
    for _, motion in CLIPS:
        stroke, player_motion = own_stroke(motion), motion.players[0]
        blade = value_at(player_motion.racket_position, stroke.contact_s)
        assert np.linalg.norm(ball_at(motion, stroke.contact_s) - blade) < 0.10
    met = [
        np.linalg.norm(
            ball_at(motion, stroke.contact_s) - value_at(player_motion.racket_position, stroke.contact_s)
        )
        for motion in RALLIES
        for stroke in motion.strokes
        for player_motion in [motion.players[stroke.player]]
    ]
    assert np.median(met) < 0.045


def test_the_racket_is_fastest_near_contact():
    offsets_s = []
    for _, motion in CLIPS:
        stroke = own_stroke(motion)
        speed = np.linalg.norm(np.diff(motion.players[0].racket_position, axis=0), axis=-1)
        first, last = int(stroke.start_s * FPS), int(stroke.end_s * FPS)
        offsets_s.append((first + speed[first:last].argmax() + 0.5) / FPS - stroke.contact_s)
    assert np.mean(np.abs(offsets_s) < 0.11) > 0.9


def test_the_ball_falls_freely_and_clears_the_net():
    for motion in [clip for _, clip in CLIPS] + RALLIES:
        second = np.diff(motion.ball.astype(float), 2, axis=0) * FPS**2
        flying = np.isfinite(second).all(1)
        free = np.abs(second[flying] - [0, 0, -GRAVITY]).max(1) < 0.05
        assert free.mean() > 0.4
        for i in np.flatnonzero(motion.ball[2:-2, 0] * motion.ball[3:-1, 0] < 0) + 2:
            assert height_over_net(motion.ball[i - 1 : i + 3]) > 0.76 + 0.1525 + RADIUS_M
        assert np.nanmin(motion.ball[:, 2]) > RADIUS_M - 1e-3


def test_a_serve_is_tossed_at_least_16_cm_and_bounces_on_both_halves():
    num_bounces = []
    for seed in range(20):
        motion = make_clip("serve", seed)
        stroke = own_stroke(motion)
        contact = int(stroke.contact_s * FPS)
        free_hand = motion.players[0].joints[:, 11 if motion.players[0].player.left_handed else 7]
        held = np.linalg.norm(motion.ball - free_hand, axis=-1) < 0.06
        released = np.flatnonzero(held)[-1]
        assert 0.3 < (contact - released) / FPS < 0.9
        flight = motion.ball[released : contact + 1]
        top = flight[:, 2].argmax()
        assert flight[top, 2] - flight[0, 2] > 0.15
        assert np.linalg.norm((flight[top] - flight[0])[:2]) < 0.12
        after = motion.ball[contact + 1 :]
        bounces = after[1:-1][(after[1:-1, 2] < after[:-2, 2]) & (after[1:-1, 2] <= after[2:, 2])]
        assert (bounces[:1, 0] < 0).all()
        assert (bounces[1:2, 0] > 0).all()
        num_bounces.append(len(bounces))
    assert np.mean(np.array(num_bounces) >= 2) > 0.25


def test_strokes_look_as_their_class_should():
    for label, motion in CLIPS:
        stroke, player_motion = own_stroke(motion), motion.players[0]
        contact = round(stroke.contact_s * FPS)
        mirror = -1 if player_motion.player.left_handed else 1
        shoulder, _, _, hand = (player_motion.joints[contact, i] for i in hand_joints(player_motion))
        faces_ball = player_motion.racket_rotation[contact, 0, 2]
        if label == "smash":
            assert player_motion.racket_position[contact, 2] > shoulder[2] - 0.1
        else:
            assert player_motion.racket_position[contact, 2] < shoulder[2]
        if label == "backhand":
            assert faces_ball < 0
        if label in ("forehand", "smash"):
            assert faces_ball > 0
            before = player_motion.joints[contact - 5, hand_joints(player_motion)[3]]
            assert mirror * (hand - before)[1] > 0 or (hand - before)[0] > 0.1


@pytest.mark.parametrize(
    ("label", "shortest_s", "longest_s"),
    [("serve", 1.1, 1.95), ("forehand", 0.68, 1.45), ("backhand", 0.65, 1.4), ("smash", 0.75, 1.5)],
)
def test_strokes_last_as_long_as_they_do_in_play(label, shortest_s, longest_s):
    rng = np.random.default_rng(0)
    swings = [plan_swing(rng, draw_player(rng, "a"), label) for _ in range(200)]
    lasts_s = [swing.end_s - swing.start_s for swing in swings]
    assert shortest_s < min(lasts_s) < max(lasts_s) < longest_s


def test_start_times_spread_over_the_clip():
    for label in STROKES:
        starts_s = [own_stroke(make_clip(label, seed)).start_s for seed in range(40)]
        assert min(starts_s) < 0.3
        assert max(starts_s) > DURATION_S - 1.8
        assert np.std(starts_s) > 0.2


def test_a_left_hander_is_the_mirror_of_the_right_hander():
    right = make_clip("forehand", 3, left_handed=False)
    left = make_clip("forehand", 3, left_handed=True)
    joints = left.players[0].joints * [1, -1, 1]
    for one, other in ((7, 11), (15, 19), (4, 8), (0, 0), (3, 3)):
        # the eyes follow the ball, whose flight is generated again: the head may differ a little
        np.testing.assert_allclose(joints[:, one], right.players[0].joints[:, other], atol=0.05)
    position = left.players[0].racket_position * [1, -1, 1]
    np.testing.assert_allclose(position, right.players[0].racket_position, atol=1e-5)


def test_waiting_is_not_motionless():
    for _, motion in CLIPS:
        idle = motion.frame_labels() == IDLE
        assert idle.sum() >= 8
        speed = np.linalg.norm(np.diff(motion.players[0].joints, axis=0), axis=-1).mean(1) * FPS
        assert speed[idle[1:]].mean() > 0.03


def test_the_same_seed_gives_the_same_motion_and_another_does_not():
    for make in (lambda seed: make_clip("smash", seed, True), lambda seed: make_rally(seed, 6.0)):
        one, same, other = make(5), make(5), make(6)
        np.testing.assert_array_equal(one.players[0].joints, same.players[0].joints)
        np.testing.assert_array_equal(one.ball, same.ball)
        assert one.strokes == same.strokes
        assert not np.array_equal(one.players[0].joints, other.players[0].joints)


def test_strokes_of_one_class_and_player_differ():
    rng = np.random.default_rng(0)
    player = draw_player(rng, "a")
    swings = [plan_swing(rng, player, "forehand") for _ in range(20)]
    contacts = np.stack([swing.keys[1] for swing in swings])
    assert contacts[:, :3].std(0).min() > 0.02


def test_frame_labels_follow_the_strokes_of_the_player_asked_for():
    motion = RALLIES[0]
    for player in (0, 1):
        labels = motion.frame_labels(player)
        assert labels.shape == (600,)
        assert labels.max() == IDLE
        for stroke in motion.strokes:
            at_contact = labels[int(stroke.contact_s * FPS)]
            if stroke.player == player:
                assert at_contact == STROKES.index(stroke.label)
    assert (motion.frame_labels(0) != motion.frame_labels(1)).any()


def test_a_rally_begins_with_a_serve_and_alternates():
    for motion in RALLIES:
        assert len(motion.strokes) > 8
        assert {stroke.label for stroke in motion.strokes} >= {"serve", "forehand", "backhand"}
        assert motion.strokes[0].label == "serve"
        for before, after in pairwise(motion.strokes):
            assert before.contact_s < after.contact_s
            assert after.label == "serve" or before.player != after.player
        assert min(stroke.start_s for stroke in motion.strokes) >= 0
        assert max(stroke.end_s for stroke in motion.strokes) <= 20
        for player in (0, 1):
            own = [stroke for stroke in motion.strokes if stroke.player == player]
            assert all(stroke.contact_s - stroke.start_s > 0.25 for stroke in own)
            assert all(a.end_s <= b.start_s for a, b in pairwise(own))


def test_one_player_can_rally_alone():
    motion = make_rally(0, num_players=1)
    assert len(motion.players) == 1
    assert {stroke.player for stroke in motion.strokes} == {0}
    assert np.isfinite(motion.ball).any()


def test_a_clip_is_cheap():
    start_s = time.process_time()
    for seed in range(8):
        make_clip(STROKES[seed % 4], seed, True)
    assert (time.process_time() - start_s) / 8 < 0.06  # 7 ms on a quiet core


def test_impossible_requests_are_refused():
    rng = np.random.default_rng(0)
    player = draw_player(rng, "a")
    with pytest.raises(ValueError, match=r"Expected `label` to be one of serve, .*, but got 'lob'"):
        clip_motion(rng, player, "lob", 2.5, None)
    with pytest.raises(ValueError, match="Expected `duration_s` to be at least 2"):
        clip_motion(rng, player, "serve", 1.0, None)
    with pytest.raises(ValueError, match="Expected `players` to contain 1 or 2 players, but got 0"):
        rally_motion(rng, [], 10.0)
    with pytest.raises(ValueError, match="Expected `duration_s` to be at least 3"):
        rally_motion(rng, [player], 1.0)
