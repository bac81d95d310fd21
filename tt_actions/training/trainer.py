"""The trainer of a run, its options and its callbacks."""

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
from tt_actions.training.run_report import FigureFormats
from tt_actions.training.task import StrokeTask


class ActionTrainer(pl.Trainer):
    """Lightning's trainer, plus a method that fits, tests and writes the report."""

    def train(
        self,
        model: StrokeTask,
        datamodule: ClipDataModule,
        ckpt_path: Path | None = None,
    ) -> None:
        """Fit, then test the best checkpoint and write the report.

        Args:
            model: The model to train.
            datamodule: The clips.
            ckpt_path: Checkpoint from which a new run continues (``--resume`` continues a run in its own
                directory).
        """
        self.fit(model, datamodule=datamodule, ckpt_path=ckpt_path, weights_only=True)
        best = getattr(self.checkpoint_callback, "best_model_path", None) or None
        if best is None and not self.fast_dev_run and self.is_global_zero:  # type: ignore[attr-defined]
            say("No validation ran, so there is no best checkpoint: testing the last weights.")
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
        """Test a model without printing Lightning's table of metrics, since the report contains them.

        Args:
            model: The model to test.
            dataloaders: Data loaders of the clips, instead of a data module.
            ckpt_path: Checkpoint to test.
            verbose: Whether to print Lightning's table too.
            datamodule: The clips.
            weights_only: Whether to accept only checkpoints of weights and plain values.

        Returns:
            The metrics by name, for each loader.
        """
        return super().test(model, dataloaders, ckpt_path, verbose, datamodule, weights_only)

    def validate(
        self,
        model: pl.LightningModule | None = None,
        dataloaders: Any = None,
        ckpt_path: Path | str | None = None,
        verbose: bool = False,
        datamodule: pl.LightningDataModule | None = None,
        weights_only: bool | None = None,
    ) -> Any:
        """Validate a model; for clips, without printing Lightning's table, since the report replaces it.

        Args:
            model: The model to validate.
            dataloaders: Data loaders of the clips, instead of a data module.
            ckpt_path: Checkpoint to validate.
            verbose: Whether to print Lightning's table for clips too.
            datamodule: The clips.
            weights_only: Whether to accept only checkpoints of weights and plain values.

        Returns:
            The metrics by name, for each loader.
        """
        verbose = verbose or bool(getattr(datamodule, "is_untrimmed", False))
        return super().validate(model, dataloaders, ckpt_path, verbose, datamodule, weights_only)


PROFILERS: dict[str, type[SimpleProfiler | AdvancedProfiler | PyTorchProfiler]] = {
    "simple": SimpleProfiler,
    "advanced": AdvancedProfiler,
    "pytorch": PyTorchProfiler,
}


def make_profiler(name: str, run_dir: Path) -> Profiler:
    """Create one of Lightning's profilers, which writes its report into the run directory.

    Args:
        name: ``simple``, ``advanced`` or ``pytorch``.
        run_dir: The run's directory; the report goes to its folder ``profile``.

    Raises:
        ValueError: If there is no profiler with this name.
    """
    if name not in PROFILERS:
        raise UserError(f"Expected `trainer.profiler` to be one of {', '.join(PROFILERS)}, but got '{name}'.")
    return PROFILERS[name](dirpath=run_dir / "profile", filename=name)


def launched_devices(devices: Any, num_nodes: int) -> dict[str, int]:
    """Return the numbers of devices and nodes for the processes that torchrun or srun started.

    Args:
        devices: Value of ``trainer.devices``; any value except ``auto`` is kept.
        num_nodes: Value of ``trainer.num_nodes``.

    Raises:
        ValueError: If there are several nodes without torchrun or srun and without a common run directory.
    """
    launched = launched_processes()
    if launched is None:
        if num_nodes > 1 and RUN_DIR_VARIABLE not in os.environ:
            raise UserError(
                f"Expected torchrun or srun to start the processes of {num_nodes} nodes, but neither did. "
                f"Use one of them, or set `{RUN_DIR_VARIABLE}` to the same new run directory on all nodes."
            )
        return {}
    return dict(zip(("devices", "num_nodes"), launched, strict=True)) if devices == "auto" else {}


def check_trainer(trainer: pl.Trainer, precision: Any) -> None:
    """Check that Lightning's trainer does what the options say.

    Args:
        trainer: The trainer.
        precision: Value of ``trainer.precision``.

    Raises:
        ValueError: If the number of processes differs from the number that a launcher started, or the device
            does not support the precision.
    """
    started = launcher()
    if started is not None and started.world_size() != trainer.world_size:
        raise UserError(
            f"Expected `trainer.devices` times `trainer.num_nodes` to be {started.world_size()}, the number "
            f"of processes started, but got {trainer.world_size}. Remove `trainer.devices`."
        )
    if str(precision) in ("16", "16-mixed") and trainer.precision != "16-mixed":
        raise UserError(
            "Expected `trainer.precision` to be one that a CPU supports, but got 16-mixed. "
            "Use bf16-mixed, or a GPU."
        )


def run_callbacks(
    run_dir: Path,
    seed: int,
    monitor: str | None,
    is_untrimmed: bool,
    published: bool | None,
    figures: FigureFormats | None = None,
) -> list[Callback]:
    """Create the callbacks of every run: checkpoints, seeds, logging and the report.

    Args:
        run_dir: The run's directory.
        seed: The run's seed.
        monitor: Validation metric that selects the best checkpoint; None for the last checkpoint.
        is_untrimmed: Whether the data are untrimmed recordings, not clips.
        published: Whether to show published results; None for the default.
        figures: Formats of the report's figures besides PNG; None for none.
    """
    report = RallyReport if is_untrimmed else ClipReport
    folder = run_dir / "checkpoints"
    best = RunCheckpoint(
        folder,
        filename="best",
        monitor=monitor,
        mode="min"
        if monitor and monitor.endswith("loss")
        else "max",  # also separates its state from that of `last`
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
        report(run_dir, seed, monitor, published, figures),
        best,
        last,
        StopNotice(run_dir),
    ]
