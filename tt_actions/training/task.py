"""The LightningModule: loss, one shared step, metrics."""

from typing import Any, Literal, get_args

import pytorch_lightning as pl
import torch
from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from tt_actions.clips.dataset import Batch
from tt_actions.clips.preprocessing import make_preprocessing
from tt_actions.errors import UserError
from tt_actions.evaluation.stage_metrics import Output, StageMetrics, Truth
from tt_actions.models.base import ActionModel, frame_log_probabilities
from tt_actions.models.losses import (
    check_loss_options,
    class_distributions,
    mean_over_processes,
    sum_of_means,
    weighted_cross_entropy,
    weights_by_class,
)
from tt_actions.recognition.loading import restore_training_facts
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.training.augmentation import ClipAugmentation
from tt_actions.training.checkpoints import load_network_weights
from tt_actions.training.compatibility import check_input, check_learning
from tt_actions.training.optimizers import freeze_statistics, group_parameters, make_optimizer

Stage = Literal["train", "val", "test"]
STAGES: tuple[Stage, ...] = get_args(Stage)

BY_GRADIENT = (
    "optimizer",
    "scheduler",
    "augmentation",
    "init_from",
    "lr_scales",
    "class_weights",
    "frame_loss",
    "label_smoothing",
)
"""The options that only a model that learns by gradient uses."""


