"""Measure how well real strokes are classified from joints, by every model and by a plain SVM.

Run as ``python benchmarks/measure_skeletons.py SET --data DIR --out DIR [VARIANT...]``, where ``--data`` is
the folder of the recordings, which are read in place, and SET is one of

- thetis, thetis_coarse: ``DIR/<stroke>/pN.txt``; four folds of three players each; 12 or 5 strokes.
- msr: ``DIR/aAA_sSS_eEE_skeleton3D.txt``; one fold per subject; 20 actions.
- tennis: ``DIR/<video>/<class>_NNN.csv``; one fold per video; 4 classes.

There is one training per fold and seed. It trains on all other groups for a fixed number of epochs, without
validation, and tests the last weights on the fold. The accuracy is over all clips of all folds, with a
bootstrap interval over clips; a clip of a class that no other fold contains counts as wrong. The baseline is
a support vector machine on the same folds. It reads the normalised joints at 20 points in time, linearly
interpolated between frames, for each way of centring them. Pre-trained variants start from weights of a
training on synthetic skeletons, converted to the set's layout. The variants "without fine-tuning" classify
the recordings of corresponding classes with these weights directly. "Mean of all" averages the probabilities
of the first seed of all trained variants. Finished trainings are reused.
"""

import argparse
import csv
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
from rich.console import Console
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tt_actions.clips.joint_preprocessing import Centre, JointSpec
from tt_actions.clips.manifest import write_manifest
from tt_actions.clips.records import ClipRecord, class_names
from tt_actions.evaluation.significance import bootstrap_interval
from tt_actions.evaluation.tables import Table
from tt_actions.recognition.loading import load
from tt_actions.sources.folders import FolderSource
from tt_actions.studies.trainings import Training, find_earlier, train
from tt_actions.training.console import say

EXPERIMENTS = Path(__file__).parents[1] / "experiments"


def coarse(label: str) -> str:
    """Return the stroke to which a THETIS class belongs."""
    kinds = {"serv": "serve", "smash": "smash", "volley": "volley", "for": "forehand", "back": "backhand"}
    return next(kind for beginning, kind in kinds.items() if label.startswith(beginning))


def thetis(folder: Path) -> list[ClipRecord]:
    """List the recordings; the group is the player."""
    return FolderSource(folder, group_pattern="p[0-9]+", suffixes=(".txt",)).records()


def thetis_coarse(folder: Path) -> list[ClipRecord]:
    """List the recordings with one of five strokes each."""
    return [replace(record, label=coarse(str(record.label))) for record in thetis(folder)]


def msr(folder: Path) -> list[ClipRecord]:
    """List the recordings; the group is the subject."""
    paths = sorted(folder.glob("a*_s*_e*_skeleton3D.txt"))
    return [ClipRecord(path, path.name[:3], group=path.name[4:7]) for path in paths]


def tennis(folder: Path) -> list[ClipRecord]:
    """List the windows; the group is the video."""
    paths = sorted(folder.glob("*/*.csv"))
    return [ClipRecord(path, path.stem.rpartition("_")[0], group=path.parent.name) for path in paths]


class RecordedSet(NamedTuple):
    """A set of recordings and its options, which were chosen on the training groups of its first fold."""

    records: Callable[[Path], list[ClipRecord]]
    layout: str
    num_folds: int
    options: tuple[str, ...]
    of_model: dict[str, tuple[str, ...]]


FRAMES = "--data.preprocessing.num_frames"
C3D_FRAMES = (FRAMES, "16")  # as in its source; longer volumes are slow
SETS = {
    "thetis": RecordedSet(thetis, "thetis15", 4, (FRAMES, "64"), {"skeleton_c3d": C3D_FRAMES}),
    "thetis_coarse": RecordedSet(thetis_coarse, "thetis15", 4, (FRAMES, "64"), {"skeleton_c3d": C3D_FRAMES}),
    "msr": RecordedSet(
        msr,
        "kinect20",
        3,
        (FRAMES, "32", "--data.preprocessing.centre", "joint"),
        {
            "skeleton_c3d": (
                *C3D_FRAMES,
                "--data.preprocessing.centre",
                "clip",
            ),  # keeps the motion of the whole body
            "stgcn": (
                *("--model.network.streams", "[joint, bone, joint_motion, bone_motion]"),
                *("--model.network.channels", "[32, 64]"),
            ),
        },
    ),
    "tennis": RecordedSet(tennis, "movenet13", 2, (FRAMES, "30"), {"skeleton_c3d": C3D_FRAMES}),
}

LEARNT = ("trajectory_cnn", "skeleton_lstm", "stgcn", "skeleton_c3d", "pose_lstm_fuzzy")
LEARNING = ("--data.batch_size", "8", "--trainer.max_epochs", "60")
FITTED = ("strokes", "fisher", "hmm_classifier")
PRETRAINED = tuple(f"{name}, pre-trained" for name in LEARNT[:4])
UNTUNED = tuple(f"{name}, without fine-tuning" for name in LEARNT[:4])
QUICK = ("--data.preprocessing.num_frames", "8", "--trainer.max_epochs", "1")
QUICK_DRAWN = ("--data.source.clips", "24", "--data.source.players", "6")
"""Further options of the trainings in a smoke test."""

