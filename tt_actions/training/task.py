"""The LightningModule that trains a recogniser: loss, one shared step and metrics."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import pytorch_lightning as pl
import torch
from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torchmetrics import Metric

from tt_actions.clips.dataset import Batch
from tt_actions.clips.preprocessing import make_preprocessing
from tt_actions.errors import UserError
from tt_actions.evaluation.stage_metrics import Output, StageMetrics, Truth
from tt_actions.models.averages import frame_log_probabilities
from tt_actions.models.base import ActionModel
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
"""Options that apply only to models that learn by gradient."""


class StrokeTask(pl.LightningModule):
    """Trains and tests a stroke recogniser.

    The loss of a clip is the negative logarithm of the averaged probability of its class. With ``frame_loss``
    the weighted cross-entropy of each frame with its own label is added. Both are means over the clips or
    frames with a target. In a test, the mean is over the whole set. In training, it is over the batches of
    all processes together: one step of N processes with batches of b equals one step of one process with
    batches of N b. If a step accumulates gradients, its loss is the mean over its batches; if an epoch ends
    before the last step is complete, the missing batches count as 0.

    Args:
        network: The network.
        class_names: Names of the classes, in the order of the network's outputs.
        preprocessing: Preprocessing that turns video or joints into the network's input, as plain types.
        augmentation: Random changes of the training clips, or None.
        optimizer: Creates the optimizer; None for a model that is fitted without gradients.
        scheduler: Creates the learning-rate schedule, which takes one step per epoch; None for a constant
            rate. ReduceLROnPlateau watches its ``monitor`` (default: val/loss).
        frame_loss: Weight of the per-frame cross-entropy.
        label_smoothing: Share of the target spread over all classes.
        class_weights: Weight of each class in the loss, or None for equal weights.
        init_from: Checkpoint of the same network with the initial weights, or None for random weights. Its
            head is used only if it was trained for the same classes. In Python, call
            :meth:`take_initial_weights` to load them.
        lr_scales: Factors on the learning rate by prefix of the parameter names, such as
            ``{"stem": 0.1, "blocks": 0.3}``. The longest matching prefix applies. 0 freezes parameters and
            the statistics of their batch normalisation.

    Attributes:
        recognizer: The :class:`Recognizer` that is trained. It shares the network with the task.

    Raises:
        ValueError: If the number of names or weights differs from the network's classes, an option is out of
            range, or the options don't fit the way in which the network learns.
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
        settings = make_preprocessing(preprocessing)
        self.recognizer = Recognizer(network, class_names, settings)
        check_loss_options(frame_loss, label_smoothing)
        self.network, self.normalise = network, self.recognizer.normalise
        self.class_names = self.recognizer.class_names
        self.optimizer, self.scheduler = optimizer, scheduler
        self.augmentation = augmentation
        self.init_from, self.lr_scales = init_from, lr_scales or {}
        self.frame_loss, self.label_smoothing, self.class_weights = frame_loss, label_smoothing, class_weights
        check_learning(network, [name for name in BY_GRADIENT if getattr(self, name)])
        check_input(network, augmentation, settings)
        if optimizer is not None:
            group_parameters(network, self.lr_scales)  # before DDP, which registers all trainable parameters
        self.register_buffer("weights", weights_by_class(class_weights, class_names), persistent=False)
        self.own_metrics: tuple[str, ...] = ()
        self.metrics = nn.ModuleDict(
            {f"{stage}_set": StageMetrics(class_names, settings.fps, stage == "train") for stage in STAGES}
        )

    def add_metrics(self, metrics: Mapping[str, Metric]) -> None:
        """Add metrics of the user to those of validation and test.

        Args:
            metrics: The metrics by name.

        Raises:
            UserError: If a metric does not fit untrimmed recordings.
        """
        self.own_metrics = tuple(metrics)
        for stage in ("val", "test"):
            self._metrics(stage).add(metrics)

    def configure_optimizers(self) -> Any:
        """Return the optimizer, and its schedule if there is one.

        Raises:
            ValueError: If the schedule overwrites the factors of ``lr_scales``.
        """
        if self.optimizer is None:
            return None
        return make_optimizer(self.network, self.lr_scales, self.optimizer, self.scheduler)

    def take_initial_weights(self) -> None:
        """Load the initial weights from ``init_from``, if it is set.

        Raises:
            FileNotFoundError: If the checkpoint does not exist.
            ValueError: If it contains another network.
        """
        if self.init_from is not None:
            load_network_weights(self.network, self.init_from, self.class_names)

    def on_train_start(self) -> None:
        """Freeze the batch-normalisation statistics of frozen layers."""
        freeze_statistics(self.network)

    def on_train_epoch_start(self) -> None:
        """Discard the clips that an interrupted fit has collected."""
        self.network.forget()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save facts about the training set in the checkpoint: stroke timing, the typical clip, regions.

        Args:
            checkpoint: Contents of the checkpoint.
        """
        own = self.recognizer
        facts = {"timing": own.timing, "typical_clip": own.typical_clip, "typical_swing": own.typical_swing}
        for name, fact in facts.items():
            checkpoint[name] = None if fact is None else fact.to_plain()
        checkpoint["has_regions"] = self.recognizer.has_regions

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Check the classes of a checkpoint and restore its facts about the training set.

        Args:
            checkpoint: Contents of the checkpoint.

        Raises:
            ValueError: If the classes of the checkpoint and of the data differ.
        """
        trained = checkpoint["hyper_parameters"]["class_names"]
        if tuple(trained) != self.class_names:
            raise UserError(
                f"Expected data with the classes of the checkpoint ({', '.join(trained)}), but got "
                f"{', '.join(self.class_names)}. Use data with the same classes, or train a new model."
            )
        restore_training_facts(self.recognizer, checkpoint)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the per-frame logits of the recogniser.

        Args:
            inputs: Frames as decoded from the video, or joints.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, ...)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        return self.recognizer(inputs, lengths)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | None:  # noqa: ARG002 - Lightning's
        """Return the loss of a training batch, or None for a model that learns without gradients.

        Args:
            batch: The clips.
            batch_idx: Index of the batch in the epoch.
        """
        if not self.network.learns_by_gradient:
            self.network.collect(self.normalise(batch.inputs), batch.lengths, batch.label, batch.hands)
            if self.trainer.is_last_batch:  # before validation
                self._measure_left_out(*self.network.solve())
            return None
        return self._step(batch, "train").loss

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:  # noqa: ARG002 - Lightning's
        """Evaluate a validation batch and return its predictions.

        Args:
            batch: The clips.
            batch_idx: Index of the batch in the epoch.
        """
        return self._evaluate(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:  # noqa: ARG002
        """Evaluate a test batch and return its predictions.

        Args:
            batch: The clips.
            batch_idx: Index of the batch in the epoch.
        """
        return self._evaluate(batch, "test")

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:  # noqa: ARG002
        """Return the predictions for a batch.

        Args:
            batch: The clips.
            batch_idx: Index of the batch in the epoch.
        """
        logits = self.recognizer(batch.inputs, batch.lengths, batch.hands)
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

    def _evaluate(self, batch: Batch, stage: Stage) -> dict[str, Tensor]:
        output = self._step(batch, stage)
        return {"logits": output.logits, "log_probs": output.log_probs}

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
            logits = self.recognizer.whole_logits(frames, batch.lengths, batch.hands)
            sums, weights = self._class_sums(logits, batch.lengths, targets, frame_targets)
            loss = sum_of_means(sums, weights)
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"Expected a finite loss, but got {loss.item()} in {stage} on {', '.join(batch.names)}. "
                "Check these clips, lower the learning rate or clip gradients (`trainer.gradient_clip_val`)."
            )
        logits = logits.detach()
        log_probs = self.network.clip_log_probability(logits, batch.lengths)
        output = Output(loss, sums, weights, logits, log_probs)
        self._metrics(stage).update(output, Truth(batch.names, batch.label, batch.lengths, frame_labels))
        return output

    def _measure_left_out(self, logits: Tensor, labels: Tensor) -> None:
        """Evaluate training clips by leave-one-out predictions."""
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
        # every process has computed the same value, so there is nothing to reduce
        self.log_dict({f"{stage}/{name}": value for name, value in figures.items()}, sync_dist=False)

    def _targets(self, labels: Tensor) -> Tensor:
        return class_distributions(labels, len(self.class_names), self.label_smoothing)

    def _class_sums(
        self, logits: Tensor, lengths: Tensor, targets: Tensor, frame_targets: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the class loss of clips and of frames as sums, with the weights to divide them by."""
        log_probs = self.network.clip_log_probability(logits, lengths)
        parts = [weighted_cross_entropy(log_probs, targets, self.weights)]
        if frame_targets is not None:
            total, weight = weighted_cross_entropy(
                frame_log_probabilities(logits), frame_targets, self.weights
            )
            parts.append((self.frame_loss * total, weight))
        return torch.stack([total for total, _ in parts]), torch.stack([weight for _, weight in parts])
