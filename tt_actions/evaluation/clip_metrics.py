"""What torchmetrics lacks: two metrics of per-frame predictions by true class, and a loss of several means.

Each of the two is a pure function, a figure a clip, and a metric that averages it over the clips of a class.
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
from tt_actions.models.base import valid_frames
from tt_actions.models.losses import class_distributions, sum_of_means


def temporal_consistency(frame_classes: Tensor, lengths: Tensor) -> Tensor:
    """Return each clip's share of adjacent valid frames that are predicted the same class.

    Args:
        frame_classes: Predicted class of each frame; frames past ``lengths`` are ignored.
        lengths: Number of valid frames of each clip; as float64 for shares of that precision.

    Returns:
        Shares in [0, 1]; nan for a clip of one frame, which has no pair.

    Shape:
        frame_classes ``(B, T)``, lengths ``(B,)`` -> shares ``(B,)``.

    >>> temporal_consistency(torch.tensor([[0, 0, 2, 2, 2, 1]]), torch.tensor([5]))
    tensor([0.7500])
    """
    valid = valid_frames(lengths - 1, frame_classes.shape[1] - 1)
    same = (frame_classes[:, 1:] == frame_classes[:, :-1]) & valid
    return same.sum(1) / (lengths - 1)


def frame_agreement(frame_classes: Tensor, lengths: Tensor, preds: Tensor) -> Tensor:
    """Return each clip's share of valid frames that are predicted the clip's predicted class.

    Args:
        frame_classes: Predicted class of each frame; frames past ``lengths`` are ignored.
        lengths: Number of valid frames of each clip; as float64 for shares of that precision.
        preds: Predicted class of each clip.

    Shape:
        frame_classes ``(B, T)``, lengths ``(B,)``, preds ``(B,)`` -> shares in [0, 1] ``(B,)``.

    >>> frame_agreement(torch.tensor([[0, 0, 2, 2, 2, 1]]), torch.tensor([5]), torch.tensor([2]))
    tensor([0.6000])
    """
    agree = (frame_classes == preds[:, None]) & valid_frames(lengths, frame_classes.shape[1])
    return agree.sum(1) / lengths


class _ClassMean(Metric):
    """The mean of one figure a clip, over the clips of each true class.

    The state is named after the figure: a MetricCollection merges metrics whose states have equal names and,
    after one batch, equal values.
    """

    is_differentiable = False
    full_state_update = False
    figure: str

    def __init__(self, num_classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.add_state(self.figure, torch.zeros(2, num_classes), dist_reduce_fx="sum")  # sums, counts

    def _add(self, shares: Tensor, target: Tensor) -> None:
        values = torch.stack([shares.nan_to_num(), (~shares.isnan()).float()])  # (2, B)
        by_class = values[..., None] * class_distributions(target, self.num_classes)  # (2, B, K)
        setattr(self, self.figure, getattr(self, self.figure) + by_class.sum(1))

    def compute(self) -> Tensor:
        """Return the mean of each class, nan where it has no clip.

        Shape:
            ``(K,)``.
        """
        total, count = getattr(self, self.figure)
        mean: Tensor = total / count
        return mean


class TemporalConsistency(_ClassMean):
    """Temporal consistency by true class.

    Over the clips of a class, the mean share of adjacent valid frame pairs whose predicted class is the
    same: how steady the prediction is. A clip of one frame does not count.

    Args:
        num_classes: Number of classes *K*.
        **kwargs: Passed on to :class:`torchmetrics.Metric`.
    """

    figure = "consistency"

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

    Over the clips of a class, the mean share of valid frames whose predicted class is the clip's.

    Args:
        num_classes: Number of classes *K*.
        **kwargs: Passed on to :class:`torchmetrics.Metric`.
    """

    figure = "agreement"

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
    """A loss whose parts are means over different things, such as clips and frames.

    It is that of all batches as if they were one, which the mean of the batches' losses is not.

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
            sums: The sum of each part; those left out count 0.
            weights: What each is divided by in the end.

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
    """Return the share of labelled clips that are predicted right.

    Args:
        num_classes: Number of classes *K*.
    """
    return MulticlassAccuracy(num_classes, average="micro", ignore_index=NO_LABEL)


def build_metrics(num_classes: int) -> MetricCollection:
    """Gather all that is reported of a set of clips.

    The collection is updated by name with ``preds`` (the predicted class of each clip), ``target``,
    ``logits`` and ``lengths``; what has no label does not count. Precision, recall and F1 are macro averages.
    ``class_accuracy`` (0 for a class without clips), ``temporal_consistency`` and ``frame_agreement`` (nan)
    have one figure a class.

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
    """Gather what is reported of the frames of untrimmed recordings.

    The collection is updated with ``preds`` (the predicted class of each frame) and ``target``, flat; frames
    without a label don't count. ``recall`` is the accuracy averaged over the classes.

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
