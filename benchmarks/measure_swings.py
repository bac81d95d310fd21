"""Measure how many strokes are found in a long video without a model, and how pure the groups of strokes are.

Run as ``python benchmarks/measure_swings.py --data DIR --out DIR [--joints MANIFEST]``, where ``--data`` is
the folder of tennis clips of ``measure_real.py``. They are joined in random order to one video, which is
analysed without a model. A clip counts as found if it contains the middle of a detected stroke. The purity is
the share of the strokes within clips whose class is the most frequent one of their group. ``--joints`` is a
manifest of files of joints with one stroke each, whose groups are measured too; a player is a ``group`` of
the manifest.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from measure_joined import is_middle_in, join
from measure_real import tennis
from rich.console import Console

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.joint_preprocessing import JointSpec
from tt_actions.evaluation.tables import Table
from tt_actions.recognition.groups import group_strokes
from tt_actions.recognition.pipeline import analyze_video
from tt_actions.recognition.unnamed import plays_left
from tt_actions.skeleton.layouts import NTU25
from tt_actions.sources import UserJoints

COLUMNS = ["clips", "found", "strokes", "recall", "precision", "groups", "purity", "chance"]
NUM_SHUFFLES = 200


def purity(groups: Sequence[int], labels: Sequence[str]) -> float:
    """Return the share of strokes whose class is the most frequent one of their group.

    >>> purity([0, 0, 0, 1], ["serve", "serve", "smash", "smash"])
    0.75
    """
    by_group = defaultdict(list)
    for group, label in zip(groups, labels, strict=True):
        by_group[group].append(label)
    return sum(max(map(own.count, own)) for own in by_group.values()) / max(1, len(labels))


def by_chance(groups: Sequence[int], labels: Sequence[str]) -> float:
    """Return the mean purity of groups of the same sizes with random members."""
    rng = np.random.default_rng(0)
    return float(np.mean([purity(groups, rng.permutation(labels).tolist()) for _ in range(NUM_SHUFFLES)]))


def measure_video(data: Path, out: Path, quick: bool) -> list[float]:
    """Return the table row of the joined clips."""
    records = tennis(data)
    if quick:  # without the region, which does not fit clips of any size
        records = [replace(record, roi=None) for record in records[:2]]
    order = np.random.default_rng(0).permutation(len(records))
    video = out / "joined.mp4"
    clips = join(video, [records[i] for i in order])
    regions = [] if records[0].roi is None else [records[0].roi]
    strokes = analyze_video(None, video, rois=regions).strokes
    inside = [(stroke, clip) for stroke in strokes for clip in clips if is_middle_in(clip, stroke)]
    found = {clip for _, clip in inside}
    groups, labels = [stroke.label for stroke, _ in inside], [clip.label for _, clip in inside]
    return [
        len(clips),
        len(found),
        len(strokes),
        len(found) / len(clips),
        len(found) / max(1, len(strokes)),
        len(set(groups)),
        purity(groups, labels),
        by_chance(groups, labels),
    ]


def measure_joints(manifest: Path, cache: FrameCache) -> list[float | None]:
    """Return the table row of strokes in files of joints; their hands are not used."""
    spec = JointSpec(NTU25.name)
    records = [replace(record, hand=None) for record in UserJoints(manifest).records()]
    joints = [np.array(cache.frames(record, spec)) for record in records]
    for player in {record.group for record in records}:
        own = [i for i, record in enumerate(records) if record.group == player]
        if plays_left([joints[i] for i in own], NTU25, spec.fps):
            for i in own:
                joints[i] = spec.to_right_handed(joints[i])
    groups, labels = group_strokes(joints, NTU25).tolist(), [str(record.label) for record in records]
    return [len(records), *[None] * 4, len(set(groups)), purity(groups, labels), by_chance(groups, labels)]


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with one folder of clips per class")
    parser.add_argument("--joints", type=Path, help="manifest of files of joints with one stroke each")
    parser.add_argument("--out", type=Path, required=True, help="folder for the joined video and the table")
    parser.add_argument("--quick", action="store_true", help="a smoke test on two clips")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = {"joined video": measure_video(options.data, options.out, options.quick)}
    if options.joints:
        rows["files of joints"] = measure_joints(options.joints, FrameCache(options.out / "joints"))
    table = Table(
        "strokes found and grouped without a model",
        ["", *COLUMNS],
        [
            [name, *("" if v is None else f"{v:.2f}" if isinstance(v, float) else f"{v}" for v in row)]
            for name, row in rows.items()
        ],
        [{"set": name, **dict(zip(COLUMNS, row, strict=True))} for name, row in rows.items()],
        ["Purity by chance: of groups of the same sizes with random members."],
        ["benchmarks/measure_swings.py"],
    )
    table.show(Console())
    table.write(options.out / "swings")


if __name__ == "__main__":
    main()
