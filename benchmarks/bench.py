"""Measure the speed of performance-critical code and compare it with limits.

Run as ``python benchmarks/bench.py [--quick]``, or ``make bench``. The script measures on synthetic clips in
a temporary folder, prints a table and writes runs/bench/bench.json. It rewrites the file after each
measurement, so an error loses only one result. Each result is the median of several repeats; its spread is
their minimum and maximum. Code that is compared takes turns within one process, so that other load on the
machine slows both sides.
"""
# ruff: noqa: ARG002 - Lightning's signatures

import argparse
import copy
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from bench_inference import MODELS, measure_inference
from bench_skeleton import SHAPE, measure_stgcn
from bench_timing import QUICK, Plan, Repeats, TimedCLI, now_s
from pytorch_lightning.callbacks import Callback
from rich.console import Console
from rich.table import Table
from torch import nn

from tt_actions.clips.datamodule import ClipDataModule
from tt_actions.clips.dataset import Batch, collate
from tt_actions.clips.manifest import read_manifest, write_manifest
from tt_actions.clips.records import ClipRecord, Split
from tt_actions.evaluation.provenance import provenance
from tt_actions.files import write_json
from tt_actions.models.peephole_lstm import PeepholeLSTM
from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.training.task import StrokeTask
from tt_actions.video.frames import read_frames
from tt_actions.video.info import probe

ROOT = Path(__file__).parents[1]
EXPERIMENT = ROOT / "experiments" / "cnn_lstm.yaml"
CLIPS_PER_PLAYER = 4  # one of each stroke
BLOCK = 6  # number of steps per turn

RATIOS = [f"inference_ratio_{model}" for model in MODELS]
TARGETS = {
    "train_ratio": 0.9,
    "loader_ratio": 10.0,
    "stgcn_ratio_batch_16": 1.0,
    **dict.fromkeys(RATIOS, 0.9),
}
MEANINGS = {
    "train_ratio": "training clips/s, the command over a bare loop",
    "loader_ratio": "cached loader alone over the command's training, clips/s",
    "peephole_ratio": "training step of PeepholeLSTM over torch.nn.LSTM, time",
    "stgcn_ratio_batch_16": "inference over the same layers in plain PyTorch, sequences/s",
    **dict.fromkeys(RATIOS, "predict over the bare network, clips/s, one thread"),
}


class BareLoop:
    """The training step without a framework, on normalised batches that are already in memory.

    Args:
        task: The task whose network, optimizer and loss it uses.
        batches: The clips, on the task's device.
        clip_norm: Largest norm of the gradients, or None.
    """

    def __init__(self, task: StrokeTask, batches: list[Batch], clip_norm: float | None) -> None:
        self.network = copy.deepcopy(task.network)
        self.optimizer = task.optimizer(self.network.parameters())
        self.frame_loss, self.clip_norm = task.frame_loss, clip_norm
        self.batches = [
            batch._replace(inputs=(batch.inputs.float() / 255 - task.normalise.mean) / task.normalise.std)
            for batch in batches
        ]

    def run(self, num_steps: int) -> int:
        """Train for the given number of steps and return the number of clips."""
        num_clips = 0
        for i in range(num_steps):
            inputs, lengths, label, frame_labels, *_ = self.batches[i % len(self.batches)]
            logits = self.network(inputs, lengths)
            loss = F.nll_loss(self.network.clip_log_probability(logits, lengths), label)
            if self.frame_loss:
                loss = loss + self.frame_loss * F.cross_entropy(logits.transpose(1, 2), frame_labels)
            self.optimizer.zero_grad()
            loss.backward()
            if self.clip_norm:
                nn.utils.clip_grad_norm_(self.network.parameters(), self.clip_norm)
            self.optimizer.step()
            num_clips += len(label)
        return num_clips


@dataclass
class Epoch:
    """Seconds and clips of one epoch, for the command and for the bare loop."""

    train_s: float = 0.0
    bare_s: float = 0.0
    validation_s: float = 0.0
    train_clips: int = 0
    bare_clips: int = 0


