"""A model's predictions on a set of clips."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torchmetrics.functional.classification import multiclass_confusion_matrix

from tt_actions.errors import UserError
from tt_actions.evaluation.clip_metrics import frame_agreement, temporal_consistency
from tt_actions.evaluation.pr_roc import AXES, ClassCurve, CurveKind, class_curves
from tt_actions.files import finite_or_none, write_rows

ADVICE = "and test the checkpoint again, or resume the training"
"""Advice in the error message if a file of the report can't be written."""


@dataclass(frozen=True)
class Predictions:
    """A model's predictions for the N test clips and K classes.

    Args:
        class_names: Names of the *K* classes.
        names: Names of the *N* clips.
        labels: Index of each clip's true class, or -1 if it is unknown. Only :func:`write_predictions`
            accepts unknown labels.
        probabilities: Class probabilities of each clip.
        frame_classes: For each clip, the predicted class of every valid frame.
        loss: Mean loss over the clips.
        groups: Group of each clip, None for a clip without one; empty if none has one.

    Shape:
        labels ``(N,)``, int64; probabilities ``(N, K)``, float64; frame_classes N times ``(T_i,)``, int64.

    Raises:
        ValueError: If there is no clip.
    """

    class_names: tuple[str, ...]
    names: tuple[str, ...]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    frame_classes: tuple[NDArray[np.int64], ...]
    loss: float
    groups: tuple[str | None, ...] = ()

    def __post_init__(self) -> None:
        if not self.names:
            raise UserError(
                "Expected predictions of at least one clip, but got none. Use a split with test clips."
            )
        num_clips = len(self.names)
        assert self.labels.shape == (num_clips,)
        assert len(self.frame_classes) == num_clips
        assert self.probabilities.shape == (num_clips, len(self.class_names))
        assert len(self.groups) in (0, num_clips)

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """Index of the most likely class of each clip, ``(N,)``."""
        return np.asarray(self.probabilities.argmax(1), np.int64)

    @cached_property
    def true_probability(self) -> NDArray[np.float64]:
        """Probability of the true class of each clip, ``(N,)``."""
        return probability_of_truth(self.probabilities, self.labels)

    @cached_property
    def worst(self) -> NDArray[np.int64]:
        """Indices of the clips ``(N,)``, sorted by the probability of the true class, lowest first."""
        return self.true_probability.argsort(kind="stable")

    @cached_property
    def temporal_consistency(self) -> NDArray[np.float64]:
        """Share of adjacent frame pairs of one predicted class, by clip ``(N,)``; nan for a single frame."""
        return temporal_consistency(*self._padded).numpy()

    @cached_property
    def frame_agreement(self) -> NDArray[np.float64]:
        """Share of the frames of each clip whose predicted class is that of the clip, ``(N,)``."""
        return frame_agreement(*self._padded, torch.from_numpy(self.predicted)).numpy()

    @cached_property
    def _padded(self) -> tuple[Tensor, Tensor]:
        """Predicted classes of all frames, padded ``(N, T)``, and lengths of the clips ``(N,)``, float64."""
        clips = [torch.from_numpy(frames) for frames in self.frame_classes]
        lengths = torch.tensor([len(frames) for frames in clips], dtype=torch.float64)
        return pad_sequence(clips, batch_first=True), lengths

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """Number of clips by true class (row) and predicted class (column), ``(K, K)``."""
        return count_confusions(self.labels, self.predicted, len(self.class_names))

    @cached_property
    def curves(self) -> dict[CurveKind, list[ClassCurve | None]]:
        """The precision-recall and ROC curves of each class; None for a class without a curve."""
        return {kind: class_curves(kind, self.probabilities, self.labels) for kind in AXES}


def probability_of_truth(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the probability of the true class of each clip.

    Args:
        probabilities: Class probabilities of each clip.
        labels: True class of each clip.

    Shape:
        probabilities ``(N, K)``, labels ``(N,)`` -> ``(N,)``.
    """
    return np.take_along_axis(probabilities, labels[:, None], 1)[:, 0]


def count_confusions(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], num_classes: int
) -> NDArray[np.int64]:
    """Return the number of clips or frames by true class (row) and predicted class (column).

    Args:
        labels: True class of each clip or frame; negative, unknown ones don't count.
        predicted: Predicted class of each clip or frame.
        num_classes: Number of classes *K*.

    Shape:
        labels and predicted ``(N,)`` -> ``(K, K)``.

    >>> count_confusions(np.array([0, 0, -100]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 0]]
    """
    known = labels >= 0
    predictions, true = (torch.from_numpy(array[known].astype(np.int64)) for array in (predicted, labels))
    return np.asarray(multiclass_confusion_matrix(predictions, true, num_classes))


def mean_or_nan(values: NDArray[Any]) -> float:
    """Return the mean of the values that are not nan, or nan if there are none.

    Args:
        values: Values, some of which may be nan.
    """
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write a CSV with one row per clip: name, label, predicted, p_<class>..., temporal_consistency.

    Unknown labels are empty, and so is the temporal consistency of a clip with a single frame.

    Args:
        path: The file; its folder is created if it doesn't exist.
        predictions: Predictions for the clips.
    """
    probabilities = [f"p_{name}" for name in predictions.class_names]
    columns = ["name", "label", "predicted", *probabilities, "temporal_consistency"]
    write_rows(path, columns, prediction_rows(predictions), ADVICE)


def prediction_rows(predictions: Predictions) -> Iterator[list[Any]]:
    """Return the rows that :func:`write_predictions` writes.

    Args:
        predictions: Predictions for the clips.

    Yields:
        Name, label, predicted class, probabilities and temporal consistency of each clip.
    """
    classes = predictions.class_names
    for clip, name in enumerate(predictions.names):
        known = predictions.labels[clip] >= 0
        label = classes[predictions.labels[clip]] if known else None
        predicted = classes[predictions.predicted[clip]]
        consistency = finite_or_none(float(predictions.temporal_consistency[clip]))
        yield [name, label, predicted, *predictions.probabilities[clip].tolist(), consistency]
