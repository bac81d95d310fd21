from dataclasses import replace

import numpy as np
import pytest
from drawn_motions import draw
from marked import CLASSES, draw_match

from tt_actions.errors import UserError
from tt_actions.label.learning import MarkModel
from tt_actions.label.marks import Mark
from tt_actions.label.proposals import propose
from tt_actions.label.stroke_joints import PREPROCESSING, StrokeJoints
from tt_actions.skeleton.layouts import NTU25

NUM = 24
LABELS = [CLASSES[number % 4] for number in range(NUM)]


@pytest.fixture(scope="module")
def match(tmp_path_factory):
    return draw_match(tmp_path_factory.mktemp("match") / "match.mp4", LABELS)


@pytest.fixture(scope="module")
def clips(match):
    """Marks of the drawn strokes, and their joints."""
    sheet, joints = propose(match), StrokeJoints(match, match.motion)
    marks = [replace(mark, label=label) for mark, label in zip(sheet.marks.values(), LABELS, strict=True)]
    return marks, [joints.read(mark) for mark in marks]


def test_the_joints_of_a_mark_are_those_of_its_time(clips):
    marks, joints = clips
    for mark, own in zip(marks, joints, strict=True):
        assert own.shape[1:] == (25, 3)
        assert len(own) == pytest.approx((mark.end_s - mark.start_s) * PREPROCESSING.fps, abs=1)
        hips = own[:, [NTU25.index(hip) for hip in NTU25.hips]].mean(1)
        assert hips == pytest.approx(0, abs=1e-5)


def test_the_joints_of_a_left_hander_are_mirrored(match, clips):
    marks, joints = clips
    mirrored = StrokeJoints(match, match.motion).read(replace(marks[0], hand="left"))
    right, left = NTU25.index("right_wrist"), NTU25.index("left_wrist")
    np.testing.assert_allclose(mirrored[:, right], joints[0][:, left] * (-1, 1, 1), atol=1e-6)


def test_a_mark_across_a_cut_shows_its_longer_part(match):
    reader = StrokeJoints(match, match.motion)
    cut_s = match.times_s[np.flatnonzero(match.motion.is_new_scene)[0]]
    across = reader.read(Mark(1, "anna", cut_s - 0.2, cut_s + 0.8))
    after = reader.read(Mark(2, "anna", cut_s, cut_s + 0.8))
    np.testing.assert_array_equal(across, after)


def test_a_player_who_is_not_seen_has_no_joints(match):
    poses = match.motion.poses.copy()
    start_s, end_s = match.strokes[3].start_s, match.strokes[3].end_s
    poses[0, (match.times_s >= start_s - 0.1) & (match.times_s < end_s + 0.1)] = np.nan
    reader = StrokeJoints(match, match.motion._replace(poses=poses))
    assert reader.read(Mark(1, "anna", start_s, end_s)) is None
    assert reader.read(Mark(2, "anna", match.strokes[2].start_s, match.strokes[2].end_s)) is not None
    assert reader.read(Mark(3, "anna", 0.0, 0.02)) is None
    assert reader.read(Mark(4, "bert", match.strokes[2].start_s, match.strokes[2].end_s)) is None


def test_strokes_are_learnt_and_others_are_named(clips):
    marks, joints = clips
    model = MarkModel(marks[:16], joints[:16])
    assert model.class_names == sorted(CLASSES)
    assert model.accuracy >= 0.75
    names = model.name(marks[16:], joints[16:])
    right = [name.label == mark.label for name, mark in zip(names, marks[16:], strict=True)]
    assert np.mean(right) >= 0.75
    for name in names:
        assert 0 <= name.margin <= name.confidence <= 1
    assert model.name([], []) == []


def test_shuffled_classes_are_not_learnt(clips):
    marks, joints = clips
    order = np.random.default_rng(1).permutation(NUM)
    shuffled = [replace(mark, label=LABELS[i]) for mark, i in zip(marks, order, strict=True)]
    model = MarkModel(shuffled, joints)
    assert model.accuracy <= 0.5
    confidences = [name.confidence for name in model.name(marks, joints)]
    assert np.mean(confidences) < 0.6  # it knows that it knows nothing


def test_accuracy_is_that_of_models_that_left_one_mark_out(clips):
    """Against fits to all other marks, with the same width, ridge and temperature chosen anew by each."""
    marks, joints = clips
    model = MarkModel(marks, joints)
    right = []
    for i in range(NUM):
        others = [n for n in range(NUM) if n != i]
        left = MarkModel([marks[n] for n in others], [joints[n] for n in others])
        right.append(left.name([marks[i]], [joints[i]])[0].label == marks[i].label)
    assert model.accuracy == pytest.approx(np.mean(right), abs=0.1)
    assert set(model.recalls) == set(CLASSES)
    counted = [model.recalls[label] * LABELS.count(label) for label in CLASSES]
    assert sum(counted) == pytest.approx(model.accuracy * NUM)


def test_a_rare_class_wants_more_marks_and_then_the_worst(clips):
    marks, joints = clips
    chosen = [i for i, label in enumerate(LABELS) if label != "smash" or i < 8]
    assert MarkModel([marks[i] for i in chosen], [joints[i] for i in chosen]).wanted_class == "smash"
    model = MarkModel(marks, joints)  # six of each
    worst = min(model.recalls, key=model.recalls.get)
    assert model.wanted_class == (worst if model.recalls[worst] < 0.9 else None)
    model.recalls = dict.fromkeys(CLASSES, 1.0)
    assert model.wanted_class is None


@pytest.mark.parametrize("chosen", [[], [0], [0, 1, 2], [0, 4, 8, 12, 16]])
def test_too_few_marks_are_refused(clips, chosen):
    marks, joints = clips
    with pytest.raises(UserError, match=rf"at least 4 accepted marks .* but got {len(chosen)} of"):
        MarkModel([marks[i] for i in chosen], [joints[i] for i in chosen])


def test_a_left_hander_whose_hand_is_given_is_named_by_the_marks_of_right_handers(tmp_path):
    handed = {n: draw("forehand", n).players[0].player.left_handed for n in range(200)}
    right = [n for n, is_left in handed.items() if not is_left][:12]
    left = [n for n, is_left in handed.items() if is_left][:6]
    labels = [("forehand", "backhand")[n % 2] for n in range(len(right) + len(left))]
    match = draw_match(tmp_path / "match.mp4", labels, players=[*right, *left])
    reader, sheet = StrokeJoints(match, match.motion), propose(match)
    hands = ["right"] * len(right) + ["left"] * len(left)
    marks = [
        replace(mark, label=label, hand=hand)
        for mark, label, hand in zip(sheet.marks.values(), labels, hands, strict=True)
    ]
    joints = [reader.read(mark) for mark in marks]
    names = MarkModel(marks[:12], joints[:12]).name(marks[12:], joints[12:])
    assert [name.label for name in names] == labels[12:]


def test_no_class_is_certain_after_a_few_marks(clips):
    marks, joints = clips
    names = MarkModel(marks[:8], joints[:8]).name(marks[8:], joints[8:])
    assert max(name.confidence for name in names) <= (8 + 1 / 4) / (8 + 1)
