"""How fast the prediction of each experiment on clips is beside its network alone."""
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
"""Its network is fitted at once, and one of the others' reads the same clips."""


def reads_clips(experiment: Path) -> bool:
    """Whether an experiment's model reads the colours of clips: no joints, rallies, depth or silhouettes."""
    data = yaml.safe_load(experiment.read_text("utf-8"))["data"]
    picture = data["preprocessing"].get("picture", "rgb")
    return data["source"]["class_path"] in {"SyntheticStrokes", "UserClips"} and picture == "rgb"


MODELS = [
    path.stem for path in sorted(EXPERIMENTS.glob("*.yaml")) if reads_clips(path) and path.stem not in APART
]

BLOCK = 6  # batches of one side before it is the other's turn


class PredictionTurns(Callback):
    """Lets the network name ready, normalised batches in turn with a prediction, and times both.

    The prediction's time is all of it: loading, normalising, the network, averaging, what is kept.
    """

    def __init__(self) -> None:
        self.framework_s: list[float] = []
        self.bare_s: list[float] = []

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Prepare the batches of the network alone."""
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
        """Give the network its turn."""
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
    """Predict with each experiment and its own preprocessing and batch size, the cached clips opened before.

    One thread: threads that wait for each other on busy cores measure those. The first pass does not count.
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
        os.environ.pop(RUN_DIR_VARIABLE, None)  # the run of the model before
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
