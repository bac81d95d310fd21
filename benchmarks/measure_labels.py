"""Measure how the accuracy of experiments/strokes.yaml grows with the number of labelled clips per class.

Run as ``python benchmarks/measure_labels.py clips|keypoints --data DIR --out DIR``, where ``--data`` is for

- clips: the folder of tennis clips of ``measure_real.py``; four folds of blocks of neighbouring clips.
- keypoints: the folder of tennis keypoints of ``measure_skeletons.py``; a fold is a video.

For each number of labels, clips are drawn from the other folds, as many of each class, and the model is
fitted to them and tested on the fold. The accuracy is over all clips of all folds and draws, with a bootstrap
interval over clips. A class with too few clips gives all it has; numbers that most classes do not have are
left out.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from measure_real import tennis
from measure_skeletons import SETS, fold_of
from rich.console import Console
from torch.nn.utils.rnn import pad_sequence

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.joint_preprocessing import JointSpec
from tt_actions.clips.records import ClipRecord, class_names
from tt_actions.evaluation.significance import bootstrap_interval
from tt_actions.evaluation.tables import Table
from tt_actions.models import JointKernel

NUMBERS = (3, 5, 10, 20, 40)


class Clips(NamedTuple):
    """Padded joints ``(N, T, C, V)``, lengths, classes and folds ``(N,)``."""

    inputs: torch.Tensor
    lengths: torch.Tensor
    labels: torch.Tensor
    folds: np.ndarray


def read(records: list[ClipRecord], spec: JointSpec, folds: np.ndarray, cache: FrameCache) -> Clips:
    """Read the joints of all clips."""
    names = class_names(records)
    joints = [torch.from_numpy(np.array(cache.frames(r, spec))).movedim(-1, 1) for r in records]
    return Clips(
        pad_sequence(joints, batch_first=True),
        torch.tensor([len(own) for own in joints]),
        torch.tensor([names.index(str(record.label)) for record in records]),
        folds,
    )


def right_of(clips: Clips, layout: str, number: int, rng: np.random.Generator) -> np.ndarray | None:
    """Return which clips are classified correctly after fitting to so many clips per class of other folds."""
    labels, num_classes = clips.labels.numpy(), int(clips.labels.max()) + 1
    right = np.zeros(len(labels), bool)
    for fold in np.unique(clips.folds):
        others = [np.flatnonzero((clips.folds != fold) & (labels == k)) for k in range(num_classes)]
        others = [own for own in others if len(own)]  # a class may be missing in the other folds
        if np.median(list(map(len, others))) < number:
            return None
        drawn = np.concatenate([rng.choice(own, min(number, len(own)), replace=False) for own in others])
        model = JointKernel(num_classes, layout).eval()
        model.collect(clips.inputs[drawn], clips.lengths[drawn], clips.labels[drawn])
        model.solve()
        inside = np.flatnonzero(clips.folds == fold)
        found = model(clips.inputs[inside], clips.lengths[inside])[:, 0].argmax(1)
        right[inside] = (found == clips.labels[inside]).numpy()
    return right


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("set", choices=("clips", "keypoints"))
    parser.add_argument("--data", type=Path, required=True, help="folder of the clips")
    parser.add_argument("--out", type=Path, required=True, help="folder for the joints and the table")
    parser.add_argument("--draws", type=int, default=12, help="number of draws")
    parser.add_argument("--quick", action="store_true", help="a smoke test with one label per class")
    options = parser.parse_args()
    label_numbers = (1,) if options.quick else NUMBERS
    if options.set == "clips":
        records = tennis(options.data)
        if options.quick:  # without the region, which does not fit clips of any size
            records = [replace(record, roi=None) for record in records]
        layout, folds = "ntu25", fold_of(records, len({record.group for record in records}))
    else:
        chosen = SETS["tennis"]
        records = chosen.records(options.data)
        layout, folds = chosen.layout, fold_of(records, chosen.num_folds)
    clips = read(records, JointSpec(layout), folds, FrameCache(options.out / "joints"))
    rows, numbers = [], []
    for number in label_numbers:
        rng = np.random.default_rng(number)
        draws = [right_of(clips, layout, number, rng) for _ in range(options.draws)]
        right = [draw for draw in draws if draw is not None]
        if not right:
            continue
        by_clip = np.mean(right, axis=0)
        low, high = bootstrap_interval(lambda counts, x=by_clip: counts @ x / len(x), len(by_clip))
        spread = float(np.std([draw.mean() for draw in right]))
        rows.append([str(number), f"{by_clip.mean():.3f} [{low:.2f}, {high:.2f}]", f"{spread:.3f}"])
        numbers.append({"labels": number, "accuracy": by_clip.mean(), "low": low, "high": high})
    table = Table(
        f"accuracy of strokes on {len(records)} real clips, by labels per class",
        ["labels per class", "accuracy", "over draws"],
        rows,
        numbers,
        [f"{options.draws} draws. Interval: bootstrap over clips; over draws: standard deviation."],
        ["benchmarks/measure_labels.py"],
    )
    table.show(Console())
    table.write(options.out / "labels")


if __name__ == "__main__":
    main()
