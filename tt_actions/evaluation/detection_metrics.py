"""How well strokes are detected and their contacts spotted: mean average precision over recordings.

Detection is measured as by ActivityNet (Caba Heilbron et al. 2015) and the stroke detection of MediaEval's
Sports Video task on TTStroke-21 (Martin et al. 2021), spotting as by Hong et al. 2022, with one difference:
strokes of equal confidence are told together, since no threshold parts them. So the order of recordings never
matters, and where no stroke has a confidence, average precision is precision times recall.
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
    match_in_order,
    mean_of_known,
    overlaps,
    pair_recordings,
)

Closeness = Callable[[Sequence[Stroke], Sequence[Stroke]], NDArray[np.float64]]
"""Says how close each predicted stroke is to each true one, more being closer, ``(N, M)``."""

MIN_OVERLAPS = tuple(percent / 100 for percent in range(50, 100, 5))
"""The overlaps 0.5, 0.55 ... 0.95 at which detection is measured."""

TOLERANCES = (1, 2, 4)
"""The frames that a spotted contact may be off."""


def average_precision(confidences: NDArray[np.float64], is_right: NDArray[np.bool_], num_true: int) -> float:
    """Return the area under the interpolated precision over recall.

    At each recall counts the best precision that is reached there or at a higher one. Predictions of equal
    confidence are told together.

    Args:
        confidences: Of the predictions of all recordings.
        is_right: Whether each is right.
        num_true: How many there are to find.

    Returns:
        A share in [0, 1]; nan if there is nothing to find.

    Shape:
        confidences and is_right ``(N,)``.

    >>> average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), 2)
    0.8333333333333333
    """
    if not num_true:
        return math.nan
    order = np.argsort(-confidences, kind="stable")
    ends = np.flatnonzero(np.diff(confidences[order], append=-np.inf))  # the last one of each confidence
    num_right = np.cumsum(is_right[order])[ends]
    precision = num_right / (ends + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(num_right, prepend=0) * best).sum() / num_true)


def precision_of_class(
    predicted: Recordings, true: Recordings, label: str, closeness: Closeness, bounds: Sequence[float]
) -> list[float]:
    """Return the average precision of one class at each bound.

    Over all recordings, the more confident stroke chooses first among the true strokes of its recording; each
    is chosen at most once. A stroke without confidence counts as sure.

    Args:
        predicted: Strokes of each recording.
        true: Strokes of the same recordings.
        label: The class; others don't count.
        closeness: How close strokes are.
        bounds: How close they must be at least.

    Returns:
        Shares in [0, 1]; nan if no true stroke is of the class.

    Raises:
        ValueError: If the recordings are not the same.

    >>> strokes = {"a": [Stroke("serve", 0, 2)]}
    >>> precision_of_class(strokes, strokes, "serve", overlaps, [0.5])
    [1.0]
    """
    confidences, matrices = [], []
    for found, there in pair_recordings(predicted, true):
        own = sorted((s for s in found if s.label == label), key=lambda s: -known_confidence(s))
        confidences += [known_confidence(stroke) for stroke in own]
        matrices.append(closeness(own, [s for s in there if s.label == label]))
    num_true = sum(matrix.shape[1] for matrix in matrices)
    right = [
        [share for matrix in matrices for share in match_in_order(matrix, bound).tolist()] for bound in bounds
    ]
    return [average_precision(np.array(confidences), np.array(row, bool), num_true) for row in right]


def detection_map(
    predicted: Recordings,
    true: Recordings,
    class_names: Sequence[str],
    min_overlaps: Sequence[float] = MIN_OVERLAPS,
) -> dict[str, Any]:
    """Measure how well strokes are found with their class, beginning and end.

    Args:
        predicted: Strokes of each recording.
        true: Strokes of the same recordings.
        class_names: The classes that count.
        min_overlaps: The intersections over union from which on a stroke counts as found.

    Returns:
        ``map``, the mean over the overlaps of ``map_by_overlap``, each of which is the mean over the classes
        with true strokes; and ``average_precision`` of each class, its mean over the overlaps, nan without
        a true stroke. All are nan if there are none at all.

    Raises:
        ValueError: If the recordings are not the same.

    >>> figures = detection_map({"a": [Stroke("serve", 0, 3)]}, {"a": [Stroke("serve", 0, 4)]}, ["serve"])
    >>> figures["map"], figures["map_by_overlap"]["0.75"], figures["map_by_overlap"]["0.80"]
    (0.6, 1.0, 0.0)
    """
    by_class = {
        name: precision_of_class(predicted, true, name, overlaps, min_overlaps) for name in class_names
    }
    by_overlap = {
        f"{overlap:.2f}": mean_of_known(values[k] for values in by_class.values())
        for k, overlap in enumerate(min_overlaps)
    }
    return {
        "map": mean_of_known(by_overlap.values()),
        "map_by_overlap": by_overlap,
        "average_precision": {name: mean_of_known(values) for name, values in by_class.items()},
    }


def spotting_map(
    predicted: Recordings,
    true: Recordings,
    class_names: Sequence[str],
    fps: float,
    tolerances: Sequence[float] = TOLERANCES,
) -> dict[str, float]:
    """Measure how well contacts are found with the class of their stroke.

    Times are not rounded to frames. Strokes without a contact don't count, on either side.

    Args:
        predicted: Strokes of each recording.
        true: Strokes of the same recordings.
        class_names: The classes that count.
        fps: Frames a second, in which tolerances are given.
        tolerances: Frames that a contact may be off.

    Returns:
        The mean average precision at each tolerance, over the classes with true contacts; nan without any.

    Raises:
        ValueError: If the recordings are not the same or ``fps`` is not positive.

    >>> found, there = [Stroke("serve", 0, 1, contact_s=0.56)], [Stroke("serve", 0, 1, contact_s=0.5)]
    >>> spotting_map({"a": found}, {"a": there}, ["serve"], fps=25)
    {'1': 0.0, '2': 1.0, '4': 1.0}
    """
    if not 0 < fps < math.inf:
        raise UserError(f"Expected `fps` to be positive, but got {fps}.")

    def closeness(found: Sequence[Stroke], there: Sequence[Stroke]) -> NDArray[np.float64]:
        first, second = (np.array([s.contact_s for s in strokes], float) for strokes in (found, there))
        return np.asarray(-np.round(np.abs(first[:, None] - second) * fps, DECIMALS))

    found, there = (
        {name: [s for s in strokes if s.contact_s is not None] for name, strokes in recordings.items()}
        for recordings in (predicted, true)
    )
    bounds = [-tolerance for tolerance in tolerances]
    by_class = [precision_of_class(found, there, name, closeness, bounds) for name in class_names]
    return {
        f"{tolerance:g}": mean_of_known(values[k] for values in by_class)
        for k, tolerance in enumerate(tolerances)
    }
