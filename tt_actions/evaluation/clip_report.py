"""What a test leaves behind: numbers, tables and figures, on disk and on the screen."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.text import Text
from torchmetrics.functional.classification import (
    multiclass_f1_score,
    multiclass_precision,
    multiclass_recall,
)

from tt_actions.evaluation.figures import confusion_figure, curves_figure
from tt_actions.evaluation.pr_roc import (
    AREAS,
    AXES,
    class_curves_figure,
    curve_rows,
)
from tt_actions.evaluation.predictions import ADVICE, Predictions, mean_or_nan, write_predictions
from tt_actions.evaluation.published import PUBLISHED
from tt_actions.evaluation.style import write_figure
from tt_actions.evaluation.tables import screen_table
from tt_actions.files import finite_or_none, write_json, write_rows

OVERALL = ("accuracy", "precision", "recall", "f1", "temporal_consistency", "frame_agreement")
HEADINGS = ("accuracy", "precision", "recall", "F1", "temporal\nconsistency", "frame\nagreement")
BY_CLASS = ("accuracy", "temporal_consistency", "frame_agreement")


def measure(predictions: Predictions) -> dict[str, Any]:
    """Turn predictions into the numbers of ``metrics.json``.

    By class: *accuracy* is the share of its clips that are predicted right, *temporal consistency* the mean
    share of adjacent frame pairs with one predicted class (a clip of one frame does not count), *frame
    agreement* the mean share of frames whose predicted class is the clip's, *average precision* and *ROC AUC*
    how well its probability tells its clips from all others. The overall temporal consistency
    and frame agreement are means over the classes that have them. Precision, recall and F1 are averages over
    the classes that are among the labels or the predictions, as scikit-learn's are.

    Args:
        predictions: Of all test clips.

    Returns:
        ``accuracy``, ``precision``, ``recall``, ``f1``, ``temporal_consistency``, ``frame_agreement``,
        ``loss``, ``num_clips`` and ``per_class``; None for what is not finite or can't be known, as the
        accuracy of a class without clips.
    """
    assert predictions.labels.min() >= 0, "a test clip has a label"
    by_clip = (
        predictions.predicted == predictions.labels,
        predictions.temporal_consistency,
        predictions.frame_agreement,
    )
    per_class = {}
    for index, name in enumerate(predictions.class_names):
        own = predictions.labels == index
        values = {key: mean_or_nan(clips[own]) for key, clips in zip(BY_CLASS, by_clip, strict=True)}
        curves = {AREAS[kind]: of_class[index] for kind, of_class in predictions.curves.items()}
        areas = {key: math.nan if curve is None else curve.area for key, curve in curves.items()}
        per_class[name] = {**values, **areas, "support": int(own.sum())}
    macro = (multiclass_precision, multiclass_recall, multiclass_f1_score)
    predicted, labels = torch.from_numpy(predictions.predicted), torch.from_numpy(predictions.labels)
    num_classes = len(predictions.class_names)
    numbers = {
        "accuracy": mean_or_nan(by_clip[0]),
        **{
            key: round(float(m(predicted, labels, num_classes)), 6)
            for key, m in zip(OVERALL[1:4], macro, strict=True)
        },
        **{key: mean_or_nan(np.array([row[key] for row in per_class.values()])) for key in OVERALL[4:]},
        "loss": float(predictions.loss),
        "num_clips": len(predictions.names),
        "per_class": per_class,
    }
    known: dict[str, Any] = finite_or_none(numbers)
    return known


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