VARIANTS = (*LEARNT, *FITTED, *PRETRAINED, *UNTUNED)


def fold_of(records: list[ClipRecord], num_folds: int) -> np.ndarray:
    """Assign each recording to a fold; all recordings of a group are in the same fold."""
    groups = sorted({str(record.group) for record in records})
    return np.array([groups.index(str(record.group)) % num_folds for record in records])


def resampled(joints: np.ndarray, num_moments: int = 20) -> np.ndarray:
    """Interpolate joints ``(T, V, C)`` linearly at a fixed number of points in time, and flatten them."""
    times = np.linspace(0, len(joints) - 1, num_moments)
    flat = joints.reshape(len(joints), -1)
    return np.concatenate([np.interp(times, np.arange(len(joints)), column) for column in flat.T])


def floor(records: list[ClipRecord], folds: np.ndarray, spec: JointSpec) -> np.ndarray:
    """Return which recordings the SVM classifies correctly after training on the other folds."""
    features = np.array([resampled(spec.read(record.path).values) for record in records])
    labels = np.array([record.label for record in records])
    right = np.zeros(len(records), bool)
    for fold in np.unique(folds):
        inside = folds == fold
        machine = make_pipeline(StandardScaler(), SVC(C=10)).fit(features[~inside], labels[~inside])
        right[inside] = machine.predict(features[inside]) == labels[inside]
    return right


def synthetic_training(model: str, chosen: RecordedSet, out: Path, further: tuple[str, ...] = ()) -> Training:
    """Return the training on synthetic skeletons in a set's layout, from which fine-tuning starts."""
    return Training(
        name=re.sub(r"\W+", "_", f"synthetic_{model}_{chosen.layout}"),
        runs=out.parent / "runs",
        options=(
            *("--config", str(EXPERIMENTS / f"{model}.yaml"), "--wandb.mode", "disabled"),
            *("--data.source", "SyntheticSkeletons", "--data.source.out", str(out.parent / "synthetic")),
            *("--data.source.clips", "1200", "--data.source.players", "300", "--data.source.seed", "7"),
            *("--data.source.halls", "40", "--data.cache_dir", str(out.parent / "cache")),
            *("--data.preprocessing.layout", chosen.layout, *chosen.options, *chosen.of_model.get(model, ())),
            *("--trainer.max_epochs", "15"),
            *further,
        ),
    )


def fold_training(
    variant: str,
    fold: int,
    seed: int,
    chosen: RecordedSet,
    out: Path,
    weights: Path | None,
    further: tuple[str, ...] = (),
) -> Training:
    """Return the training of a variant on all folds except one."""
    model = variant.partition(",")[0]
    learning = LEARNING if model in LEARNT else ()
    return Training(
        name=re.sub(r"\W+", "_", f"{variant}_fold_{fold}_seed_{seed}"),
        runs=out / "runs",
        options=(
            *("--config", str(EXPERIMENTS / f"{model}.yaml"), "--monitor", "null"),
            *("--data.source", "UserJoints", "--data.source.path", str(out / f"fold_{fold}.csv")),
            *("--data.preprocessing.layout", chosen.layout, *chosen.options, *chosen.of_model.get(model, ())),
            *("--data.cache_dir", str(out.parent / "cache"), "--seed_everything", str(seed)),
            *("--wandb.mode", "disabled", "--data.val_share", "0", *learning),
            *(() if weights is None else ("--model.init_from", str(weights))),
            *further,
        ),
    )


def done(training: Training, console: Console) -> Path:
    """Train unless the training is already done, and return the run's directory."""
    earlier = find_earlier(training)
    run_dir = earlier.done or train(training, earlier.stopped, str)
    accuracy = json.loads((run_dir / "report" / "metrics.json").read_text("utf-8"))["accuracy"]
    say(f"{training.name}: {accuracy:.3f}", console)
    return run_dir


def probabilities_of(run_dirs: list[Path], records: list[ClipRecord]) -> np.ndarray:
    """Return the probabilities ``(N, K)`` of the test clips of several runs, 0 for clips that none has."""
    rows: dict[str, dict[str, str]] = {}
    for run_dir in run_dirs:
        with (run_dir / "report" / "predictions.csv").open(newline="", encoding="utf-8") as file:
            rows |= {row["name"]: row for row in csv.DictReader(file)}
    columns = [f"p_{name}" for name in class_names(records)]
    return np.array([[float(rows.get(r.name, {}).get(c, 0)) for c in columns] for r in records])


def right_of(probabilities: np.ndarray, records: list[ClipRecord]) -> np.ndarray:
    """Return which recordings are classified correctly; those without probabilities are not."""
    names = class_names(records)
    labels = np.array([names.index(str(record.label)) for record in records])
    return np.asarray((probabilities.argmax(1) == labels) & probabilities.any(1))


