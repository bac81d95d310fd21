"""One training from start to report: the trainer, and what it does besides."""

import os
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, LearningRateMonitor, RichProgressBar
from pytorch_lightning.profilers import AdvancedProfiler, Profiler, PyTorchProfiler, SimpleProfiler

from tt_actions.clips.datamodule import ClipDataModule
from tt_actions.errors import UserError
from tt_actions.training.callbacks import (
    EpochLine,
    GradientNorms,
    RunCheckpoint,
    SeedEpoch,
    StopNotice,
)
from tt_actions.training.console import say
from tt_actions.training.processes import launched_processes, launcher
from tt_actions.training.reports import ClipReport, RallyReport
from tt_actions.training.run_directory import RUN_DIR_VARIABLE
from tt_actions.training.task import StrokeTask


class ActionTrainer(pl.Trainer):
    """Lightning's trainer, with fit, test and report as one command."""

    def train(
        self,
        model: StrokeTask,
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


PROFILERS: dict[str, type[SimpleProfiler | AdvancedProfiler | PyTorchProfiler]] = {
    "simple": SimpleProfiler,
    "advanced": AdvancedProfiler,
    "pytorch": PyTorchProfiler,
}


def make_profiler(name: str, run_dir: Path) -> Profiler:
    """Return one of Lightning's profilers that writes its report into the run directory.

    Args:
        name: ``simple``, ``advanced`` or ``pytorch``.
        run_dir: The run's directory; the report goes to its folder ``profile``.

    Raises:
        ValueError: If there is no profiler of that name.
    """
    if name not in PROFILERS:
        raise UserError(f"Expected `trainer.profiler` to be one of {', '.join(PROFILERS)}, but got '{name}'.")
    return PROFILERS[name](dirpath=run_dir / "profile", filename=name)


def launched_devices(devices: Any, num_nodes: int) -> dict[str, int]:
    """Return the trainer's options that torchrun or srun has decided: as many devices as processes.

    Args:
        devices: What ``trainer.devices`` says; anything but ``auto`` stays.
        num_nodes: What ``trainer.num_nodes`` says.

    Raises:
        ValueError: If nobody started the processes of several nodes, so that they know no common directory.
    """
    launched = launched_processes()
    if launched is None:
        if num_nodes > 1 and RUN_DIR_VARIABLE not in os.environ:
            raise UserError(
                f"Expected torchrun or srun to start the processes of {num_nodes} nodes, but neither did. "
                f"Use one of them, or name one new run directory to all: `{RUN_DIR_VARIABLE}`."
            )
        return {}
    return dict(zip(("devices", "num_nodes"), launched, strict=True)) if devices == "auto" else {}


def check_trainer(trainer: pl.Trainer, precision: Any) -> None:
    """Refuse what Lightning would do otherwise than asked.

    Args:
        trainer: The trainer.
        precision: What ``trainer.precision`` says.

    Raises:
        ValueError: If processes were started that the trainer doesn't know of, or the precision is not what
            the device has.
    """
    started = launcher()
    if started is not None and started.world_size() != trainer.world_size:
        raise UserError(
            f"Expected `trainer.devices` times `trainer.num_nodes` to be {started.world_size()}, the "
            f"processes that were started, but got {trainer.world_size}. Leave `trainer.devices` out."
        )
    if str(precision) in ("16", "16-mixed") and trainer.precision != "16-mixed":
        raise UserError(
            "Expected `trainer.precision` to be one that a CPU has, but got 16-mixed, which it has not. "
            "Use bf16-mixed, or a GPU."
        )


def run_callbacks(run_dir: Path, seed: int, monitor: str | None, is_untrimmed: bool) -> list[Callback]:
    """Return what every run does besides training.

    Args:
        run_dir: The run's directory.
        seed: The run's seed.
        monitor: The validation metric that decides which checkpoint is best; None for the last.
        is_untrimmed: Whether untrimmed recordings are measured, or clips.
    """
    report = RallyReport if is_untrimmed else ClipReport
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
        report(run_dir, seed, monitor),
        best,
        last,
        StopNotice(run_dir),
    ]