class TakingTurns(Callback):
    """Times the training of the command and a bare loop, which take turns of a few steps.

    The time of the training is the whole epoch except for the validation: loading, steps, metrics, logging
    and checkpoints.
    """

    def __init__(self) -> None:
        self.epochs: list[Epoch] = []
        self.device = torch.device("cpu")
        self.then_s = 0.0

    def _lap_s(self) -> float:
        before_s, self.then_s = self.then_s, now_s(self.device)
        return self.then_s - before_s

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Prepare the bare loop."""
        assert isinstance(pl_module, StrokeTask)
        self.device = pl_module.device
        batches = train_batches(trainer.datamodule, 4, self.device)
        self.bare = BareLoop(pl_module, batches, trainer.gradient_clip_val)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End the previous epoch, whose last work follows all callbacks, and start a new one."""
        rest_s = self._lap_s()
        if self.epochs:
            self.epochs[-1].train_s += rest_s
        self.epochs.append(Epoch())

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Run a turn of the bare loop."""
        epoch = self.epochs[-1]
        epoch.train_clips += len(batch.label)
        if batch_idx % BLOCK == 0:
            epoch.train_s += self._lap_s()
            epoch.bare_clips += self.bare.run(min(BLOCK, int(trainer.num_training_batches) - batch_idx))
            epoch.bare_s += self._lap_s()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Pause the clock of the training."""
        if not trainer.sanity_checking:
            self.epochs[-1].train_s += self._lap_s()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Resume the clock of the training."""
        if not trainer.sanity_checking:
            self.epochs[-1].validation_s += self._lap_s()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End the last epoch."""
        self.epochs[-1].train_s += self._lap_s()


def seconds(action: Callable[[], object], repeats: int, device: torch.device | None = None) -> list[float]:
    """Time an action several times, after one warm-up."""
    device = device or torch.device("cpu")
    action()
    times_s = []
    for _ in range(repeats):
        started_s = now_s(device)
        action()
        times_s.append(now_s(device) - started_s)
    return times_s


def train_batches(data: ClipDataModule, num_batches: int, device: torch.device) -> list[Batch]:
    """Return the first training clips as batches on the device, in a fixed order."""
    dataset, size = data.dataset("train"), data.batch_size
    batches = [
        collate([dataset[i % len(dataset)] for i in range(n * size, (n + 1) * size)])
        for n in range(num_batches)
    ]
    return [Batch(*(x.to(device) if isinstance(x, torch.Tensor) else x for x in b)) for b in batches]


