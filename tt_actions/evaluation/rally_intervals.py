"""Intervals of the results on untrimmed recordings, over groups or recordings."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tt_actions.clips.strokes import Stroke
from tt_actions.evaluation.predictions import count_confusions
from tt_actions.evaluation.score_intervals import ends_of
from tt_actions.evaluation.segment_metrics import F1_OVERLAPS, count_correct_segments, edit_score
from tt_actions.evaluation.significance import share_interval, varied_interval
from tt_actions.evaluation.stroke_matching import match_strokes


def rally_intervals(
    strokes: Mapping[str, tuple[Sequence[Stroke], Sequence[Stroke]]],
    frames: Mapping[str, tuple[NDArray[np.int64], NDArray[np.int64]]],
    num_classes: int,
    groups: Sequence[str] | None,
) -> dict[str, float]:
    """Return the ends of the 95 % bootstrap intervals of a method of finding strokes.

    Mean average precisions have none: they do not consist of counts by recording.

    Args:
        strokes: The predicted and the true strokes of each recording.
        frames: The predicted and the true class of each of its frames.
        num_classes: Number of classes *K*.
        groups: Group of each recording, or None to draw recordings.

    Returns:
        The ends by name: ``classes_low``, ``classes_high`` and so on for ``classes`` (accuracy of frames as a
        mean over the classes), ``edit``, ``f1_10``, ``f1_25``, ``f1_50`` and ``matched`` (class accuracy of
        matched strokes). They are nan for a single recording or group, and where no resample differs.

    Shape:
        each of frames ``(T,)`` and ``(T,)``.
    """
    shares = {"edit": [(edit_score(*pair), 1.0) for pair in strokes.values()]}
    for overlap in F1_OVERLAPS:
        counts = [count_correct_segments(*pair, overlap) for pair in strokes.values()]
        shares[f"f1_{100 * overlap:.0f}"] = [
            (2 * count.num_correct, count.num_predicted + count.num_true) for count in counts
        ]
    shares["matched"] = [_count_same(found, true) for found, true in strokes.values()]
    intervals = {"classes": _class_interval(frames, num_classes, groups)}
    for key, pairs in shares.items():
        parts, wholes = np.array(pairs, float).T
        intervals[key] = share_interval(parts, wholes, groups)
    both = ((ends_of(key), interval) for key, interval in intervals.items())
    return {end: value for ends, interval in both for end, value in zip(ends, interval, strict=True)}


def _count_same(found: Sequence[Stroke], true: Sequence[Stroke]) -> tuple[float, float]:
    """Return the number of matched strokes with the right class, and that of all matched strokes."""
    pairs = match_strokes(found, true)
    return sum(found[i].label == true[j].label for i, j in pairs), len(pairs)


def _class_interval(
    frames: Mapping[str, tuple[NDArray[np.int64], NDArray[np.int64]]],
    num_classes: int,
    groups: Sequence[str] | None,
) -> tuple[float, float]:
    if len(frames if groups is None else set(groups)) == 1:
        return math.nan, math.nan
    matrices = np.stack([count_confusions(true, found, num_classes) for found, true in frames.values()])
    right, total = np.diagonal(matrices, axis1=1, axis2=2), matrices.sum(2)  # (N, K)

    def mean_accuracy(counts: NDArray[np.int64]) -> NDArray[np.float64]:
        known = counts @ total > 0
        shares = (counts @ right) / np.maximum(counts @ total, 1)
        return np.asarray(shares.sum(1) / known.sum(1))

    low, high = varied_interval(mean_accuracy, len(frames), groups)
    return float(low), float(high)
