"""Strokes that are found, matched one to one with those that are there."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tt_actions.clips.strokes import Stroke
from tt_actions.errors import UserError

Recordings = Mapping[str, Sequence[Stroke]]
"""The strokes of each recording by its name; two players in one video are two recordings."""

DECIMALS = 9
"""To which overlaps and distances are rounded, so that binary fractions don't decide between equals."""


def mean_of_known(values: Iterable[float]) -> float:
    """Return the mean of what is not nan; nan where nothing is left.

    Args:
        values: Figures, some of which may be unknown.

    >>> mean_of_known([0.5, math.nan, 1.0])
    0.75
    """
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def share(part: float, whole: float) -> float:
    """Return a part as a share, nan of nothing.

    Args:
        part: How many.
        whole: Of how many.

    >>> share(1, 4), share(0, 0)
    (0.25, nan)
    """
    return part / whole if whole else math.nan


def time_order(stroke: Stroke) -> tuple[float, float, str, float]:
    """Return what strokes are sorted by wherever nothing else decides.

    Args:
        stroke: One of them.

    >>> time_order(Stroke("serve", 1.0, 2.0, contact_s=1.5))
    (1.0, 2.0, 'serve', 1.5)
    """
    contact_s = -math.inf if stroke.contact_s is None else stroke.contact_s
    return stroke.start_s, stroke.end_s, stroke.label, contact_s


def pair_recordings(predicted: Recordings, true: Recordings) -> list[tuple[list[Stroke], list[Stroke]]]:
    """Return the predicted and the true strokes of each recording, in the order of time.

    Args:
        predicted: Strokes of each recording; none where nothing was found.
        true: Strokes of the same recordings.

    Raises:
        ValueError: If the recordings are not the same.

    >>> pair_recordings({"a": []}, {"a": [Stroke("serve", 1, 2), Stroke("smash", 0, 1)]})[0][1][0].label
    'smash'
    """
    different = sorted(predicted.keys() ^ true.keys())
    if different:
        raise UserError(
            "Expected `predicted` and `true` to have the same recordings, but got "
            f"{', '.join(different)} in one alone. Give an empty list where nothing was found."
        )
    return [(sorted(predicted[name], key=time_order), sorted(true[name], key=time_order)) for name in true]


def overlaps(predicted: Sequence[Stroke], true: Sequence[Stroke]) -> NDArray[np.float64]:
    """Return how much each two strokes overlap in time: the intersection over the union (IoU).

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


def match_in_order(closeness: NDArray[np.float64], bound: float) -> NDArray[np.bool_]:
    """Let predicted strokes choose in turn, each the closest true stroke that no one before it chose.

    Args:
        closeness: Of each predicted stroke to each true one, those that choose first in front.
        bound: How close they must be at least.

    Returns:
        Whether each predicted stroke got one; of equally close ones it takes the first.

    Shape:
        closeness ``(N, M)`` -> ``(N,)``.

    >>> match_in_order(np.array([[0.9, 0.6], [0.8, 0.6], [0.7, 0.0]]), 0.5)
    array([ True,  True, False])
    """
    is_free = np.ones(closeness.shape[1], bool)
    is_right = np.zeros(len(closeness), bool)
    for row, values in enumerate(closeness):
        left = np.where(is_free, values, -np.inf)
        if left.max(initial=-np.inf) >= bound:
            is_right[row], is_free[left.argmax()] = True, False
    return is_right


class MatchCounts(NamedTuple):
    """How many strokes were right.

    Args:
        num_right: Predicted strokes that are right, each for another true one.
        num_predicted: Predicted strokes.
        num_true: True strokes.
    """

    num_right: int
    num_predicted: int
    num_true: int

    @classmethod
    def add_up(cls, counts: Iterable["MatchCounts"]) -> "MatchCounts":
        """Return the counts of all recordings together.

        Args:
            counts: Of each recording.

        >>> MatchCounts.add_up([MatchCounts(1, 2, 3), MatchCounts(0, 1, 0)])
        MatchCounts(num_right=1, num_predicted=3, num_true=3)
        """
        return cls(*np.sum([(0, 0, 0), *counts], axis=0).tolist())

    def figures(self) -> dict[str, float]:
        """Return ``f1``, ``precision`` and ``recall``: nan without any stroke, predicted ones or true ones.

        >>> MatchCounts(1, 2, 4).figures()
        {'f1': 0.3333333333333333, 'precision': 0.5, 'recall': 0.25}
        """
        return {
            "f1": share(2 * self.num_right, self.num_predicted + self.num_true),
            "precision": share(self.num_right, self.num_predicted),
            "recall": share(self.num_right, self.num_true),
        }


def match_strokes(
    predicted: Sequence[Stroke], true: Sequence[Stroke], min_overlap: float = 0.5
) -> list[tuple[int, int]]:
    """Find the predicted stroke of each true one, irrespective of class, one to one.

    Of all pairs that are left, that which overlaps most is taken next. Where strokes don't overlap within
    either list, at a ``min_overlap`` of 0.5 or more no other choice finds more pairs.

    Args:
        predicted: Strokes.
        true: Strokes of the same recording.
        min_overlap: The intersection over union of a pair at least, above 0.

    Returns:
        Places in ``predicted`` and in ``true`` of each pair, in the order of the true strokes' times.

    >>> match_strokes([Stroke("smash", 4, 6), Stroke("smash", 0, 2)], [Stroke("serve", 0, 3)])
    [(1, 0)]
    """
    values = overlaps(predicted, true)
    pairs = [(int(i), int(j)) for i, j in np.argwhere(values >= min_overlap)]
    pairs.sort(key=lambda pair: (-values[pair], time_order(true[pair[1]]), time_order(predicted[pair[0]])))
    chosen: dict[int, int] = {}  # by the place of the true stroke
    for i, j in pairs:
        if j not in chosen and i not in chosen.values():
            chosen[j] = i
    return [(chosen[j], j) for j in sorted(chosen, key=lambda j: time_order(true[j]))]


def matched_figures(predicted: Recordings, true: Recordings, min_overlap: float = 0.5) -> dict[str, float]:
    """Measure finding strokes apart from naming them: see :func:`match_strokes`.

    Args:
        predicted: Strokes of each recording.
        true: Strokes of the same recordings.
        min_overlap: The intersection over union of a pair at least, above 0.

    Returns:
        ``f1``, ``precision`` and ``recall`` of strokes irrespective of class; and ``class_accuracy``, the
        share of the pairs that are of the same class, nan without a pair.

    Raises:
        ValueError: If the recordings are not the same.

    >>> found, there = [Stroke("smash", 0, 2), Stroke("serve", 4, 6)], [Stroke("serve", 0, 3)]
    >>> matched_figures({"a": found}, {"a": there})["class_accuracy"]
    0.0
    """
    counts, same = [], []
    for found, there in pair_recordings(predicted, true):
        pairs = match_strokes(found, there, min_overlap)
        counts.append(MatchCounts(len(pairs), len(found), len(there)))
        same += [found[i].label == there[j].label for i, j in pairs]
    return {**MatchCounts.add_up(counts).figures(), "class_accuracy": share(sum(same), len(same))}


def known_confidence(stroke: Stroke) -> float:
    """Return how sure a model is of a stroke: 1 where it doesn't say.

    Args:
        stroke: The stroke.
    """
    return 1.0 if stroke.confidence is None else stroke.confidence
