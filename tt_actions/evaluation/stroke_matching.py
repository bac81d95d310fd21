"""Matching predicted strokes one to one with true ones."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tt_actions.clips.strokes import Stroke
from tt_actions.errors import UserError

Recordings = Mapping[str, Sequence[Stroke]]
"""The strokes of each recording by name; two players in one video are two recordings."""

DECIMALS = 9
"""Number of decimals of overlaps and distances, so that floating-point errors don't decide ties."""


def nan_mean(values: Iterable[float]) -> float:
    """Return the mean of the values that are not nan, or nan if there are none.

    Args:
        values: Values, some of which may be nan.

    >>> nan_mean([0.5, math.nan, 1.0])
    0.75
    """
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def share(part: float, whole: float) -> float:
    """Return the share of a part in a whole, or nan if the whole is 0.

    Args:
        part: The part.
        whole: The whole.

    >>> share(1, 4), share(0, 0)
    (0.25, nan)
    """
    return part / whole if whole else math.nan


def time_sort_key(stroke: Stroke) -> tuple[float, float, str, float]:
    """Return the sort key that orders strokes by time and breaks ties.

    Args:
        stroke: The stroke.

    >>> time_sort_key(Stroke("serve", 1.0, 2.0, contact_s=1.5))
    (1.0, 2.0, 'serve', 1.5)
    """
    contact_s = -math.inf if stroke.contact_s is None else stroke.contact_s
    return stroke.start_s, stroke.end_s, stroke.label, contact_s


def pair_recordings(predicted: Recordings, true: Recordings) -> list[tuple[list[Stroke], list[Stroke]]]:
    """Return the predicted and the true strokes of each recording, sorted by time.

    Args:
        predicted: Predicted strokes of each recording; an empty list if nothing was found.
        true: True strokes of the same recordings.

    Raises:
        ValueError: If ``predicted`` and ``true`` have different recordings.

    >>> pair_recordings({"a": []}, {"a": [Stroke("serve", 1, 2), Stroke("smash", 0, 1)]})[0][1][0].label
    'smash'
    """
    different = sorted(predicted.keys() ^ true.keys())
    if different:
        raise UserError(
            "Expected `predicted` and `true` to have the same recordings, but only one of them has "
            f"{', '.join(different)}. Use an empty list for a recording without strokes."
        )
    return [
        (sorted(predicted[name], key=time_sort_key), sorted(true[name], key=time_sort_key)) for name in true
    ]


def overlaps(predicted: Sequence[Stroke], true: Sequence[Stroke]) -> NDArray[np.float64]:
    """Return the temporal overlap of each pair of strokes: the intersection over the union (IoU).

    Args:
        predicted: *N* strokes.
        true: *M* strokes of the same recording.

    Returns:
        Shares in [0, 1], rounded to 9 decimals.

    Shape:
        ``(N, M)``.

    >>> overlaps([Stroke("serve", 0, 2)], [Stroke("serve", 1, 4), Stroke("smash", 2, 3)])
    array([[0.25, 0.  ]])
    """
    first = np.array([(s.start_s, s.end_s) for s in predicted]).reshape(-1, 1, 2)
    second = np.array([(s.start_s, s.end_s) for s in true]).reshape(1, -1, 2)
    shared = np.minimum(first[..., 1], second[..., 1]) - np.maximum(first[..., 0], second[..., 0])
    spanned = np.maximum(first[..., 1], second[..., 1]) - np.minimum(first[..., 0], second[..., 0])
    return np.asarray(np.round(np.maximum(shared, 0) / spanned, DECIMALS))


def match_greedily(closeness: NDArray[np.float64], bound: float) -> NDArray[np.bool_]:
    """Match predicted strokes in order, each to the closest true stroke that is still free.

    Args:
        closeness: Closeness of each predicted stroke to each true one, in the order of matching.
        bound: The minimum closeness of a match.

    Returns:
        Whether each predicted stroke has a match. Of equally close true strokes, the first is matched.

    Shape:
        closeness ``(N, M)`` -> ``(N,)``.

    >>> match_greedily(np.array([[0.9, 0.6], [0.8, 0.6], [0.7, 0.0]]), 0.5)
    array([ True,  True, False])
    """
    is_free = np.ones(closeness.shape[1], bool)
    is_matched = np.zeros(len(closeness), bool)
    for row, values in enumerate(closeness):
        free = np.where(is_free, values, -np.inf)
        if free.max(initial=-np.inf) >= bound:
            is_matched[row], is_free[free.argmax()] = True, False
    return is_matched


