"""The drawings of a report: confusion matrix, learning curves and grouped bars.

Every function returns a matplotlib Figure of its own, so nothing here touches pyplot's global state.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tt_actions.clips.records import ClipRecord, Split, class_names
from tt_actions.errors import UserError
from tt_actions.evaluation.history import read_history
from tt_actions.evaluation.style import COLOURS, FONTS, GREY, shortened, tidy

STAGE_COLOURS = {"training": COLOURS[0], "validation": COLOURS[5]}

PANELS = (
    ("loss", {"training": "train/loss", "validation": "val/loss"}),
    ("accuracy", {"training": "train/accuracy", "validation": "val/accuracy"}),
    ("temporal consistency", {"validation": "val/temporal_consistency"}),
)


def confusion_figure(
    matrix: NDArray[np.int64], class_names: Sequence[str], shares_of: Literal["true", "predicted"] = "true"
) -> Figure:
    """Draw a confusion matrix: counts in the cells, shares as colour and per cent.

    Args:
        matrix: Number of clips by true class (row) and predicted class (column).
        class_names: Names of the *K* classes.
        shares_of: What the shares add up over: a row, with recall on the diagonal, or a column, with
            precision.

    Shape:
        matrix ``(K, K)``, with at least one clip.
    """
    num_classes = len(class_names)
    of_rows = shares_of == "true"
    totals = matrix.sum(1 if of_rows else 0)
    shares = matrix / np.maximum(totals[:, None] if of_rows else totals, 1)
    cell = 0.95 if num_classes <= 6 else 0.62  # inches
    names = [textwrap.fill(shortened(name), 22, break_long_words=False) for name in class_names]
    longest = max(len(line) for name in names for line in name.splitlines())
    size = 1.7 + 0.08 * longest + cell * num_classes
    figure = Figure(figsize=(size, size), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(matrix.shape):
        _write_cell(axes, row, column, int(matrix[row, column]), shares[row, column], cell)
    axes.set_title(
        f"{matrix.trace()} of {matrix.sum()} clips right: accuracy {matrix.trace() / matrix.sum():.3f}",
        pad=12,
    )
    counts = [f"({n})" if n else "(no clips)" for n in totals.tolist()]
    _name_cells(axes, names, counts, of_rows)
    return figure


def _name_cells(axes: Axes, names: list[str], counts: list[str], of_rows: bool) -> None:
    num_classes = len(names)
    upright = num_classes <= 6 and max(map(len, names)) <= 11
    between = "  " if of_rows or not upright else "\n"
    counted = [name + between + count for name, count in zip(names, counts, strict=True)]
    axes.set_xticks(
        range(num_classes),
        names if of_rows else counted,
        rotation=0 if upright else 45,
        ha="center" if upright else "right",
        rotation_mode="anchor",
        parse_math=False,
        fontfamily=FONTS,
    )
    rows = counted if of_rows else names
    axes.set_yticks(range(num_classes), rows, parse_math=False, fontfamily=FONTS)
    axes.set_xlabel("predicted" if of_rows else "predicted (clips)", labelpad=8)
    axes.set_ylabel("true (clips)" if of_rows else "true", labelpad=8)
    edges = np.arange(num_classes + 1) - 0.5
    axes.set_xticks(edges, minor=True)
    axes.set_yticks(edges, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)


def _write_cell(axes: Axes, row: int, column: int, count: int, share: float, cell: float) -> None:
    colour = "white" if share > 0.55 else "#202020" if count else "#B8B8B8"
    lines = [(-0.1, 15, f"{count}"), (0.2, 11, f"{share:.0%}")] if count else [(0, 11, "0")]
    for below, fontsize, text in lines:
        axes.text(column, row + below, text, ha="center", va="center", fontsize=fontsize * cell, color=colour)


def curves_figure(history: Path, monitor: str | None = "val/loss") -> Figure:
    """Draw loss, accuracy, temporal consistency and learning rate over the epochs of a training.

    The best epoch, the first one if several are, is marked. Panels without values are left out.

    Args:
        history: The ``metrics.csv`` of Lightning's CSVLogger.
        monitor: The column that decides which epoch is best: the lowest loss, or the highest of another. None
            marks no epoch.

    Raises:
        ValueError: If the file holds none of these values.
    """
    series = read_history(history)
    rates = {name.removeprefix("lr-"): name for name in series if name.startswith("lr-")}
    panels = [
        (title, drawn)
        for title, lines in (*PANELS, ("learning rate", rates))
        if (drawn := {label: series[name] for label, name in lines.items() if name in series})
    ]
    if not panels:
        raise UserError(
            f"Expected '{history}' to hold losses, accuracies or learning rates by epoch, but it holds "
            f"{', '.join(series) or 'no values'}. Use the metrics.csv of a training run."
        )
    monitored = series.get(monitor, {}) if monitor else {}
    extreme, word = (min, "lowest") if monitor and monitor.endswith("loss") else (max, "highest")
    best = extreme(monitored, key=monitored.__getitem__, default=None)
    num_columns = min(len(panels), 2)
    num_rows = math.ceil(len(panels) / num_columns)
    figure = Figure(figsize=(5 * num_columns, 3 * num_rows + 0.3), layout="constrained", dpi=150)
    for index, (title, lines) in enumerate(panels):
        _draw_panel(figure.add_subplot(num_rows, num_columns, index + 1), title, lines, best)
    if best is not None:
        figure.suptitle(f"best epoch: {best} ({word} {monitor})", fontsize=11, color=GREY)
    return figure


def _draw_panel(axes: Axes, title: str, lines: dict[str, dict[int, float]], best: int | None) -> None:
    if best is not None:
        axes.axvline(best, color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    for number, (label, values) in enumerate(lines.items()):
        colour = STAGE_COLOURS.get(label, COLOURS[(2 + number) % len(COLOURS)])
        marker = "o" if len(values) < 15 else None
        axes.plot(list(values), list(values.values()), marker=marker, ms=4, color=colour, label=label)
        if best in values:
            axes.plot(best, values[best], "o", ms=7, color=colour, mec="white", mew=1.2, zorder=3)
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel("epoch")
    axes.margins(y=0.12)
    if title in ("accuracy", "temporal consistency"):
        axes.set_ylim(0, 1.04)
    tidy(axes)
    if len(lines) > 1 or "validation" in lines:
        axes.legend(frameon=False, fontsize=9)


class Bars(NamedTuple):
    """The bars of one colour in a figure of grouped bars, one in each group; None where there is no value.

    Args:
        label: What the colour means.
        values: Measured values.
        intervals: Lower and upper end of each value's interval.
        published: Published values, drawn as hollow diamonds.
    """

    label: str
    values: Sequence[float | None]
    intervals: Sequence[tuple[float, float] | None]
    published: Sequence[float | None]


def bars_figure(groups: Sequence[str], bars: Sequence[Bars], title: str, note: str) -> Figure:
    """Draw grouped bars of values from 0 to 1, with their intervals, and published values apart from them.

    Args:
        groups: Names of the groups of bars.
        bars: The bars of each colour.
        title: What the figure shows.
        note: Small print under it.
    """
    width = 0.82 / len(bars)
    inches = max(6.5, 1.2 + len(groups) * max(1.2, 0.42 * len(bars)))
    figure = Figure(figsize=(inches, 4.4), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    for number, series in enumerate(bars):
        places = np.arange(len(groups)) + (number - (len(bars) - 1) / 2) * width
        _draw_bars(axes, places, width * 0.9, series, number)
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
    small_print = {"x": 0.01, "ha": "left", "fontsize": 7.5, "color": GREY, "parse_math": False}
    figure.supxlabel(textwrap.fill(note, int(inches * 16)), **small_print)
    return figure


def _draw_bars(axes: Axes, places: NDArray[np.floating], width: float, bars: Bars, number: int) -> None:
    hatch = "///" if number >= len(COLOURS) else None  # colours begin anew
    colour = COLOURS[number % len(COLOURS)]
    axes.bar(
        places,
        [value or 0 for value in bars.values],
        width,
        color=colour,
        label=bars.label,
        hatch=hatch,
        ec="white",
        lw=0,
    )
    for place, interval, published in zip(places, bars.intervals, bars.published, strict=True):
        if interval is not None:
            axes.plot([place, place], interval, color="#303030", lw=1.1, solid_capstyle="butt", zorder=3)
        if published is not None:
            axes.plot(place, published, "D", ms=5, mfc="white", mec="#303030", mew=1, zorder=4)


def class_bars(per_class: Mapping[str, Mapping[str, float | None]], note: str = "") -> Figure:
    """Draw accuracy, temporal consistency and frame agreement of each class.

    Args:
        per_class: By class, as in ``metrics.json``; None is no bar.
        note: Small print under it.
    """
    bars = [
        Bars(key.replace("_", " "), [row[key] for row in per_class.values()], nothing, nothing)
        for nothing in [[None] * len(per_class)]
        for key in ("accuracy", "temporal_consistency", "frame_agreement")
    ]
    return bars_figure(list(per_class), bars, "By class", note)


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
