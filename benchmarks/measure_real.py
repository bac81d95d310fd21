"""Measure how well real clips are classified, by variants of a training and by flow classifiers.

Run as ``python benchmarks/measure_real.py tennis|weizmann --data DIR --out DIR [VARIANT...]``, where
``--data`` contains one folder of clips per class; the videos are read in place. There is one training per
fold and seed. It trains on all other groups for a fixed number of epochs, without validation, and tests the
last weights on the fold. Flow classifiers use the same folds. Finished trainings are reused, so you can
resume a stopped measurement and add variants. For each set, ``--out`` gets the runs, and the table as
Markdown, CSV and LaTeX. The pre-trained variants start from the weights of one training on synthetic strokes,
which all sets share.
"""

import argparse
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from threading import Lock

from filelock import FileLock
from flow_baseline import features_of, score_records
from rich.console import Console

from tt_actions.clips.manifest import write_manifest
from tt_actions.clips.records import ClipRecord, class_names
from tt_actions.evaluation.tables import Table
from tt_actions.sources.folders import FolderSource
from tt_actions.studies.trainings import Training, find_earlier, train
from tt_actions.training.console import say

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
NUM_BLOCKS = 4
ABOVE_THE_WATERMARK = (0, 0, 852, 410)

READING = Lock()
"""Lock for printing and reading settings, since reading settings captures everything that is printed."""

FITTED: dict[str, list[str]] = {
    "clips": [],
    "clips, HOF": ["--model.network.descriptors", "[hof]"],
    "clips, HOG": ["--model.network.descriptors", "[hog]"],
    "clips, HOF and MBH": ["--model.network.descriptors", "[hof, mbh]"],
    "clips, HOG, HOF and MBH": ["--model.network.descriptors", "[hog, hof, mbh]"],
    "clips, whole picture": ["--data.preprocessing.crop", "none"],
}
"""Variants of experiments/clips.yaml, whose fit is deterministic and the same for every seed."""

JOINTS: dict[str, list[str]] = {
    "strokes": [],
    "strokes, all landmarks": ["--data.preprocessing.layout", "blazepose33"],
    "strokes, joints in the picture": ["--data.preprocessing.layout", "blazepose33_2d"],
}
"""Variants of experiments/strokes.yaml, whose fit is deterministic too."""

LEARNT: dict[str, list[str]] = {
    "clips_network": [],
    "whole picture": ["--data.preprocessing.crop", "none"],
    "no motion input": ["--model.network.motion", "false"],
    "no temporal shift": ["--model.network.shift", "false"],
    "no augmentation": ["--model.augmentation", "null"],
    "no flips": ["--model.augmentation.flip", "0"],
    "no crops and turns": [
        *("--model.augmentation.crop", "[1.0, 1.0]", "--model.augmentation.stretch", "1"),
        *("--model.augmentation.rotation_deg", "0"),
    ],
    "no change of colour": [
        *("--model.augmentation.brightness", "0", "--model.augmentation.contrast", "0"),
        *("--model.augmentation.saturation", "0"),
    ],
    "no blur, noise, erasing": [
        *("--model.augmentation.blur", "0", "--model.augmentation.noise", "0"),
        *("--model.augmentation.erase", "0"),
    ],
    "no change of speed": ["--model.augmentation.speed", "0", "--model.augmentation.jitter", "0"],
    "no MixUp": ["--model.augmentation.mixup", "0"],
    "published CNN-LSTM": [
        *("--model.network", "CNNLSTM", "--model.network.channels", "[16, 32, 64]"),
        *("--model.network.grid", "[8, 8]", "--model.network.dropout", "0.3"),
    ],
}
"""Variants of experiments/clips_network.yaml."""

PRETRAINED: dict[str, list[str]] = {
    "pre-trained on drawn strokes": [],
    "pre-trained, CNN ten times slower": ["--model.lr_scales", "{stem: 0.1, blocks: 0.1}"],
    "pre-trained, CNN frozen": ["--model.lr_scales", "{stem: 0.0, blocks: 0.0}"],
}
"""Variants of experiments/clips_network.yaml that start from weights learnt on synthetic strokes."""

VARIANTS = JOINTS | FITTED | LEARNT | PRETRAINED

