"""Measure how well the networks of the package name real strokes, none of which had a label for the training.

Run as ``python benchmarks/measure_names.py SET --data DIR --out DIR``, where ``--data`` is for

- tennis: a folder of videos with one subfolder per class; ``--roi`` is the region of the players.
- table_tennis: a folder of videos or of landmarks with ``clips.csv`` and the columns path, label and hand.
- thetis: ``DIR/<stroke>/pN.txt``, of which the twelve strokes count as five. ``--fps 18`` is their rate.
- others: a folder of videos of people who play no strokes, with one subfolder per class; ``--sport`` chooses
  the network.

In each clip, the swing with the fastest hand counts, as it is found in a match; if none is found, the whole
clip. The table gives the accuracy with a bootstrap interval over clips, once among all names that the network
knows, and once among those that occur in the set; chance is the share of the most frequent class. A name is
sure if its probability is at least ``UNSURE``. The calibration error is the mean difference between
probability and accuracy over ten bins (Guo et al. 2017). A last line says how many of the clips with a swing
count as strokes, because their fastest swing is more probably one than not.
"""

import argparse
import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
from measure_skeletons import thetis_coarse
from rich.console import Console

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.joint_preprocessing import JointPreprocessing, JointSpec
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.strokes import NO_STROKE
from tt_actions.command_line import parse_roi
from tt_actions.evaluation.significance import bootstrap_interval
from tt_actions.evaluation.tables import Table
from tt_actions.match.summary import UNSURE
from tt_actions.recognition.loading import load
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.recognition.stroke_names import NamedSport, load_names
from tt_actions.recognition.swings import Swing, find_swings
from tt_actions.skeleton.hands import hand_speeds
from tt_actions.skeleton.layouts import find_layout
from tt_actions.sources.folders import FolderSource

COLUMNS = ["names", "clips", "chance", "accuracy", "sure", "right if sure", "calibration error"]
NUM_BINS = 10


