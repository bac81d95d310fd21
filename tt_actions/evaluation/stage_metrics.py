"""Metrics of one stage of a training, for clips or for untrimmed recordings."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from tt_actions.clips.dataset import NO_FRAME_LABEL
from tt_actions.clips.strokes import IDLE, Stroke, strokes_of
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
            self.metrics.update(**clips, logits=output.logits, lengths=truth.lengths)
            return
        assert truth.frame_labels is not None
        classes = output.logits.argmax(-1)
        self.metrics.update(classes.flatten(), truth.frame_labels.flatten())
        if self.strokes is not None:
            valid = classes.where(truth.frame_labels >= 0, NO_FRAME_LABEL)
            found, true = (self._strokes(frames) for frames in (valid, truth.frame_labels))
            self.strokes.update(truth.names, found, true, classes, truth.frame_labels)

    def _strokes(self, labels: Tensor) -> list[list[Stroke]]:
        return [strokes_of(row, self.fps, self.class_names, IDLE) for row in labels.numpy(force=True)]

    def compute(self) -> dict[str, Tensor]:
        """Return all metrics by name, identical in every process, and reset."""
        metrics = {"loss": self.mean_loss.compute()}
        for name, value in self.metrics.compute().items():
            if value.ndim:  # one value per class
                metrics |= {f"{name}/{c}": v for c, v in zip(self.class_names, value, strict=True)}
            if name != "class_accuracy":  # its mean is the recall
                metrics[name] = value.nanmean()
        if self.strokes is not None:
            measured = self.strokes.compute()
            metrics |= {name: torch.tensor(find(measured)) for name, find in STROKE_FIGURES.items()}
            self.strokes.reset()
        self.metrics.reset()
        self.mean_loss.reset()
        return metrics
