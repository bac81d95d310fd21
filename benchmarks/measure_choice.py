"""Measure which model of joints serves few clips best, chosen without the clips that it is tested on.

Run as ``python benchmarks/measure_choice.py --data DIR --out DIR [MODEL...]``, where ``--data`` is the folder
of tennis clips of ``measure_real.py``, in four blocks of neighbouring clips.

For each block, the choice is nested: every model is trained on two of the other three blocks and classifies
the third, three times. The model with the most hits is trained on all three and classifies the block. The
choices are the experiments of ``MODELS``, logistic regression on the joints at 16 points in time, and the
mean of the probabilities of all of these. All are trained for a fixed number of epochs, without validation.
Finished trainings are reused.
"""

import argparse
import csv
import os
from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from measure_real import tennis
from measure_skeletons import LEARNING, QUICK, done, interval, resampled
from rich.console import Console
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.joint_preprocessing import JointSpec
from tt_actions.clips.manifest import write_manifest
from tt_actions.clips.records import ClipRecord, class_names
from tt_actions.evaluation.tables import Table
from tt_actions.studies.trainings import Training

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
LAYOUT = "ntu25"
MODELS = {
    "strokes": (),
    "trajectory_cnn": LEARNING,
    "skeleton_lstm": LEARNING,
    "stgcn": LEARNING,
}
"""Experiments to choose from, and their options."""

REGRESSION, MEAN, CHOSEN = "logistic regression", "mean of all", "chosen"

Blocks = tuple[int, ...]

console = Console()


def labels_of(records: list[ClipRecord]) -> np.ndarray:
    """Return the class index of each clip."""
    names = class_names(records)
    return np.array([names.index(str(record.label)) for record in records])


def name_of(blocks: Blocks) -> str:
    """Return the numbers of blocks as part of a file name.

    >>> name_of((0, 2))
    '1_3'
    """
    return "_".join(str(block + 1) for block in blocks)


def tested_blocks(num_blocks: int, num_tested: int) -> list[Blocks]:
    """List which blocks the trainings leave out: each tested one, and each pair with a tested one.

    >>> tested_blocks(3, 3)
    [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)]
    >>> tested_blocks(3, 1)
    [(0,), (0, 1), (0, 2)]
    """
    left_out = [blocks for size in (1, 2) for blocks in combinations(range(num_blocks), size)]
    return [blocks for blocks in left_out if blocks[0] < num_tested]