def listed(folder: Path) -> list[ClipRecord]:
    """List the clips of a folder by its ``clips.csv``."""
    with (folder / "clips.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [ClipRecord(folder / row["path"], row["label"], hand=row.get("hand") or None) for row in rows]


SETS: dict[str, tuple[NamedSport, Callable[[Path], list[ClipRecord]]]] = {
    "tennis": ("tennis", lambda folder: FolderSource(folder).records()),
    "table_tennis": ("table_tennis", listed),
    "thetis": ("tennis", thetis_coarse),
    "others": ("table_tennis", lambda folder: FolderSource(folder).records()),
}
"""For each set its sport, and the function that lists its clips."""


class Named(NamedTuple):
    """Probabilities of the names ``(N, K)``, true classes and whether there is a swing ``(N,)``, names."""

    probabilities: np.ndarray
    labels: np.ndarray
    has_swing: np.ndarray
    names: tuple[str, ...]

    def among(self, classes: Sequence[str]) -> "Named":
        """Return the probabilities if only some classes can occur."""
        kept = [self.names.index(name) for name in classes]
        part = self.probabilities[:, kept]
        return Named(part / part.sum(1, keepdims=True), self.labels, self.has_swing, tuple(classes))

    def count_strokes(self) -> str:
        """Say how many of the clips with a swing count as strokes."""
        others = self.probabilities[self.has_swing, self.names.index(NO_STROKE)]
        return f"{(others <= 0.5).sum()} of {len(others)} clips with a swing count as strokes."

    @property
    def right(self) -> np.ndarray:
        """Whether each name is right."""
        return np.array(self.names)[self.probabilities.argmax(1)] == self.labels

    @property
    def confidence(self) -> np.ndarray:
        """The highest probability of each clip."""
        return self.probabilities.max(1)

    def calibration_error(self) -> float:
        """Return the expected calibration error."""
        bins = np.minimum((self.confidence * NUM_BINS).astype(int), NUM_BINS - 1)
        inside = [bins == index for index in range(NUM_BINS) if (bins == index).any()]
        return float(sum(abs(self.confidence[own].sum() - self.right[own].sum()) for own in inside)) / len(
            bins
        )


def name_clip(
    model: Recognizer, spec: JointSpec, joints: np.ndarray, record: ClipRecord
) -> tuple[list[float], bool]:
    """Return the probabilities of the names of a clip's fastest swing, and whether there is one."""
    times_s = np.arange(len(joints)) / spec.fps
    speed = hand_speeds(joints, find_layout(spec.layout), spec.fps).max(1)
    assert model.typical_swing is not None
    swings = find_swings(speed, times_s, model.typical_swing)
    fastest = max(
        swings,
        key=lambda swing: speed[np.searchsorted(times_s, swing.contact_s - 1e-6)],
        default=Swing(0.0, 0.0, np.inf),
    )
    first, last = np.searchsorted(times_s, [fastest.start_s - 1e-6, fastest.end_s - 1e-6])
    part = spec.normalise(joints[first:last], record.path)
    return list(model.classify(part, times_s[first:last], record.hand).probabilities.values()), bool(swings)


def name_all(
    model: Recognizer, records: list[ClipRecord], fps: float | None, roi: tuple[int, ...] | None, cache: Path
) -> Named:
    """Name the strokes of all clips."""
    assert isinstance(model.preprocessing, JointPreprocessing)
    spec = replace(model.preprocessing.spec, fps=fps or model.preprocessing.fps, roi=roi)
    spec = replace(spec, empty_frames="drop" if fps else "interpolate")  # tracking losses of a Kinect
    frames = FrameCache(cache)
    found = [name_clip(model, spec, np.array(frames.frames(r, spec)), r) for r in records]
    rows, has_swing = map(np.array, zip(*found, strict=True))
    return Named(rows, np.array([str(r.label) for r in records]), has_swing, model.class_names)


def row_of(title: str, named: Named) -> tuple[list[str], dict[str, object]]:
    """Return a row of the table, as text and as numbers."""
    right, sure = named.right, named.confidence >= UNSURE
    low, high = bootstrap_interval(lambda counts: counts @ right / len(right), len(right))
    chance = float(np.unique(named.labels, return_counts=True)[1].max()) / len(right)
    of_sure = float(right[sure].mean()) if sure.any() else float("nan")
    error = named.calibration_error()
    cells = [
        title,
        str(len(right)),
        f"{chance:.2f}",
        f"{right.mean():.3f} [{low:.2f}, {high:.2f}]",
        f"{sure.mean():.2f}",
        f"{of_sure:.3f}",
        f"{error:.2f}",
    ]
    figures = [chance, float(right.mean()), float(sure.mean()), of_sure, error]
    numbers = {"names": title, "clips": len(right), **dict(zip(COLUMNS[2:], figures, strict=True))}
    return cells, numbers | {"low": low, "high": high}


def confusions(named: Named) -> list[str]:
    """Return a sentence per class: how often it got which name."""
    found = np.array(named.names)[named.probabilities.argmax(1)]
    lines = []
    for label in sorted(set(named.labels)):
        counts = [f"{name} {int((found[named.labels == label] == name).sum())}" for name in named.names]
        lines.append(f"{label}: {', '.join(counts)}.")
    return lines


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("set", choices=sorted(SETS))
    parser.add_argument("--data", type=Path, required=True, help="folder of the recordings")
    parser.add_argument("--out", type=Path, required=True, help="folder for the joints and the table")
    parser.add_argument("--sport", choices=get_args(NamedSport), help="network (default: that of the set)")
    parser.add_argument("--names", type=Path, help="checkpoint (default: that of the package)")
    parser.add_argument("--fps", type=float, help="rate of files that do not give it (default: 30)")
    parser.add_argument("--roi", type=parse_roi, help="region of the players in videos: x0,y0,x1,y1")
    parser.add_argument("--quick", action="store_true", help="a smoke test on eight clips")
    options = parser.parse_args()
    sport, find = SETS[options.set]
    sport = options.sport or sport
    records = find(options.data)
    records = records[:: max(1, len(records) // 8)] if options.quick else records
    model = load(options.names) if options.names else load_names(sport)
    named = name_all(model, records, options.fps, options.roi, options.out / "joints")
    if options.set == "others":
        Console().print(named.count_strokes())
        return
    given = [record.hand for record in records]
    rows = [row_of("all names of the network", named)]
    present = [name for name in named.names if name in set(named.labels)]
    rows.append(row_of(f"{len(present)} strokes of the set", among := named.among(present)))
    if any(given):
        blind = [replace(record, hand=None) for record in records]
        unknown = name_all(model, blind, options.fps, options.roi, options.out / "joints").among(present)
        rows.append(row_of("the same, hand not given", unknown))
    table = Table(
        f"names of strokes without labels: {options.set}",
        COLUMNS,
        [cells for cells, _ in rows],
        [numbers for _, numbers in rows],
        [*confusions(among), named.count_strokes(), "Interval: bootstrap over clips."],
        [f"benchmarks/measure_names.py {options.set}"],
    )
    table.show(Console())
    table.write(options.out / f"names_{options.set}")


if __name__ == "__main__":
    main()
