"""Metrics of one stage of a training, for clips or for untrimmed recordings."""

from collections.abc import Mapping
from copy import deepcopy
from inspect import signature
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection

from tt_actions.clips.dataset import NO_FRAME_LABEL
from tt_actions.clips.strokes import IDLE, Stroke, strokes_of
from tt_actions.errors import UserError
from tt_actions.evaluation.clip_metrics import SumOfMeans, build_frame_metrics, build_metrics
from tt_actions.evaluation.segment_metrics import STROKE_FIGURES, SegmentMetrics


class Output(NamedTuple):
    """The outputs of one step.

    Shape:
        loss ``()``; sums of its parts and the weights that divide them, both ``(N,)``; logits ``(B, T, K)``;
        clip log-probabilities ``(B, K)``.
    """

    loss: Tensor
    sums: Tensor
    weights: Tensor
    logits: Tensor
    log_probs: Tensor


class Truth(NamedTuple):
    """The ground truth of the clips in a step.

    Args:
        names: Names of the clips.
        label: Class of each clip; negative if unknown.
        lengths: Number of valid frames of each clip.
        frame_labels: Class of each frame, negative if unknown; or None.

    Shape:
        label and lengths ``(B,)``, frame_labels ``(B, T)``.
    """

    names: list[str]
    label: Tensor
    lengths: Tensor
    frame_labels: Tensor | None


class StageMetrics(nn.Module):
    """The loss and the metrics of one stage over its batches.

    Clips are measured with :func:`build_metrics`, and recordings with idle frames with
    :func:`build_frame_metrics`. Validation and test also compute :data:`STROKE_FIGURES` of recordings, whose
    strokes are the runs of frames with the same most likely class. Training only measures the accuracy.

    Args:
        class_names: Names of the classes.
        fps: Frames per second.
        is_training: Whether the stage is training.
    """

    def __init__(self, class_names: list[str], fps: float, is_training: bool) -> None:
        super().__init__()
        self.class_names, self.fps = class_names, fps
        self.is_untrimmed = IDLE in class_names
        build = build_frame_metrics if self.is_untrimmed else build_metrics
        self.metrics = build(len(class_names))
        if is_training:
            self.metrics = type(self.metrics)(
                {"accuracy": self.metrics["accuracy"]}
            )  # nothing else is logged
        has_strokes = self.is_untrimmed and not is_training
        self.strokes = SegmentMetrics(class_names, fps) if has_strokes else None
        self.mean_loss = SumOfMeans()
        self.own: MetricCollection | None = None

    def add(self, metrics: Mapping[str, Metric]) -> None:
        """Add metrics of the user.

        Each batch updates them with those of these arguments that their ``update`` takes: ``preds``, the
        probabilities of the classes, ``target``, and, for clips, ``logits`` and ``lengths``. Only labelled
        clips, or labelled frames of recordings, count.

        Args:
            metrics: The metrics by name; they are copied.

        Raises:
            UserError: If a metric needs arguments that recordings don't have.
        """
        for name, metric in metrics.items():
            if self.is_untrimmed and {"logits", "lengths"} & set(signature(metric.update).parameters):
                raise UserError(
                    f"Expected metrics of `preds` and `target` for untrimmed recordings, but `{name}` takes "
                    "logits or lengths. Remove it."
                )
        self.own = MetricCollection({name: deepcopy(metric) for name, metric in metrics.items()})

    def _update_own(self, probabilities: Tensor, target: Tensor, **of_clips: Tensor) -> None:
        known = target >= 0
        if self.own is not None and known.any():
            values = {name: value[known] for name, value in of_clips.items()}
            self.own.update(preds=probabilities[known], target=target[known], **values)

    def update(self, output: Output, truth: Truth) -> None:
        """Add a batch.

        Args:
            output: The outputs of the step.
            truth: The ground truth of the clips.
        """
        self.mean_loss.update(output.sums, output.weights)
        if not self.is_untrimmed:
            predicted = output.log_probs.argmax(-1)
            clips = {"preds": predicted, "target": truth.label}
            by_frame = {"logits": output.logits, "lengths": truth.lengths}
            self.metrics.update(**clips, **by_frame)
            self._update_own(output.log_probs.exp(), truth.label, **by_frame)
            return
        assert truth.frame_labels is not None
        classes = output.logits.argmax(-1)
        self.metrics.update(classes.flatten(), truth.frame_labels.flatten())
        self._update_own(output.logits.softmax(-1).flatten(0, 1), truth.frame_labels.flatten())
        if self.strokes is not None:
            valid = classes.where(truth.frame_labels >= 0, NO_FRAME_LABEL)
            found, true = (self._strokes(frames) for frames in (valid, truth.frame_labels))
            self.strokes.update(truth.names, found, true, classes, truth.frame_labels)

    def _strokes(self, labels: Tensor) -> list[list[Stroke]]:
        return [strokes_of(row, self.fps, self.class_names, IDLE) for row in labels.numpy(force=True)]

    def compute(self) -> dict[str, Tensor]:
        """Return all metrics by name, identical in every process, and reset.

        Raises:
            UserError: If a metric of the experiment is neither one number nor one per class.
        """
        metrics = {"loss": self.mean_loss.compute()}
        own = {} if self.own is None else self.own.compute()
        for name, value in {**self.metrics.compute(), **own}.items():
            if value.shape not in ((), (len(self.class_names),)):
                raise UserError(
                    f"Expected each of `metrics` to be one number, or one per class, but `{name}` has the "
                    f"shape {tuple(value.shape)}. Use another metric, or average it."
                )
            if value.ndim:  # one value per class
                metrics |= {f"{name}/{c}": v for c, v in zip(self.class_names, value, strict=True)}
            if name != "class_accuracy":  # its mean is the recall
                metrics[name] = value.float().nanmean()
        if self.strokes is not None:
            measured = self.strokes.compute()
            metrics |= {name: torch.tensor(find(measured)) for name, find in STROKE_FIGURES.items()}
            self.strokes.reset()
        self.metrics.reset()
        if self.own is not None:
            self.own.reset()
        self.mean_loss.reset()
        return metrics
