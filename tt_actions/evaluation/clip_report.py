"""Report of a test on clips: numbers, tables and figures, on disk and on the screen."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from tt_actions.evaluation.class_table import SCORES, class_table
from tt_actions.evaluation.clip_scores import BY_CLASS, CLASS_COLUMNS, OVERALL, measure
from tt_actions.evaluation.confusion_matrix import confusion_figure
from tt_actions.evaluation.interval_text import count_clips, explain_interval, write_interval
from tt_actions.evaluation.learning_curves import curves_figure
from tt_actions.evaluation.pr_roc import AXES, class_curves_figure, curve_rows
from tt_actions.evaluation.predictions import ADVICE, Predictions, write_predictions
from tt_actions.evaluation.published import PUBLISHED_NOTE
from tt_actions.evaluation.style import write_figures
from tt_actions.evaluation.tables import screen_table
from tt_actions.files import finite_or_none, write_json, write_rows

SHOWN = {key: "F1" if key == "f1" else key.replace("_", " ") for key in OVERALL}
"""Names of the overall scores."""


def write_report(
    folder: Path,
    predictions: Predictions,
    provenance: dict[str, Any],
    history: Path | None,
    monitor: str | None = "val/loss",
    own: Mapping[str, float] | None = None,
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
        own: Values of the metrics that the experiment adds; they are ``metrics`` in ``metrics.json``.
        formats: Formats of the figures.

    Returns:
        The contents of ``metrics.json``.

    Raises:
        ValueError: If ``history`` contains nothing to draw.
        OSError: If a file can't be written.
    """
    metrics = {**measure(predictions), "provenance": finite_or_none(provenance)}
    if own:
        metrics["metrics"] = finite_or_none(dict(own))
    write_json(folder / "metrics.json", metrics, ADVICE)
    classes = predictions.class_names
    write_predictions(folder / "predictions.csv", predictions)
    per_class = metrics["per_class"].values()
    more = {key: [row[key] for row in per_class] for key in CLASS_COLUMNS}
    interval = write_interval(metrics)
    macro = [write_interval(metrics, key) for key in SCORES]
    table = class_table(predictions.confusion, classes, provenance, more, interval=interval, macro=macro)
    table.write(folder / "per_class", ADVICE)
    matrix = zip(classes, predictions.confusion.tolist(), strict=True)
    counts = ([name, *row] for name, row in matrix)
    write_rows(folder / "confusion_matrix.csv", ["label", *classes], counts, ADVICE)
    confusion = confusion_figure(predictions.confusion, classes, interval=interval)
    write_figures(folder / "confusion_matrix", confusion, formats, ADVICE)
    for kind, curves in predictions.curves.items():
        header, points = ["class", "threshold", *AXES[kind]], curve_rows(curves, classes)
        write_rows(folder / f"{kind}_curves.csv", header, points, ADVICE)
        figure = class_curves_figure(kind, curves, classes)
        write_figures(folder / f"{kind}_curves", figure, formats, ADVICE)
    if history is not None:
        write_figures(folder / "curves", curves_figure(history, monitor), formats, ADVICE)
    return metrics


def print_report(
    metrics: Mapping[str, Any],
    published: Mapping[str, Any] | None = None,
    console: Console | None = None,
    title: str = "Test",
) -> None:
    """Print the overall and per-class results with their intervals.

    Args:
        metrics: The result of :func:`write_report`, or the contents of a ``metrics.json``.
        published: Published results to print next to them: see
            :func:`tt_actions.evaluation.published.published_results`.
        console: Console to print to; None for standard output.
        title: What was done with the clips.
    """
    console, published = console or Console(), published or {}
    headings = ["measured", "95 % interval", *["published"] * bool(published)]
    overall = screen_table(f"{title} on {count_clips(metrics)}", headings)
    for key, name in SHOWN.items():
        others = [Text(_cell(published.get(key)), style="dim")] * bool(published)
        overall.add_row(name, _cell(metrics[key]), write_interval(metrics, key), *others)
    for key, value in metrics.get("metrics", {}).items():
        overall.add_row(Text(key), _cell(value))
    console.print(overall)

    by_class = published.get("per_class", {})
    headings = [*(SHOWN[key].replace(" ", "\n") for key in BY_CLASS), "clips"]
    per_class = screen_table(
        "By class", headings + ["published\naccuracy", "published\nconsistency"] * bool(by_class)
    )
    for name, row in metrics["per_class"].items():
        cells = [*(_cell(row[key]) for key in BY_CLASS), str(row["support"])]
        others = [Text(_cell(by_class.get(name, {}).get(key)), style="dim") for key in BY_CLASS[:2]]
        per_class.add_row(Text(name), *cells, *others * bool(by_class))
        if interval := write_interval(row):
            per_class.add_row("", interval)
    console.print(per_class)
    for note in (*explain_interval(metrics), *[PUBLISHED_NOTE] * bool(published)):
        console.print(Text(note, style="dim"))


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
