"""Callback that writes the splits and the provenance of a run."""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from tt_actions.clips.datamodule import ClipDataModule
from tt_actions.clips.splits import check_same_splits, write_splits
from tt_actions.evaluation.provenance import provenance
from tt_actions.training.console import say
from tt_actions.training.hub_cards import write_cards
from tt_actions.training.run_facts import gather_facts
from tt_actions.training.task import StrokeTask

Result = TypeVar("Result")

FigureFormats = Literal["pdf", "svg", "pdf,svg"]
FIGURES_HELP = "Formats of the report's figures besides PNG, for papers. Each takes about half a second."


class RunReport(Callback, Generic[Result]):
    """Writes the splits when the data are ready, and the report after a test.

    Args:
        run_dir: The run's directory.
        seed: The run's seed.
        monitor: Metric that selects the best checkpoint; None for the last checkpoint.
        figures: Formats of the figures besides PNG, separated by commas; None for none.

    Attributes:
        results: The test's results, by the name of the clip or recording.
    """

    def __init__(
        self, run_dir: Path, seed: int, monitor: str | None, figures: FigureFormats | None = None
    ) -> None:
        self.run_dir, self.seed, self.monitor = run_dir, seed, monitor
        self.formats = ("png", *(figures.split(",") if figures else ()))
        self.started_s = time.perf_counter()
        self.results: dict[str, Result] = {}

    @property
    def state_key(self) -> str:
        """Key of the state in a checkpoint, the same for reports of clips and of recordings."""
        return "RunReport"

    def state_dict(self) -> dict[str, Any]:
        """Return the duration of the run so far."""
        return {"seconds": time.perf_counter() - self.started_s}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Add the time before the stop to the duration of a resumed run.

        Args:
            state_dict: The value that :meth:`state_dict` returned.
        """
        self.started_s -= state_dict["seconds"]

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Write the splits and print the network, its size and the number of clips per split.

        Args:
            trainer: The trainer.
            pl_module: The model.
            stage: The stage that is about to run.

        Raises:
            ValueError: If the splits differ from those at the start of the run.
        """
        self.results = {}
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
            network, noun = type(pl_module.network).__name__, "recordings" if data.is_untrimmed else "clips"
            say(
                f"{network}, {num_parameters:,} parameters; {noun}: {splits['train']} for training, "
                f"{splits['val']} for validation, {splits['test']} for testing"
            )

    def made_by(self, pl_module: pl.LightningModule) -> dict[str, Any]:
        """Return the provenance of the result: config, seed, duration and device.

        Args:
            pl_module: The model.
        """
        config = self.run_dir / "config.yaml"
        text, seconds = config.read_text() if config.is_file() else "", time.perf_counter() - self.started_s
        return provenance(text, self.seed, seconds, pl_module.device)

    def write_cards(
        self,
        trainer: pl.Trainer,
        task: StrokeTask,
        scores: Mapping[str, float | None],
        made_by: dict[str, Any],
    ) -> None:
        """Write the model card and the data card of the run into its report.

        Args:
            trainer: The trainer.
            task: The model.
            scores: Scores on the test clips by name.
            made_by: The provenance of the result.
        """
        data = trainer.datamodule  # type: ignore[attr-defined]
        facts = gather_facts(self.run_dir, data, task, scores, made_by, is_trained=self.history is not None)
        write_cards(self.run_dir / "report", facts)

    @property
    def history(self) -> Path | None:
        """The ``metrics.csv`` of the training, or None if the run did not train."""
        history = self.run_dir / "metrics.csv"
        return history if any(self.run_dir.glob("checkpoints/*.ckpt")) and history.is_file() else None


def gather(trainer: pl.Trainer, own: dict[str, Any]) -> dict[str, Any]:
    """Collect the results of all processes by clip name, in the order of a single process.

    Args:
        trainer: The trainer.
        own: Results of this process.
    """
    if trainer.world_size == 1:
        return own
    gathered: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(gathered, own)
    every = {name: result for part in gathered for name, result in part.items()}
    names = [record.name for record in trainer.datamodule.records]  # type: ignore[attr-defined]
    return {name: every[name] for name in names if name in every}
