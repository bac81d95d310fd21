"""Report of a test on clips: numbers, tables and figures, on disk and on the screen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from tt_actions.evaluation.class_table import class_table
from tt_actions.evaluation.clip_scores import BY_CLASS, OVERALL, measure
from tt_actions.evaluation.confusion_matrix import confusion_figure
from tt_actions.evaluation.learning_curves import curves_figure
from tt_actions.evaluation.pr_roc import (
    AREAS,
    AXES,
    class_curves_figure,
    curve_rows,
)
from tt_actions.evaluation.predictions import ADVICE, Predictions, write_predictions
from tt_actions.evaluation.published import PUBLISHED
from tt_actions.evaluation.style import write_figures
from tt_actions.evaluation.tables import screen_table
from tt_actions.files import finite_or_none, write_json, write_rows

HEADINGS = ("accuracy", "precision", "recall", "F1", "temporal\nconsistency", "frame\nagreement")


def write_report(
    folder: Path,
    predictions: Predictions,
    provenance: dict[str, Any],
    history: Path | None,
    monitor: str | None = "val/loss",
    formats: Sequence[str] = ("png",),
) -> dict[str, Any]:
    """Write a report: numbers, tables and figures, each file atomically.

    The files are ``metrics.json``, ``predictions.csv`` (one row per clip), ``per_class`` (``.csv``, ``.md``,
    ``.tex``), ``confusion_matrix.csv`` (rows are true classes), ``confusion_matrix.png``, ``pr_curves`` and
    ``roc_curves`` (``.csv``, ``.png``) and, after a training, ``curves.png``. An empty cell or a JSON null
    stands for a number that is undefined.

    Args:
        folder: Folder to write to; created if it doesn't exist.
        predictions: Predictions for all test clips.
        provenance: How the predictions were produced: see ``provenance``. Stored in ``metrics.json``.
        history: The training's ``metrics.csv``, or None without a training.
        monitor: The column of ``history`` that decided which epoch is best; None for the last epoch.
        formats: Formats of the figures.

    Returns:
        The contents of ``metrics.json``.

    Raises:
        ValueError: If ``history`` contains nothing to draw.
        OSError: If a file can't be written.
    """
    metrics = {**measure(predictions), "provenance": finite_or_none(provenance)}
    write_json(folder / "metrics.json", metrics, ADVICE)
    classes = predictions.class_names
    write_predictions(folder / "predictions.csv", predictions)
    per_class = metrics["per_class"].values()
    more = {key: [row[key] for row in per_class] for key in (*BY_CLASS, *AREAS.values())}
    class_table(predictions.confusion, classes, provenance, more).write(folder / "per_class", ADVICE)
    matrix = zip(classes, predictions.confusion.tolist(), strict=True)
    counts = ([name, *row] for name, row in matrix)
    write_rows(folder / "confusion_matrix.csv", ["label", *classes], counts, ADVICE)
    confusion = confusion_figure(predictions.confusion, classes)
    write_figures(folder / "confusion_matrix", confusion, formats, ADVICE)
    for kind, curves in predictions.curves.items():
        header, points = ["class", "threshold", *AXES[kind]], curve_rows(curves, classes)
        write_rows(folder / f"{kind}_curves.csv", header, points, ADVICE)
        figure = class_curves_figure(kind, curves, classes)
        write_figures(folder / f"{kind}_curves", figure, formats, ADVICE)
    if history is not None:
        write_figures(folder / "curves", curves_figure(history, monitor), formats, ADVICE)
    return metrics


def print_report(metrics: dict[str, Any], console: Console | None = None) -> None:
    """Print the overall and per-class results next to the published ones.

    The published results appear only if the classes are the four published strokes.

    Args:
        metrics: The result of :func:`write_report`, or the contents of a ``metrics.json``.
        console: Console to print to; None for standard output.
    """
    console = console or Console()
    printed = PUBLISHED["cnn_lstm"]
    published = printed if set(metrics["per_class"]) == set(printed["per_class"]) else None
    overall = screen_table("Test", [*HEADINGS, "clips"])
    overall.add_row("measured", *(_cell(metrics[key]) for key in OVERALL), str(metrics["num_clips"]))
    if published:
        overall.add_row("published", *(_cell(published.get(key)) for key in OVERALL), "-", style="dim")
    console.print(overall)

    headings = [HEADINGS[0], *HEADINGS[4:], "clips"]
    per_class = screen_table(
        "By class", headings + ["published\naccuracy", "published\nconsistency"] * bool(published)
    )
    for name, row in metrics["per_class"].items():
        measured = [*(_cell(row[key]) for key in BY_CLASS), str(row["support"])]
        published_cells = map(_cell, published["per_class"][name].values()) if published else ()
        per_class.add_row(Text(name), *measured, *(Text(value, style="dim") for value in published_cells))
    console.print(per_class)
    if published:
        console.print(
            "published (private data): results of the CNN-LSTM's authors on their own clips, not on these.",
            style="dim",
            highlight=False,
        )


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
