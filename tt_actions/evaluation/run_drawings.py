"""Drawings of a run's page: learning curves and the reliability diagram as SVG, and the confusion matrix."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from tt_actions.evaluation.calibration import CalibrationBins
from tt_actions.evaluation.learning_curves import LearningCurves

WIDTH, HEIGHT = 340.0, 200.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 54.0, 12.0, 10.0, 24.0
_SHARES = ("accuracy", "temporal consistency")
_MAX_POINTS = 600
_NUM_SHADES = 10


class Line(NamedTuple):
    """A line of a chart: its label, its CSS class, its SVG points and a dot at the best epoch."""

    label: str
    style: str
    points: str
    dot: tuple[float, float] | None


class Chart(NamedTuple):
    """A chart of values over epochs, in SVG coordinates of :data:`WIDTH` by :data:`HEIGHT`.

    Args:
        title: Title of the chart.
        lines: Its lines.
        x_ticks: Place and text of the marks of the x axis.
        y_ticks: Place and text of the marks of the y axis.
        best: Place of the best epoch, or None.
    """

    title: str
    lines: list[Line]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    best: float | None


class Scale(NamedTuple):
    """A linear scale from values to places in a chart."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of a value.

        Args:
            value: The value.

        >>> Scale(0, 1, 54, 328)(0.5)
        191.0
        """
        share = (value - self.low) / max(self.high - self.low, 1e-12)
        return round(self.start + share * (self.end - self.start), 1)


def draw_learning_curves(curves: LearningCurves) -> list[Chart]:
    """Draw a chart for each panel of the learning curves.

    Args:
        curves: The learning curves.
    """
    return [_draw_chart(title, lines, curves.best) for title, lines in curves.panels.items()]


def _draw_chart(title: str, lines: dict[str, dict[int, float]], best: int | None) -> Chart:
    epochs = [epoch for values in lines.values() for epoch in values]
    heights = [value for values in lines.values() for value in values.values()]
    across = Scale(min(epochs), max(*epochs, min(epochs) + 1), _LEFT, WIDTH - _RIGHT)
    low, high = (0.0, 1.0) if title in _SHARES else (min(heights), max(heights))
    marks = [float(mark) for mark in MaxNLocator(4).tick_values(low, high)] if low < high else [low]
    up = Scale(min(low, marks[0]), max(high, marks[-1]), HEIGHT - _BOTTOM, _TOP)
    whole = MaxNLocator(6, integer=True, min_n_ticks=1).tick_values(min(epochs), max(epochs))
    drawn = []
    for number, (label, values) in enumerate(lines.items()):
        style = {"training": "train", "validation": "val"}.get(label, f"line{number % 4}")
        dot = (across(best), up(values[best])) if best in values else None
        every = math.ceil(len(values) / _MAX_POINTS)
        points = " ".join(f"{across(x)},{up(y)}" for x, y in list(values.items())[::every])
        drawn.append(Line(label, style, points, dot))
    return Chart(
        title,
        drawn,
        [(across(mark), f"{mark:.0f}") for mark in whole if min(epochs) <= mark <= max(epochs)],
        [(up(mark), text) for mark, text in zip(marks, _write_marks(marks), strict=True)],
        across(best) if best in epochs else None,
    )


def _write_marks(marks: Sequence[float]) -> list[str]:
    """Write equally spaced marks with as many digits as tell them apart.

    >>> _write_marks([2.0825, 2.085, 2.0875]), _write_marks([0.0, 0.25, 1.0])
    (['2.0825', '2.085', '2.0875'], ['0', '0.25', '1'])
    """
    digits = 1 - math.floor(math.log10(marks[1] - marks[0])) if len(marks) > 1 else 3
    return [f"{round(mark, digits):.6g}" for mark in marks]


class Column(NamedTuple):
    """A bin of the reliability diagram: its bar, its dot, the bar of its clips and a sentence."""

    x: float
    width: float
    top: float
    dot: tuple[float, float]
    clips_top: float
    title: str


class Reliability(NamedTuple):
    """A reliability diagram in SVG coordinates.

    Args:
        columns: The bins that contain clips.
        ticks: Value, x and y of the marks of both axes.
        floor: Place of accuracy 0.
        clips_floor: Place of 0 clips.
        most: Number of clips of the largest bin.
    """

    columns: list[Column]
    ticks: list[tuple[str, float, float]]
    floor: float
    clips_floor: float
    most: int


def draw_reliability(bins: CalibrationBins, num_bins: int = 10) -> Reliability:
    """Draw accuracy against confidence, with the number of clips below.

    Args:
        bins: The clips by confidence.
        num_bins: Number of bins, with the empty ones.
    """
    across, up = Scale(0, 1, _LEFT, WIDTH - _RIGHT), Scale(0, 1, HEIGHT - _BOTTOM, _TOP)
    clips_floor = HEIGHT + 50
    below = Scale(0, int(bins.num_clips.max()), clips_floor, HEIGHT + 6)
    columns = []
    for edge, number, confidence, accuracy in zip(*(values.tolist() for values in bins), strict=True):
        end = edge + 1 / num_bins
        title = f"confidence {edge:.1f} to {end:.1f}: {number} clips, accuracy {accuracy:.2f}"
        width = round(across(end) - across(edge) - 3, 1)
        dot = (across(confidence), up(accuracy))
        columns.append(Column(across(edge) + 1.5, width, up(accuracy), dot, below(number), title))
    ticks = [(f"{tick:.1f}", across(tick), up(tick)) for tick in (0, 0.2, 0.4, 0.6, 0.8, 1)]
    return Reliability(columns, ticks, up(0), clips_floor, int(bins.num_clips.max()))


class Cell(NamedTuple):
    """A cell of the confusion matrix: count, share of the row, CSS class of the shade and title."""

    num: int
    share: str
    style: str
    title: str


class Row(NamedTuple):
    """A row of the confusion matrix: the true class, its count and its cells."""

    name: str
    num: int
    cells: list[Cell]


def draw_confusion(matrix: NDArray[np.int64], class_names: Sequence[str], unit: str = "clips") -> list[Row]:
    """Return the cells of a confusion matrix, shaded by their share of the true class.

    Args:
        matrix: Number of clips by true class (row) and predicted class (column).
        class_names: Names of the *K* classes.
        unit: What is counted.

    Shape:
        matrix ``(K, K)``.
    """
    rows = []
    for true, counts in zip(class_names, matrix.tolist(), strict=True):
        total = sum(counts)
        cells = []
        for predicted, count in zip(class_names, counts, strict=True):
            share = count / max(total, 1)
            style = f"s{math.ceil(_NUM_SHADES * share)}"
            title = f"{count} of {total} {unit} of {true} are predicted as {predicted}"
            cells.append(Cell(count, f"{share:.0%}" if count else "", style, title))
        rows.append(Row(true, total, cells))
    return rows
