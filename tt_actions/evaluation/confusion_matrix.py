"""Figure of a confusion matrix."""

import textwrap
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tt_actions.evaluation.style import FONTS, shortened


def confusion_figure(
    matrix: NDArray[np.int64],
    class_names: Sequence[str],
    shares_of: Literal["true", "predicted"] = "true",
    interval: str = "",
    unit: str = "clips",
) -> Figure:
    """Draw a confusion matrix, with counts in the cells and shares as colours and percentages.

    Args:
        matrix: Number of clips or frames by true class (row) and predicted class (column).
        class_names: Names of the *K* classes.
        shares_of: ``true`` for shares of each row, with recall on the diagonal, or ``predicted`` for shares
            of each column, with precision on the diagonal.
        interval: The interval of the accuracy in words, for the title.
        unit: What is counted.

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
    accuracy = f"accuracy {matrix.trace() / matrix.sum():.3f} {interval}".strip()
    axes.set_title(f"{matrix.trace()} of {matrix.sum()} {unit} correct: {accuracy}", pad=12)
    counts = [f"({n})" if n else f"(no {unit})" for n in totals.tolist()]
    _name_cells(axes, names, counts, of_rows, unit)
    return figure


def _name_cells(axes: Axes, names: list[str], counts: list[str], of_rows: bool, unit: str) -> None:
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
    axes.set_xlabel("predicted" if of_rows else f"predicted ({unit})", labelpad=8)
    axes.set_ylabel(f"true ({unit})" if of_rows else "true", labelpad=8)
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
