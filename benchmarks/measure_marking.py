"""Measure how many strokes a person must mark before the others are named correctly.

Run as ``python benchmarks/measure_marking.py --data DIR --out DIR``, where ``--data`` is the folder of tennis
clips of ``measure_real.py``. The clips are joined to one video per fold, as ``measure_joined.py`` does, and
the pose model finds the joints. Each clip is a proposed mark without a name, so mistakes of a finder of
strokes don't count. A simulated person marks the clips with their true classes, four at a time, and lets the
model learn from all marks so far. They go on in the order of time, or take the stroke of each video of which
the session is least certain. Both begin with the same four neighbouring strokes, at a random place.

A quarter of the clips is never marked. The accuracy is measured on all strokes that are not marked yet, and
on this quarter alone: whoever marks difficult strokes first leaves easy ones to be measured on. While nothing
can be learnt, because all marks are of one class, that class counts as the name. Finished parts are reused,
so you can resume a stopped measurement.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
from measure_joined import FPS, join
from measure_real import tennis
from rich.console import Console

from tt_actions.clips.records import ClipRecord
from tt_actions.clips.strokes import Stroke
from tt_actions.evaluation.tables import Table
from tt_actions.files import finite_or_none, write_json
from tt_actions.label.session import LabelSession
from tt_actions.pose.video import iter_poses, pose_rate
from tt_actions.recognition.analysis import MatchAnalysis, PlayerMotion, write_analysis
from tt_actions.recognition.pose_log import gather_poses
from tt_actions.recognition.stored_analysis import read_analysis
from tt_actions.recognition.unnamed import MIN_HAND_SPEED

NUMBERS = (4, 8, 12, 16, 24, 32, 48)
AT_ONCE = 4
ORDERS = ("time", "uncertainty")
NAME, PLAYER = "swing", "player"


class Match(NamedTuple):
    """A video of joined clips, and the class of each."""

    analysis: MatchAnalysis
    labels: list[str]


class Measured(NamedTuple):
    """After a number of marks: accuracy on unmarked and on held-out strokes, confidence, seconds to learn."""

    unmarked: float
    held_out: float
    confidence: float
    left_out: float
    seconds: float


def find_match(fold: int, records: list[ClipRecord], out: Path, fps: int) -> Match:
    """Join the clips of a fold and find the joints in so many frames a second, or read what was found."""
    order = np.random.default_rng(fold).permutation(len(records))
    chosen = [records[i] for i in order]
    labels = [str(record.label) for record in chosen]
    folder, video = out / f"fold_{fold}", out / f"fold_{fold}.mp4"
    if (folder / "strokes.json").is_file():
        return Match(read_analysis(folder, video), labels)
    clips = join(video, chosen)
    poses = gather_poses(iter_poses(video, pose_rate(video, fps), [records[0].roi]))
    num_images = len(poses.times_s)
    no_speed = np.zeros((1, num_images), np.float32)
    analysis = MatchAnalysis(
        video,
        clips[-1].end_s,
        (NAME,),
        (PLAYER,),
        tuple(Stroke(NAME, clip.start_s, clip.end_s, player=PLAYER) for clip in clips),
        (NAME, "idle"),
        poses.times_s,
        np.zeros((1, num_images, 2), np.float32),
        motion=PlayerMotion(poses.values, no_speed, poses.is_new_scene, MIN_HAND_SPEED),
        rois=(records[0].roi,),
    )
    write_analysis(folder, analysis)
    return Match(analysis, labels)


class Person:
    """Marks strokes with their true classes, in one of the two orders, from a random place on.

    Args:
        session: The session.
        matches: What is played in its videos.
        start: Seed of the place and of the strokes that are never marked.
    """

    def __init__(self, session: LabelSession, matches: list[Match], start: int) -> None:
        rng = np.random.default_rng(start)
        every = [(video, i + 1) for video, own in enumerate(matches) for i in range(len(own.labels))]
        self.session = session
        self.truth = {(video, number): matches[video].labels[number - 1] for video, number in every}
        self.held_out = {every[i] for i in rng.permutation(len(every))[: len(every) // 4]}
        begin = int(rng.integers(len(every)))
        self.by_time = [stroke for stroke in every[begin:] + every[:begin] if stroke not in self.held_out]
        self.marked: set[tuple[int, int]] = set()

    def mark(self, by_uncertainty: bool) -> None:
        """Mark the next strokes: of all videos in turn, or in the order of time."""
        free = [stroke for stroke in self.by_time if stroke not in self.marked]
        if by_uncertainty:
            orders = [self.session.state(video)["order"] for video in range(len(self.session.videos))]
            of_videos = [[(v, n) for n in own if (v, n) in free] for v, own in enumerate(orders)]
            free = [stroke for turn in zip_longest(*of_videos) for stroke in turn if stroke is not None]
        for video, number in free[:AT_ONCE]:
            action = {"kind": "accept", "mark": number, "label": self.truth[video, number]}
            self.session.apply(video, action, self.session.state(video)["revision"])
            self.marked.add((video, number))

    def compare(self, left_out: float, seconds: float) -> Measured:
        """Compare the names of strokes that are not marked with the truth."""
        counts = Counter(self.truth[stroke] for stroke in self.marked)
        usual, num = counts.most_common(1)[0]
        right, is_held_out, confidences = [], [], []
        for video in range(len(self.session.videos)):
            for mark in self.session.state(video)["marks"]:
                stroke = video, mark["id"]
                if stroke not in self.marked:
                    has_name = mark["proposed_label"] != NAME
                    right.append((mark["proposed_label"] if has_name else usual) == self.truth[stroke])
                    is_held_out.append(stroke in self.held_out)
                    confidences.append(mark["confidence"] if has_name else num / counts.total())
        held_out = np.array(right)[is_held_out]
        accuracies = float(np.mean(right)), float(held_out.mean())
        return Measured(*accuracies, float(np.mean(confidences)), left_out, seconds)


def measure(
    matches: list[Match], numbers: tuple[int, ...], order: str, start: int, out: Path
) -> dict[int, Measured]:
    """Simulate a person, or read what an earlier run measured."""
    path = out / "runs" / f"{order}_{start}.json"
    if not path.is_file():
        measured = simulate(matches, numbers, order, start)
        write_json(path, {str(n): finite_or_none(own._asdict()) for n, own in measured.items()})
    found = {int(n): own for n, own in json.loads(path.read_text("utf-8")).items()}
    return {n: Measured(*(np.nan if v is None else v for v in own.values())) for n, own in found.items()}


def simulate(matches: list[Match], numbers: tuple[int, ...], order: str, start: int) -> dict[int, Measured]:
    """Return what is measured after each number of marks."""
    measured = {}
    with tempfile.TemporaryDirectory() as folder:
        session = LabelSession(Path(folder) / "marks.csv", [match.analysis for match in matches])
        person, has_learnt = Person(session, matches, start), False
        while len(person.marked) < max(numbers):
            person.mark(order == "uncertainty" and has_learnt)
            begin, left_out = time.perf_counter(), float("nan")
            if len(session.state(0)["learning"]["num_by_class"]) > 1:
                left_out, has_learnt = session.train()["history"][-1]["accuracy"], True
            seconds = time.perf_counter() - begin
            if len(person.marked) in numbers:
                measured[len(person.marked)] = person.compare(left_out, seconds)
        session.close()
    return measured


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the clips")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the video, the joints and the table"
    )
    parser.add_argument("--starts", type=int, default=20, help="number of random starts")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a smoke test with two starts, eight marks and a third of the frames",
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    records = tennis(options.data)
    if options.quick:  # without the region, which does not fit clips of any size
        records = [replace(record, roi=None) for record in records]
    groups = sorted({str(record.group) for record in records})
    fps = FPS // 3 if options.quick else FPS
    matches = [
        find_match(fold, [record for record in records if record.group == group], options.out, fps)
        for fold, group in enumerate(groups)
    ]
    numbers, num_starts = ((4, 8), 2) if options.quick else (NUMBERS, options.starts)
    runs = {
        order: [measure(matches, numbers, order, start, options.out) for start in range(num_starts)]
        for order in ORDERS
    }
    rows, plain = [], []
    for number in numbers:
        cells, values = [str(number)], {"marks": number}
        for order in ORDERS:
            own = np.array([run[number] for run in runs[order]])
            unmarked, held_out, confidence, left_out, seconds = np.nanmean(own, 0).tolist()
            spread = float(own[:, 0].std())
            cells += [f"{unmarked:.2f} ± {spread:.2f}", f"{held_out:.2f}", f"{confidence:.2f}"]
            values |= {
                f"{order}_unmarked": unmarked,
                f"{order}_spread": spread,
                f"{order}_held_out": held_out,
            }
            values |= {f"{order}_confidence": confidence, f"{order}_left_out": left_out}
            values |= {f"{order}_seconds": seconds}
        rows.append(cells)
        plain.append(values)
    of_each = ["unmarked", "held out", "confidence"]
    table = Table(
        f"accuracy on unmarked strokes of {sum(len(match.labels) for match in matches)}, by number of marks",
        ["marks", *[f"{order}: {name}" for order in ORDERS for name in of_each]],
        rows,
        plain,
        [f"Means over {num_starts} random starts; ± is the standard deviation over them."],
        ["benchmarks/measure_marking.py"],
    )
    table.show(Console())
    table.write(options.out / "marking")


if __name__ == "__main__":
    main()
