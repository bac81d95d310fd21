"""The drawing of a data set: how many clips of each class stand in each split."""

from collections.abc import Sequence
from typing import get_args

from matplotlib.figure import Figure

from tt_actions.clips.records import ClipRecord, Split, class_names
from tt_actions.evaluation.figures import COLOURS, FONTS, shortened, tidy


def counts_figure(records: Sequence[ClipRecord]) -> Figure:
    """Draw the number of clips of each class, by split where clips have one.

    Args:
        records: At least one clip.
    """
    known: list[str | None] = [*class_names(records)]
    classes = known + [None] * any(record.label is None for record in records)
    splits = [split for split in (*get_args(Split), None) if any(r.split == split for r in records)]
    figure = Figure(figsize=(8, 1.1 + 0.42 * len(classes)), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    before = [0] * len(classes)
    for split, colour in zip(splits, COLOURS, strict=False):
        own = [record for record in records if record.split == split]
        counts = [sum(record.label == name for record in own) for name in classes]
        bars = axes.barh(range(len(classes)), counts, left=before, color=colour, label=_legend(split, own))
        axes.bar_label(bars, [str(n or "") for n in counts], label_type="center", color="white", fontsize=9)
        before = [a + b for a, b in zip(before, counts, strict=True)]
    tidy(axes)
    axes.grid(visible=False, axis="y")
    names = ["(no label)" if name is None else shortened(name) for name in classes]
    axes.set_yticks(range(len(classes)), names, parse_math=False, fontfamily=FONTS)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlabel("clips")
    figure.legend(frameon=False, fontsize=9, loc="outside upper left", ncols=len(splits))
    return figure


def _legend(split: str | None, records: Sequence[ClipRecord]) -> str:
    groups = {record.group for record in records} - {None}
    counts = [_count(len(records), "clip"), *([_count(len(groups), "group")] if groups else [])]
    return f"{split or 'all'}: {' of '.join(counts)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
