"""What the coach finds in strokes of players whom it has not seen."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_motions import draw, write
from sklearn.covariance import ledoit_wolf

from tt_actions.coach.closeness import Closeness
from tt_actions.coach.diagnosis import MAX_FINDINGS, Coach
from tt_actions.coach.measures import measures_of
from tt_actions.coach.references import MIN_REFERENCES, make_references
from tt_actions.coach.stroke import RATE_HZ, make_candidates, read_candidates
from tt_actions.coach.yardstick import Yardstick, shrink_covariance
from tt_actions.errors import UnreadableError
from tt_actions.skeleton.layouts import MOVENET13, NTU25, convert
from tt_actions.sources.synthetic.body import MIRRORED
from tt_actions.sources.synthetic.motion import FPS

NUM_REFERENCES = 60


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    path = tmp_path_factory.mktemp("strokes") / "stroke.npz"
    return lambda motion, joints=None: read_candidates(write(path, motion, joints), NTU25, 30.0)


@pytest.fixture(scope="module")
def coach(read):
    motions = [draw("forehand", number) for number in range(NUM_REFERENCES)]
    references = make_references(
        "forehand", [read(m) for m in motions], [m.players[0].player.name for m in motions]
    )
    return Coach(references)


def judge(coach, candidates):
    return coach.judge(coach.references.choose(candidates))


def test_hand_and_moment_of_contact_are_found(coach, read):
    for number in range(100, 120):
        motion = draw("forehand", number)
        stroke = coach.references.choose(read(motion))
        assert stroke.left_handed == motion.players[0].player.left_handed
        contact_s = stroke.start_s + stroke.phases.contact / RATE_HZ
        assert contact_s == pytest.approx(motion.strokes[0].contact_s, abs=0.09)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("lean_back", "lean-", "further back"),
        (
            "narrow_stance",
            "stance-",
            "cm narrower than in the references at contact. Place the feet further apart.",
        ),
        ("raised_elbow", "elbow_height+", "Keep the elbow closer to the body."),
        ("slow_swing", "tempo+", " ms longer than in the references. Swing faster into the ball."),
    ],
)
def test_a_large_fault_is_the_first_finding(coach, read, fault, kind, words):
    found = [judge(coach, read(draw("forehand", number, fault, "large"))) for number in range(200, 210)]
    right = [own[0] for own in found if own and own[0].kind == kind]
    assert len(right) >= 8
    assert sum(words in finding.sentence for finding in right) >= 7
    assert all(len(own) <= MAX_FINDINGS for own in found)
    assert all(own == sorted(own, key=lambda f: -f.strength) for own in found if len(own) < 2)


def test_faultless_strokes_rarely_get_a_finding(coach, read):
    found = [judge(coach, read(draw("forehand", number))) for number in range(300, 330)]
    assert sum(map(bool, found)) <= 4


def test_a_reference_stroke_among_the_middle_gets_none(coach):
    scores = [
        np.abs(coach.yardstick(s).score(coach.references.read(s))).max() for s in coach.references.strokes
    ]
    assert coach.judge(coach.references.strokes[int(np.argmin(scores))]) == []


def test_a_left_hander_is_judged_as_the_mirrored_right_hander(coach, read):
    motion = draw("forehand", 201, "narrow_stance", "large")
    mirrored = motion.players[0].joints[:, MIRRORED] * np.float32([1, -1, 1])
    one, other = judge(coach, read(motion)), judge(coach, read(motion, mirrored))
    assert [(f.kind, round(f.value, 3)) for f in one] == [(f.kind, round(f.value, 3)) for f in other] != []


def test_words_of_the_sides_are_the_players_own(coach, read):
    stroke = coach.references.choose(read(draw("forehand", 202, "narrow_stance", "large")))
    place = [m.name for m in coach.references.measures].index("feet_turn")
    yardstick = coach.yardstick(stroke)
    values = coach.references.read(stroke)
    values[place] += 40
    cause = yardstick.causes.index("feet")
    told = [
        coach._describe(replace(stroke, left_handed=left), yardstick, values, cause, 5.0, 2.0).sentence
        for left in (False, True)
    ]
    assert "to the left than" in told[0]
    assert told[0].endswith("Turn the feet further to the right.")
    assert "to the right than" in told[1]
    assert told[1].endswith("Turn the feet further to the left.")
    lean = coach._describe(
        replace(stroke, left_handed=True), yardstick, values, yardstick.causes.index("lean"), 5.0, 2.0
    )
    assert lean.sentence.endswith("Stand more upright.")


@pytest.mark.parametrize("mirror", [1, -1])
def test_in_a_picture_the_front_is_where_the_hand_swings(mirror):
    def candidates(motion):
        joints = motion.players[0].joints
        seen = np.stack([mirror * joints[..., 0], joints[..., 2]], -1)
        times_s = np.arange(len(seen)) / FPS
        return make_candidates("seen.csv", convert(seen, NTU25, MOVENET13), times_s, MOVENET13)

    motions = [draw("smash", number) for number in range(24)]
    coach = Coach(make_references("smash", [candidates(m) for m in motions], [str(n) for n in range(24)]))
    found = [judge(coach, candidates(draw("smash", n, "lean_back", "large"))) for n in range(200, 206)]
    told = [f.sentence for own in found for f in own if f.kind == "lean-"]
    assert len(told) >= 3
    assert all(one.endswith("Lean forward over the toes.") for one in told)


@pytest.mark.parametrize("is_end", [False, True])
def test_a_stroke_that_the_recording_cuts_off_is_none(read, is_end):
    motion = draw("smash", 6)
    contact = round(motion.strokes[0].contact_s * FPS)
    contacts_s = [one.start_s + one.phases.contact / RATE_HZ for one in read(motion)]
    assert any(abs(at_s - contact / FPS) < 0.1 for at_s in contacts_s)
    part = slice(contact, None) if is_end else slice(0, contact + 1)
    with pytest.raises(UnreadableError, match="between two moments of rest"):
        read(motion, motion.players[0].joints[part])


def test_six_references_are_enough_and_find_little(read):
    motions = [draw("forehand", number) for number in range(MIN_REFERENCES)]
    few = Coach(make_references("forehand", [read(m) for m in motions], list("abcdef")))
    assert np.isfinite(few.limits).all()
    assert sum(bool(judge(few, read(draw("forehand", n)))) for n in range(300, 320)) <= 4


@pytest.mark.parametrize("unit", [1.0, 1000.0, 40.0])
def test_sizes_are_told_in_the_bodys_own_measure(coach, read, unit):
    motion = draw("forehand", 203, "narrow_stance", "large")
    finding = next(
        f
        for f in judge(coach, read(motion, motion.players[0].joints * np.float32(unit)))
        if f.cause == "stance"
    )
    feet = motion.players[0].joints[round(motion.strokes[0].contact_s * 30), [14, 18], :2]
    apart_cm = 100 * np.linalg.norm(feet[0] - feet[1])
    if unit == 40.0:  # no unit of length makes a body of this
        assert finding.unit == "% of body height"
        assert 5 < finding.value < 20
    else:
        assert finding.unit == "cm"
        assert finding.value == pytest.approx(apart_cm, abs=5)


def test_faulty_strokes_are_less_close_to_the_experts(coach, read):
    closeness = Closeness(coach.references)
    choose = coach.references.choose
    sound = [closeness.score(choose(read(draw("forehand", number)))) for number in range(400, 410)]
    faulty = [
        closeness.score(choose(read(draw("forehand", n, "lean_back", "large")))) for n in range(400, 410)
    ]
    assert np.median(closeness.own_scores) == pytest.approx(100, abs=3)
    assert np.mean(sound) > np.mean(faulty) + 15
    assert min(faulty) > 0
    assert max(sound) <= 100


def test_shrinking_is_that_of_ledoit_and_wolf():
    z = np.random.default_rng(0).normal(size=(25, 8)) @ np.random.default_rng(1).normal(size=(8, 8))
    np.testing.assert_allclose(shrink_covariance(z), ledoit_wolf(z)[0], rtol=1e-9)


def test_few_cases_are_shrunk_by_their_number_at_least():
    z = np.array([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])  # of which Ledoit and Wolf's share is 0
    np.testing.assert_allclose(shrink_covariance(z), [[0.875, 0], [0, 0.125]])


def test_what_is_unexpected_is_the_residual_of_a_regression():
    rng = np.random.default_rng(0)
    measures = measures_of("forehand")
    yardstick = Yardstick(rng.normal(size=(200, len(measures))), measures)
    covariance = yardstick.correlation = np.cov(rng.normal(size=(30, len(yardstick.causes))), rowvar=False)
    scores = rng.normal(size=len(covariance))
    kept = [0, 2, 3, 5]
    found = yardstick.unexpected(scores, kept)
    for cause in kept:
        others = [i for i in kept if i != cause]
        weights = np.linalg.solve(covariance[np.ix_(others, others)], covariance[others, cause])
        left = covariance[cause, cause] - weights @ covariance[others, cause]
        assert found[cause] == pytest.approx((scores[cause] - weights @ scores[others]) / np.sqrt(left))
    assert not found[[1, 4]].any()


def test_a_file_without_a_whole_stroke_is_refused(read):
    motion = draw("forehand", 1)
    still = np.repeat(motion.players[0].joints[:1], 30, axis=0)
    for joints, what in ((still, "no fast hand movement"), (motion.players[0].joints[:6], "less than 0.4 s")):
        with pytest.raises(UnreadableError, match=what):
            read(motion, joints)


def test_five_references_are_too_few(read):
    with pytest.raises(ValueError, match="at least 6 reference strokes of 'forehand', but got 5"):
        make_references("forehand", [read(draw("forehand", n)) for n in range(5)], list("abcde"))
