"""Callbacks of a run: checkpoints, seeds, gradient norms, one line per epoch and the notice at a stop."""

import math
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.utilities.exceptions import SIGTERMException

from tt_actions.clips.dataset import NO_LABEL, Batch
from tt_actions.evaluation.clip_scores import ENDS
from tt_actions.evaluation.interval_text import count_clips, write_accuracy
from tt_actions.evaluation.significance import wilson_interval
from tt_actions.training.console import say
from tt_actions.training.task import StrokeTask


class RunCheckpoint(ModelCheckpoint):
    """A ModelCheckpoint that still finds its best score after the run directory was moved."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the scores of a resumed run, with the current paths of its files.

        Args:
            state_dict: The state in the run's checkpoint.
        """
        assert self.dirpath is not None
        folder = Path(self.dirpath)
        paths = ("best_model_path", "kth_best_model_path", "last_model_path")
        moved: dict[str, Any] = {
            key: str(folder / Path(state_dict[key]).name) for key in paths if state_dict[key]
        }
        moved["best_k_models"] = {
            str(folder / Path(path).name): score for path, score in state_dict["best_k_models"].items()
        }
        super().load_state_dict({**state_dict, **moved, "dirpath": self.dirpath})


class SeedEpoch(Callback):
    """Seeds each epoch, so that a resumed run repeats it exactly.

    The epoch then depends only on the weights, the seed and its number.

    Args:
        seed: The run's seed.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Seed the random number generator for the epoch.

        Args:
            trainer: The trainer.
            pl_module: The model.
        """
        torch.manual_seed((self.seed * 1_000_003 + trainer.current_epoch) * 4099 + trainer.global_rank)


class GradientNorms(Callback):
    """Logs the 2-norms of the gradients before clipping, for the network and for each of its parts.

    It logs ``train/grad_norm`` and ``grad_norm/<part>`` at the first step and every ``log_every_n_steps``
    steps.
    """

    def on_before_optimizer_step(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        optimizer: torch.optim.Optimizer,  # noqa: ARG002 - Lightning's signature
    ) -> None:
        """Log the gradient norms of a step.

        Args:
            trainer: The trainer.
            pl_module: The model.
            optimizer: The optimizer that is about to step.
        """
        every, step = trainer.log_every_n_steps, trainer.global_step  # type: ignore[attr-defined]
        if not (every and step % every == 0 and trainer.loggers and trainer.is_global_zero):
            return
        assert isinstance(pl_module, StrokeTask)
        parts = defaultdict(list)
        for name, parameter in pl_module.network.named_parameters():
            if parameter.grad is not None:
                parts[name.partition(".")[0]].append(parameter.grad)
        if not parts:  # a model that learns without gradients
            return
        norms = torch.stack([torch.nn.utils.get_total_norm(gradients) for gradients in parts.values()])
        values = zip(parts, norms.tolist(), strict=True)
        logged = {f"grad_norm/{part}": value for part, value in values}
        logged |= {"train/grad_norm": float(norms.norm()), "epoch": trainer.current_epoch}
        for logger in trainer.loggers:
            logger.log_metrics(logged, step)


