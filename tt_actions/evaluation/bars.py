"""Bar charts: scores by group or class, and numbers of clips."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, get_args

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tt_actions.clips.records import ClipRecord, Split, class_names
from tt_actions.evaluation.style import COLOURS, FONTS, HATCHES, shortened, small_print, tidy


class Bars(NamedTuple):
    """The bars of one colour in a grouped bar chart, one per group; None for a missing value.

    Args:
        label: What the colour stands for.
        values: Measured values.
        intervals: Lower and upper end of each value's interval.
        published: Published values, drawn as hollow diamonds.
    """

    label: str
    values: Sequence[float | None]
    intervals: Sequence[tuple[float, float] | None]
    published: Sequence[float | None]


def bars_figure(groups: Sequence[str], bars: Sequence[Bars], title: str, note: str) -> Figure:
    """Draw grouped bars of values from 0 to 1, with intervals, and published values as diamonds.

    Args:
        groups: Names of the groups of bars.
        bars: The bars of each colour.
        title: Title of the figure.
        note: Small print below the figure.
    """
    width = 0.82 / len(bars)
    inches = max(6.5, 1.2 + len(groups) * max(1.2, 0.42 * len(bars)))
    figure = Figure(figsize=(inches, 4.4), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    for number, series in enumerate(bars):
        positions = np.arange(len(groups)) + (number - (len(bars) - 1) / 2) * width
        _draw_bars(axes, positions, width * 0.9, series, number)
    keys, labels = axes.get_legend_handles_labels()
    if any(value is not None for series in bars for value in series.published):
        keys += axes.plot([], [], "D", ms=5, mfc="white", mec="#303030")
        labels.append("published (private data)")
    tidy(axes)
    axes.grid(visible=False, axis="x")
    axes.set_xticks(range(len(groups)), [shortened(name) for name in groups], parse_math=False)
    axes.tick_params(axis="x", length=0, labelsize=10)
    axes.set_xlim(-0.55, len(groups) - 0.45)
    axes.set_ylim(0, 1.04)
    legend = {"title": title, "title_fontsize": 12, "alignment": "left", "fontsize": 9, "frameon": False}
    key = figure.legend(keys, labels, loc="outside upper left", ncols=int(inches // 1.45), **legend)
    for text in (key.get_title(), *key.get_texts()):
        text.set_parse_math(False)
    small_print(figure, note)
    return figure


def _draw_bars(axes: Axes, positions: NDArray[np.floating], width: float, bars: Bars, number: int) -> None:
    colour = COLOURS[number % len(COLOURS)]
    axes.bar(
        positions,
        [value or 0 for value in bars.values],
        width,
        color=colour,
        label=bars.label,
        hatch=HATCHES[number % len(HATCHES)],
        ec="white",
        lw=0,
    )
    for position, interval, published in zip(positions, bars.intervals, bars.published, strict=True):
        if interval is not None:
            axes.plot(
                [position, position], interval, color="#303030", lw=1.1, solid_capstyle="butt", zorder=3
            )
        if published is not None:
            axes.plot(position, published, "D", ms=5, mfc="white", mec="#303030", mew=1, zorder=4)


def class_bars(per_class: Mapping[str, Mapping[str, float | None]], note: str = "") -> Figure:
    """Draw accuracy, temporal consistency and frame agreement of each class.

    Args:
        per_class: Values by class, as in ``metrics.json``; None gives no bar.
        note: Small print below the figure.
    """
    bars = [
        Bars(key.replace("_", " "), [row[key] for row in per_class.values()], nothing, nothing)
        for nothing in [[None] * len(per_class)]
        for key in ("accuracy", "temporal_consistency", "frame_agreement")
    ]
    return bars_figure(list(per_class), bars, "By class", note)


def counts_figure(records: Sequence[ClipRecord]) -> Figure:
    """Draw the number of clips per class, divided by split if there are splits.

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
