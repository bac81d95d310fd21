"""Scores of resampled test clips, from which bootstrap intervals are computed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tt_actions.studies.finished_run import FinishedRun, Shares


def overall_scores(runs: Sequence[FinishedRun], counts: NDArray[np.int64]) -> Shares:
    """Return accuracy and macro precision, recall and F1 of resampled clips, averaged over the seeds.

    Args:
        runs: One run per seed.
        counts: How often each clip is drawn, one row per resample.

    Shape:
        counts ``(R, N)`` -> ``(R, 4)``.
    """
    num_classes = runs[0].probabilities.shape[1]
    return np.asarray(np.mean([_run_scores(run, counts, num_classes) for run in runs], axis=0))


def _run_scores(run: FinishedRun, counts: NDArray[np.int64], num_classes: int) -> Shares:
    cells = np.eye(num_classes**2)[run.labels * num_classes + run.predicted]  # (N, K*K)
    confusion = (counts @ cells).reshape(-1, num_classes, num_classes)
    return macro_scores(confusion)


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


def resampled_class_scores(runs: Sequence[FinishedRun], counts: NDArray[np.int64]) -> Shares:
    """Return per-class accuracy and temporal consistency of resampled clips, averaged over the seeds.

    Args:
        runs: One run per seed.
        counts: How often each clip is drawn, one row per resample.

    Shape:
        counts ``(R, N)`` -> ``(R, K, 2)``.
    """
    num_classes = runs[0].probabilities.shape[1]
    own = np.eye(num_classes)[runs[0].labels]  # (N, K)

    def mean(values: Shares) -> Shares:
        known = ~np.isnan(values)
        total = counts @ (own * np.where(known, values, 0)[:, None])  # (R, K)
        with np.errstate(invalid="ignore"):  # a class that was not drawn gives 0 / 0 = nan
            return np.asarray(total / (counts @ (own * known[:, None])))

    by_run = [(mean(1.0 * (run.labels == run.predicted)), mean(run.consistency)) for run in runs]
    return np.asarray(np.mean([np.stack(pair, axis=-1) for pair in by_run], axis=0))
