"""The page of a run: what was asked, what came out, and what produced it, in one self-contained HTML file."""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np

from tt_actions.clips.records import ClipRecord, Split, class_names
from tt_actions.evaluation.calibration import calibration_bins, expected_calibration_error
from tt_actions.evaluation.class_table import class_scores
from tt_actions.evaluation.html_page import build_page
from tt_actions.evaluation.interval_text import count_clips, explain_interval, write_interval
from tt_actions.evaluation.learning_curves import LearningCurves, read_curves
from tt_actions.evaluation.predictions import ADVICE, Predictions
from tt_actions.evaluation.published import PUBLISHED_NOTE
from tt_actions.evaluation.run_drawings import (
    HEIGHT,
    WIDTH,
    draw_confusion,
    draw_learning_curves,
    draw_reliability,
)
from tt_actions.evaluation.run_options import describe_options, describe_provenance
from tt_actions.evaluation.worst_clips import WorstClip
from tt_actions.files import finite_or_none, write_atomically

TEMPLATE = Path(__file__).with_name("run_page.html.j2")


@dataclass(frozen=True)
class RunFacts:
    """What a run was asked to do.

    Args:
        experiment: Name of the experiment.
        version: Name of the run directory.
        command: Command of the run, such as train.
        config: The whole configuration as YAML.
        network: Class of the network.
        num_parameters: Number of its parameters.
        records: All clips, with their splits.
        history: The training's ``metrics.csv``, or None if there is nothing to draw.
        monitor: The column of ``history`` that decided which epoch is best; None for the last epoch.
        published: Published results to show next to those of the run; empty for none.
    """

    experiment: str
    version: str
    command: str
    config: str
    network: str
    num_parameters: int
    records: Sequence[ClipRecord]
    history: Path | None
    monitor: str | None
    published: Mapping[str, Any]

    @property
    def curves(self) -> LearningCurves | None:
        """The learning curves of the training, or None without a training."""
        return None if self.history is None else read_curves(self.history, self.monitor)


class Tile(NamedTuple):
    """A number at the head of the page: its title, its value and its interval in words."""

    title: str
    value: float | None
    interval: str = ""


class SplitRow(NamedTuple):
    """A row of the table of splits: a class or ``groups``, and its number in each split."""

    name: str
    counts: list[int]


class Video(NamedTuple):
    """A worst clip as a data URI, with its classes and the name of its file."""

    source: str
    title: str
    name: str


def write_run_page(
    folder: Path,
    facts: RunFacts,
    metrics: Mapping[str, Any],
    predictions: Predictions,
    worst: Sequence[WorstClip],
) -> Path:
    """Write ``index.html``, completely or not at all.

    Args:
        folder: Folder to write to; it is created if needed.
        facts: What the run was asked to do.
        metrics: The result of :func:`tt_actions.evaluation.clip_report.write_report`.
        predictions: The predictions in the report.
        worst: Videos of the worst clips, which the page contains.

    Returns:
        The page.

    Raises:
        OSError: If it can't be written.
    """
    path = folder / "index.html"
    with write_atomically(path, ADVICE) as temporary:
        page = render_run_page(facts, metrics, predictions, worst)
        temporary.write_text(page, encoding="utf-8", errors="replace")
    return path


def render_run_page(
    facts: RunFacts, metrics: Mapping[str, Any], predictions: Predictions, worst: Sequence[WorstClip]
) -> str:
    """Return the page of a run as HTML text.

    All names are escaped. The content security policy blocks scripts and all external files.

    Args:
        facts: What the run was asked to do.
        metrics: The result of :func:`tt_actions.evaluation.clip_report.write_report`.
        predictions: The predictions in the report.
        worst: Videos of the worst clips.
    """
    bins = calibration_bins(predictions.probabilities, predictions.labels)
    error = expected_calibration_error(bins)
    curves = facts.curves
    page = build_page(
        TEMPLATE,
        "media-src data:; img-src data:",
        **common_values(facts, metrics, curves),
        findings=describe_result(metrics, predictions, error, curves),
        tiles=[
            Tile("accuracy", metrics["accuracy"], write_interval(metrics)),
            Tile("F1", metrics["f1"], write_interval(metrics, "f1")),
            Tile(
                "temporal consistency",
                metrics["temporal_consistency"],
                write_interval(metrics, "temporal_consistency"),
            ),
            Tile("test clips", metrics["num_clips"]),
            *own_tiles(metrics),
        ],
        unit="clips",
        methods=[],
        published_note=PUBLISHED_NOTE,
        scores=_class_scores(predictions),
        confusion=draw_confusion(predictions.confusion, predictions.class_names),
        reliability=draw_reliability(bins),
        calibration_error=error,
        videos=[_embed(clip) for clip in worst],
    )
    return page.html


