"""Callbacks that write the report of a test: for clips of one stroke, and for untrimmed recordings."""

import math
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer.states import TrainerFn

from tt_actions.clips.dataset import NO_NAME, Batch
from tt_actions.clips.strokes import shift
from tt_actions.evaluation.clip_report import print_report, write_report
from tt_actions.evaluation.clip_scores import OVERALL, measure
from tt_actions.evaluation.predictions import Predictions, write_predictions
from tt_actions.evaluation.rally_page import write_rally_page
from tt_actions.evaluation.rally_report import (
    Recording,
    hub_scores,
    print_rally_report,
    rally_metrics,
    write_rally_report,
)
from tt_actions.evaluation.run_page import write_run_page
from tt_actions.evaluation.worst_clips import write_worst_clips
from tt_actions.files import finite_or_none
from tt_actions.models.averages import frame_log_probabilities
from tt_actions.recognition.segmenter import make_segmenters
from tt_actions.training.console import say
from tt_actions.training.run_report import RunReport, gather
from tt_actions.training.task import StrokeTask
from tt_actions.training.wandb_logger import Tracker, log_rally_report, log_report


class ClipResult(NamedTuple):
    """Test result of one clip: true class, ``(K,)`` probabilities, ``(T,)`` per-frame classes."""

    label: int
    probabilities: np.ndarray
    frame_classes: np.ndarray


def own_values(trainer: pl.Trainer, task: pl.LightningModule, stage: str) -> dict[str, float]:
    """Return the values of the metrics that the experiment adds.

    Args:
        trainer: The trainer.
        task: The model.
        stage: The stage that has just been run: val or test.
    """
    assert isinstance(task, StrokeTask)
    return {name: float(trainer.callback_metrics[f"{stage}/{name}"]) for name in task.own_metrics}


