"""Report of a test on untrimmed recordings: the strokes found by several methods, with metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.text import Text

from tt_actions.clips.strokes import IDLE, Stroke
from tt_actions.evaluation.class_table import class_table
from tt_actions.evaluation.clip_scores import ENDS
from tt_actions.evaluation.confusion_matrix import confusion_figure
from tt_actions.evaluation.interval_text import explain_interval, write_interval
from tt_actions.evaluation.learning_curves import curves_figure
from tt_actions.evaluation.predictions import count_confusions
from tt_actions.evaluation.rally_intervals import rally_intervals
from tt_actions.evaluation.segment_metrics import frame_metrics, measure_strokes
from tt_actions.evaluation.significance import drawable_groups, share_interval
from tt_actions.evaluation.style import COLOURS, GREY, HATCHES, tidy, write_figures
from tt_actions.evaluation.tables import screen_table
from tt_actions.files import finite_or_none, write_json, write_rows
from tt_actions.recognition.segmenter import Segmenter

ADVICE = "and test the checkpoint again, or resume the training"

COLUMNS = {
    "frames": "frame\naccuracy",
    "classes": "mean over\nclasses",
    "edit": "edit\nscore",
    "f1_10": "F1@10",
    "f1_25": "F1@25",
    "f1_50": "F1@50",
    "map": "mAP\n0.5:0.95",
    "spot_2": "contact\nmAP +-2",
    "matched": "class acc.\nof matched",
}


@dataclass(frozen=True)
class Recording:
    """Predictions and ground truth of an untrimmed recording.

    Args:
        log_probs: Log-probability of each class at each frame.
        scores: For a conditional random field, the scores below its chain; None for other models.
        labels: True class of each frame.
        strokes: The true strokes, with times in seconds from the start of the recording.
        group: Player, match or scene; None if it is unknown.

    Shape:
        log_probs and scores ``(T, K)``, labels ``(T,)``.
    """

    log_probs: np.ndarray
    scores: np.ndarray | None
    labels: np.ndarray
    strokes: tuple[Stroke, ...]
    group: str | None = None


def find_strokes(
    recordings: Mapping[str, Recording], segmenter: Segmenter
) -> tuple[dict[str, list[Stroke]], dict[str, np.ndarray]]:
    """Find the strokes and the frame classes of each recording.

    Args:
        recordings: The recordings by name.
        segmenter: The method of finding strokes.
    """
    strokes, classes = {}, {}
    for name, recording in recordings.items():
        given = recording.scores if segmenter.method == "chain" else recording.log_probs
        assert given is not None
        strokes[name] = segmenter.segment(given, np.arange(len(given)) / segmenter.timing.fps)
        classes[name] = segmenter.classes(given[None])[0]
    return strokes, classes


def measure_recordings(
    recordings: Mapping[str, Recording], segmenters: Mapping[str, Segmenter]
) -> dict[str, Any]:
    """Evaluate every method of finding strokes on the same probabilities.

    Args:
        recordings: The recordings by name; at least one.
        segmenters: The methods by name.

    Returns:
        For each method, the results of :func:`measure_strokes`; under ``frames``, those of
        :func:`frame_metrics` with the 95 % interval of the accuracy; and under ``intervals``, those of
        :func:`tt_actions.evaluation.rally_intervals.rally_intervals`.
    """
    true = {name: recording.strokes for name, recording in recordings.items()}
    groups = drawable_groups([recording.group for recording in recordings.values()])
    labels = np.concatenate([recording.labels for recording in recordings.values()])
    measured = {}
    for method, segmenter in segmenters.items():
        strokes, classes = find_strokes(recordings, segmenter)
        names, fps = segmenter.timing.class_names, segmenter.timing.fps
        measured[method] = {
            **measure_strokes(strokes, true, names, fps),
            "frames": {
                **frame_metrics(np.concatenate(list(classes.values())), labels, names),
                **dict(zip(ENDS, _frame_interval(recordings, classes), strict=True)),
            },
            "intervals": rally_intervals(
                {name: (strokes[name], true[name]) for name in recordings},
                {name: (classes[name], recording.labels) for name, recording in recordings.items()},
                len(names),
                groups,
            ),
        }
    return measured


def _describe_groups(groups: Sequence[str | None]) -> dict[str, Any]:
    """Return the number of groups and what intervals are over: None for a single recording, without any."""
    return {
        "interval_by": None if len(groups) == 1 else "groups" if drawable_groups(groups) else "recordings",
        "num_groups": None if None in groups else len(set(groups)),
    }


def _frame_interval(
    recordings: Mapping[str, Recording], classes: Mapping[str, np.ndarray]
) -> tuple[float, float]:
    """Return the interval of the frame accuracy over groups or recordings; nan for a single one."""
    pairs = [(classes[name], recording.labels) for name, recording in recordings.items()]
    num_right = np.array([((found == true) & (true >= 0)).sum() for found, true in pairs])
    num_frames = np.array([(true >= 0).sum() for _, true in pairs])
    groups = drawable_groups([recording.group for recording in recordings.values()])
    return share_interval(num_right, num_frames, groups)


def table_metrics(metrics: dict[str, Any]) -> dict[str, float | None]:
    """Return the metrics of one method that the table shows: see :data:`COLUMNS`.

    Args:
        metrics: The result of :func:`measure_recordings` for one method.
    """
    frames, f1 = metrics["frames"], metrics["f1"]
    return {
        "frames": frames["accuracy"],
        "classes": frames["mean_class_accuracy"],
        "edit": metrics["edit_score"],
        **{f"f1_{k}": f1[f"0.{k}"]["f1"] for k in ("10", "25", "50")},
        "map": metrics["map"],
        "spot_2": metrics["spotting_map"]["2"],
        "matched": metrics["matched"]["class_accuracy"],
    }


def table_intervals(metrics: dict[str, Any]) -> dict[str, str]:
    """Return the 95 % intervals in words of the metrics that the table shows, empty for unknown ones.

    Args:
        metrics: The result of :func:`measure_recordings` for one method.
    """
    known = metrics.get("intervals", {})
    intervals = {key: write_interval(known, key) for key in COLUMNS}
    return {**intervals, "frames": write_interval(metrics["frames"])}


def hub_scores(metrics: dict[str, Any]) -> dict[str, float | None]:
    """Return the scores of one method that a model card shows.

    Args:
        metrics: The result of :func:`measure_recordings` for one method.
    """
    shown = table_metrics(metrics)
    return {"frame_accuracy": shown["frames"], "edit_score": shown["edit"], "f1_at_50": shown["f1_50"]}


def rally_metrics(
    recordings: Mapping[str, Recording],
    segmenters: Mapping[str, Segmenter],
    own: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return the contents of ``metrics.json`` without the loss and the provenance.

    Args:
        recordings: The recordings by name; at least one.
        segmenters: The methods of finding strokes, by name; the last one is the model's result.
        own: Values of the metrics that the experiment adds; they are ``metrics``.
    """
    metrics: dict[str, Any] = finite_or_none(
        {
            "segmentation": measure_recordings(recordings, segmenters),
            "used": list(segmenters)[-1],
            **_describe_groups([recording.group for recording in recordings.values()]),
            **({"metrics": dict(own)} if own else {}),
        }
    )
    return metrics


