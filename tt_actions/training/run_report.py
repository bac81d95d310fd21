"""Callback that writes the splits and the provenance of a run."""

import os
import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import pytorch_lightning as pl
import torch
import yaml
from pytorch_lightning.callbacks import Callback

from tt_actions.clips.datamodule import ClipDataModule
from tt_actions.clips.splits import check_same_splits, write_splits
from tt_actions.evaluation.provenance import provenance
from tt_actions.evaluation.published import published_results
from tt_actions.evaluation.run_page import RunFacts
from tt_actions.training.callbacks import RunCheckpoint
from tt_actions.training.console import say
from tt_actions.training.hub_cards import write_cards
from tt_actions.training.run_facts import gather_facts
from tt_actions.training.task import StrokeTask
from tt_actions.training.wandb_logger import Tracker, log_best_checkpoint

Result = TypeVar("Result")

FigureFormats = Literal["pdf", "svg", "pdf,svg"]
FIGURES_HELP = "Formats of the report's figures besides PNG, for papers. Each takes about half a second."


class RunReport(Callback, Generic[Result]):
    """Writes the splits when the data are ready, and the report after a test.

    Args:
        run_dir: The run's directory.
        seed: The run's seed.
        monitor: Metric that selects the best checkpoint; None for the last checkpoint.
        published: Whether to show published results. None shows them for ``cnn_lstm`` on their classes alone.
        figures: Formats of the figures besides PNG, separated by commas; None for none.

    Attributes:
        results: The test's results, by the name of the clip or recording.
    """

    def __init__(
        self,
        run_dir: Path,
        seed: int,
        monitor: str | None,
        published: bool | None = None,
        figures: FigureFormats | None = None,
    ) -> None:
        self.run_dir, self.seed, self.monitor, self.published = run_dir, seed, monitor, published
        self.formats = ("png", *(figures.split(",") if figures else ()))
        self.started_s, self.processor_started_s = time.perf_counter(), _processor_s()
        self.results: dict[str, Result] = {}

    @property
    def state_key(self) -> str:
        """Key of the state in a checkpoint, the same for reports of clips and of recordings."""
        return "RunReport"

    def state_dict(self) -> dict[str, Any]:
        """Return the duration and the processor time of the run so far."""
        return {
            "seconds": time.perf_counter() - self.started_s,
            "processor_seconds": _processor_s() - self.processor_started_s,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Add the times before the stop to those of a resumed run.

        Args:
            state_dict: The value that :meth:`state_dict` returned.
        """
        self.started_s -= state_dict["seconds"]
        self.processor_started_s -= state_dict.get("processor_seconds", 0)  # runs before it was counted

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

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Log the best checkpoint to W&B.

        Args:
            trainer: The trainer.
            pl_module: The model.
        """
        best = trainer.checkpoint_callback
        if not (trainer.is_global_zero and isinstance(best, RunCheckpoint) and best.best_model_path):
            return
        path = Path(best.best_model_path)
        epoch = 1 + torch.load(path, map_location="cpu", weights_only=True, mmap=True)["epoch"]
        score = None if best.best_model_score is None else float(best.best_model_score)
        for logger in trainer.loggers:
            if isinstance(logger, Tracker):
                logger.attempt(partial(log_best_checkpoint, checkpoint=path, epoch=epoch, score=score))

    def made_by(self, pl_module: pl.LightningModule) -> dict[str, Any]:
        """Return the provenance of the result: config, seed, duration and device.

        Args:
            pl_module: The model.
        """
        return provenance(self._config, self.seed, pl_module.device, **self.state_dict())

    def facts(self, trainer: pl.Trainer, pl_module: StrokeTask) -> RunFacts:
        """Return what the run was asked to do.

        Args:
            trainer: The trainer.
            pl_module: The model.
        """
        experiment = (yaml.safe_load(self._config) or {}).get("experiment", self.run_dir.parent.name)
        return RunFacts(
            experiment=experiment,
            version=self.run_dir.name,
            command="train" if self._has_trained else "test",
            config=self._config,
            network=type(pl_module.network).__name__,
            num_parameters=sum(parameter.numel() for parameter in pl_module.parameters()),
            records=trainer.datamodule.records,  # type: ignore[attr-defined]
            history=self.history(pl_module),
            monitor=self.monitor,
            published=published_results(experiment, pl_module.class_names, self.published),
        )

    def history(self, pl_module: StrokeTask) -> Path | None:
        """Return the ``metrics.csv`` of the training, or None if there are no learning curves.

        Args:
            pl_module: The model; one that is fitted once, without gradients, has no learning curves.
        """
        history = self.run_dir / "metrics.csv"
        has_curves = self._has_trained and pl_module.network.learns_by_gradient
        return history if has_curves and history.is_file() else None

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
        facts = gather_facts(self.run_dir, data, task, scores, made_by, is_trained=self._has_trained)
        write_cards(self.run_dir / "report", facts)

    @property
    def _config(self) -> str:
        config = self.run_dir / "config.yaml"
        return config.read_text("utf-8") if config.is_file() else ""

    @property
    def _has_trained(self) -> bool:
        return any(self.run_dir.glob("checkpoints/*.ckpt"))


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


def _processor_s() -> float:
    """Return the processor time of this process, its threads and its finished worker processes."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
