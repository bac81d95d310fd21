"""What a test leaves behind: numbers, tables and figures, on disk and on the screen."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

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
from tt_actions.evaluation.style import write_figure
from tt_actions.evaluation.tables import screen_table
from tt_actions.files import finite_or_none, write_json, write_rows

HEADINGS = ("accuracy", "precision", "recall", "F1", "temporal\nconsistency", "frame\nagreement")


def write_report(
    folder: Path,
    predictions: Predictions,
    provenance: dict[str, Any],
    history: Path | None,
    monitor: str | None = "val/loss",
) -> dict[str, Any]:
    """Write a report: numbers, tables and figures, each file whole or not at all.

    Writes ``metrics.json``, ``predictions.csv`` (a row a clip), ``per_class.csv``, ``confusion_matrix.csv``
    (rows are true classes), ``confusion_matrix.png``, ``pr_curves`` and ``roc_curves`` (``.csv``, ``.png``)
    and, after a training, ``curves.png``. An empty cell and a JSON null mean that the number can't be known.

    Args:
        folder: Where to; made if absent.
        predictions: Of all test clips.
        provenance: What produced them: see :func:`provenance`; kept as ``metrics.json``'s ``provenance``.
        history: The training's ``metrics.csv``, or None where there was no training.
        monitor: Its column that decided which epoch is best; None for the last.

    Returns:
        The contents of ``metrics.json``.

    Raises:
        ValueError: If ``history`` holds nothing to draw.
        OSError: If a file can't be written.
    """
    metrics = {**measure(predictions), "provenance": finite_or_none(provenance)}
    write_json(folder / "metrics.json", metrics, ADVICE)
    classes = predictions.class_names
    write_predictions(folder / "predictions.csv", predictions)
    per_class = metrics["per_class"].items()
    columns = [*BY_CLASS, *AREAS.values(), "support"]
    rows = [[name, *(row[key] for key in columns)] for name, row in per_class]
    write_rows(folder / "per_class.csv", ["class", *columns], rows, ADVICE)
    matrix = zip(classes, predictions.confusion.tolist(), strict=True)
    counts = ([name, *row] for name, row in matrix)
    write_rows(folder / "confusion_matrix.csv", ["label", *classes], counts, ADVICE)
    write_figure(folder / "confusion_matrix.png", confusion_figure(predictions.confusion, classes), ADVICE)
    for kind, curves in predictions.curves.items():
        header, points = ["class", "threshold", *AXES[kind]], curve_rows(curves, classes)
        write_rows(folder / f"{kind}_curves.csv", header, points, ADVICE)
        figure = class_curves_figure(kind, curves, classes)
        write_figure(folder / f"{kind}_curves.png", figure, ADVICE)
    if history is not None:
        write_figure(folder / "curves.png", curves_figure(history, monitor), ADVICE)
    return metrics


def print_report(metrics: dict[str, Any], console: Console | None = None) -> None:
    """Print the overall figures and those of every class, the published ones beside them.

    The published figures stand there only where the classes are the four published strokes.

    Args:
        metrics: What :func:`write_report` returned, or a ``metrics.json`` read back.
        console: Where to print; standard output if None.
    """
    console = console or Console()
    printed = PUBLISHED["cnn_lstm"]
    published = printed if set(metrics["per_class"]) == set(printed["per_class"]) else None
    overall = screen_table("Test", [*HEADINGS, "clips"])
    overall.add_row("measured", *(_shown(metrics[key]) for key in OVERALL), str(metrics["num_clips"]))
    if published:
        overall.add_row("published", *(_shown(published.get(key)) for key in OVERALL), "-", style="dim")
    console.print(overall)

    headings = [HEADINGS[0], *HEADINGS[4:], "clips"]
    per_class = screen_table(
        "By class", headings + ["published\naccuracy", "published\nconsistency"] * bool(published)
    )
    for name, row in metrics["per_class"].items():
        measured = [*(_shown(row[key]) for key in BY_CLASS), str(row["support"])]
        beside = map(_shown, published["per_class"][name].values()) if published else ()
        per_class.add_row(Text(name), *measured, *(Text(value, style="dim") for value in beside))
    console.print(per_class)
    if published:
        console.print(
            "published (private data): the CNN-LSTM's authors on their own clips, not these.",
            style="dim",
            highlight=False,
        )


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
