"""Metrics that torchmetrics lacks: two per-class metrics of frames, and a loss that is a sum of means.

Each of the two metrics consists of a pure function, which returns one value per clip, and a torchmetrics
metric, which averages it over the clips of a class.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassF1Score,
    MulticlassPrecision,
    MulticlassRecall,
)

from tt_actions.clips.dataset import NO_FRAME_LABEL, NO_LABEL
from tt_actions.models.averages import valid_frames
from tt_actions.models.losses import class_distributions, sum_of_means


def temporal_consistency(frame_classes: Tensor, lengths: Tensor) -> Tensor:
    """Return, for each clip, the share of adjacent valid frames with the same predicted class.

    Args:
        frame_classes: Predicted class of each frame; frames past ``lengths`` are ignored.
        lengths: Number of valid frames of each clip; pass float64 to get float64 shares.

    Returns:
        Shares in [0, 1]; nan for a clip with a single frame, which has no pair.

    Shape:
        frame_classes ``(B, T)``, lengths ``(B,)`` -> shares ``(B,)``.

    >>> temporal_consistency(torch.tensor([[0, 0, 2, 2, 2, 1]]), torch.tensor([5]))
    tensor([0.7500])
    """
    valid = valid_frames(lengths - 1, frame_classes.shape[1] - 1)
    same = (frame_classes[:, 1:] == frame_classes[:, :-1]) & valid
    return same.sum(1) / (lengths - 1)


def frame_agreement(frame_classes: Tensor, lengths: Tensor, preds: Tensor) -> Tensor:
    """Return, for each clip, the share of valid frames whose predicted class is that of the clip.

    Args:
        frame_classes: Predicted class of each frame; frames past ``lengths`` are ignored.
        lengths: Number of valid frames of each clip; pass float64 to get float64 shares.
        preds: Predicted class of each clip.

    Shape:
        frame_classes ``(B, T)``, lengths ``(B,)``, preds ``(B,)`` -> shares in [0, 1] ``(B,)``.

    >>> frame_agreement(torch.tensor([[0, 0, 2, 2, 2, 1]]), torch.tensor([5]), torch.tensor([2]))
    tensor([0.6000])
    """
    agree = (frame_classes == preds[:, None]) & valid_frames(lengths, frame_classes.shape[1])
    return agree.sum(1) / lengths


class _ClassMean(Metric):
    """The mean of a per-clip value over the clips of each true class.

    The state has the name of the value, so that each metric has its own: a MetricCollection merges metrics
    whose states have the same names and, after one batch, the same values.
    """

    is_differentiable = False
    full_state_update = False
    value_name: str

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.add_state(self.value_name, torch.zeros(2, num_classes), dist_reduce_fx="sum")  # sums, counts

    def _add(self, shares: Tensor, target: Tensor) -> None:
        values = torch.stack([shares.nan_to_num(), (~shares.isnan()).float()])  # (2, B)
        by_class = values[..., None] * class_distributions(target, self.num_classes)  # (2, B, K)
        setattr(self, self.value_name, getattr(self, self.value_name) + by_class.sum(1))

    def compute(self) -> Tensor:
        """Return the mean of each class, or nan for a class without clips.

        Shape:
            ``(K,)``.
        """
        total, count = getattr(self, self.value_name)
        mean: Tensor = total / count
        return mean


class TemporalConsistency(_ClassMean):
    """Temporal consistency by true class.

    It is the mean over the clips of a class of the share of adjacent valid frame pairs with the same
    predicted class. It measures how steady the predictions are. Clips with a single frame don't count.

    Args:
        num_classes: Number of classes *K*.
        **kwargs: Passed on to :class:`torchmetrics.Metric`.
    """

    value_name = "consistency"

    def update(self, logits: Tensor, lengths: Tensor, target: Tensor) -> None:
        """Add the clips of a batch.

        Args:
            logits: Per-frame logits; frames past ``lengths`` are ignored.
            lengths: Number of valid frames of each clip.
            target: True class of each clip.

        Shape:
            logits ``(B, T, K)``, lengths ``(B,)``, target ``(B,)``.
        """
        self._add(temporal_consistency(logits.argmax(-1), lengths), target)


class FrameAgreement(_ClassMean):
    """Frame agreement by true class.

    It is the mean over the clips of a class of the share of valid frames whose predicted class is that of the
    clip.

    Args:
        num_classes: Number of classes *K*.
        **kwargs: Passed on to :class:`torchmetrics.Metric`.
    """

    value_name = "agreement"

    def update(self, preds: Tensor, target: Tensor, logits: Tensor, lengths: Tensor) -> None:
        """Add the clips of a batch.

        Args:
            preds: Predicted class of each clip.
            target: True class of each clip.
            logits: Per-frame logits; frames past ``lengths`` are ignored.
            lengths: Number of valid frames of each clip.

        Shape:
            preds ``(B,)``, target ``(B,)``, logits ``(B, T, K)``, lengths ``(B,)``.
        """
        self._add(frame_agreement(logits.argmax(-1), lengths, preds), target)


class SumOfMeans(Metric):
    """A loss whose parts are means over different items, such as clips and frames.

    The result is the loss of all batches taken as one batch. The mean of the batch losses would differ.

    Args:
        **kwargs: Passed on to :class:`torchmetrics.Metric`.
    """

    is_differentiable = False
    full_state_update = False
    sums: Tensor
    weights: Tensor
    NUM_PARTS = 2

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("sums", torch.zeros(self.NUM_PARTS), dist_reduce_fx="sum")
        self.add_state("weights", torch.zeros(self.NUM_PARTS), dist_reduce_fx="sum")

    def update(self, sums: Tensor, weights: Tensor) -> None:
        """Add a batch.

        Args:
            sums: The sum of each part; omitted parts count as 0.
            weights: The divisor of each part.

        Shape:
            sums ``(N,)``, weights ``(N,)``, N of at most :attr:`NUM_PARTS`.
        """
        missing = (0, self.NUM_PARTS - len(sums))
        self.sums = self.sums + F.pad(sums.detach(), missing)
        self.weights = self.weights + F.pad(weights.detach(), missing)

    def compute(self) -> Tensor:
        """Return the loss.

        Shape:
            ``()``.
        """
        return sum_of_means(self.sums, self.weights)


def accuracy(num_classes: int) -> MulticlassAccuracy:
    """Return the metric for the share of labelled clips that are classified correctly.

    Args:
        num_classes: Number of classes *K*.
    """
    return MulticlassAccuracy(num_classes, average="micro", ignore_index=NO_LABEL)


def build_metrics(num_classes: int) -> MetricCollection:
    """Create all metrics for a set of clips.

    Update the collection with the keyword arguments ``preds`` (the predicted class of each clip), ``target``,
    ``logits`` and ``lengths``. Clips without a label don't count. Precision, recall and F1 are macro
    averages. ``class_accuracy``, ``temporal_consistency`` and ``frame_agreement`` have one value per class;
    for a class without clips, it is 0 for ``class_accuracy`` and nan for the other two.

    Args:
        num_classes: Number of classes *K*.
    """
    return MetricCollection(
        {
            "accuracy": accuracy(num_classes),
            "precision": MulticlassPrecision(num_classes, ignore_index=NO_LABEL),
            "recall": MulticlassRecall(num_classes, ignore_index=NO_LABEL),
            "f1": MulticlassF1Score(num_classes, ignore_index=NO_LABEL),
            "class_accuracy": MulticlassAccuracy(num_classes, average=None, ignore_index=NO_LABEL),
            "temporal_consistency": TemporalConsistency(num_classes),
            "frame_agreement": FrameAgreement(num_classes),
        }
    )


def build_frame_metrics(num_classes: int) -> MetricCollection:
    """Create the frame metrics for untrimmed recordings.

    Update the collection with flat tensors ``preds`` (the predicted class of each frame) and ``target``.
    Frames without a label don't count. ``recall`` is the accuracy averaged over the classes.

    Args:
        num_classes: Number of classes *K*.
    """
    return MetricCollection(
        {
            "accuracy": MulticlassAccuracy(num_classes, average="micro", ignore_index=NO_FRAME_LABEL),
            "recall": MulticlassRecall(num_classes, ignore_index=NO_FRAME_LABEL),
            "f1": MulticlassF1Score(num_classes, ignore_index=NO_FRAME_LABEL),
            "class_accuracy": MulticlassAccuracy(num_classes, average=None, ignore_index=NO_FRAME_LABEL),
        }
    )