def draw_clips(folder: Path, plan: Plan) -> tuple[Path, float]:
    """Generate clips and list several parts of each, so that few videos make an epoch of usual length.

    Returns:
        The manifest, and the seconds for generating the clips on all cores.
    """
    started_s = time.perf_counter()
    synthesize(folder, plan.drawn, plan.drawn // CLIPS_PER_PLAYER, size=plan.size)
    drawing_s = time.perf_counter() - started_s
    drawn = read_manifest(folder / "manifest.csv")
    players = sorted({str(record.group) for record in drawn})
    held_out: dict[str | None, Split] = dict.fromkeys(players[:2], "test")
    held_out |= dict.fromkeys(players[2:4], "val")

    def stretch(record: ClipRecord, i: int) -> ClipRecord:
        return replace(record, start_s=0.05 * i, split=held_out.get(record.group, "train"))

    manifest = folder / "stretches.csv"
    write_manifest(manifest, [stretch(record, i) for record in drawn for i in range(plan.stretches)])
    return manifest, drawing_s


def measure_training(folder: Path, manifest: Path, plan: Plan) -> tuple[TimedCLI, Repeats]:
    """Train with the command and with the bare loop in turns; the first epoch is a warm-up."""
    turns = TakingTurns()
    options = {
        "data.source.path": manifest,
        "data.cache_dir": folder / "cache",
        "runs": folder / "runs",
        "trainer.max_epochs": plan.epochs + 1,
        "trainer.devices": 1,
        "trainer.enable_model_summary": False,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    cli = TimedCLI(
        ["fit", "--config", str(EXPERIMENT), "--data.source", "UserClips", *words, *plan.options], turns
    )
    size, done = cli.datamodule.batch_size, turns.epochs[1:]
    found = {
        "train_clips_per_s": [e.train_clips / e.train_s for e in done],
        "bare_clips_per_s": [e.bare_clips / e.bare_s for e in done],
        "train_ms_per_step": [1e3 * size * e.train_s / e.train_clips for e in done],
        "bare_ms_per_step": [1e3 * size * e.bare_s / e.bare_clips for e in done],
    }
    pairs = zip(found["train_clips_per_s"], found["bare_clips_per_s"], strict=True)
    return cli, {"train_ratio": [train / bare for train, bare in pairs], **found}


def measure_parts(cli: TimedCLI, device: torch.device, repeats: int) -> Repeats:
    """Time the cached loader, opening a cached clip, augmentation and inference separately."""
    task, data = cli.model.to(device), cli.datamodule
    loader, train = data.train_dataloader(), data.dataset("train")
    loader_s = seconds(lambda: [batch.lengths for batch in loader], repeats)
    found = {"loader_clips_per_s": [len(train) / s for s in loader_s]}

    def open_all() -> None:
        for record in train.records:
            data.cache.frames(record, train.spec)

    found["cache_open_us"] = [1e6 * s / len(train) for s in seconds(open_all, repeats)]
    batch = train_batches(data, 1, device)[0]
    if task.augmentation is not None:
        augment_s = seconds(lambda: task.augmentation(batch.inputs, batch.lengths), repeats, device)
        found["augmentation_ms_per_step"] = [1e3 * s for s in augment_s]
    task.eval()
    with torch.inference_mode():
        inference_s = seconds(lambda: task(batch.inputs, batch.lengths), repeats, device)
    return found | {"inference_clips_per_s": [len(batch.label) / s for s in inference_s]}


def measure_peephole(cli: TimedCLI, device: torch.device, repeats: int, num_steps: int = 20) -> Repeats:
    """Time forward and backward passes of both LSTM layers in turns, at the experiment's shapes."""
    own = cli.model.network.lstm
    b, t = cli.datamodule.batch_size, cli.datamodule.preprocessing.num_frames
    layers: dict[str, nn.Module] = {
        "peephole": PeepholeLSTM(own.input_size, own.hidden_size).to(device),
        "torch_lstm": nn.LSTM(own.input_size, own.hidden_size, batch_first=True).to(device),
    }
    x = torch.randn(b, t, own.input_size, device=device, requires_grad=True)
    gradient = torch.randn(b, t, own.hidden_size, device=device)

    def steps(layer: nn.Module) -> None:
        for _ in range(num_steps):
            x.grad = None
            layer.zero_grad()
            layer(x)[0].backward(gradient)

    found: Repeats = {f"{name}_ms_per_step": [] for name in layers}
    for turn in range(repeats + 1):
        for name, layer in layers.items():
            started_s = now_s(device)
            steps(layer)
            if turn:  # the first warms up
                found[f"{name}_ms_per_step"].append(1e3 * (now_s(device) - started_s) / num_steps)
    ours, torchs = found.values()
    return {"peephole_ratio": [a / b for a, b in zip(ours, torchs, strict=True)], **found}


def measure_video(folder: Path, data: ClipDataModule, plan: Plan) -> Repeats:
    """Time generating clips in one process, and reading files of two sizes at the experiment's 10 fps."""
    started_s = time.perf_counter()
    synthesize(folder / "few", 4, 2, size=plan.size, num_workers=1)
    found = {"synthesize_clips_per_s": [4 / (time.perf_counter() - started_s)]}
    synthesize(folder / "large", 1, 2, size=(4 * plan.size[0], 3 * plan.size[1]), num_workers=1)
    for name in ("few", "large"):
        path = read_manifest(folder / name / "manifest.csv")[0].path
        video, size = probe(path), data.preprocessing.size
        read_s = seconds(lambda path=path, size=size: read_frames(path, fps=10.0, size=size), plan.repeats)
        found[f"decode_fps_{video.width}x{video.height}"] = [video.num_frames / s for s in read_s]
    return found


def measure(folder: Path, plan: Plan) -> Iterator[dict[str, Any]]:
    """Measure everything in an empty folder; yield the contents of bench.json after each measurement."""
    started_s, started_processor_s = time.perf_counter(), sum(os.times()[:4])
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    manifest, drawing_s = draw_clips(folder / "drawn", plan)
    cli, found = measure_training(folder, manifest, plan)
    data, device = cli.datamodule, cli.trainer.strategy.root_device
    found["synthesize_all_cores_clips_per_s"] = [plan.drawn / drawing_s]
    settings = settings_of(cli) | {"load_before": load, **plan._asdict()}

    def so_far() -> dict[str, Any]:
        spent = {
            "seconds": time.perf_counter() - started_s,
            "processor_seconds": sum(os.times()[:4]) - started_processor_s,
        }
        source = provenance(EXPERIMENT.read_text("utf-8"), 0, device, **spent)
        return summarize(found) | {"settings": settings, "provenance": source}

    yield so_far()
    found |= measure_parts(cli, device, plan.repeats)
    train_rate = median(found["train_clips_per_s"])
    found["loader_ratio"] = [rate / train_rate for rate in found["loader_clips_per_s"]]
    yield so_far()
    found |= measure_peephole(cli, device, 2 * plan.repeats)
    yield so_far()
    found |= measure_video(folder, data, plan)
    yield so_far()
    found |= measure_stgcn(plan.repeats, 10 if plan is QUICK else SHAPE[0])
    yield so_far()
    for ratios in measure_inference(folder, manifest, plan):
        found |= ratios
        yield so_far()


def settings_of(cli: TimedCLI) -> dict[str, Any]:
    """Return the settings of the training: experiment, shapes and sizes."""
    data, spec = cli.datamodule, cli.datamodule.preprocessing
    return {
        "experiment": EXPERIMENT.stem,
        "batch_shape": [data.batch_size, spec.num_frames, len(spec.channel_means), *spec.size],
        "parameters": sum(p.numel() for p in cli.model.network.parameters()),
        "train_clips": len(data.dataset("train")),
        "threads": torch.get_num_threads(),
    }


def summarize(found: Repeats) -> dict[str, Any]:
    """Return the medians of all repeats with their spread, starting with those that have a target."""
    names = [name for name in MEANINGS if name in found] + [name for name in found if name not in MEANINGS]
    return {
        **{name: rounded(median(found[name])) for name in names},
        "targets": {name: target for name, target in TARGETS.items() if name in found},
        "spread": {name: [rounded(min(found[name])), rounded(max(found[name]))] for name in names},
    }


def rounded(value: float) -> float:
    """Round to four significant digits."""
    return float(f"{value:.4g}")


def show(result: dict[str, Any]) -> None:
    """Print the ratios with their targets, and the absolute results."""
    table = Table(
        title=f"{result['provenance']['device']}, {result['settings']['threads']} threads",
        caption="\n".join(
            [f"{n}: {MEANINGS[n]}" for n in MEANINGS if n not in RATIOS]
            + [f"inference_ratio_<model>: {MEANINGS[RATIOS[0]]}"]
        ),
    )
    table.add_column("measurement", no_wrap=True)
    for heading in ("median", "smallest", "largest", "target"):
        table.add_column(heading, justify="right")
    for name, (low, high) in result["spread"].items():
        verdict = ""
        if name in TARGETS:
            style = "" if result[name] >= TARGETS[name] else "[red]"
            verdict = f"{style}>= {TARGETS[name]:g}"
        numbers = (f"{value:g}" for value in (result[name], low, high))
        table.add_row(name, *numbers, verdict, end_section=name == list(MEANINGS)[-1])
    Console().print(table)


def main() -> None:
    """Measure, print the table and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="a smoke test of a few seconds; ignore its numbers"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench" / "bench.json")
    options = parser.parse_args()
    os.environ.setdefault("WANDB_MODE", "offline")  # the default, except that nothing is uploaded
    print("Training on synthetic clips to measure its speed. Ignore the accuracies below.")
    with TemporaryDirectory(prefix="tt_actions_bench_") as folder:
        for result in measure(Path(folder), QUICK if options.quick else Plan()):
            write_json(options.out, result)
    show(result)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