def untuned(run_dir: Path, records: list[ClipRecord]) -> np.ndarray:
    """Return which recordings of corresponding classes a synthetic training's weights classify correctly."""
    model = load(run_dir / "checkpoints" / "best.ckpt")
    same = [record for record in records if coarse_or_same(record.label) in model.class_names]
    return np.array([model.predict(r.path).label == coarse_or_same(r.label) for r in same])


def coarse_or_same(label: str | None) -> str:
    """Return the synthetic stroke that corresponds to a class, if there is one."""
    if re.fullmatch("a1[78]", str(label)):
        return {"a17": "forehand", "a18": "serve"}[str(label)]  # tennis swing, tennis serve
    try:
        return coarse(str(label))
    except StopIteration:
        return str(label)


def interval(right: np.ndarray) -> str:
    """Format an accuracy with its bootstrap interval."""
    low, high = bootstrap_interval(lambda counts: counts @ right / len(right), len(right))
    return f"{right.mean():.3f} [{low:.2f}, {high:.2f}]"


def synthetic_run(model: str, chosen: RecordedSet, out: Path, console: Console, quick: bool) -> Path:
    """Return the directory of the training on synthetic skeletons."""
    return done(synthetic_training(model, chosen, out, (*QUICK_DRAWN, *QUICK) if quick else ()), console)


def measure(
    variant: str,
    records: list[ClipRecord],
    chosen: RecordedSet,
    out: Path,
    seeds: int,
    console: Console,
    quick: bool,
) -> list[np.ndarray]:
    """Return the probabilities ``(N, K)`` of a variant, for each seed."""
    model, _, how = variant.partition(", ")
    learning = QUICK if quick else ()
    begun = synthetic_run(model, chosen, out, console, quick) if how else None
    weights = begun and begun / "checkpoints" / "best.ckpt"
    found = []
    for seed in range(1 if model in FITTED else seeds):
        run_dirs = [
            done(fold_training(variant, fold, seed, chosen, out, weights, learning), console)
            for fold in range(chosen.num_folds)
        ]
        found.append(probabilities_of(run_dirs, records))
    return found


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("set", choices=SETS)
    parser.add_argument(
        "variants", nargs="*", help=f"variants to measure (default: all): {'; '.join(VARIANTS)}"
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the recordings")
    parser.add_argument("--out", type=Path, required=True, help="folder for runs and tables")
    parser.add_argument("--seeds", type=int, default=1, help="number of trainings per fold")
    parser.add_argument("--quick", action="store_true", help="a smoke test with two folds of one model")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    console = Console()
    chosen, out = SETS[options.set], options.out.absolute() / options.set
    if options.quick:
        chosen = chosen._replace(num_folds=2)
        options.variants = options.variants or [PRETRAINED[1], UNTUNED[1]]
    records = chosen.records(options.data.absolute())
    folds = fold_of(records, chosen.num_folds)
    for fold in range(chosen.num_folds):
        learnt = {record.label for record, own in zip(records, folds, strict=True) if own != fold}
        split = [
            replace(record, split="test" if own == fold else "train")
            for record, own in zip(records, folds, strict=True)
            if record.label in learnt
        ]
        write_manifest(out / f"fold_{fold}.csv", split)
    found = {
        f"SVM, centre: {centre}": [floor(records, folds, JointSpec(chosen.layout, centre=centre))]
        for centre in get_args(Centre)
    }
    first = []
    for variant in options.variants or VARIANTS:
        if variant in UNTUNED:
            begun = synthetic_run(variant.partition(", ")[0], chosen, out, console, options.quick)
            found[variant] = [untuned(begun, records)]
            continue
        by_seed = measure(variant, records, chosen, out, options.seeds, console, options.quick)
        found[variant] = [right_of(probabilities, records) for probabilities in by_seed]
        first.append(by_seed[0])
    if len(first) > 1:
        found["mean of all"] = [right_of(np.mean(first, axis=0), records)]
    lines, numbers = [], []
    for name, by_seed in found.items():
        accuracies = [float(right.mean()) for right in by_seed]
        shown = interval(by_seed[0]) if len(by_seed) == 1 else interval(np.mean(by_seed, axis=0))
        lines.append([name, str(len(by_seed[0])), shown, " ".join(f"{a:.3f}" for a in accuracies)])
        numbers.append({"model": name, "clips": len(by_seed[0]), "accuracy": float(np.mean(accuracies))})
    table = Table(
        f"{options.set}: accuracy on {len(records)} real recordings",
        ["model", "clips", "accuracy [95 %]", "by seed"],
        lines,
        numbers,
        [
            f"{chosen.num_folds} folds with separate groups; {len(class_names(records))} classes. Intervals: "
            "bootstrap over clips."
        ],
        ["benchmarks/measure_skeletons.py"],
    )
    table.show(console)
    table.write(out / "table")


if __name__ == "__main__":
    main()
