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
from tt_actions.files import finite_or_none

OVERALL = ("accuracy", "precision", "recall", "f1", "temporal_consistency", "frame_agreement")
BY_CLASS = ("accuracy", "temporal_consistency", "frame_agreement")


def measure(predictions: Predictions) -> dict[str, Any]:
    """Compute the numbers of ``metrics.json`` from predictions.

    Each class has these values:

    - *accuracy*: the share of its clips that are classified correctly.
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
        ``loss``, ``num_clips`` and ``per_class``. A number that is not finite or undefined is None, such as
        the accuracy of a class without clips.
    """
    assert predictions.labels.min() >= 0, "a test clip has a label"
    by_clip = (
        predictions.predicted == predictions.labels,
        predictions.temporal_consistency,
        predictions.frame_agreement,
    )
    per_class = {}
    for index, name in enumerate(predictions.class_names):
        own = predictions.labels == index
        values = {key: mean_or_nan(clips[own]) for key, clips in zip(BY_CLASS, by_clip, strict=True)}
        curves = {AREAS[kind]: of_class[index] for kind, of_class in predictions.curves.items()}
        areas = {key: math.nan if curve is None else curve.area for key, curve in curves.items()}
        per_class[name] = {**values, **areas, "support": int(own.sum())}
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
        "loss": float(predictions.loss),
        "num_clips": len(predictions.names),
        "per_class": per_class,
    }
    known: dict[str, Any] = finite_or_none(numbers)
    return known
