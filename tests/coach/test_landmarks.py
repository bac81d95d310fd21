"""One stroke of a longer recording, judged from the landmarks of a pose model alone."""

import numpy as np
import pytest
from drawn_motions import draw, see_landmarks, write

from tt_actions.coach.diagnosis import Coach
from tt_actions.coach.landmarks import find_strokes
from tt_actions.coach.references import make_references
from tt_actions.coach.review import judge_stroke
from tt_actions.coach.stroke import key_times, read_candidates
from tt_actions.errors import UnreadableError
from tt_actions.pose.video import WORLD
from tt_actions.skeleton.layouts import BLAZEPOSE33, NTU25
from tt_actions.sources.synthetic.motion import FPS
from tt_actions.video.types import Timed

NUM_REFERENCES = 24
START_S = 100.0


@pytest.fixture(scope="module")
def see(tmp_path_factory):
    """Landmarks of a drawn motion in a video that has run for a while."""
    return lambda motion: see_landmarks(motion, tmp_path_factory.mktemp("strokes"), START_S)


@pytest.fixture(scope="module")
def coach(see):
    motions = [draw("forehand", number) for number in range(NUM_REFERENCES)]
    candidates = [find_strokes(str(n), see(motion), NTU25) for n, motion in enumerate(motions)]
    return Coach(make_references("forehand", candidates, list(map(str, range(24))), "of these tests"))


def contact_of(motion):
    return START_S + motion.strokes[0].contact_s


def mirror(landmarks):
    values = landmarks.values[:, list(BLAZEPOSE33.mirrored)].copy()
    values[..., 3] *= -1
    return Timed(values, landmarks.times_s)


def test_a_stroke_is_found_in_the_time_of_its_video(coach, see):
    for number in range(100, 106):
        motion = draw("forehand", number)
        review = judge_stroke(coach, "one", see(motion), 0.9, contact_of(motion))
        times = key_times(review.stroke)
        assert times["contact"] == pytest.approx(contact_of(motion), abs=0.15)
        assert times["backswing"] < times["contact"] < times["follow_through"]
        assert review.references == "Compared with 24 strokes of class forehand of these tests."
        assert not review.is_unlike


def test_only_the_time_around_a_contact_counts(see):
    motion = draw("forehand", 101)
    seen, at_s = see(motion), contact_of(motion)
    again = Timed(np.concatenate([seen.values] * 3), START_S + np.arange(3 * len(seen.values)) / FPS)
    second_s = at_s + len(seen.values) / FPS
    found = [key_times(one)["contact"] for one in find_strokes("three", again, NTU25, second_s)]
    assert all(abs(contact_s - second_s) <= 0.3 for contact_s in found)
    with pytest.raises(UnreadableError, match=r"a stroke at 100 s in 'three', but no hand moves fast"):
        find_strokes("three", Timed(seen.values, seen.times_s), NTU25, START_S)


def test_landmarks_are_judged_like_the_joints_that_they_mean(coach, see, tmp_path):
    motion = draw("forehand", 200, "narrow_stance", "large")
    review = judge_stroke(coach, "one", see(motion), 1.0, contact_of(motion))
    plain = coach.references.choose(read_candidates(write(tmp_path / "s.npz", motion), NTU25, FPS))
    measure = [m.name for m in coach.references.measures].index("stance_width")
    assert "stance-" in [finding.kind for finding in review.findings]
    assert review.values[measure] == pytest.approx(coach.references.read(plain)[measure], abs=0.1)
    assert review.stroke.trunk_m == pytest.approx(plain.trunk_m, rel=0.05)


def test_the_hand_that_is_known_plays(coach, see):
    motion = draw("forehand", 102)
    hand = "left" if motion.players[0].player.left_handed else "right"
    other = "right" if hand == "left" else "left"
    own = judge_stroke(coach, "one", see(motion), 1.0, contact_of(motion), hand)
    mirrored = judge_stroke(coach, "one", mirror(see(motion)), 1.0, contact_of(motion), other)
    assert own.stroke.left_handed != mirrored.stroke.left_handed
    assert mirrored.values == pytest.approx(own.values, abs=1e-3)
    try:
        wrong = judge_stroke(coach, "one", see(motion), 1.0, contact_of(motion), other)
    except UnreadableError:
        return
    assert wrong.score < own.score