ON_DRAWN_STROKES = [
    *("--config", str(EXPERIMENTS / "cnn_lstm_plus.yaml"), "--data.source.seed", "7"),
    *("--data.preprocessing.size", "[64, 64]", "--data.preprocessing.crop", "motion"),
    *("--model.network.grid", "[3, 3]", "--model.network.hidden_size", "64"),
    *("--model.network.average", "mean", "--model.augmentation.flip", "0.5", "--wandb.mode", "disabled"),
]
"""The network and frames of experiments/clips_network.yaml, trained like experiments/cnn_lstm_plus.yaml."""

QUICK = [
    *("--data.preprocessing.num_frames", "8", "--data.preprocessing.size", "[32, 32]"),
    *("--trainer.max_epochs", "1"),
]
"""Further options of every training in a smoke test."""

PROTOCOLS = {
    "tennis": "a fold is a block of neighbouring file numbers of each class",
    "weizmann": "a fold is a person",
}


def tennis(folder: Path, num_blocks: int = NUM_BLOCKS) -> list[ClipRecord]:
    """List the tennis clips; the group is the block of neighbouring file numbers within the class."""
    by_class = defaultdict(list)
    for record in FolderSource(folder).records():
        by_class[record.label].append(record)
    grouped = []
    for records in by_class.values():
        records.sort(key=lambda record: int(re.findall(r"\d+", record.path.stem)[0]))
        for i, record in enumerate(records):
            block = f"block {i * num_blocks // len(records) + 1}"
            grouped.append(replace(record, roi=ABOVE_THE_WATERMARK, group=block))
    return grouped


def weizmann(folder: Path) -> list[ClipRecord]:
    """List the clips of whole-body actions; the group is the person."""
    return FolderSource(folder, group_pattern="^[a-z]+").records()


def folds(records: Iterable[ClipRecord]) -> list[list[ClipRecord]]:
    """Return the clips with splits, once for each group as the test set."""
    records = list(records)
    groups = sorted({str(record.group) for record in records})
    return [
        [replace(record, split="test" if record.group == group else "train") for record in records]
        for group in groups
    ]


def train_on_drawn_strokes(out: Path, console: Console) -> Path:
    """Train the network on synthetic strokes unless it is already trained, and return its checkpoint."""
    training = Training(
        name="drawn_strokes",
        runs=out / "runs",
        options=(
            *(*ON_DRAWN_STROKES, "--data.source.out", str(out / "drawn")),
            *("--data.cache_dir", str(out / "cache")),
        ),
    )
    out.mkdir(parents=True, exist_ok=True)
    with FileLock(out / ".lock"):  # another process may measure another set at the same time
        earlier = find_earlier(training)
        say(
            f"{training.name}: {'already done' if earlier.done else f'training, see {training.log}'}", console
        )
        run_dir = earlier.done or train(training, earlier.stopped, str)
    return run_dir / "checkpoints" / "best.ckpt"


def trainings(
    variants: Iterable[str],
    num_folds: int,
    num_seeds: int,
    out: Path,
    drawn: Path | None,
    further: Iterable[str] = (),
) -> dict[tuple[str, int, int], Training]:
    """Return one training per variant, seed and fold; the manifests are in ``out``."""
    begin = [] if drawn is None else ["--model.init_from", str(drawn)]
    return {
        (variant, seed, fold): Training(
            name=re.sub(r"\W+", "_", f"{variant}_fold_{fold}_seed_{seed}"),
            runs=out / "runs",
            options=(
                *("--config", str(EXPERIMENTS / f"{experiment_of(variant)}.yaml")),
                *("--data.source.path", str(out / f"fold_{fold}.csv")),
                *("--data.cache_dir", str(out / "cache"), "--seed_everything", str(seed)),
                *("--wandb.mode", "disabled", *VARIANTS[variant]),
                *(begin if variant in PRETRAINED else []),
                *further,
            ),
        )
        for seed in range(num_seeds)
        for variant in variants
        if seed == 0 or variant not in FITTED | JOINTS
        for fold in range(num_folds)
    }


def experiment_of(variant: str) -> str:
    """Return the name of the experiment that a variant changes."""
    if variant in JOINTS:
        return "strokes"
    return "clips" if variant in FITTED else "clips_network"