def own_tiles(metrics: Mapping[str, Any]) -> list[Tile]:
    """Return the numbers of the metrics that the experiment adds.

    Args:
        metrics: The contents of ``metrics.json``.
    """
    return [Tile(name.replace("_", " "), value) for name, value in metrics.get("metrics", {}).items()]


def _class_scores(predictions: Predictions) -> dict[str, dict[str, float | None]]:
    """Return precision and F1 of each class; None for an undefined one."""
    scores = class_scores(predictions.confusion)
    values = zip(predictions.class_names, scores.precision.tolist(), scores.f1.tolist(), strict=True)
    return {name: finite_or_none({"precision": precision, "f1": f1}) for name, precision, f1 in values}


def common_values(
    facts: RunFacts, metrics: Mapping[str, Any], curves: LearningCurves | None
) -> dict[str, Any]:
    """Return the values for the template that pages of all kinds of runs need.

    Args:
        facts: What the run was asked to do.
        metrics: The contents of ``metrics.json``.
        curves: The learning curves of the training, if it has any.
    """
    return {
        "facts": facts,
        "metrics": metrics,
        "notes": explain_interval(metrics),
        "options": describe_options(facts.config),
        "provenance": describe_provenance(metrics["provenance"]),
        "charts": [] if curves is None else draw_learning_curves(curves),
        "width": WIDTH,
        "height": HEIGHT,
        "splits": get_args(Split),
        "split_rows": count_splits(facts.records),
    }


def describe_result(
    metrics: Mapping[str, Any],
    predictions: Predictions,
    calibration_error: float,
    curves: LearningCurves | None,
) -> list[str]:
    """Say in sentences what came out of a test.

    Args:
        metrics: The contents of ``metrics.json``.
        predictions: The predictions.
        calibration_error: The expected calibration error.
        curves: The learning curves of the training, if it has any.
    """
    matrix, names = predictions.confusion, predictions.class_names
    num_clips, usual = int(matrix.sum()), int(matrix.sum(1).argmax())
    share = matrix.sum(1)[usual] / num_clips
    sentences = [
        f"{matrix.trace()} of {num_clips} test clips are classified correctly. Always predicting the most "
        f"frequent class, {names[usual]}, would be correct for {share:.0%}.",
    ]
    known = {name: row["accuracy"] for name, row in metrics["per_class"].items() if row["support"]}
    best, weakest = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
    if known[best] > known[weakest]:
        sentences.append(
            f"Highest accuracy: {_of_class(metrics, best)}. Lowest: {_of_class(metrics, weakest)}."
        )
    wrong = matrix - np.diag(np.diag(matrix))
    if wrong.any():
        true, predicted = np.unravel_index(wrong.argmax(), wrong.shape)
        sentences.append(
            f"Most frequent confusion: {names[true]} predicted as {names[predicted]} "
            f"({wrong[true, predicted]} of {matrix[true].sum()} clips)."
        )
    confidence = float(predictions.probabilities.max(1).mean())
    sentences.append(
        f"Mean confidence: {confidence:.2f}, {_calibration(confidence - metrics['accuracy'])} "
        f"(expected calibration error {calibration_error:.2f})."
    )
    return sentences + describe_best_epoch(curves)


def _of_class(metrics: Mapping[str, Any], name: str) -> str:
    row = metrics["per_class"][name]
    accuracy = f"{row['accuracy']:.2f} {write_interval(row)}".strip()
    return f"{name} ({accuracy} on {count_clips({'num_clips': row['support']})})"


def describe_best_epoch(curves: LearningCurves | None) -> list[str]:
    """Say which epoch is best; nothing if it is unknown.

    Args:
        curves: The learning curves of the training, if it has any.
    """
    if curves is None or curves.best is None:
        return []
    last = max(epoch for lines in curves.panels.values() for values in lines.values() for epoch in values)
    return [f"Best epoch: {curves.best} of {last} ({curves.why})."]


def _calibration(excess: float) -> str:
    if abs(excess) < 0.05:
        return "close to the accuracy"
    return f"{abs(excess):.2f} {'above' if excess > 0 else 'below'} the accuracy"


def count_splits(records: Sequence[ClipRecord]) -> list[SplitRow]:
    """Count the clips of each class, all clips and all groups in each split.

    Args:
        records: The clips with their splits.
    """
    counts = Counter((label, record.split) for record in records for label in record.labels)
    splits = get_args(Split)
    rows = [SplitRow(name, [counts[name, split] for split in splits]) for name in class_names(records)]
    own = [[record for record in records if record.split == split] for split in splits]
    rows.append(SplitRow("all", [len(clips) for clips in own]))
    groups = [len({clip.group for clip in clips} - {None}) for clips in own]
    return [*rows, SplitRow("groups", groups)] if any(groups) else rows


def _embed(clip: WorstClip) -> Video:
    text = base64.b64encode(clip.path.read_bytes()).decode()
    return Video(f"data:video/mp4;base64,{text}", clip.title, Path(clip.name).name)
