"""Intervals of scores that are no shares of clips: bootstrap intervals from resampled test clips."""

import numpy as np
from numpy.typing import NDArray

from tt_actions.evaluation.predictions import Predictions
from tt_actions.evaluation.significance import drawable_groups, varied_interval

Shares = NDArray[np.float64]

RESAMPLED = ("precision", "recall", "f1", "temporal_consistency", "frame_agreement")
"""Scores that :func:`score_intervals` gives intervals, in the order of its computation."""


def ends_of(score: str) -> tuple[str, str]:
    """Return the names of the lower and the upper end of the interval of a score.

    Args:
        score: Name of the score.

    >>> ends_of("f1")
    ('f1_low', 'f1_high')
    """
    return f"{score}_low", f"{score}_high"


def score_intervals(predictions: Predictions) -> dict[str, float]:
    """Return the ends of the 95 % interval of each of :data:`RESAMPLED`, over groups or clips.

    The interval is unknown where no resample differs from the others, as for a model that makes no mistake.

    Args:
        predictions: Predictions for all test clips, with their labels.

    Returns:
        The ends by name, such as ``f1_low`` and ``f1_high``; nan for an unknown one.
    """
    num_classes, labels = len(predictions.class_names), predictions.labels
    cells = np.eye(num_classes**2)[labels * num_classes + predictions.predicted]  # (N, K*K)
    own = np.eye(num_classes)[labels]  # (N, K)
    of_frames = (predictions.temporal_consistency, predictions.frame_agreement)

    def scores(counts: NDArray[np.int64]) -> Shares:
        confusion = (counts @ cells).reshape(-1, num_classes, num_classes)
        means = [mean_of_classes(class_means(counts, own, values)) for values in of_frames]
        return np.column_stack([macro_scores(confusion)[:, 1:], *means])

    groups = drawable_groups(predictions.groups or (None,) * len(labels))
    intervals = varied_interval(scores, len(labels), groups).T.tolist()
    pairs = zip(RESAMPLED, intervals, strict=True)
    return {end: value for name, pair in pairs for end, value in zip(ends_of(name), pair, strict=True)}


def macro_scores(confusion: Shares) -> Shares:
    """Return accuracy and macro precision, recall and F1 of a confusion matrix.

    The macro averages include only classes that occur among the labels or predictions.

    Args:
        confusion: Counts by true class (row) and predicted class (column).

    Shape:
        ``(..., K, K)`` -> ``(..., 4)``.

    >>> macro_scores(np.array([[1.0, 1.0], [0.0, 1.0]])).round(3).tolist()
    [0.667, 0.75, 0.75, 0.667]
    """
    true = np.diagonal(confusion, axis1=-2, axis2=-1)  # (..., K)
    support, predicted = confusion.sum(-1), confusion.sum(-2)
    parts = (true / np.maximum(predicted, 1), true / np.maximum(support, 1), 2 * true)
    by_class = np.stack([parts[0], parts[1], parts[2] / np.maximum(support + predicted, 1)])  # (3, ..., K)
    num_present = (support + predicted > 0).sum(-1)
    macro = by_class.sum(-1) / num_present
    return np.stack([true.sum(-1) / confusion.sum((-2, -1)), *macro], axis=-1)


def class_means(counts: NDArray[np.int64], own: Shares, values: Shares) -> Shares:
    """Return the mean of a value over the resampled clips of each class; nan for a class without any.

    Args:
        counts: How often each clip is drawn, one row per resample.
        own: Whether each clip is of each class.
        values: The value of each clip; one that is nan doesn't count.

    Shape:
        counts ``(R, N)``, own ``(N, K)``, values ``(N,)`` -> ``(R, K)``.
    """
    known = ~np.isnan(values)
    total = counts @ (own * np.where(known, values, 0)[:, None])
    with np.errstate(invalid="ignore"):  # a class that was not drawn gives 0 / 0 = nan
        return np.asarray(total / (counts @ (own * known[:, None])))


def mean_of_classes(means: Shares) -> Shares:
    """Return the mean over the classes that have a value, nan if none has one.

    Args:
        means: The value of each class in each resample.

    Shape:
        ``(R, K)`` -> ``(R,)``.
    """
    known = ~np.isnan(means)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nansum(means, axis=1) / known.sum(1))
