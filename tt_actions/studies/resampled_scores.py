"""Scores of resampled test clips, from which bootstrap intervals are computed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tt_actions.evaluation.score_intervals import class_means, macro_scores, mean_of_classes
from tt_actions.studies.finished_run import FinishedRun, Shares


def overall_scores(runs: Sequence[FinishedRun], counts: NDArray[np.int64]) -> Shares:
    """Return accuracy, macro precision, recall, F1 and temporal consistency of resampled clips.

    They are averaged over the seeds.

    Args:
        runs: One run per seed.
        counts: How often each clip is drawn, one row per resample.

    Shape:
        counts ``(R, N)`` -> ``(R, 5)``.
    """
    num_classes = runs[0].probabilities.shape[1]
    return np.asarray(np.mean([_run_scores(run, counts, num_classes) for run in runs], axis=0))


def _run_scores(run: FinishedRun, counts: NDArray[np.int64], num_classes: int) -> Shares:
    cells = np.eye(num_classes**2)[run.labels * num_classes + run.predicted]  # (N, K*K)
    confusion = (counts @ cells).reshape(-1, num_classes, num_classes)
    consistency = mean_of_classes(class_means(counts, np.eye(num_classes)[run.labels], run.consistency))
    return np.column_stack([macro_scores(confusion), consistency])


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
    by_run = [
        [
            class_means(counts, own, values)
            for values in (1.0 * (run.labels == run.predicted), run.consistency)
        ]
        for run in runs
    ]
    return np.asarray(np.mean([np.stack(pair, axis=-1) for pair in by_run], axis=0))