def probabilities_of_training(
    model: str, blocks: Blocks, records: list[ClipRecord], out: Path, further: Iterable[str]
) -> np.ndarray:
    """Train an experiment on the other blocks; return probabilities ``(N, K)``, nan for trained clips."""
    training = Training(
        name=f"{model}_without_{name_of(blocks)}",
        runs=out / "runs",
        options=(
            *("--config", str(EXPERIMENTS / f"{model}.yaml"), "--monitor", "null"),
            *("--data.source", "UserJoints"),
            *("--data.source.path", str(out / f"without_{name_of(blocks)}.csv")),
            *("--data.preprocessing.layout", LAYOUT, "--data.cache_dir", str(out / "cache")),
            *("--data.val_share", "0", "--wandb.mode", "disabled", *MODELS[model], *further),
        ),
    )
    with (done(training, console) / "report" / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    names = class_names(records)
    missing = dict.fromkeys((f"p_{name}" for name in names), "nan")
    return np.array(
        [[float(rows.get(r.name, missing)[f"p_{name}"]) for name in names] for r in records], float
    )


def probabilities_of_regression(inside: np.ndarray, features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Fit logistic regression to the clips outside; return probabilities ``(N, K)``, nan for those."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    model.fit(features[~inside], labels[~inside])
    found = np.full((len(labels), len(np.unique(labels))), np.nan)
    found[inside] = model.predict_proba(features[inside])
    return found


def hits(probabilities: np.ndarray, labels: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return which of the clips inside are classified correctly."""
    return np.asarray(probabilities[inside].argmax(1) == labels[inside])


def rate(
    found: dict[str, dict[Blocks, np.ndarray]], block: int, labels: np.ndarray, blocks: np.ndarray
) -> dict[str, float]:
    """Return each model's accuracy on the other blocks, by trainings without the block."""
    others = [other for other in np.unique(blocks) if other != block]
    return {
        model: float(
            np.concatenate(
                [hits(by[min(block, o), max(block, o)], labels, blocks == o) for o in others]
            ).mean()
        )
        for model, by in found.items()
    }


def train_all(
    names: list[str], records: list[ClipRecord], blocks: np.ndarray, num_tested: int, out: Path, quick: bool
) -> dict[str, dict[Blocks, np.ndarray]]:
    """Train every model without each block and each pair; return the probabilities of the clips left out."""
    cache, labels = FrameCache(out / "cache"), labels_of(records)
    features = np.array([resampled(np.array(cache.frames(r, JointSpec(LAYOUT))), 16) for r in records])
    found: dict[str, dict[Blocks, np.ndarray]] = {name: {} for name in (*names, REGRESSION, MEAN)}
    for tested in tested_blocks(int(blocks.max()) + 1, num_tested):
        inside = np.isin(blocks, tested)
        splits = np.where(inside, "test", "train")
        split = [replace(record, split=own) for record, own in zip(records, splits, strict=True)]
        write_manifest(out / f"without_{name_of(tested)}.csv", split)
        for name in names:
            found[name][tested] = probabilities_of_training(
                name, tested, records, out, QUICK if quick else ()
            )
        found[REGRESSION][tested] = probabilities_of_regression(inside, features, labels)
        found[MEAN][tested] = np.mean([found[name][tested] for name in (*names, REGRESSION)], axis=0)
    return found


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", nargs="*", help=f"experiments (default: all): {'; '.join(MODELS)}")
    parser.add_argument("--data", type=Path, required=True, help="folder with one folder of clips per class")
    parser.add_argument("--out", type=Path, required=True, help="folder for runs and the table")
    parser.add_argument(
        "--quick", action="store_true", help="a smoke test of one model on one of three blocks"
    )
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    num_blocks, num_tested = (3, 1) if options.quick else (4, 4)
    records = tennis(options.data.absolute(), num_blocks)
    if options.quick:  # without the region, which does not fit clips of any size
        records = [replace(record, roi=None) for record in records]
    blocks = np.unique([str(record.group) for record in records], return_inverse=True)[1]
    labels, names = labels_of(records), options.models or list(MODELS)[: 1 if options.quick else None]
    found = train_all(names, records, blocks, num_tested, options.out.absolute(), options.quick)
    right: dict[str, list[float]] = {name: [] for name in (*found, CHOSEN)}
    rated: dict[str, list[float]] = {name: [] for name in found}
    for block in range(num_tested):
        inside = blocks == block
        by_name = rate(found, block, labels, blocks)
        for name, accuracy in by_name.items():
            rated[name].append(accuracy)
            right[name] += hits(found[name][(block,)], labels, inside).tolist()
        best = max(by_name, key=lambda name: by_name[name])
        console.print(f"block {block + 1}: {best}, with {by_name[best]:.3f} on the other blocks")
        right[CHOSEN] += hits(found[best][(block,)], labels, inside).tolist()
    others = {name: f"{np.mean(values):.3f}" for name, values in rated.items()} | {CHOSEN: ""}
    table = Table(
        f"accuracy on {len(right[CHOSEN])} real clips, by a nested choice of the model",
        ["model", "other blocks", "accuracy [95 %]"],
        [[name, others[name], interval(np.array(own))] for name, own in right.items()],
        [{"model": name, "accuracy": float(np.mean(own))} for name, own in right.items()],
        ["Other blocks: mean accuracy by which the model is chosen. Intervals: bootstrap over clips."],
        ["benchmarks/measure_choice.py"],
    )
    table.show(console)
    table.write(options.out / "choice")


if __name__ == "__main__":
    main()