class StrokeTask(pl.LightningModule):
    """Trains and tests a :class:`Recognizer`.

    The loss is the negative log of the clip's averaged probability of its class, and beside it, weighted, the
    cross-entropy of every frame with its own label. Each is a mean over what has a target: in a test over
    all of the set, in training over the batches of all processes together, so that a step of N processes with
    batches of b is that of one with N b. A step that accumulates gradients takes the mean over its batches;
    the batches left over at the end of an epoch count as if the missing ones were 0.

    Args:
        network: The network.
        class_names: Names of the classes, in the order of the network's outputs.
        preprocessing: How video, or a file of joints, becomes the network's input, as plain types.
        augmentation: Random changes of the training clips, or None.
        optimizer: Makes the optimizer; None for a :class:`ClosedFormModel`, which needs none.
        scheduler: Makes the learning-rate schedule, stepped once an epoch, or None for a constant rate. One
            that waits for a plateau looks at its ``monitor``, else at val/loss.
        frame_loss: Weight of the frames' cross-entropy.
        label_smoothing: Share of the target spread over all classes.
        class_weights: Weight of each class in the loss, or None for equal weights.
        init_from: Checkpoint of the same network whose weights the training begins with, or None to begin
            from chance; :meth:`take_initial_weights` takes them, which the command line calls. Its head is
            taken over too where it was trained for the same classes.
        lr_scales: Factor on the learning rate of the network's parts, by the beginning of their parameters'
            names, such as ``{"stem": 0.1, "blocks": 0.3}``; the longest that fits counts, and 0 freezes, with
            the statistics of batch normalisation.

    Attributes:
        recognizer: The model that is trained; the network's weights are the task's own.

    Raises:
        ValueError: If the names or weights don't number the network's classes, an option is out of range, or
            the network doesn't learn by what is given.
    """

    weights: Tensor

    def __init__(
        self,
        network: ActionModel,
        class_names: list[str],
        preprocessing: dict[str, Any],
        optimizer: OptimizerCallable | None = None,
        augmentation: ClipAugmentation | None = None,
        scheduler: LRSchedulerCallable | None = None,
        frame_loss: float = 0.0,
        label_smoothing: float = 0.0,
        class_weights: list[float] | None = None,
        init_from: str | None = None,
        lr_scales: dict[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        how = make_preprocessing(preprocessing)
        self.recognizer = Recognizer(network, class_names, how)
        check_loss_options(frame_loss, label_smoothing)
        self.network, self.normalise = network, self.recognizer.normalise
        self.class_names = self.recognizer.class_names
        self.optimizer, self.scheduler = optimizer, scheduler
        self.augmentation = augmentation
        self.init_from, self.lr_scales = init_from, lr_scales or {}
        self.frame_loss, self.label_smoothing, self.class_weights = frame_loss, label_smoothing, class_weights
        check_learning(network, [name for name in BY_GRADIENT if getattr(self, name)])
        check_input(network, augmentation, how)
        if optimizer is not None:
            group_parameters(network, self.lr_scales)  # before DDP, which waits for all that learns
        self.register_buffer("weights", weights_by_class(class_weights, class_names), persistent=False)
        self.metrics = nn.ModuleDict(
            {f"{stage}_set": StageMetrics(class_names, how.fps, stage == "train") for stage in STAGES}
        )

    def configure_optimizers(self) -> Any:
        """Return the optimizer, and its schedule where there is one.

        Raises:
            ValueError: If the schedule does not keep to ``lr_scales``.
        """
        if self.optimizer is None:
            return None
        return make_optimizer(self.network, self.lr_scales, self.optimizer, self.scheduler)

    def take_initial_weights(self) -> None:
        """Take the weights of ``init_from``, if there are any to begin with.

        Raises:
            FileNotFoundError: If there is no such checkpoint.
            ValueError: If it holds another network.
        """
        if self.init_from is not None:
            load_network_weights(self.network, self.init_from, self.class_names)

    def on_train_start(self) -> None:
        """Keep the statistics of what is frozen."""
        freeze_statistics(self.network)

    def on_train_epoch_start(self) -> None:
        """Forget what an interrupted fit has taken in."""
        self.network.forget()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what the training set tells of strokes.

        Args:
            checkpoint: What the file will hold.
        """
        timing, typical = self.recognizer.timing, self.recognizer.typical_clip
        checkpoint["timing"] = None if timing is None else timing.to_plain()
        checkpoint["typical_clip"] = None if typical is None else typical.to_plain()
        checkpoint["has_regions"] = self.recognizer.has_regions

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse weights of other classes, and take what the training set tells of strokes.

        Args:
            checkpoint: What the file holds.

        Raises:
            ValueError: If its classes are not the data's.
        """
        trained = checkpoint["hyper_parameters"]["class_names"]
        if tuple(trained) != self.class_names:
            raise UserError(
                f"Expected clips of {', '.join(trained)}, what the checkpoint was trained for, but got clips "
                f"of {', '.join(self.class_names)}. Use data of the same classes, or train anew."
            )
        restore_training_facts(self.recognizer, checkpoint)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits, as the recogniser gives them.

        Args:
            inputs: Frames as they come from the video, or joints.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, ...)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        return self.recognizer(inputs, lengths)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | None:  # noqa: ARG002 - Lightning's
        """Return the loss of a training batch; of a model without gradient none.

        Args:
            batch: The clips.
            batch_idx: Its number in the epoch.
        """
        if not self.network.learns_by_gradient:
            self.network.collect(self.normalise(batch.inputs), batch.lengths, batch.label)
            if self.trainer.is_last_batch:  # before validation
                self._measure_left_out(*self.network.solve())
            return None
        return self._step(batch, "train").loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002 - Lightning's signature
        """Measure a validation batch.

        Args:
            batch: The clips.
            batch_idx: Its number in the epoch.
        """
        self._step(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:  # noqa: ARG002
        """Measure a test batch and return its predictions.

        Args:
            batch: The clips.
            batch_idx: Its number in the epoch.
        """
        output = self._step(batch, "test")
        return {"logits": output.logits, "log_probs": output.log_probs}

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:  # noqa: ARG002
        """Predict a batch.

        Args:
            batch: The clips.
            batch_idx: Its number in the epoch.
        """
        logits = self.recognizer(batch.inputs, batch.lengths)
        return {"logits": logits, "log_probs": self.network.clip_log_probability(logits, batch.lengths)}

    def on_train_epoch_end(self) -> None:
        """Log the epoch's training metrics."""
        self._log_epoch("train")

    def on_validation_epoch_end(self) -> None:
        """Log the epoch's validation metrics."""
        self._log_epoch("val")

    def on_test_epoch_end(self) -> None:
        """Log the test metrics."""
        self._log_epoch("test")

    def _step(self, batch: Batch, stage: Stage) -> Output:
        frames, frame_labels = batch.inputs, batch.frame_labels
        targets, frame_targets = self._targets(batch.label), None
        if stage == "train" and self.augmentation is not None:
            frames, frame_labels = self.augmentation(frames, batch.lengths, frame_labels)
        if self.frame_loss and frame_labels is not None:
            frame_targets = self._targets(frame_labels)
        if stage == "train" and self.augmentation is not None:
            frames, targets, frame_targets = self.augmentation.mix(frames, targets, frame_targets)

        def class_loss(logits: Tensor) -> Tensor:
            sums, weights = self._class_sums(logits, batch.lengths, targets, frame_targets)
            return sum_of_means(sums, mean_over_processes(weights))

        if stage == "train":
            loss, logits = self.network.objective(
                self.normalise(frames), batch.lengths, class_loss, frame_labels
            )
            weights = mean_over_processes(batch.is_known.sum()[None])
            sums = loss.detach() * weights
        else:
            logits = self.recognizer.whole_logits(frames, batch.lengths)
            sums, weights = self._class_sums(logits, batch.lengths, targets, frame_targets)
            loss = sum_of_means(sums, weights)
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"Expected a finite loss, but got {loss.item()} in {stage} on {', '.join(batch.names)}. "
                "Look at these clips, lower the learning rate or clip gradients (trainer.gradient_clip_val)."
            )
        logits = logits.detach()
        log_probs = self.network.clip_log_probability(logits, batch.lengths)
        output = Output(loss, sums, weights, logits, log_probs)
        self._metrics(stage).update(output, Truth(batch.names, batch.label, batch.lengths, frame_labels))
        return output

    def _measure_left_out(self, logits: Tensor, labels: Tensor) -> None:
        """Measure training clips by what is said of each when it is left out."""
        logits, lengths = logits[:, None], torch.ones_like(labels)
        sums, weights = self._class_sums(logits, lengths, self._targets(labels), None)
        log_probs = self.network.clip_log_probability(logits, lengths)
        output = Output(sums / weights, sums, weights, logits, log_probs)
        self._metrics("train").update(output, Truth([], labels, lengths, None))

    def _metrics(self, stage: Stage) -> StageMetrics:
        metrics = self.metrics[f"{stage}_set"]
        assert isinstance(metrics, StageMetrics)
        return metrics

    def _log_epoch(self, stage: Stage) -> None:
        figures = self._metrics(stage).compute()
        # every process has computed the same value, so that nothing is left to reduce
        self.log_dict({f"{stage}/{name}": value for name, value in figures.items()}, sync_dist=False)

    def _targets(self, labels: Tensor) -> Tensor:
        return class_distributions(labels, len(self.class_names), self.label_smoothing)

    def _class_sums(
        self, logits: Tensor, lengths: Tensor, targets: Tensor, frame_targets: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The parts of the class loss, of clips and of frames, as sums and what to divide them by."""
        log_probs = self.network.clip_log_probability(logits, lengths)
        parts = [weighted_cross_entropy(log_probs, targets, self.weights)]
        if frame_targets is not None:
            total, weight = weighted_cross_entropy(
                frame_log_probabilities(logits), frame_targets, self.weights
            )
            parts.append((self.frame_loss * total, weight))
        return torch.stack([total for total, _ in parts]), torch.stack([weight for _, weight in parts])
