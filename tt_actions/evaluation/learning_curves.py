"""Figure of the learning curves of a training."""

import math
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tt_actions.errors import UserError
from tt_actions.evaluation.history import read_history
from tt_actions.evaluation.style import COLOURS, GREY, LINE_STYLES, line_look, tidy

STAGE_LOOKS: dict[str, dict[str, Any]] = {
    "training": {"color": COLOURS[0], "linestyle": LINE_STYLES[1]},
    "validation": {"color": COLOURS[5], "linestyle": LINE_STYLES[0]},
}

PANELS = (
    ("loss", {"training": "train/loss", "validation": "val/loss"}),
    ("accuracy", {"training": "train/accuracy", "validation": "val/accuracy"}),
    ("temporal consistency", {"validation": "val/temporal_consistency"}),
)


class LearningCurves(NamedTuple):
    """The values of a training by epoch.

    Args:
        panels: Title -> label of a line -> epoch -> value. Lines and panels without values are omitted.
        best: The best epoch, the first of several that are equally good; None if it is unknown.
        why: What makes it the best, such as ``lowest val/loss``.
    """

    panels: dict[str, dict[str, dict[int, float]]]
    best: int | None
    why: str


def read_curves(history: Path, monitor: str | None = "val/loss") -> LearningCurves:
    """Read loss, accuracy, temporal consistency and learning rate by epoch.

    Args:
        history: The ``metrics.csv`` of Lightning's CSVLogger.
        monitor: The column that decides which epoch is best. The lowest value of a loss is best, or the
            highest value of another column. None for no best epoch.

    Raises:
        ValueError: If the file contains none of these values.
    """
    series = read_history(history)
    rates = {name.removeprefix("lr-"): name for name in series if name.startswith("lr-")}
    panels = {
        title: drawn
        for title, lines in (*PANELS, ("learning rate", rates))
        if (drawn := {label: series[name] for label, name in lines.items() if name in series})
    }
    if not panels:
        raise UserError(
            f"Expected '{history}' to contain losses, accuracies or learning rates by epoch, but it contains "
            f"{', '.join(series) or 'no values'}. Use the metrics.csv of a training run."
        )
    monitored = series.get(monitor, {}) if monitor else {}
    extreme, word = (min, "lowest") if monitor and monitor.endswith("loss") else (max, "highest")
    best = extreme(monitored, key=monitored.__getitem__, default=None)
    return LearningCurves(panels, best, f"{word} {monitor}")


def curves_figure(history: Path, monitor: str | None = "val/loss") -> Figure:
    """Draw loss, accuracy, temporal consistency and learning rate by epoch.

    The best epoch is marked; if several are equally good, the first. Panels without values are omitted.

    Args:
        history: The ``metrics.csv`` of Lightning's CSVLogger.
        monitor: The column that decides which epoch is best: see :func:`read_curves`. None marks no epoch.

    Raises:
        ValueError: If the file contains none of these values.
    """
    curves = read_curves(history, monitor)
    num_columns = min(len(curves.panels), 2)
    num_rows = math.ceil(len(curves.panels) / num_columns)
    figure = Figure(figsize=(5 * num_columns, 3 * num_rows + 0.3), layout="constrained", dpi=150)
    for number, (title, lines) in enumerate(curves.panels.items(), 1):
        _draw_panel(figure.add_subplot(num_rows, num_columns, number), title, lines, curves.best)
    if curves.best is not None:
        figure.suptitle(f"best epoch: {curves.best} ({curves.why})", fontsize=11, color=GREY)
    return figure


def _draw_panel(axes: Axes, title: str, lines: dict[str, dict[int, float]], best: int | None) -> None:
    if best is not None:
        axes.axvline(best, color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    for number, (label, values) in enumerate(lines.items()):
        look = STAGE_LOOKS.get(label, line_look(2 + number))
        marker = "o" if len(values) < 15 else None
        axes.plot(list(values), list(values.values()), marker=marker, ms=4, label=label, **look)
        if best in values:
            axes.plot(best, values[best], "o", ms=7, color=look["color"], mec="white", mew=1.2, zorder=3)
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel("epoch")
    axes.margins(y=0.12)
    if title in ("accuracy", "temporal consistency"):
        axes.set_ylim(0, 1.04)
    tidy(axes)
    if len(lines) > 1 or "validation" in lines:
        axes.legend(frameon=False, fontsize=9)
