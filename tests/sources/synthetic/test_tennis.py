import json
from dataclasses import replace

import numpy as np
import pytest

from tt_actions.clips.manifest import read_manifest
from tt_actions.errors import UserError
from tt_actions.sources import DrawnSwings
from tt_actions.sources.synthetic.body import BONES
from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.sources.synthetic.motion import FPS, clip_motion, strokes_of
from tt_actions.sources.synthetic.player import draw_player
from tt_actions.sources.synthetic.tennis import plan_tennis_swing
from tt_actions.sources.synthetic.tennis_poses import STYLES
from tt_actions.video.frames import iter_frames

DURATION_S = 3.0
STROKES = strokes_of("tennis")
HEAD, LEFT_HAND, RIGHT_HAND = 3, 7, 11


def tennis_player(seed, **changes):
    return replace(draw_player(np.random.default_rng(seed), "a"), sport="tennis", **changes)


def make_clip(label, seed, **changes):
    return clip_motion(np.random.default_rng(seed), tennis_player(seed, **changes), label, DURATION_S, None)


def at_contact(motion):
    """The joints at the contact, and the player."""
    (stroke,) = motion.strokes
    (player_motion,) = motion.players
    return player_motion.joints[round(stroke.contact_s * FPS)], player_motion


CLIPS = [(label, make_clip(label, seed, left_handed=False)) for label in STROKES for seed in range(8)]
by_label = pytest.mark.parametrize("label", STROKES)


def clips_of(label):
    return [motion for name, motion in CLIPS if name == label]


@by_label
def test_every_pose_is_finite_and_keeps_the_length_of_every_bone(label):
    for motion in clips_of(label):
        joints = motion.players[0].joints
        assert np.isfinite(joints).all()
        lengths = np.stack([np.linalg.norm(joints[:, a] - joints[:, b], axis=-1) for a, b in BONES])
        np.testing.assert_allclose(lengths, np.broadcast_to(lengths[:, :1], lengths.shape), atol=2e-3)


@by_label
def test_no_joint_is_below_the_floor_and_no_elbow_or_knee_bends_too_far(label):
    for motion in clips_of(label):
        joints = motion.players[0].joints
        assert joints[..., 2].min() > -0.01
        for upper, middle, lower in ((4, 5, 6), (8, 9, 10), (12, 13, 14), (16, 17, 18)):
            u, v = joints[:, upper] - joints[:, middle], joints[:, lower] - joints[:, middle]
            cosine = (u * v).sum(-1) / (np.linalg.norm(u, axis=-1) * np.linalg.norm(v, axis=-1))
            assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).min() > 20


@by_label
def test_no_hand_is_faster_than_a_player_can_be(label):
    for motion in clips_of(label):
        hands = motion.players[0].joints[:, [LEFT_HAND, RIGHT_HAND]]
        assert np.linalg.norm(np.diff(hands, axis=0), axis=-1).max() * FPS < 20


def test_serve_and_smash_are_hit_above_the_head_and_the_other_strokes_are_not():
    for label, motion in CLIPS:
        joints, _ = at_contact(motion)
        is_above = joints[RIGHT_HAND, 2] > joints[HEAD, 2]
        assert is_above == (label in ("serve", "smash")), label


def test_a_forehand_is_hit_on_the_side_of_the_racket_and_a_backhand_across_the_body():
    side = {
        label: np.mean(
            [at_contact(motion)[0][RIGHT_HAND, 1] - at_contact(motion)[0][0, 1] for motion in clips]
        )
        for label, clips in ((label, clips_of(label)) for label in ("forehand", "backhand"))
    }
    assert side["forehand"] < -0.35  # the left is positive
    assert side["backhand"] > 0


def test_a_two_handed_backhand_holds_the_racket_with_both_hands_until_contact():
    apart = {}
    for seed in range(30):
        player = tennis_player(seed, left_handed=False)
        is_two_handed = plan_tennis_swing(np.random.default_rng(seed), player, "backhand").two_handed
        joints, _ = at_contact(clip_motion(np.random.default_rng(seed), player, "backhand", DURATION_S, None))
        apart.setdefault(is_two_handed, []).append(np.linalg.norm(joints[LEFT_HAND] - joints[RIGHT_HAND]))
    assert max(apart[True]) < 0.25 < min(apart[False])


