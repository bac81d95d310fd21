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
"""What helps where a file of the report can't be written."""


@dataclass(frozen=True)
class Predictions:
    """What a model said about every clip of a test, of N clips and K classes.

    Args:
        class_names: Names of the *K* classes.
        names: Names of the *N* clips.
        labels: Index of each clip's true class; -1 where it isn't known, which only
            :func:`write_predictions` takes.
        probabilities: Clip probabilities.
        frame_classes: For each clip the predicted class of every valid frame.
        loss: Mean loss over the clips.

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

    def __post_init__(self) -> None:
        if not self.names:
            raise UserError(
                "Expected predictions of at least one clip, but got none. Use a split that holds test clips."
            )
        num_clips = len(self.names)
        assert self.labels.shape == (num_clips,)
        assert len(self.frame_classes) == num_clips
        assert self.probabilities.shape == (num_clips, len(self.class_names))

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """Index of each clip's likeliest class, ``(N,)``."""
        return np.asarray(self.probabilities.argmax(1), np.int64)

    @cached_property
    def true_probability(self) -> NDArray[np.float64]:
        """Each clip's probability of its true class, ``(N,)``."""
        return probability_of_truth(self.probabilities, self.labels)

    @cached_property
    def worst(self) -> NDArray[np.int64]:
        """The clips' places ``(N,)``, those with the least probability of their true class first."""
        return self.true_probability.argsort(kind="stable")

    @cached_property
    def temporal_consistency(self) -> NDArray[np.float64]:
        """Share of each clip's adjacent frame pairs of one predicted class, ``(N,)``; nan for one frame."""
        return temporal_consistency(*self._padded).numpy()

    @cached_property
    def frame_agreement(self) -> NDArray[np.float64]:
        """Share of each clip's frames whose predicted class is the clip's, ``(N,)``."""
        return frame_agreement(*self._padded, torch.from_numpy(self.predicted)).numpy()

    @cached_property
    def _padded(self) -> tuple[Tensor, Tensor]:
        """The classes of all clips' frames ``(N, T)`` and the clips' lengths ``(N,)``, float64."""
        clips = [torch.from_numpy(frames) for frames in self.frame_classes]
        lengths = torch.tensor([len(frames) for frames in clips], dtype=torch.float64)
        return pad_sequence(clips, batch_first=True), lengths

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """Number of clips by true class (row) and predicted class (column), ``(K, K)``."""
        return count_confusions(self.labels, self.predicted, len(self.class_names))

    @cached_property
    def curves(self) -> dict[CurveKind, list[ClassCurve | None]]:
        """The precision-recall and the ROC curve of each class; None where a class has none."""
        return {kind: class_curves(kind, self.probabilities, self.labels) for kind in AXES}


def probability_of_truth(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return each clip's probability of its true class.

    Args:
        probabilities: Of each clip's classes.
        labels: True class of each clip.

    Shape:
        probabilities ``(N, K)``, labels ``(N,)`` -> ``(N,)``.
    """
    return np.take_along_axis(probabilities, labels[:, None], 1)[:, 0]


def count_confusions(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], num_classes: int
) -> NDArray[np.int64]:
    """Return the number of clips, or of frames, by true class (row) and predicted class (column).

    Args:
        labels: True class of each; those of a negative one, as an unknown label is, don't count.
        predicted: Predicted class of each.
        num_classes: Number of classes *K*.

    Shape:
        labels and predicted ``(N,)`` -> ``(K, K)``.

    >>> count_confusions(np.array([0, 0, -100]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 0]]
    """
    known = labels >= 0
    said, true = (torch.from_numpy(array[known].astype(np.int64)) for array in (predicted, labels))
    return np.asarray(multiclass_confusion_matrix(said, true, num_classes))


def mean_or_nan(values: NDArray[Any]) -> float:
    """Return the mean of what is not nan; nan where nothing is left.

    Args:
        values: Numbers, of any shape.
    """
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write a CSV with a row a clip: name, label, predicted, p_<class>..., temporal_consistency.

    A label that isn't known and the consistency of a clip of one frame are empty.

    Args:
        path: The file; its folder is made if absent.
        predictions: Of the clips.
    """
    probabilities = [f"p_{name}" for name in predictions.class_names]
    columns = ["name", "label", "predicted", *probabilities, "temporal_consistency"]
    write_rows(path, columns, prediction_rows(predictions), ADVICE)


def prediction_rows(predictions: Predictions) -> Iterator[list[Any]]:
    """Return the cells that :func:`write_predictions` writes.

    Args:
        predictions: Of the clips.

    Yields:
        For each clip name, label, predicted class, probabilities and temporal consistency.
    """
    classes = predictions.class_names
    for clip, name in enumerate(predictions.names):
        known = predictions.labels[clip] >= 0
        label = classes[predictions.labels[clip]] if known else None
        predicted = classes[predictions.predicted[clip]]
        consistency = finite_or_none(float(predictions.temporal_consistency[clip]))
        yield [name, label, predicted, *predictions.probabilities[clip].tolist(), consistency]
