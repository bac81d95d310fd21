"""The LightningModule: loss, one shared step, metrics."""

from typing import Any, Literal, get_args

import pytorch_lightning as pl
import torch
from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from tt_actions.clips.dataset import Batch
from tt_actions.clips.preprocessing import Preprocessing, make_preprocessing, require_frames, require_video
from tt_actions.clips.strokes import IDLE
from tt_actions.clips.timing import StrokeTiming
from tt_actions.clips.typical import TypicalClip
from tt_actions.evaluation.stage_metrics import Output, StageMetrics, Truth
from tt_actions.models.base import (
    ActionModel,
    CausalModel,
    ClosedFormModel,
    check_reads,
    frame_log_probabilities,
)
from tt_actions.models.crf import CRF, network_of_frames
from tt_actions.models.losses import (
    check_loss_options,
    class_distributions,
    sum_of_means,
    weighted_cross_entropy,
    weights_by_class,
)
from tt_actions.recognition.checkpoint import load_network_weights
from tt_actions.training.augmentation import ClipAugmentation, check_channels, normalise
from tt_actions.training.joint_augmentation import check_joint_input
from tt_actions.training.optimizers import (
    check_learning,
    freeze_statistics,
    group_parameters,
    make_optimizer,
)
from tt_actions.training.processes import mean_over_processes

Stage = Literal["train", "val", "test"]
STAGES: tuple[Stage, ...] = get_args(Stage)


class StrokeRecognizer(pl.LightningModule):
    """Trains and tests a network that names the stroke in a clip.

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
        timing: How long strokes last in the training set, of untrimmed recordings; a checkpoint brings it.
        typical_clip: The median of the training clips, of clips; a checkpoint brings it.

    Raises:
        ValueError: If the names or weights don't number the network's classes, an option is out of range, or
            the network doesn't learn by what is given.
    """

    mean: Tensor
    std: Tensor
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
        if len(class_names) != network.num_classes:
            raise ValueError(
                f"Expected `class_names` for the network's {network.num_classes} classes, "
                f"but got {class_names}."
            )
        check_loss_options(frame_loss, label_smoothing)
        by_gradient: dict[str, Any] = {
            "optimizer": optimizer,
            "scheduler": scheduler,
            "augmentation": augmentation,
            "mixup": augmentation is not None and augmentation.mixup,
            "init_from": init_from,
            "lr_scales": lr_scales,
            "class_weights": class_weights,
            "frame_loss": frame_loss,
            "label_smoothing": label_smoothing,
        }
        self.network = network
        self._check_learning([name for name, given in by_gradient.items() if given])
        self.init_from = init_from
        self.lr_scales = lr_scales or {}
        if optimizer is not None:
            group_parameters(network, self.lr_scales)  # before DDP, which waits for all that learns
        self.class_names = tuple(class_names)
        self.timing: StrokeTiming | None = None
        self.typical_clip: TypicalClip | None = None
        self.preprocessing = make_preprocessing(preprocessing)
        check_joint_input(network, augmentation, self.preprocessing)
        if isinstance(self.preprocessing, Preprocessing):
            check_reads(network, self.preprocessing.num_channels)
            check_channels(augmentation, self.preprocessing.num_channels)
        self.augmentation = augmentation
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.frame_loss = frame_loss
        self.label_smoothing = label_smoothing
        self.register_buffer("weights", weights_by_class(class_weights, class_names), persistent=False)
        self._register_scales()
        self.is_untrimmed = IDLE in class_names
        self.metrics = nn.ModuleDict(
            {
                f"{stage}_set": StageMetrics(class_names, self.preprocessing.fps, stage == "train")
                for stage in STAGES
            }
        )

    @property
    def frame_preprocessing(self) -> Preprocessing:
        """How clips become frames; refused where the model reads joints."""
        return require_frames(self.preprocessing)

    @property
    def video_preprocessing(self) -> Preprocessing:
        """How a video alone becomes frames; refused where the model reads joints or depth."""
        return require_video(self.preprocessing)

    def _check_learning(self, options: list[str]) -> None:
        check_learning(self.network, options)

    def _register_scales(self) -> None:
        is_frames = isinstance(self.preprocessing, Preprocessing)
        for name in ("mean", "std"):
            values = getattr(self.preprocessing, f"channel_{name}s") if is_frames else ()
            self.register_buffer(name, torch.tensor(values).float().view(-1, 1, 1), persistent=False)

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
        if isinstance(self.network, ClosedFormModel):
            self.network.collected.clear()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what the training set tells of strokes.

        Args:
            checkpoint: What the file will hold.
        """
        checkpoint["timing"] = None if self.timing is None else self.timing.to_plain()
        checkpoint["typical_clip"] = None if self.typical_clip is None else self.typical_clip.to_plain()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse weights of other classes, and take what the training set tells of strokes.

        Args:
            checkpoint: What the file holds.

        Raises:
            ValueError: If its classes are not the data's.
        """
        trained = checkpoint["hyper_parameters"]["class_names"]
        if tuple(trained) != self.class_names:
            raise ValueError(
                f"Expected clips of {', '.join(trained)}, what the checkpoint was trained for, but got clips "
                f"of {', '.join(self.class_names)}. Use data of the same classes, or train anew."
            )
        timing, typical = checkpoint.get("timing"), checkpoint.get("typical_clip")
        self.timing = None if timing is None else StrokeTiming.from_plain(timing)
        self.typical_clip = None if typical is None else TypicalClip(**typical)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits of clips as they come from the video.

        Args:
            frames: The clips, uint8 or float in [0, 1].
            lengths: Number of valid frames of each clip.

        Shape:
            frames ``(B, T, C, H, W)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        logits: Tensor = self.network(self.normalise(frames), lengths)
        return logits

    def whole_logits(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return what :meth:`forward` does, of long recordings in bounded memory if the network is causal.

        Args:
            frames: The recordings, uint8 or float in [0, 1].
            lengths: Number of valid frames of each.

        Shape:
            frames ``(B, T, C, H, W)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        scores = self.frame_scores(frames, lengths)
        return self.network.marginals(scores, lengths) if isinstance(self.network, CRF) else scores

    def frame_scores(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return the logits of the network, or of what is below a CRF, as :meth:`whole_logits` finds them.

        Args:
            frames: The recordings, uint8 or float in [0, 1].
            lengths: Number of valid frames of each.

        Shape:
            frames ``(B, T, C, H, W)``, lengths ``(B,)`` -> scores ``(B, T, K)``.
        """
        network = network_of_frames(self.network)
        if self.is_untrimmed and isinstance(network, CausalModel):
            scores = network.forward_in_stretches(frames, lengths, self.normalise)
        else:
            scores = network(self.normalise(frames), lengths)
        return scores.to(torch.promote_types(scores.dtype, torch.float32))

    def normalise(self, frames: Tensor) -> Tensor:
        """Return frames as the network reads them; joints are already so.

        Args:
            frames: As they come from the video, uint8 or float in [0, 1].

        Shape:
            frames ``(..., C, H, W)`` -> the same.
        """
        if not len(self.mean):
            return frames
        return normalise(frames, self.mean, self.std)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | None:  # noqa: ARG002 - Lightning's
        """Return the loss of a training batch; of a model without gradient none.

        Args:
            batch: The clips.
            batch_idx: Its number in the epoch.
        """
        if isinstance(self.network, ClosedFormModel):
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
        logits = self(batch.inputs, batch.lengths)
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
            logits = self.whole_logits(frames, batch.lengths)
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