def test_a_serve_is_tossed_from_the_free_hand_to_the_racket():
    for motion in clips_of("serve"):
        (stroke,) = motion.strokes
        ball, free = motion.ball, motion.players[0].joints[:, LEFT_HAND]
        begin, contact = round((stroke.contact_s - 0.5) * FPS), round(stroke.contact_s * FPS)
        assert ball[begin:contact, 2].max() > ball[contact, 2] - 0.1
        held = np.linalg.norm(ball - free, axis=-1) < 0.08
        assert held.any()
        assert np.linalg.norm(ball[contact] - motion.players[0].racket_position[contact]) < 0.9


def test_a_left_hander_plays_the_mirror_image():
    right, left = (make_clip("forehand", 3, left_handed=is_left) for is_left in (False, True))
    assert at_contact(right)[0][RIGHT_HAND, 1] < 0 < at_contact(left)[0][LEFT_HAND, 1]


def test_every_style_has_as_many_times_as_ways_between_its_poses():
    for styles in STYLES.values():
        for style in styles:
            assert len(style.steps_s) == len(style.keys) - 1
            assert (style.release is None) == (styles is not STYLES["serve"])


def test_drawn_swings_show_a_player_on_a_court_without_a_table(tmp_path):
    source = DrawnSwings(tmp_path, "tennis", clips=5, players=2, halls=2, size=(160, 120), workers=1)
    source.prepare()
    records = source.records()
    assert [record.label for record in records] == list(STROKES)
    assert json.loads((tmp_path / "settings.json").read_text("utf-8"))["sport"] == "tennis"
    for record in records:
        with np.load(record.path.with_suffix(".npz")) as truth:
            assert record.start_s < truth["stroke_contact_s"][0] < record.end_s
            assert set(truth["frame_labels"]) >= {STROKES.index(record.label)}
        frames = [frame for _, frame in iter_frames(record.path)]
        assert np.ptp(np.stack(frames).astype(int), axis=0).max() > 40  # somebody moves
    assert len({record.start_s for record in records}) > 1


def test_table_tennis_is_the_default_and_a_folder_has_one_sport(tmp_path):
    synthesize(tmp_path, 2, 2, num_workers=1, pictures=False)
    labels = [record.label for record in read_manifest(tmp_path / "manifest.csv")]
    assert labels == ["serve", "forehand"]
    with pytest.raises(UserError, match=r"`sport` table_tennis \(now tennis\)"):
        synthesize(tmp_path, 2, 2, num_workers=1, pictures=False, sport="tennis")


@pytest.mark.parametrize("options", [{"num_rallies": 1}, {"faults": True}])
def test_tennis_has_neither_rallies_nor_faults(tmp_path, options):
    with pytest.raises(UserError, match="only table tennis has"):
        synthesize(tmp_path, 2, 2, num_workers=1, pictures=False, sport="tennis", **options)


def test_an_unknown_sport_is_refused(tmp_path):
    with pytest.raises(UserError, match="Expected `sport` to be one of"):
        synthesize(tmp_path, 2, 2, pictures=False, sport="badminton")


@pytest.mark.parametrize(
    ("label", "hand", "contact_s"),
    [
        ("serve", (-2.1107, 0.2989, 1.0190), 1.5866),
        ("forehand", (-1.8404, 0.0131, 0.9908), 0.7504),
        ("backhand", (-1.8182, 0.1668, 0.9464), 0.6955),
        ("smash", (-1.5181, 0.3612, 1.4052), 1.0834),
    ],
)
def test_table_tennis_is_drawn_as_before_there_was_tennis(label, hand, contact_s):
    rng = np.random.default_rng(4)
    motion = clip_motion(rng, draw_player(rng, "a"), label, 2.4, None)
    np.testing.assert_allclose(motion.players[0].joints[36, RIGHT_HAND], hand, atol=2e-4)
    assert motion.strokes[0].contact_s == pytest.approx(contact_s, abs=2e-4)