def accuracy_of(training: Training, console: Console) -> float:
    """Train unless the training is already done, and return the test accuracy."""
    with READING:
        earlier = find_earlier(training)
    run_dir = earlier.done or train(training, earlier.stopped, str)
    accuracy = float(json.loads((run_dir / "report" / "metrics.json").read_text("utf-8"))["accuracy"])
    with READING:
        say(f"{training.name}: {accuracy:.3f}", console)
    return accuracy


def tabulate(name: str, records: list[ClipRecord], by_fold: dict[str, list[list[float]]]) -> Table:
    """Make the table of all variants: method -> fold -> seed -> accuracy."""
    rows, numbers = [], []
    for method, values in by_fold.items():
        means = [mean(seeds) for seeds in values]
        over_seeds = [mean(fold) for fold in zip(*values, strict=True)]
        spread = stdev(over_seeds) if len(over_seeds) > 1 else None
        shown = "" if spread is None else f"{spread:.3f}"
        rows.append([method, f"{mean(means):.3f} ± {stdev(means):.3f}", shown, *(f"{m:.2f}" for m in means)])
        by_number = {f"fold_{i + 1}": value for i, value in enumerate(means)}
        numbers.append(
            {
                "method": method,
                "mean": mean(means),
                "spread_of_folds": stdev(means),
                "spread_of_seeds": spread,
                **by_number,
            }
        )
    num_folds = len(next(iter(by_fold.values())))
    return Table(
        f"{name}: accuracy on {len(records)} real clips",
        ["method", "accuracy", "seeds", *(f"fold {i + 1}" for i in range(num_folds))],
        rows,
        numbers,
        [
            f"{PROTOCOLS[name].capitalize()}; chance is {1 / len(class_names(records)):.2f}. Accuracy: mean "
            "and standard deviation over folds; seeds: standard deviation of the mean over seeds."
        ],
        ["benchmarks/measure_real.py"],
    )


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("set", choices=PROTOCOLS)
    parser.add_argument(
        "variants", nargs="*", help=f"variants to measure (default: all): {'; '.join(VARIANTS)}"
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with one folder of clips per class")
    parser.add_argument("--out", type=Path, required=True, help="folder for runs and tables")
    parser.add_argument("--seeds", type=int, default=2, help="number of trainings per fold")
    parser.add_argument("--jobs", type=int, default=1, help="number of parallel trainings, one core each")
    parser.add_argument(
        "--quick", action="store_true", help="a smoke test with one variant on two of three folds"
    )
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // options.jobs)))
    console = Console()
    if options.quick:  # without the region of interest, which does not fit clips of any size
        options.seeds, options.variants = 1, options.variants or list(FITTED)[:1]
        records = [replace(record, roi=None) for record in tennis(options.data, num_blocks=3)]
    else:
        records = {"tennis": tennis, "weizmann": weizmann}[options.set](options.data)
    by_fold = folds(records)[: 2 if options.quick else None]
    out = options.out / options.set
    out.mkdir(parents=True, exist_ok=True)
    for fold, fold_records in enumerate(by_fold):
        write_manifest(out / f"fold_{fold}.csv", fold_records)
    variants = options.variants or list(VARIANTS)
    drawn = train_on_drawn_strokes(options.out, console) if PRETRAINED.keys() & set(variants) else None
    planned = trainings(variants, len(by_fold), options.seeds, out, drawn, QUICK if options.quick else ())
    with ThreadPoolExecutor(options.jobs) as pool:
        accuracies = dict(
            zip(planned, pool.map(lambda t: accuracy_of(t, console), planned.values()), strict=True)
        )
    features = features_of(records, 1 if options.quick else 2)
    scores = [score_records(fold, features) for fold in by_fold]
    results = {f"{m} on flow": [[score[m]] for score in scores] for m in scores[0]}
    for v in variants:
        seeds = range(1 if v in FITTED | JOINTS else options.seeds)
        results[v] = [[accuracies[v, s, f] for s in seeds] for f in range(len(by_fold))]
    table = tabulate(options.set, records, results)
    table.show(console)
    table.write(out / "table")


if __name__ == "__main__":
    main()
