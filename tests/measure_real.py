"""How well real clips are told apart: the network beside flow classifiers, on the same folds.

Run as ``python tests/measure_real.py tennis|weizmann --data DIR [--epochs N] [--out FILE] [ARGS...]``, where
``--data`` is the folder with a folder of clips for each class and further ARGS are options of
``tt-actions train``. The videos are read in place; manifests and runs go to a temporary folder. The
classifiers learn from the network's training and validation clips: it needs the latter to choose its best
epoch.
"""

import argparse
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any

from flow_baseline import features_of, score_records
from rich.console import Console
from rich.table import Table

from tt_actions.clips import ClipRecord, Split, class_names, write_manifest
from tt_actions.files import write_atomically
from tt_actions.main import main as tt_actions
from tt_actions.report import provenance
from tt_actions.sources.folders import FolderSource

EXPERIMENT = Path(__file__).parents[1] / "experiments" / "clips.yaml"
NETWORK = "network"
NUM_BLOCKS = 4
ABOVE_THE_WATERMARK = (0, 0, 852, 410)

PROTOCOLS = {
    "tennis": "test = a block of neighbouring file numbers of each class, validation = the next block",
    "weizmann": "test = a person, validation = the next person",
}


def tennis(folder: Path) -> list[ClipRecord]:
    """List the tennis clips; the group is the block of neighbouring file numbers within the class."""
    by_class = defaultdict(list)
    for record in FolderSource(folder).records():
        by_class[record.label].append(record)
    grouped = []
    for records in by_class.values():
        records.sort(key=_number)
        for i, record in enumerate(records):
            block = f"block {i * NUM_BLOCKS // len(records) + 1}"
            grouped.append(replace(record, roi=ABOVE_THE_WATERMARK, group=block))
    return grouped


def weizmann(folder: Path) -> list[ClipRecord]:
    """List the clips of whole-body actions; the group is the person."""
    return FolderSource(folder, group_pattern="^[a-z]+").records()


def folds(records: Iterable[ClipRecord]) -> dict[str, list[ClipRecord]]:
    """Give the clips their splits, once for each group as test set; validation is the group after it."""
    records = list(records)
    groups = sorted({str(record.group) for record in records})

    def split(record: ClipRecord, i: int) -> ClipRecord:
        roles: dict[str, Split] = {groups[i]: "test", groups[(i + 1) % len(groups)]: "val"}
        return replace(record, split=roles.get(str(record.group), "train"))

    return {group: [split(record, i) for record in records] for i, group in enumerate(groups)}


def train_network(records: list[ClipRecord], folder: Path, args: list[str]) -> dict[str, Any]:
    """Train on one fold with the command and return its metrics.json."""
    folder.mkdir()
    manifest = folder / "manifest.csv"
    write_manifest(manifest, records)
    ours = {"data.source.path": manifest, "runs": folder / "runs", "experiment": "fold"}
    words = [word for name, value in ours.items() for word in (f"--{name}", str(value))]
    cache = ["--data.cache_dir", str(folder.parent / "cache")]
    tt_actions(["train", "--config", str(EXPERIMENT), *cache, *args, *words])
    report = folder / "runs" / "fold" / "version_0" / "report" / "metrics.json"
    metrics: dict[str, Any] = json.loads(report.read_text("utf-8"))
    return metrics


def measure(records: list[ClipRecord], args: list[str]) -> dict[str, Any]:
    """Measure every method on every fold."""
    features = features_of(records)
    fold_results = []
    with TemporaryDirectory(prefix="tt_actions_real_") as name:
        for i, (group, fold) in enumerate(folds(records).items()):
            metrics = train_network(fold, Path(name) / f"fold_{i}", args)
            accuracy = {NETWORK: metrics["accuracy"], **score_records(fold, features)}
            counts = {s: sum(record.split == s for record in fold) for s in ("train", "val", "test")}
            fold_results.append({"test": group, "clips": counts, "accuracy": accuracy, "report": metrics})
    methods = list(fold_results[0]["accuracy"])
    by_method = {m: [result["accuracy"][m] for result in fold_results] for m in methods}
    return {
        "chance": 1 / len(class_names(records)),
        "mean": {m: mean(values) for m, values in by_method.items()},
        "spread": {m: stdev(values) for m, values in by_method.items()},
        "folds": fold_results,
    }


def show(name: str, result: dict[str, Any]) -> None:
    """Print accuracy by fold and method."""
    table = Table(
        title=f"{name}, accuracy: {PROTOCOLS[name]}",
        caption=f"clips: train/val/test; chance: {result['chance']:.3f}; all: mean +- standard deviation",
    )
    table.add_column("test")
    table.add_column("clips", no_wrap=True)
    for method in result["mean"]:
        table.add_column(method, justify="right")
    for fold in result["folds"]:
        counts = "/".join(map(str, fold["clips"].values()))
        table.add_row(fold["test"], counts, *(f"{value:.3f}" for value in fold["accuracy"].values()))
    table.add_section()
    summary = (f"{result['mean'][m]:.3f} +- {result['spread'][m]:.3f}" for m in result["mean"])
    table.add_row("all", "", *summary)
    Console().print(table)


def _number(record: ClipRecord) -> int:
    found = re.search(r"\d+", record.path.stem)
    if found is None:
        raise ValueError(f"Expected a number in the file's name, but got '{record.path.name}'.")
    return int(found[0])


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("set", choices=PROTOCOLS)
    parser.add_argument("--data", type=Path, required=True, help="folder with a folder of clips a class")
    parser.add_argument("--epochs", type=int, help="epochs of each training; the experiment's unless given")
    parser.add_argument("--out", type=Path, help="JSON file to write all figures to")
    options, args = parser.parse_known_args()
    if options.epochs is not None:
        args = ["--trainer.max_epochs", str(options.epochs), *args]
    os.environ.setdefault("WANDB_MODE", "disabled")
    records = {"tennis": tennis, "weizmann": weizmann}[options.set](options.data)
    result = {"set": options.set, "protocol": PROTOCOLS[options.set], "args": args, **measure(records, args)}
    seconds = sum(fold["report"]["provenance"]["seconds"] for fold in result["folds"])
    result["provenance"] = provenance(EXPERIMENT.read_text("utf-8"), None, seconds)
    show(options.set, result)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(options.out) as temporary:
            temporary.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
