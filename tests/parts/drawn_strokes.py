"""Strokes that hypothesis draws, and what compares them exactly."""

import json
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from tt_actions.clips.strokes import IDLE, Stroke

LABELS = ("serve", "forehand", "backhand")
NAMES = (*LABELS, IDLE)
FPS = 25

# Strokes as whole frames (label, start, end, contact, confidence in tenths): the references compute exactly.
drawn_stroke = st.tuples(
    st.sampled_from(LABELS[:2]),
    st.integers(0, 12),
    st.integers(1, 8),
    st.none() | st.integers(0, 8),
    st.none() | st.integers(0, 5),
).map(lambda s: (s[0], s[1], s[1] + s[2], None if s[3] is None else s[1] + min(s[3], s[2]), s[4]))
drawn_strokes = st.lists(drawn_stroke, max_size=6)
recordings = st.lists(st.tuples(drawn_strokes, drawn_strokes), max_size=3)


def stroke(label, start, end, contact=None, tenths=None):
    contact_s = None if contact is None else contact / FPS
    return Stroke(label, start / FPS, end / FPS, contact_s, None if tenths is None else tenths / 10)


def strokes(drawn):
    return [stroke(*row) for row in drawn]


def named(drawn):
    """Predicted and true strokes of recordings by name."""
    return tuple({f"r{k}": strokes(pair[side]) for k, pair in enumerate(drawn)} for side in (0, 1))


def apart(drawn):
    """Strokes one after another: each begins where the one before has ended, or later."""
    kept, free_from = [], 0
    for row in sorted(drawn, key=lambda row: row[:3]):
        if row[1] >= free_from:
            kept.append(row)
            free_from = row[2]
    return kept


def shuffled(items, seed):
    return [items[k] for k in np.random.default_rng(seed).permutation(len(items))]


def exact_overlap(first, second):
    frames = [set(range(row[1], row[2])) for row in (first, second)]
    return Fraction(len(frames[0] & frames[1]), len(frames[0] | frames[1]))


def same(first, second):
    """Whether figures are the same, nan being equal to nan."""
    assert json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
