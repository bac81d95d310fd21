"""What every run writes of itself: its splits, and what produced its numbers."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from tt_actions.clips.datamodule import ClipDataModule
from tt_actions.clips.splits import check_same_splits, write_splits
from tt_actions.evaluation.provenance import provenance
from tt_actions.training.console import say


class RunReport(Callback):
    """Writes the splits when data are there, and the report when a test is over.

    Args:
        run_dir: The run's directory.
        seed: The run's seed.
        monitor: The metric that decides which checkpoint is best; None for the last.
    """

    def __init__(self, run_dir: Path, seed: int, monitor: str | None) -> None:
        self.run_dir, self.seed, self.monitor = run_dir, seed, monitor
        self.started_s = time.perf_counter()

    @property
    def state_key(self) -> str:
        """The name of its state in a checkpoint, one for what clips and recordings leave."""
        return "RunReport"

    def state_dict(self) -> dict[str, Any]:
        """Return how long the run has taken."""
        return {"seconds": time.perf_counter() - self.started_s}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Count the time before a resumed run was stopped too.

        Args:
            state_dict: What :meth:`state_dict` returned.
        """
        self.started_s -= state_dict["seconds"]

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Write the splits and say what is trained on what.

        Args:
            trainer: The trainer.
            pl_module: The model.
            stage: What is about to run.

        Raises:
            ValueError: If the splits are not those that the run began with.
        """
        self.forget()
        data: ClipDataModule = trainer.datamodule  # type: ignore[attr-defined]
        records, digest, splits_file = data.records, data.cache.digest, self.run_dir / "splits.csv"
        if splits_file.is_file():
            check_same_splits(splits_file, records)
        if not trainer.is_global_zero:
            return
        write_splits(splits_file, records, digest)
        if stage == "fit":
            splits = Counter(record.split for record in records)
            num_parameters = sum(parameter.numel() for parameter in pl_module.parameters())
            network, what = type(pl_module.network).__name__, "recordings" if data.is_untrimmed else "clips"
            say(
                f"{network}, {num_parameters:,} parameters; {splits['train']} {what} to train on, "
                f"{splits['val']} to validate, {splits['test']} to test"
            )

    def forget(self) -> None:
        """Forget what a test before has given."""

    def made_by(self, pl_module: pl.LightningModule) -> dict[str, Any]:
        """Say what produced the result.

        Args:
            pl_module: The model.
        """
        config = self.run_dir / "config.yaml"
        text, seconds = config.read_text() if config.is_file() else "", time.perf_counter() - self.started_s
        return provenance(text, self.seed, seconds, pl_module.device)

    @property
    def history(self) -> Path | None:
        """The training's ``metrics.csv``; None where there was no training."""
        history = self.run_dir / "metrics.csv"
        return history if any(self.run_dir.glob("checkpoints/*.ckpt")) and history.is_file() else None


def gather(trainer: pl.Trainer, own: dict[str, Any]) -> dict[str, Any]:
    """Return what all processes have, by the clip's name, in the order of one process.

    Args:
        trainer: The trainer.
        own: What this process has.
    """
    if trainer.world_size == 1:
        return own
    gathered: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(gathered, own)
    every = {name: result for part in gathered for name, result in part.items()}
    names = [record.name for record in trainer.datamodule.records]  # type: ignore[attr-defined]
    return {name: every[name] for name in names if name in every}
