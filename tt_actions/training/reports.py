"""What a run writes of itself: the splits, and the report of a test."""

import math
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from tt_actions.clips.datamodule import ClipDataModule
from tt_actions.clips.dataset import NO_NAME, Batch
from tt_actions.clips.splits import check_same_splits, write_splits
from tt_actions.clips.strokes import shift
from tt_actions.evaluation.clip_report import print_report, write_report
from tt_actions.evaluation.predictions import Predictions, write_predictions
from tt_actions.evaluation.provenance import provenance
from tt_actions.evaluation.rally_report import Recording, print_rally_report, write_rally_report
from tt_actions.evaluation.worst_clips import write_worst_clips
from tt_actions.models.base import frame_log_probabilities
from tt_actions.recognition.segmenter import make_segmenters
from tt_actions.training.console import say
from tt_actions.training.task import StrokeTask
from tt_actions.training.wandb_logger import Tracker, log_rally_report, log_report


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


class ClipResult(NamedTuple):
    """What a test says of one clip: true class, ``(K,)`` probabilities, ``(T,)`` per-frame classes."""

    label: int
    probabilities: np.ndarray
    frame_classes: np.ndarray


class ClipReport(RunReport):
    """Writes the report of clips of one stroke.

    Args:
        run_dir: The run's directory.
        seed: The run's seed.
        monitor: The metric that decides which checkpoint is best; None for the last.
    """

    def __init__(self, run_dir: Path, seed: int, monitor: str | None) -> None:
        super().__init__(run_dir, seed, monitor)
        self.clips: dict[str, ClipResult] = {}

    def forget(self) -> None:
        """Forget what a test before has given."""
        self.clips = {}

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,  # noqa: ARG002 - Lightning's signature
        pl_module: pl.LightningModule,  # noqa: ARG002
        outputs: Any,
        batch: Batch,
        batch_idx: int,  # noqa: ARG002
        dataloader_idx: int = 0,  # noqa: ARG002
    ) -> None:
        """Keep a batch's predictions.

        Args:
            trainer: The trainer.
            pl_module: The model.
            outputs: What the step returned.
            batch: The clips.
            batch_idx: Its number in the epoch.
            dataloader_idx: Number of its loader.
        """
        probabilities = outputs["log_probs"].double().exp().cpu().numpy()
        frame_classes = outputs["logits"].argmax(-1).cpu().numpy()
        for i, name in enumerate(batch.names):
            if name == NO_NAME:
                continue
            valid = frame_classes[i, : int(batch.lengths[i])]
            self.clips[name] = ClipResult(int(batch.label[i]), probabilities[i], valid)

    on_predict_batch_end = on_test_batch_end

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write and print the report.

        Args:
            trainer: The trainer.
            pl_module: The model.
        """
        predictions = self._predictions(trainer, pl_module)
        if not trainer.is_global_zero:
            return
        folder = self.run_dir / "report"
        metrics = write_report(folder, predictions, self.made_by(pl_module), self.history, self.monitor)
        records = {record.name: record for record in trainer.datamodule.records}  # type: ignore[attr-defined]
        assert isinstance(pl_module, StrokeTask)
        worst = write_worst_clips(
            folder / "worst_clips", predictions, records, pl_module.recognizer.preprocessing
        )
        for logger in trainer.loggers:
            if isinstance(logger, Tracker):
                logger.attempt(lambda run: log_report(run, folder, predictions, worst))
        print_report(metrics)
        say(f"report: {folder}")

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the predictions alone.

        Args:
            trainer: The trainer.
            pl_module: The model.
        """
        predictions = self._predictions(trainer, pl_module)
        if trainer.is_global_zero:
            path = self.run_dir / "report" / "predictions.csv"
            write_predictions(path, predictions)
            say(f"predictions: {path}")

    def _predictions(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> Predictions:
        clips = gather(trainer, self.clips)
        assert isinstance(pl_module, StrokeTask)
        return Predictions(
            class_names=pl_module.class_names,
            names=tuple(clips),
            labels=np.array([clip.label for clip in clips.values()]),
            probabilities=np.stack([clip.probabilities for clip in clips.values()]),
            frame_classes=tuple(clip.frame_classes for clip in clips.values()),
            loss=float(trainer.callback_metrics.get("test/loss", math.nan)),
        )


class RallyReport(RunReport):
    """Writes the report of untrimmed recordings.

    Args:
        run_dir: The run's directory.
        seed: The run's seed.
        monitor: The metric that decides which checkpoint is best; None for the last.
    """

    def __init__(self, run_dir: Path, seed: int, monitor: str | None) -> None:
        super().__init__(run_dir, seed, monitor)
        self.recordings: dict[str, Recording] = {}

    def forget(self) -> None:
        """Forget what a test before has given."""
        self.recordings = {}

    @torch.no_grad()
    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,  # noqa: ARG002 - Lightning's signature
        dataloader_idx: int = 0,  # noqa: ARG002
    ) -> None:
        """Keep what is said of a batch.

        Args:
            trainer: The trainer.
            pl_module: The model.
            outputs: What the step returned.
            batch: The recordings.
            batch_idx: Its number in the epoch.
            dataloader_idx: Number of its loader.
        """
        assert isinstance(pl_module, StrokeTask)
        assert batch.frame_labels is not None
        records = {record.name: record for record in trainer.datamodule.records}  # type: ignore[attr-defined]
        log_probs = frame_log_probabilities(outputs["logits"]).numpy(force=True)
        scores = None
        if pl_module.network.chain is not None:
            scores = pl_module.recognizer.frame_scores(batch.inputs, batch.lengths).numpy(force=True)
        for i, name in enumerate(batch.names):
            if name == NO_NAME:
                continue
            length, record = int(batch.lengths[i]), records[name]
            self.recordings[name] = Recording(
                log_probs[i, :length],
                None if scores is None else scores[i, :length],
                batch.frame_labels[i, :length].numpy(force=True),
                tuple(shift(stroke, -record.start_s) for stroke in record.strokes or ()),
            )

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write and print the report.

        Args:
            trainer: The trainer.
            pl_module: The model.
        """
        recordings = gather(trainer, self.recordings)
        if not trainer.is_global_zero:
            return
        assert isinstance(pl_module, StrokeTask)
        folder, loss = self.run_dir / "report", float(trainer.callback_metrics.get("test/loss", math.nan))
        made_by = self.made_by(pl_module)
        metrics = write_rally_report(
            folder,
            recordings,
            make_segmenters(pl_module.recognizer),
            made_by,
            loss,
            self.history,
            self.monitor,
        )
        for logger in trainer.loggers:
            if isinstance(logger, Tracker):
                logger.attempt(lambda run: log_rally_report(run, folder))
        print_rally_report(metrics)
        say(f"report: {folder}")
