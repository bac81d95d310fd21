"""Measure how fast each experiment on clips predicts, compared with its bare network."""
# ruff: noqa: ARG002 - Lightning's signatures

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytorch_lightning as pl
import torch
import yaml
from bench_timing import Plan, Repeats, TimedCLI, now_s
from pytorch_lightning.callbacks import Callback

from tt_actions.clips.dataset import Batch, collate
from tt_actions.clips.manifest import read_manifest, write_manifest
from tt_actions.training.run_directory import RUN_DIR_VARIABLE
from tt_actions.training.task import StrokeTask

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
APART = {"clips"}
"""Experiments that are not measured: this one is fitted in one step and reads clips like the others."""


def reads_clips(experiment: Path) -> bool:
    """Whether an experiment's model reads colour clips, not joints, rallies, depth or silhouettes."""
    data = yaml.safe_load(experiment.read_text("utf-8"))["data"]
    picture = data["preprocessing"].get("picture", "rgb")
    return data["source"]["class_path"] in {"SyntheticStrokes", "UserClips"} and picture == "rgb"


MODELS = [
    path.stem for path in sorted(EXPERIMENTS.glob("*.yaml")) if reads_clips(path) and path.stem not in APART
]

BLOCK = 6  # number of batches per turn


class PredictionTurns(Callback):
    """Times a prediction and the bare network on ready, normalised batches, which take turns.

    The time of the prediction includes loading, normalising, the network, averaging and storing results.
    """

    def __init__(self) -> None:
        self.framework_s: list[float] = []
        self.bare_s: list[float] = []

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Prepare the batches for the bare network."""
        assert isinstance(pl_module, StrokeTask)
        self.framework_s, self.bare_s, self.then_s = [], [], None
        dataset, size = trainer.datamodule.dataset("test"), trainer.datamodule.batch_size
        batches = [collate([dataset[n * size + i] for i in range(size)]) for n in range(BLOCK)]
        device = pl_module.device
        self.ready = [(pl_module.normalise(b.inputs.to(device)), b.lengths.to(device)) for b in batches]

    def on_predict_batch_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Run a turn of the bare network."""
        if batch_idx % BLOCK:
            return
        started_s = now_s(pl_module.device)
        if self.then_s is not None:
            self.framework_s.append(started_s - self.then_s)
        for inputs, lengths in self.ready:
            pl_module.network(inputs, lengths)
        self.then_s = now_s(pl_module.device)
        self.bare_s.append(self.then_s - started_s)


def measure_inference(folder: Path, manifest: Path, plan: Plan) -> Iterator[Repeats]:
    """Predict with each experiment's own preprocessing and batch size, with clips from an open cache.

    One thread is used: several threads would wait for busy cores, and the result would show that instead. The
    first pass is a warm-up.
    """
    records = read_manifest(manifest)
    seen = {record.group for record in records if record.split == "val"}
    learnt = {min(str(record.group) for record in records if record.split == "train")}
    moved = [r if r.group in seen | learnt else replace(r, split="test") for r in records]
    tested = folder / "tested.csv"
    write_manifest(tested, moved)
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for model in MODELS:
        turns = PredictionTurns()
        os.environ.pop(RUN_DIR_VARIABLE, None)  # set by the previous model's run
        options = {
            "data.source.path": tested,
            "data.cache_dir": folder / "cache",
            "runs": folder / "runs" / "inference",
            "trainer.max_epochs": 1,
            "trainer.limit_train_batches": 1,
            "trainer.limit_val_batches": 1,
            "trainer.devices": 1,
            "wandb.mode": "disabled",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        config = ["--config", str(EXPERIMENTS / f"{model}.yaml"), "--data.source", "UserClips"]
        cli = TimedCLI(["fit", *config, *words, *plan.options], turns)
        ratios: list[float] = []
        rates: list[float] = []
        for turn in range(1 + max(1, plan.repeats // 3)):
            cli.trainer.predict(cli.model, datamodule=cli.datamodule)
            if turn:
                pairs = zip(turns.bare_s, turns.framework_s, strict=False)
                ratios += [bare / framework for bare, framework in pairs]
                rates += [BLOCK * cli.datamodule.batch_size / s for s in turns.framework_s]
        yield {f"inference_ratio_{model}": ratios, f"predict_clips_per_s_{model}": rates}
    torch.set_num_threads(num_threads)
