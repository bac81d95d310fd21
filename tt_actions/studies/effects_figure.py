"""The effects figure of a sweep: the trials of each factor, with one row per value."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tt_actions.evaluation.style import COLOURS, GREY


class Level(NamedTuple):
    """One value of a factor, with the results of its trials.

    Args:
        label: The value as text.
        points: For each column, the result of each trial.
        means: For each column, the mean of the results, or None without trials.
        intervals: For each column, the confidence interval of the mean, or None.
    """

    label: str
    points: Sequence[Sequence[float]]
    means: Sequence[float | None]
    intervals: Sequence[tuple[float, float] | None]


class Factor(NamedTuple):
    """An option that the sweep varies.

    Args:
        name: Name of the option.
        levels: Its values.
    """

    name: str
    levels: Sequence[Level]


def effects_figure(factors: Sequence[Factor], titles: Sequence[str], title: str, note: str) -> Figure:
    """Draw the trials of each level of each factor, with their mean and its confidence interval.

    Args:
        factors: The varied options, at least one.
        titles: Title of each column.
        title: Title of the figure.
        note: Note in small print below the figure.
    """
    places, heads, row = [], [], 0.0
    for factor in factors:
        heads.append(row)
        places.append([row + 1 + number for number in range(len(factor.levels))])
        row = places[-1][-1] + 1.45
    figure = Figure(figsize=(9.2, 1.5 + 0.27 * row), layout="constrained", dpi=150)
    columns = figure.subplots(1, len(titles), sharey=True, squeeze=False)[0]
    for column, axes in enumerate(columns):
        for number, (factor, rows) in enumerate(zip(factors, places, strict=True)):
            for level, place in zip(factor.levels, rows, strict=True):
                _draw_level(axes, place, level, column, COLOURS[number % len(COLOURS)])
        everything = [value for level in factors[0].levels for value in level.points[column]]
        if everything:
            axes.axvline(float(np.mean(everything)), color=GREY, lw=1, ls=(0, (4, 3)), zorder=1)
        axes.set_title(titles[column], loc="left", fontsize=11)
        _tidy(axes, [place for rows in places for place in rows])
    labels = [level.label for factor in factors for level in factor.levels]
    columns[0].set_yticks([place for rows in places for place in rows], labels, parse_math=False)
    for factor, head in zip(factors, heads, strict=True):
        columns[0].annotate(
            factor.name,
            (0, head),
            (-6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=9.5,
            fontweight="bold",
            parse_math=False,
        )
    columns[0].set_ylim(row - 0.6, -0.6)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    figure.supxlabel(textwrap.fill(note, 150), x=0.01, ha="left", fontsize=7.5, color=GREY, parse_math=False)
    return figure


def _draw_level(axes: Axes, place: float, level: Level, column: int, colour: str) -> None:
    points = level.points[column]
    spread = np.linspace(-0.22, 0.22, len(points)) if len(points) > 1 else np.zeros(len(points))
    axes.plot(points, place + spread, "o", ms=3.2, color=colour, alpha=0.4, mew=0, zorder=2)
    interval, mean = level.intervals[column], level.means[column]
    if interval is not None:
        axes.plot(interval, [place, place], color=colour, lw=2.4, solid_capstyle="round", zorder=3)
    if mean is not None:
        axes.plot(mean, place, "o", ms=8, color=colour, mec="white", mew=1.3, zorder=4)


def _tidy(axes: Axes, rows: Sequence[float]) -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color("#B0B0B0")
    axes.tick_params(color="#B0B0B0", labelsize=9)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#ECECEC", linewidth=0.8)
    for row in rows:
        axes.axhline(row, color="#F3F3F3", lw=0.8, zorder=0)
    axes.set_axisbelow(True)
    axes.margins(x=0.06)
    axes.locator_params(axis="x", nbins=6)  # more tick labels would overlap
