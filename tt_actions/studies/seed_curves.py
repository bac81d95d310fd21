"""Learning curves of the models of a comparison: means over seeds, with bands."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tt_actions.evaluation.history import read_history
from tt_actions.evaluation.style import line_look, small_print, tidy

PANELS = {"validation loss": "val/loss", "validation accuracy": "val/accuracy"}

Curve = tuple[list[int], NDArray[np.float64]]
"""Epochs ``(E,)`` and the values of each seed ``(S, E)``."""


def seed_curves_figure(runs: Mapping[str, Sequence[Path]], made_by: Sequence[str]) -> Figure | None:
    """Draw validation loss and accuracy by epoch, a line with a band for each model.

    Args:
        runs: The run directories of each model, one per seed.
        made_by: Sentences that say how the results were produced.

    Returns:
        The figure; None if no run was validated in two epochs or more.
    """
    histories = {model: [_history(folder) for folder in folders] for model, folders in runs.items()}
    panels = {
        title: curves
        for title, column in PANELS.items()
        if (curves := {model: curve for model, own in histories.items() if (curve := _curve(own, column))})
    }
    if not panels:
        return None
    figure = Figure(figsize=(5 * len(panels), 4.2), layout="constrained", dpi=150)
    for number, (title, curves) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), number)
        for place, model in enumerate(runs):
            if model in curves:
                _draw(axes, model, curves[model], place)
        axes.set_title(title, loc="left", fontsize=11)
        axes.set_xlabel("epoch")
        tidy(axes)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    legend = figure.legend(
        handles, labels, frameon=False, fontsize=9, loc="outside upper left", ncols=4, handlelength=3.4
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    note = "Lines: mean over seeds. Bands: ± standard deviation over seeds, if there are several."
    small_print(figure, " ".join([note, *made_by]))
    return figure


def _history(folder: Path) -> dict[str, dict[int, float]]:
    path = folder / "metrics.csv"
    return read_history(path) if path.is_file() else {}


def _curve(histories: Sequence[Mapping[str, Mapping[int, float]]], column: str) -> Curve | None:
    """Return the values of all seeds in the epochs that all of them have; None for fewer than two epochs."""
    values = [history.get(column, {}) for history in histories]
    epochs = sorted(set.intersection(*map(set, values))) if values else []
    if len(epochs) < 2:
        return None
    return epochs, np.array([[own[epoch] for epoch in epochs] for own in values])


def _draw(axes: Axes, model: str, curve: Curve, number: int) -> None:
    epochs, values = curve
    look, mean = line_look(number), values.mean(0)
    axes.plot(epochs, mean, lw=1.8, label=model, **look)
    if len(values) > 1:
        std = values.std(0, ddof=1)
        axes.fill_between(epochs, mean - std, mean + std, color=look["color"], alpha=0.15, lw=0)