class ClipReport(RunReport[ClipResult]):
    """Writes the report of a test on clips of one stroke."""

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,  # noqa: ARG002 - Lightning's signature
        pl_module: pl.LightningModule,  # noqa: ARG002
        outputs: Any,
        batch: Batch,
        batch_idx: int,  # noqa: ARG002
        dataloader_idx: int = 0,  # noqa: ARG002
    ) -> None:
        """Store the predictions for a batch.

        Args:
            trainer: The trainer.
            pl_module: The model.
            outputs: Outputs of the step.
            batch: The clips.
            batch_idx: Index of the batch in the epoch.
            dataloader_idx: Index of the data loader.
        """
        probabilities = outputs["log_probs"].double().exp().cpu().numpy()
        frame_classes = outputs["logits"].argmax(-1).cpu().numpy()
        for i, name in enumerate(batch.names):
            if name == NO_NAME:
                continue
            valid = frame_classes[i, : int(batch.lengths[i])]
            self.results[name] = ClipResult(int(batch.label[i]), probabilities[i], valid)

    on_predict_batch_end = on_test_batch_end

    def on_validation_batch_end(self, trainer: pl.Trainer, *others: Any, **more: Any) -> None:
        """Store the predictions for a batch, unless it is validated during a training.

        Args:
            trainer: The trainer.
            others: The same as for :meth:`on_test_batch_end`.
            more: The same.
        """
        if trainer.state.fn == TrainerFn.VALIDATING:
            self.on_test_batch_end(trainer, *others, **more)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print the results of the command ``validate``.

        Args:
            trainer: The trainer.
            pl_module: The model.
        """
        if trainer.state.fn == TrainerFn.VALIDATING:
            predictions = self._predictions(trainer, pl_module, "val/loss")
            if trainer.is_global_zero:
                metrics = {**measure(predictions), "metrics": own_values(trainer, pl_module, "val")}
                print_report(finite_or_none(metrics), title="Validation")

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write and print the report.

        Args:
            trainer: The trainer.
            pl_module: The model.
        """
        predictions = self._predictions(trainer, pl_module)
        if not trainer.is_global_zero:
            return
        assert isinstance(pl_module, StrokeTask)
        folder, facts, made_by = (
            self.run_dir / "report",
            self.facts(trainer, pl_module),
            self.made_by(pl_module),
        )
        own = own_values(trainer, pl_module, "test")
        metrics = write_report(
            folder, predictions, made_by, facts.history, self.monitor, own, formats=self.formats
        )
        data = trainer.datamodule  # type: ignore[attr-defined]
        records = {record.name: record for record in data.records}
        self.write_cards(trainer, pl_module, {key: metrics[key] for key in OVERALL[:4]}, made_by)
        preprocessing = pl_module.recognizer.preprocessing
        worst = write_worst_clips(
            folder / "worst_clips", predictions, records, preprocessing, cache=data.cache
        )
        page = write_run_page(folder, facts, metrics, predictions, worst)
        for logger in trainer.loggers:
            if isinstance(logger, Tracker):
                logger.attempt(lambda run: log_report(run, folder, predictions, worst))
        print_report(metrics, facts.published)
        say(f"report: {page}")

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the predictions.

        Args:
            trainer: The trainer.
            pl_module: The model.
        """
        predictions = self._predictions(trainer, pl_module)
        if trainer.is_global_zero:
            path = self.run_dir / "report" / "predictions.csv"
            write_predictions(path, predictions)
            say(f"predictions: {path}")

    def _predictions(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: str = "test/loss"
    ) -> Predictions:
        clips = gather(trainer, self.results)
        assert isinstance(pl_module, StrokeTask)
        groups = {record.name: record.group for record in trainer.datamodule.records}  # type: ignore[attr-defined]
        return Predictions(
            class_names=pl_module.class_names,
            names=tuple(clips),
            labels=np.array([clip.label for clip in clips.values()]),
            probabilities=np.stack([clip.probabilities for clip in clips.values()]),
            frame_classes=tuple(clip.frame_classes for clip in clips.values()),
            loss=float(trainer.callback_metrics.get(loss, math.nan)),
            groups=tuple(groups[name] for name in clips),
        )


class RallyReport(RunReport[Recording]):
    """Writes the report of a test on untrimmed recordings."""

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
        """Store the per-frame predictions for a batch of recordings.

        Args:
            trainer: The trainer.
            pl_module: The model.
            outputs: Outputs of the step.
            batch: The recordings.
            batch_idx: Index of the batch in the epoch.
            dataloader_idx: Index of the data loader.
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
            self.results[name] = Recording(
                log_probs[i, :length],
                None if scores is None else scores[i, :length],
                batch.frame_labels[i, :length].numpy(force=True),
                tuple(shift(stroke, -record.start_s) for stroke in record.strokes or ()),
                record.group,
            )

    def on_validation_batch_end(self, trainer: pl.Trainer, *others: Any, **more: Any) -> None:
        """Store the predictions for a batch, unless it is validated during a training.

        Args:
            trainer: The trainer.
            others: The same as for :meth:`on_test_batch_end`.
            more: The same.
        """
        if trainer.state.fn == TrainerFn.VALIDATING:
            self.on_test_batch_end(trainer, *others, **more)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print the results of the command ``validate``.

        Args:
            trainer: The trainer.
            pl_module: The model.
        """
        if trainer.state.fn == TrainerFn.VALIDATING:
            recordings = gather(trainer, self.results)
            if trainer.is_global_zero:
                assert isinstance(pl_module, StrokeTask)
                segmenters, own = make_segmenters(pl_module.recognizer), own_values(trainer, pl_module, "val")
                print_rally_report(rally_metrics(recordings, segmenters, own), title="Validation")

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write and print the report.

        Args:
            trainer: The trainer.
            pl_module: The model.
        """
        recordings = gather(trainer, self.results)
        if not trainer.is_global_zero:
            return
        assert isinstance(pl_module, StrokeTask)
        folder, loss = self.run_dir / "report", float(trainer.callback_metrics.get("test/loss", math.nan))
        facts, segmenters = self.facts(trainer, pl_module), make_segmenters(pl_module.recognizer)
        made_by = self.made_by(pl_module)
        own = own_values(trainer, pl_module, "test")
        metrics = write_rally_report(
            folder, recordings, segmenters, made_by, loss, facts.history, self.monitor, self.formats, own
        )
        page = write_rally_page(folder, facts, metrics, recordings, segmenters[metrics["used"]])
        self.write_cards(trainer, pl_module, hub_scores(metrics["segmentation"][metrics["used"]]), made_by)
        for logger in trainer.loggers:
            if isinstance(logger, Tracker):
                logger.attempt(lambda run: log_rally_report(run, folder))
        print_rally_report(metrics)
        say(f"report: {page}")
