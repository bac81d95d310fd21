"""Metrics for stroke detection and contact spotting: mean average precision over recordings.

Detection is measured as in ActivityNet (Caba Heilbron et al. 2015) and in the stroke detection of MediaEval's
Sports Video task on TTStroke-21 (Martin et al. 2021). Spotting is measured as in Hong et al. 2022. There is
one difference: strokes with equal confidence are counted together, because no threshold separates them. The
order of recordings therefore never matters, and if no stroke has a confidence, average precision is precision
times recall.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tt_actions.clips.strokes import Stroke
from tt_actions.errors import UserError
from tt_actions.evaluation.stroke_matching import (
    DECIMALS,
    Recordings,
    known_confidence,
    match_greedily,
    nan_mean,
    overlaps,
    pair_recordings,
)

Closeness = Callable[[Sequence[Stroke], Sequence[Stroke]], NDArray[np.float64]]
"""Returns the closeness of each predicted stroke to each true one, ``(N, M)``; higher is closer."""

MIN_OVERLAPS = tuple(percent / 100 for percent in range(50, 100, 5))
"""The overlap thresholds of detection: 0.5, 0.55 ... 0.95."""

TOLERANCES = (1, 2, 4)
"""The maximum distances, in frames, at which a spotted contact counts as correct."""


def average_precision(
    confidences: NDArray[np.float64], is_correct: NDArray[np.bool_], num_true: int
) -> float:
    """Return the area under the interpolated precision-recall curve.

    The interpolated precision at a recall is the best precision at this or a higher recall. Predictions with
    equal confidence are counted together.

    Args:
        confidences: Confidences of the predictions of all recordings.
        is_correct: Whether each prediction is correct.
        num_true: Number of true strokes.

    Returns:
        A share in [0, 1]; nan without true strokes.

    Shape:
        confidences and is_correct ``(N,)``.

    >>> average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), 2)
    0.8333333333333333
    """
    if not num_true:
        return math.nan
    order = np.argsort(-confidences, kind="stable")
    ends = np.flatnonzero(np.diff(confidences[order], append=-np.inf))  # the last one of each confidence
    num_correct = np.cumsum(is_correct[order])[ends]
    precision = num_correct / (ends + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(num_correct, prepend=0) * best).sum() / num_true)


def precision_of_class(
    predicted: Recordings, true: Recordings, label: str, closeness: Closeness, bounds: Sequence[float]
) -> list[float]:
    """Return the average precision of one class at each threshold.

    In the order of their confidence, the predicted strokes are matched to the closest true stroke of their
    recording that is still free. A stroke without a confidence counts as fully confident.

    Args:
        predicted: Predicted strokes of each recording.
        true: True strokes of the same recordings.
        label: The class; strokes of other classes are ignored.
        closeness: How close strokes are.
        bounds: The minimum closeness of a match, one per threshold.

    Returns:
        Shares in [0, 1]; nan if no true stroke is of the class.

    Raises:
        ValueError: If ``predicted`` and ``true`` have different recordings.

    >>> strokes = {"a": [Stroke("serve", 0, 2)]}
    >>> precision_of_class(strokes, strokes, "serve", overlaps, [0.5])
    [1.0]
    """
    confidences, matrices = [], []
    for found, real in pair_recordings(predicted, true):
        own = sorted((s for s in found if s.label == label), key=lambda s: -known_confidence(s))
        confidences += [known_confidence(stroke) for stroke in own]
        matrices.append(closeness(own, [s for s in real if s.label == label]))
    num_true = sum(matrix.shape[1] for matrix in matrices)
    correct = [
        [share for matrix in matrices for share in match_greedily(matrix, bound).tolist()] for bound in bounds
    ]
    return [average_precision(np.array(confidences), np.array(row, bool), num_true) for row in correct]


def detection_map(
    predicted: Recordings,
    true: Recordings,
    class_names: Sequence[str],
    min_overlaps: Sequence[float] = MIN_OVERLAPS,
) -> dict[str, Any]:
    """Compute the mean average precision of strokes, judged by class, start and end.

    Args:
        predicted: Predicted strokes of each recording.
        true: True strokes of the same recordings.
        class_names: The classes that count.
        min_overlaps: The minimum intersections over union at which a stroke counts as found.

    Returns:
        ``map_by_overlap``: the mean over the classes with true strokes, at each overlap. ``map``: the mean of
        these over the overlaps. ``average_precision``: that of each class, averaged over the overlaps; nan
        for a class without true strokes. Without any true stroke, all values are nan.

    Raises:
        ValueError: If ``predicted`` and ``true`` have different recordings.

    >>> metrics = detection_map({"a": [Stroke("serve", 0, 3)]}, {"a": [Stroke("serve", 0, 4)]}, ["serve"])
    >>> metrics["map"], metrics["map_by_overlap"]["0.75"], metrics["map_by_overlap"]["0.80"]
    (0.6, 1.0, 0.0)
    """
    by_class = {
        name: precision_of_class(predicted, true, name, overlaps, min_overlaps) for name in class_names
    }
    by_overlap = {
        f"{overlap:.2f}": nan_mean(values[k] for values in by_class.values())
        for k, overlap in enumerate(min_overlaps)
    }
    return {
        "map": nan_mean(by_overlap.values()),
        "map_by_overlap": by_overlap,
        "average_precision": {name: nan_mean(values) for name, values in by_class.items()},
    }


def spotting_map(
    predicted: Recordings,
    true: Recordings,
    class_names: Sequence[str],
    fps: float,
    tolerances: Sequence[float] = TOLERANCES,
) -> dict[str, float]:
    """Compute the mean average precision of contacts, judged by time and class.

    Times are not rounded to frames. Predicted and true strokes without a contact are ignored.

    Args:
        predicted: Predicted strokes of each recording.
        true: True strokes of the same recordings.
        class_names: The classes that count.
        fps: Frames per second, which converts the tolerances to seconds.
        tolerances: The maximum distances of a contact, in frames.

    Returns:
        The mean average precision at each tolerance, over the classes with true contacts; nan without any.

    Raises:
        ValueError: If ``predicted`` and ``true`` have different recordings, or ``fps`` is not positive.

    >>> found, real = [Stroke("serve", 0, 1, contact_s=0.56)], [Stroke("serve", 0, 1, contact_s=0.5)]
    >>> spotting_map({"a": found}, {"a": real}, ["serve"], fps=25)
    {'1': 0.0, '2': 1.0, '4': 1.0}
    """
    if not 0 < fps < math.inf:
        raise UserError(f"Expected `fps` to be positive, but got {fps}.")

    def closeness(found: Sequence[Stroke], real: Sequence[Stroke]) -> NDArray[np.float64]:
        first, second = (np.array([s.contact_s for s in strokes], float) for strokes in (found, real))
        return np.asarray(-np.round(np.abs(first[:, None] - second) * fps, DECIMALS))

    found, real = (
        {name: [s for s in strokes if s.contact_s is not None] for name, strokes in recordings.items()}
        for recordings in (predicted, true)
    )
    bounds = [-tolerance for tolerance in tolerances]
    by_class = [precision_of_class(found, real, name, closeness, bounds) for name in class_names]
    return {
        f"{tolerance:g}": nan_mean(values[k] for values in by_class) for k, tolerance in enumerate(tolerances)
    }
