"""Measure how many strokes a clip model finds in a long video: the clips of a fold, joined in random order.

Run as ``python benchmarks/measure_joined.py --runs DIR --out DIR``, where ``--runs`` is the output folder of
``measure_real.py tennis strokes``; for ``tennis clips``, add ``--model clips``. Each model analyses the clips
that it was not trained on. A clip counts as found if it contains the middle of a detected stroke, and as
correct if such a stroke has the class of the clip.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console

from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.strokes import Stroke
from tt_actions.evaluation.tables import Table
from tt_actions.recognition.loading import load
from tt_actions.video.encoder import write_video
from tt_actions.video.frames import iter_frames
from tt_actions.video.info import probe

FPS = 30
COLUMNS = ["fold", "clips", "strokes", "clips found", "clips right", "strokes right"]


def join(path: Path, records: list[ClipRecord]) -> list[Stroke]:
    """Write the clips as one video, and return the position of each clip in it."""
    info, clips = probe(records[0].path), []

    def frames() -> Iterator[np.ndarray]:
        end = 0
        for record in records:
            begin = end
            for _, frame in iter_frames(record.path, fps=FPS, size=(info.height, info.width)):
                end += 1
                yield frame
            clips.append(Stroke(record.label, begin / FPS, end / FPS))

    write_video(path, frames(), FPS)
    return clips


def is_middle_in(clip: Stroke, stroke: Stroke) -> bool:
    """Whether the middle of a stroke is within a clip."""
    return clip.start_s <= (stroke.start_s + stroke.end_s) / 2 < clip.end_s


def measure(fold: int, checkpoint: Path, records: list[ClipRecord], out: Path) -> list[float]:
    """Return the table row of a fold."""
    order = np.random.default_rng(fold).permutation(len(records))
    video = out / f"fold_{fold}.mp4"
    clips = join(video, [records[i] for i in order])
    regions = [] if records[0].roi is None else [records[0].roi]
    strokes = load(checkpoint).analyze(video, rois=regions).strokes
    found = [[stroke for stroke in strokes if is_middle_in(clip, stroke)] for clip in clips]
    right = [[s for s in inside if s.label == clip.label] for clip, inside in zip(clips, found, strict=True)]
    return [
        len(clips),
        len(strokes),
        sum(map(bool, found)),
        sum(map(bool, right)),
        sum(map(len, right)),
    ]


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="output folder of measure_real.py tennis")
    parser.add_argument(
        "--model", choices=("strokes", "clips"), default="strokes", help="experiment that was trained"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the joined videos and the table")
    parser.add_argument("--quick", action="store_true", help="a smoke test on two clips per fold")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for manifest in sorted((options.runs / "tennis").glob("fold_*.csv")):
        fold = int(manifest.stem.removeprefix("fold_"))
        records = [record for record in read_manifest(manifest) if record.split == "test"]
        records = records[:2] if options.quick else records
        run = options.runs / "tennis" / "runs" / f"{options.model}_fold_{fold}_seed_0" / "version_0"
        rows.append(measure(fold, run / "checkpoints" / "best.ckpt", records, options.out))
    totals = [sum(column) for column in zip(*rows, strict=True)]
    named = [(f"{k + 1}", row) for k, row in enumerate(rows)] + [("all", totals)]
    table = Table(
        "tennis clips, joined to one video per fold",
        COLUMNS,
        [[name, *map(str, row)] for name, row in named],
        [{"fold": name, **dict(zip(COLUMNS[1:], row, strict=True))} for name, row in named],
        [
            f"Recall {totals[3] / totals[0]:.2f} and precision {totals[4] / max(1, totals[1]):.2f} with the "
            f"correct class; recall {totals[2] / totals[0]:.2f} with any class."
        ],
        ["benchmarks/measure_joined.py"],
    )
    table.show(Console())
    table.write(options.out / "joined")


if __name__ == "__main__":
    main()