class MatchCounts(NamedTuple):
    """Counts of correct, predicted and true strokes.

    Args:
        num_correct: Number of correct predicted strokes, each matched to a different true stroke.
        num_predicted: Number of predicted strokes.
        num_true: Number of true strokes.
    """

    num_correct: int
    num_predicted: int
    num_true: int

    @classmethod
    def add_up(cls, counts: Iterable["MatchCounts"]) -> "MatchCounts":
        """Return the counts summed over all recordings.

        Args:
            counts: Counts of each recording.

        >>> MatchCounts.add_up([MatchCounts(1, 2, 3), MatchCounts(0, 1, 0)])
        MatchCounts(num_correct=1, num_predicted=3, num_true=3)
        """
        return cls(*np.sum([(0, 0, 0), *counts], axis=0).tolist())

    def scores(self) -> dict[str, float]:
        """Return ``f1``, ``precision`` and ``recall``.

        Precision is nan without predicted strokes, recall without true strokes, and F1 without any strokes.

        >>> MatchCounts(1, 2, 4).scores()
        {'f1': 0.3333333333333333, 'precision': 0.5, 'recall': 0.25}
        """
        return {
            "f1": share(2 * self.num_correct, self.num_predicted + self.num_true),
            "precision": share(self.num_correct, self.num_predicted),
            "recall": share(self.num_correct, self.num_true),
        }


def match_strokes(
    predicted: Sequence[Stroke], true: Sequence[Stroke], min_overlap: float = 0.5
) -> list[tuple[int, int]]:
    """Match predicted to true strokes one to one, regardless of class.

    Of all remaining pairs, the one with the largest overlap is matched next. If strokes don't overlap within
    either list, no other method finds more pairs at a ``min_overlap`` of 0.5 or more.

    Args:
        predicted: Predicted strokes.
        true: True strokes of the same recording.
        min_overlap: The minimum intersection over union of a pair, above 0.

    Returns:
        Indices in ``predicted`` and ``true`` of each pair, sorted by the time of the true stroke.

    >>> match_strokes([Stroke("smash", 4, 6), Stroke("smash", 0, 2)], [Stroke("serve", 0, 3)])
    [(1, 0)]
    """
    values = overlaps(predicted, true)
    pairs = [(int(i), int(j)) for i, j in np.argwhere(values >= min_overlap)]
    pairs.sort(
        key=lambda pair: (-values[pair], time_sort_key(true[pair[1]]), time_sort_key(predicted[pair[0]]))
    )
    chosen: dict[int, int] = {}  # predicted index by true index
    for i, j in pairs:
        if j not in chosen and i not in chosen.values():
            chosen[j] = i
    return [(chosen[j], j) for j in sorted(chosen, key=lambda j: time_sort_key(true[j]))]


def matched_metrics(predicted: Recordings, true: Recordings, min_overlap: float = 0.5) -> dict[str, float]:
    """Measure detection and classification separately: see :func:`match_strokes`.

    Args:
        predicted: Predicted strokes of each recording.
        true: True strokes of the same recordings.
        min_overlap: The minimum intersection over union of a pair, above 0.

    Returns:
        ``f1``, ``precision`` and ``recall`` of strokes regardless of class; and ``class_accuracy``, the share
        of the pairs with the same class, nan without a pair.

    Raises:
        ValueError: If ``predicted`` and ``true`` have different recordings.

    >>> found, real = [Stroke("smash", 0, 2), Stroke("serve", 4, 6)], [Stroke("serve", 0, 3)]
    >>> matched_metrics({"a": found}, {"a": real})["class_accuracy"]
    0.0
    """
    counts, same = [], []
    for found, real in pair_recordings(predicted, true):
        pairs = match_strokes(found, real, min_overlap)
        counts.append(MatchCounts(len(pairs), len(found), len(real)))
        same += [found[i].label == real[j].label for i, j in pairs]
    return {**MatchCounts.add_up(counts).scores(), "class_accuracy": share(sum(same), len(same))}


def known_confidence(stroke: Stroke) -> float:
    """Return the confidence of a stroke, or 1 if it has none.

    Args:
        stroke: The stroke.
    """
    return 1.0 if stroke.confidence is None else stroke.confidence
