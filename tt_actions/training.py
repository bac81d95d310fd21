"""One training from start to report: the trainer, and what it does besides."""

import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, LearningRateMonitor, RichProgressBar

from tt_actions.callbacks import (
    EpochLine,
    GradientNorms,
    RunCheckpoint,
    RunReport,
    SeedEpoch,
    StopNotice,
    say,
)
from tt_actions.datamodule import ClipDataModule
from tt_actions.task import StrokeRecognizer


class ActionTrainer(pl.Trainer):
    """Lightning's trainer, with fit, test and report as one command."""

    def train(
        self,
        model: StrokeRecognizer,
        datamodule: ClipDataModule,
        ckpt_path: Path | None = None,
    ) -> None:
        """Fit, then test the best checkpoint and write the report; ``--resume RUN_DIR`` goes on with a run.

        Args:
            model: What is trained.
            datamodule: The clips.
            ckpt_path: Checkpoint to go on from in a new run; ``--resume`` goes on in the run's own directory.
        """
        self.fit(model, datamodule=datamodule, ckpt_path=ckpt_path, weights_only=True)
        best = getattr(self.checkpoint_callback, "best_model_path", None) or None
        if best is None and not self.fast_dev_run and self.is_global_zero:  # type: ignore[attr-defined]
            say("No epoch was validated, so that none is the best: the last weights are tested.")
        self.test(model, datamodule=datamodule, ckpt_path=best, weights_only=True)

    def test(
        self,
        model: pl.LightningModule | None = None,
        dataloaders: Any = None,
        ckpt_path: Path | str | None = None,
        verbose: bool = False,
        datamodule: pl.LightningDataModule | None = None,
        weights_only: bool | None = None,
    ) -> Any:
        """Test; the report says what came out, so that Lightning's own table is off unless asked for.

        Args:
            model: What is tested.
            dataloaders: Loaders of the clips, in place of a data module.
            ckpt_path: Checkpoint to test.
            verbose: Whether to print Lightning's table too.
            datamodule: The clips.
            weights_only: Whether the checkpoint may hold nothing but weights and plain values.

        Returns:
            The metrics by name, for each loader.
        """
        return super().test(model, dataloaders, ckpt_path, verbose, datamodule, weights_only)


def run_callbacks(run_dir: Path, seed: int, monitor: str | None, checkpoint: Path | None) -> list[Callback]:
    """Return what every run does besides training.

    Args:
        run_dir: The run's directory.
        seed: The run's seed.
        monitor: The validation metric that decides which checkpoint is best; None for the last.
        checkpoint: The checkpoint that is measured or gone on from, or None.
    """
    folder = run_dir / "checkpoints"
    best = RunCheckpoint(
        folder,
        filename="best",
        monitor=monitor,
        mode="min" if monitor and monitor.endswith("loss") else "max",  # tells it from `last` in checkpoints
        save_weights_only=True,
        enable_version_counter=False,
    )
    last = RunCheckpoint(folder, filename="last", save_on_train_epoch_end=True, enable_version_counter=False)
    bar: list[Callback] = [RichProgressBar(leave=False)] if sys.stdout.isatty() else []
    return [
        *bar,
        SeedEpoch(seed),
        LearningRateMonitor(logging_interval="epoch"),
        GradientNorms(),
        EpochLine(monitor),
        RunReport(run_dir, seed, monitor, checkpoint),
        best,
        last,
        StopNotice(run_dir),
    ]