class EpochLine(Callback):
    """Prints one line per epoch: losses, validation metrics and time.

    The accuracy of the validation clips has Wilson's interval, because a bootstrap after each epoch costs too
    much. A line above the first epoch explains it. The accuracy of recordings is one of frames, which are far
    from independent, so it has no such interval. The accuracy of the training is measured while the weights
    change, and on augmented clips; it estimates nothing.

    Args:
        monitor: Metric that selects the best checkpoint. A star marks each new best value. None for no
            marks.
    """

    COLUMNS = (
        ("train/loss", "train loss"),
        ("train/accuracy", "accuracy"),
        ("val/loss", "val loss"),
        ("val/accuracy", "accuracy"),
        ("val/temporal_consistency", "consistency"),
        ("val/f1_50", "F1@50"),
    )

    def __init__(self, monitor: str | None) -> None:
        self.monitor = monitor
        self.sign = -1 if monitor and monitor.endswith("loss") else 1
        self.best = -float("inf")
        self.started_s = 0.0
        self.num_clips = torch.tensor(0)
        self.has_explained = False

    def state_dict(self) -> dict[str, Any]:
        """Return the best value so far."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best value of a resumed run.

        Args:
            state_dict: What :meth:`state_dict` returned.
        """
        self.best = state_dict["best"]

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Print the previous epoch and store the start time.

        The training metrics of an epoch become available only after all callbacks have run.

        Args:
            trainer: The trainer.
            pl_module: The model.
        """
        self._print(trainer, trainer.current_epoch)
        self.started_s = time.perf_counter()

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Start to count the validation clips.

        Args:
            trainer: The trainer.
            pl_module: The model.
        """
        self.num_clips = torch.tensor(0, device=pl_module.device)

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,  # noqa: ARG002 - Lightning's signature
        pl_module: pl.LightningModule,  # noqa: ARG002
        outputs: Any,  # noqa: ARG002
        batch: Batch,
        batch_idx: int,  # noqa: ARG002
        dataloader_idx: int = 0,  # noqa: ARG002
    ) -> None:
        """Count the clips of a batch whose label is known.

        Args:
            trainer: The trainer.
            pl_module: The model.
            outputs: Outputs of the step.
            batch: The clips.
            batch_idx: Index of the batch in the epoch.
            dataloader_idx: Index of the data loader.
        """
        self.num_clips = self.num_clips + (batch.label != NO_LABEL).sum()

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Add up the clips of all processes.

        Args:
            trainer: The trainer.
            pl_module: The model.
        """
        self.num_clips = trainer.strategy.reduce(self.num_clips, reduce_op="sum")

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Print the last epoch.

        Args:
            trainer: The trainer.
            pl_module: The model.
        """
        self._print(trainer, trainer.current_epoch)

    def _print(self, trainer: pl.Trainer, epochs_done: int) -> None:
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if "train/loss" not in values or self.started_s == 0:
            return
        score = self.sign * values.get(self.monitor or "", -self.sign * math.inf)
        better, self.best = score > self.best, max(self.best, score)
        if not trainer.is_global_zero:
            return
        scores = {name: {"accuracy": value} for name, value in values.items()}
        if "val/accuracy" in scores:
            scores["val/accuracy"] |= self._interval(trainer, values["val/accuracy"])
        columns = [(title, scores[name]) for name, title in self.COLUMNS if name in scores]
        shown = "  ".join(f"{title} {write_accuracy(score)}" for title, score in columns)
        width, seconds = len(str(trainer.max_epochs)), time.perf_counter() - self.started_s
        mark = "  *" if better else ""
        say(f"epoch {epochs_done:>{width}}/{trainer.max_epochs}  {shown}  {seconds:.1f} s{mark}")

    def _interval(self, trainer: pl.Trainer, accuracy: float) -> dict[str, float]:
        """Return the ends of the interval of the validation accuracy, if it has one, and explain it once."""
        num_clips = int(self.num_clips)
        if not num_clips or trainer.datamodule.is_untrimmed:  # type: ignore[attr-defined]
            return {}
        if not self.has_explained:
            self.has_explained = True
            say(
                f"In brackets: 95 % interval of the accuracy on {count_clips({'num_clips': num_clips})} for "
                "validation, as if they were independent."
            )
        return dict(zip(ENDS, wilson_interval(accuracy, num_clips), strict=True))


class StopNotice(Callback):
    """Saves a checkpoint before the first step and prints how to resume a stopped run.

    Args:
        run_dir: The run's directory.
    """

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Save the checkpoint from which a run resumes if it is stopped in its first epoch.

        Args:
            trainer: The trainer.
            pl_module: The model.
        """
        last = self.run_dir / "checkpoints" / "last.ckpt"
        # the first process decides for all: every process takes part in saving, while the file may appear
        is_missing = trainer.strategy.broadcast(not last.is_file())
        if is_missing and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            trainer.save_checkpoint(last, weights_only=False)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Print how to resume the run, if the user stopped it.

        Args:
            trainer: The trainer.
            pl_module: The model.
            exception: The exception that ended the run.
        """
        del pl_module
        if isinstance(exception, KeyboardInterrupt | SIGTERMException) and trainer.is_global_zero:
            say(
                f"\nStopped in epoch {trainer.current_epoch + 1}. To resume from its start: "
                f"`make train RESUME={self.run_dir}` or `tt-actions train --resume {self.run_dir}`."
            )
