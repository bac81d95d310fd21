"""The scores of a test on clips, as in ``metrics.json``."""

import math
from typing import Any

import numpy as np
import torch
from torchmetrics.functional.classification import (
    multiclass_f1_score,
    multiclass_precision,
    multiclass_recall,
)

from tt_actions.evaluation.pr_roc import AREAS
from tt_actions.evaluation.predictions import Predictions, mean_or_nan
from tt_actions.evaluation.score_intervals import RESAMPLED, ends_of, score_intervals
from tt_actions.evaluation.significance import accuracy_interval, drawable_groups
from tt_actions.files import finite_or_none

OVERALL = ("accuracy", "precision", "recall", "f1", "temporal_consistency", "frame_agreement")
BY_CLASS = ("accuracy", "temporal_consistency", "frame_agreement")
ENDS = ends_of("accuracy")
ALL_ENDS = (*ENDS, *(end for score in RESAMPLED for end in ends_of(score)))
"""Ends of the intervals of all overall scores."""

CLASS_COLUMNS = (*BY_CLASS[:1], *ENDS, *BY_CLASS[1:], *AREAS.values(), "support")
"""The numbers of a class, in the order of tables."""


def measure(predictions: Predictions) -> dict[str, Any]:
    """Compute the numbers of ``metrics.json`` from predictions.

    Each class has these values:

    - *accuracy*: the share of its clips that are classified correctly, with the ends of its 95 % interval:
      see :func:`tt_actions.evaluation.significance.accuracy_interval`.
    - *temporal consistency*: the mean share of adjacent frame pairs with the same predicted class. Clips with
      a single frame don't count.
    - *frame agreement*: the mean share of frames whose predicted class is that of the clip.
    - *average precision* and *ROC AUC*: how well its probability separates its clips from all others.

    The overall temporal consistency and frame agreement are means over the classes that have them. Precision,
    recall and F1 are averages over the classes that occur in the labels or the predictions, as in
    scikit-learn.

    Args:
        predictions: Predictions for all test clips.

    Returns:
        ``accuracy``, ``precision``, ``recall``, ``f1``, ``temporal_consistency``, ``frame_agreement``,
        ``<score>_low`` and ``<score>_high`` of each of these (the 95 % interval: see
        :func:`tt_actions.evaluation.score_intervals.score_intervals`), ``interval_by`` (groups or clips),
        ``num_groups`` (None if a clip has no group), ``loss``, ``num_clips`` and ``per_class``. A number
        that is not finite or undefined is None, such as the accuracy of a class without clips.
    """
    assert predictions.labels.min() >= 0, "a test clip has a label"
    by_clip = (
        predictions.predicted == predictions.labels,
        predictions.temporal_consistency,
        predictions.frame_agreement,
    )
    intervals = _intervals(predictions)
    per_class = {}
    for index, name in enumerate(predictions.class_names):
        own = predictions.labels == index
        values = {key: mean_or_nan(clips[own]) for key, clips in zip(BY_CLASS, by_clip, strict=True)}
        curves = {AREAS[kind]: of_class[index] for kind, of_class in predictions.curves.items()}
        areas = {key: math.nan if curve is None else curve.area for key, curve in curves.items()}
        per_class[name] = {**values, **intervals[name], **areas, "support": int(own.sum())}
    macro = (multiclass_precision, multiclass_recall, multiclass_f1_score)
    predicted, labels = torch.from_numpy(predictions.predicted), torch.from_numpy(predictions.labels)
    num_classes = len(predictions.class_names)
    numbers = {
        "accuracy": mean_or_nan(by_clip[0]),
        **{
            key: round(float(m(predicted, labels, num_classes)), 6)
            for key, m in zip(OVERALL[1:4], macro, strict=True)
        },
        **{key: mean_or_nan(np.array([row[key] for row in per_class.values()])) for key in OVERALL[4:]},
        **intervals[None],
        **score_intervals(predictions),
        "loss": float(predictions.loss),
        "num_clips": len(predictions.names),
        "per_class": per_class,
    }
    known: dict[str, Any] = finite_or_none(numbers)
    return known


def _intervals(predictions: Predictions) -> dict[str | None, dict[str, Any]]:
    """Return the 95 % interval of each class's accuracy and, with what it is over, of the whole accuracy."""
    is_right = predictions.predicted == predictions.labels
    of_clips = predictions.groups or (None,) * len(is_right)
    groups = drawable_groups(of_clips)
    found: dict[str | None, dict[str, Any]] = {
        None: {
            **dict(zip(ENDS, accuracy_interval(is_right, groups), strict=True)),
            "interval_by": "clips" if groups is None else "groups",
            "num_groups": None if None in of_clips else len(set(of_clips)),
        }
    }
    for index, name in enumerate(predictions.class_names):
        own = predictions.labels == index
        ends = (math.nan, math.nan)
        if own.any():
            theirs = None if groups is None else [groups[clip] for clip in np.flatnonzero(own)]
            ends = accuracy_interval(is_right[own], theirs)
        found[name] = dict(zip(ENDS, ends, strict=True))
    return found