def write_rally_report(
    folder: Path,
    recordings: Mapping[str, Recording],
    segmenters: Mapping[str, Segmenter],
    provenance: dict[str, Any],
    loss: float,
    history: Path | None,
    monitor: str | None,
    formats: Sequence[str] = ("png",),
    own: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Write a report on untrimmed recordings: numbers, tables and figures, each file atomically.

    The files are ``metrics.json``, ``segmentation.csv`` (one row per method of finding strokes),
    ``strokes.csv`` (the strokes that the last method found, and the true ones), ``confusion_matrix.csv`` and
    ``.png`` of frames, ``per_class`` of frames (``.csv``, ``.md``, ``.tex``), ``timelines.png`` and, after a
    training, ``curves.png``.

    Args:
        folder: Folder to write to; created if it doesn't exist.
        recordings: The recordings by name; at least one.
        segmenters: The methods of finding strokes, by name; the last one is the model's result.
        provenance: How the result was produced.
        loss: Mean loss.
        history: The training's ``metrics.csv``, or None without a training.
        monitor: The column of ``history`` that decided which epoch is best; None for the last epoch.
        formats: Formats of the figures.
        own: Values of the metrics that the experiment adds; they are ``metrics`` in ``metrics.json``.

    Returns:
        The contents of ``metrics.json``.

    Raises:
        OSError: If a file can't be written.
    """
    about = {"loss": loss, "provenance": provenance}
    metrics: dict[str, Any] = finite_or_none({**rally_metrics(recordings, segmenters, own), **about})
    last = metrics["used"]
    names = segmenters[last].timing.class_names
    write_json(folder / "metrics.json", metrics, ADVICE)
    rows = ([method, *table_metrics(metrics["segmentation"][method]).values()] for method in segmenters)
    write_rows(folder / "segmentation.csv", ["way", *COLUMNS], rows, ADVICE)
    strokes, classes = find_strokes(recordings, segmenters[last])
    _write_strokes(folder / "strokes.csv", recordings, strokes)
    matrix = sum(
        (count_confusions(r.labels, classes[name], len(names)) for name, r in recordings.items()),
        np.zeros((len(names), len(names)), np.int64),
    )
    counts = ([name, *row] for name, row in zip(names, matrix.tolist(), strict=True))
    write_rows(folder / "confusion_matrix.csv", ["label", *names], counts, ADVICE)
    interval = write_interval(metrics["segmentation"][last]["frames"])
    table = class_table(matrix, names, provenance, things="frames", interval=interval)
    table.write(folder / "per_class", ADVICE)
    confusion = confusion_figure(matrix, names, interval=interval, unit="frames")
    write_figures(folder / "confusion_matrix", confusion, formats, ADVICE)
    write_figures(folder / "timelines", timelines_figure(recordings, strokes, names), formats, ADVICE)
    if history is not None:
        write_figures(folder / "curves", curves_figure(history, monitor), formats, ADVICE)
    return metrics


def _write_strokes(
    path: Path, recordings: Mapping[str, Recording], strokes: Mapping[str, Sequence[Stroke]]
) -> None:
    header = ["recording", "kind", "start_s", "contact_s", "end_s", "label", "confidence"]
    rows = (
        [name, kind, s.start_s, s.contact_s, s.end_s, s.label, s.confidence]
        for name, recording in recordings.items()
        for kind, listed in (("found", strokes[name]), ("true", recording.strokes))
        for s in listed
    )
    write_rows(path, header, rows, ADVICE)


def timelines_figure(
    recordings: Mapping[str, Recording],
    strokes: Mapping[str, Sequence[Stroke]],
    class_names: Sequence[str],
    num_shown: int = 6,
) -> Figure:
    """Draw true and predicted strokes over time, as a pair of bars per recording.

    Args:
        recordings: The recordings by name; only the first ones are shown.
        strokes: The predicted strokes of each recording.
        class_names: Names of the classes.
        num_shown: Maximum number of recordings to show.
    """
    shown = list(recordings)[:num_shown]
    figure = Figure(figsize=(12, 0.9 + 0.75 * len(shown)), layout="constrained")
    axes = figure.subplots()
    looks: dict[str, dict[str, Any]] = {
        name: {
            "facecolor": COLOURS[i % len(COLOURS)],
            "hatch": HATCHES[i % len(HATCHES)],
            "edgecolor": "white",
        }
        for i, name in enumerate(c for c in class_names if c != IDLE)
    }
    for row, name in enumerate(shown):
        for position, listed in ((row - 0.18, recordings[name].strokes), (row + 0.18, strokes[name])):
            for label, look in looks.items():
                spans = [(s.start_s, s.end_s - s.start_s) for s in listed if s.label == label]
                axes.broken_barh(spans, (position - 0.15, 0.3), lw=0, **look)
        axes.axhline(row + 0.5, color=GREY, linewidth=0.4)
    for label, look in looks.items():
        axes.fill_between([], [], lw=0, label=label, **look)
    axes.set_yticks(range(len(shown)), [f"{i + 1}: true\nfound" for i in range(len(shown))], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("seconds")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.35 / len(shown) - 0.05), ncol=6, frameon=False)
    tidy(axes)
    return figure


def print_rally_report(metrics: dict[str, Any], console: Console | None = None, title: str = "Test") -> None:
    """Print a table of the metrics of each method with their intervals: see :data:`COLUMNS`.

    Args:
        metrics: The result of :func:`rally_metrics` or :func:`write_rally_report`.
        console: Console to print to; None for standard output.
        title: What was done with the recordings.
    """
    used = metrics["segmentation"][metrics["used"]]
    on = f"{used['num_recordings']} recordings with {used['num_true']} strokes"
    table = screen_table(f"{title} on {on}", list(COLUMNS.values()))
    table.padding = 0  # so that all columns fit into 80
    for method, measured in metrics["segmentation"].items():
        cells = table_metrics(measured).values()
        table.add_row(Text(method), *("-" if value is None else f"{value:.3f}" for value in cells))
        if any(intervals := table_intervals(measured).values()):
            table.add_row("", *(interval.replace(" ", "\n") for interval in intervals))
    console = console or Console()
    console.print(table)
    if own := metrics.get("metrics"):
        added = screen_table("Metrics of the experiment, of frames", ["measured"])
        for name, value in own.items():
            added.add_row(Text(name), "-" if value is None else f"{value:.3f}")
        console.print(added)
    for note in explain_interval(metrics):
        console.print(Text(note, style="dim"))