def test_a_stroke_seen_from_above_is_unlike_all_and_gets_no_advice(coach, see):
    cos, sin = np.cos(np.radians(60)), np.sin(np.radians(60))
    tilted = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]], np.float32)
    for number in range(4):
        motion = draw("forehand", number)
        seen = see(motion)
        seen.values[..., WORLD] = seen.values[..., WORLD] @ tilted.T
        review = judge_stroke(coach, "one", seen, 1.0, contact_of(motion))
        assert review.is_unlike
        assert review.findings == ()
        assert any("unlike all references, so there is no advice" in remark for remark in review.remarks)


def test_a_measurement_that_cannot_be_true_is_no_finding(coach, see):
    motion = draw("forehand", 103)
    seen = see(motion)
    values = seen.values.copy()
    foot = BLAZEPOSE33.index("left_ankle")
    values[:, foot, 3] -= 3.0  # metres
    review = judge_stroke(coach, "one", Timed(values, seen.times_s), 1.0, contact_of(motion))
    failed = [m.name for m, is_failed in zip(review.measures, review.failed, strict=True) if is_failed]
    assert "stance_width" in failed
    assert "stance" not in [finding.cause for finding in review.findings]
    assert any("measurements failed" in remark for remark in review.remarks)


def test_feet_that_point_backwards_are_a_failed_measurement(coach, see):
    motion = draw("forehand", 106)
    seen = see(motion)
    for side in ("left", "right"):
        ankle, foot = (BLAZEPOSE33.index(f"{side}_{part}") for part in ("ankle", "foot"))
        ahead = seen.values[:, foot, WORLD] - seen.values[:, ankle, WORLD]
        seen.values[:, foot, WORLD] -= 2 * ahead * [1, 0, 1]
    review = judge_stroke(coach, "one", seen, 1.0, contact_of(motion))
    assert review.failed[[measure.name for measure in review.measures].index("feet_turn")]
    assert "feet" not in [finding.cause for finding in review.findings]


@pytest.mark.parametrize("fault", ["lost", "upside down"])
def test_a_stroke_during_which_the_player_is_lost_is_refused(coach, see, fault):
    motion = draw("forehand", 104)
    seen, at_s = see(motion), contact_of(motion)
    values = seen.values.copy()
    gap = np.abs(seen.times_s - at_s) < 0.15
    values[gap] = np.nan if fault == "lost" else values[gap] * [1, 1, 1, 1, -1, 1]
    with pytest.raises(UnreadableError):
        judge_stroke(coach, "one", Timed(values, seen.times_s), 1.0, at_s)


@pytest.mark.parametrize("number", [105, 107, 108])
def test_of_two_hands_on_one_racket_that_which_moves_in_the_direction_of_the_class_plays(see, number):
    motion = draw("forehand", number)
    seen, is_left = see(motion), motion.players[0].player.left_handed
    sides = ("left", "right") if is_left else ("right", "left")
    for part in ("wrist", "pinky", "fingertips", "thumb"):
        playing, other = (BLAZEPOSE33.index(f"{side}_{part}") for side in sides)
        seen.values[:, other] = seen.values[:, playing]
    candidates = find_strokes("one", seen, NTU25, contact_of(motion))
    assert {one.left_handed for one in candidates} == {False, True}
    forehand, backhand = (
        make_references(label, [candidates] * 6, list("abcdef")).strokes[0]
        for label in ("topspin_forehand", "two_handed_backhand")
    )
    assert forehand.left_handed == is_left
    assert backhand.left_handed != is_left
    assert crossing(forehand) < 0 < crossing(backhand)


def crossing(stroke):
    """How far the playing hand goes along the shoulders, outwards if positive."""
    left, right = (stroke.joints[:, NTU25.index(f"{side}_shoulder")] for side in ("left", "right"))
    hand, at = stroke.joints[:, NTU25.index("right_hand")] - (left + right) / 2, stroke.phases.contact
    return (hand[at + 6] - hand[at - 6]) @ (right - left)[at]
