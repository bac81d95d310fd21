"""Average precision of timed strokes and of contacts, against a reference that is written differently."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from drawn_strokes import (
    FPS,
    LABELS,
    apart,
    drawn_strokes,
    exact_overlap,
    named,
    recordings,
    stroke,
    strokes,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_actions.evaluation.detection_metrics import average_precision, detection_map, spotting_map
from tt_actions.evaluation.stroke_matching import match_strokes, matched_metrics, overlaps


def enumerated_precision(predicted, true, is_close):
    """Average precision from each threshold of the confidence, and matching by sets of free truths.

    Each row is of one class, with the name of its recording in front; `is_close` gives a closeness or None.
    """
    points = []
    for threshold in {row[-1] for row in predicted}:
        counted = [row for row in predicted if row[-1] >= threshold]
        free, right = set(range(len(true))), 0
        for row in sorted(counted, key=lambda row: (-row[-1], row[:-1])):
            close = {k: is_close(row, true[k]) for k in free if true[k][0] == row[0]}
            close = {k: value for k, value in close.items() if value is not None}
            if close:
                free.remove(max(close, key=lambda k: (close[k], [-x for x in true[k][1:4]])))
                right += 1
        points.append((Fraction(right, len(true)), Fraction(right, len(counted))))
    area, before = Fraction(0), Fraction(0)
    for recall in sorted({recall for recall, _ in points}):
        area += (recall - before) * max(p for r, p in points if r >= recall)
        before = recall
    return area


def rows_of(drawn, side, label, only_contacts=False):
    """(recording, start, end, contact, confidence) of the strokes of a class."""
    return [
        (k, start, end, -1 if contact is None else contact, 10 if tenths is None else tenths)
        for k, pair in enumerate(drawn)
        for name, start, end, contact, tenths in pair[side]
        if name == label and not (only_contacts and contact is None)
    ]


def enumerated_map(drawn, is_close, only_contacts=False):
    values = []
    for label in LABELS:
        predicted, true = (rows_of(drawn, side, label, only_contacts) for side in (0, 1))
        if true:
            values.append(enumerated_precision(predicted, true, is_close))
    return sum(values) / len(values) if values else None


def by_overlap(bound):
    def is_close(row, other):
        overlap = exact_overlap(row, other)
        return overlap if overlap >= bound else None

    return is_close


def by_contact(tolerance):
    def is_close(row, other):
        off = abs(row[3] - other[3])
        return -off if off <= tolerance else None

    return is_close


@settings(deadline=None)
@given(recordings)
def test_detection_equals_the_enumeration_of_thresholds(drawn):
    figures = detection_map(*named(drawn), LABELS)
    expected = [enumerated_map(drawn, by_overlap(Fraction(p, 100))) for p in range(50, 100, 5)]
    assert list(figures["map_by_overlap"]) == [f"0.{p}" for p in range(50, 100, 5)]
    for value, reference in zip(figures["map_by_overlap"].values(), expected, strict=True):
        assert math.isnan(value) if reference is None else value == pytest.approx(float(reference))
    if expected[0] is None:
        assert math.isnan(figures["map"])
    else:
        assert figures["map"] == pytest.approx(float(sum(expected) / 10))
        by_class = [value for value in figures["average_precision"].values() if not math.isnan(value)]
        assert np.mean(by_class) == pytest.approx(figures["map"])


@settings(deadline=None)
@given(recordings)
def test_spotting_equals_the_enumeration_of_thresholds(drawn):
    figures = spotting_map(*named(drawn), LABELS, FPS)
    for tolerance in (1, 2, 4):
        reference = enumerated_map(drawn, by_contact(tolerance), only_contacts=True)
        value = figures[str(tolerance)]
        assert math.isnan(value) if reference is None else value == pytest.approx(float(reference))


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=12, unique_by=lambda row: row[0]))
def test_average_precision_is_a_sum_over_what_is_right(ranked):
    """The definition of Hong et al. 2022: at each correct prediction, the best precision from there on."""
    confidences, right = (np.array([row[k] for row in ranked], (float, bool)[k]) for k in (0, 1))
    num_true = int(right.sum()) + 2
    ordered = [is_right for _, is_right in sorted(ranked, reverse=True)]
    precisions = [sum(ordered[: k + 1]) / (k + 1) for k in range(len(ordered))]
    expected = sum(max(precisions[k:]) for k in range(len(ordered)) if ordered[k]) / num_true
    assert average_precision(confidences, right, num_true) == pytest.approx(expected)


def test_detection_counted_by_hand():
    true = {"a": strokes([("serve", 0, 10), ("forehand", 20, 30)]), "b": strokes([("serve", 0, 10)])}
    predicted = {
        "a": strokes([("serve", 0, 10, None, 6), ("serve", 0, 9, None, 8), ("backhand", 20, 30, None, 9)]),
        "b": strokes([("serve", 2, 10, None, 4)]),
    }
    figures = detection_map(predicted, true, LABELS)
    # Serves: at 0.9 and below that of 0.8 is right, then one wrong, then that of 0.4 up to an overlap of 0.8.
    both, one, late = (1 + 2 / 3) / 2, 1 / 2, 1 / 2 * 1 / 2
    expected = {**dict.fromkeys(range(50, 85, 5), both), 85: one, 90: one, 95: late}
    assert figures["map_by_overlap"] == {f"0.{p}": value / 2 for p, value in expected.items()}  # no forehand
    assert figures["map"] == pytest.approx(sum(expected.values()) / 20)
    assert figures["average_precision"]["forehand"] == 0
    assert math.isnan(figures["average_precision"]["backhand"])


def test_spotting_counted_by_hand():
    true = strokes([("serve", 0, 10, 5), ("serve", 20, 30, 25), ("serve", 40, 50)])
    predicted = strokes([("serve", 0, 10, 6, 9), ("serve", 0, 10, 5, 8), ("serve", 20, 30, 22, 7)])
    figures = spotting_map({"a": predicted}, {"a": true}, LABELS, FPS)
    assert figures == {"1": 1 / 2, "2": 1 / 2, "4": (1 + 2 / 3) / 2}


def test_a_contact_just_at_the_tolerance_is_right_at_every_frame():
    for frame in range(300):
        found, there = ({"a": [stroke("serve", frame, frame + 9, frame + k)]} for k in (2, 0))
        assert spotting_map(found, there, LABELS, FPS) == {"1": 0, "2": 1, "4": 1}


def test_without_confidences_average_precision_is_precision_times_recall():
    true = strokes([("serve", 20 * k, 20 * k + 10) for k in range(4)])
    predicted = [*true[:2], *strokes([("serve", 95, 99)])]
    assert detection_map({"a": predicted}, {"a": true}, LABELS)["map"] == pytest.approx(2 / 3 * 1 / 2)


# Strokes regardless of class


@settings(deadline=None)
@given(drawn_strokes, drawn_strokes)
def test_matching_takes_the_best_pair_that_is_left(predicted, true):
    pairs = match_strokes(strokes(predicted), strokes(true), 0.25)
    assert [true[j][1] for _, j in pairs] == sorted(true[j][1] for _, j in pairs)
    overlap = {
        (i, j): exact_overlap(predicted[i], true[j])
        for i, j in itertools.product(range(len(predicted)), range(len(true)))
    }
    left = {pair for pair, value in overlap.items() if value >= Fraction(1, 4)}
    remaining = set(pairs)
    while left:
        best = max(overlap[pair] for pair in left)
        i, j = next(pair for pair in remaining & left if overlap[pair] == best)
        remaining.remove((i, j))
        left = {(a, b) for a, b in left if a != i and b != j}
    assert not remaining


@settings(deadline=None)
@given(drawn_strokes.map(apart), drawn_strokes.map(apart))
def test_of_strokes_one_after_another_no_choice_finds_more_pairs(predicted, true):
    from scipy.optimize import linear_sum_assignment

    found, there = strokes(predicted), strokes(true)
    fits = np.array([[exact_overlap(a, b) >= Fraction(1, 2) for b in true] for a in predicted], bool)
    fits = fits.reshape(len(predicted), len(true))
    rows, columns = linear_sum_assignment(fits, maximize=True)
    assert len(match_strokes(found, there)) == fits[rows, columns].sum()


def test_matched_strokes_counted_by_hand():
    true = strokes([("serve", 0, 10), ("forehand", 20, 30), ("backhand", 40, 50)])
    predicted = strokes([("forehand", 41, 50), ("forehand", 22, 31), ("serve", 24, 30), ("serve", 60, 70)])
    assert match_strokes(predicted, true) == [(1, 1), (0, 2)]
    figures = matched_metrics({"a": predicted}, {"a": true})
    assert figures == {"f1": 4 / 7, "precision": 2 / 4, "recall": 2 / 3, "class_accuracy": 1 / 2}


def test_overlaps_are_the_exact_ones_at_every_frame():
    for first in range(300):
        row = overlaps([stroke("serve", first, first + 10)], [stroke("serve", first + 3, first + 10)])
        assert row.tolist() == [[0.7]]
