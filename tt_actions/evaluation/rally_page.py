"""The page of a run on untrimmed recordings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tt_actions.clips.strokes import IDLE, Stroke
from tt_actions.evaluation.html_page import build_page
from tt_actions.evaluation.interval_text import write_interval
from tt_actions.evaluation.predictions import ADVICE, count_confusions
from tt_actions.evaluation.rally_report import (
    COLUMNS,
    Recording,
    find_strokes,
    table_intervals,
    table_metrics,
)
from tt_actions.evaluation.run_drawings import draw_confusion
from tt_actions.evaluation.run_page import (
    TEMPLATE,
    RunFacts,
    Tile,
    common_values,
    describe_best_epoch,
    own_tiles,
)
from tt_actions.evaluation.style import COLOURS
from tt_actions.files import write_atomically
from tt_actions.recognition.segmenter import Segmenter

NUM_SHOWN = 8
"""Maximum number of recordings whose timelines are drawn."""


class Bar(NamedTuple):
    """A stroke in a timeline: number of its class, place in thousandths of the recording, row and title."""

    number: int
    x: float
    width: float
    y: int
    title: str


class Timeline(NamedTuple):
    """The true and the found strokes of a recording."""

    name: str
    duration_s: float
    bars: list[Bar]


class Style(NamedTuple):
    """The number and the name of a class."""

    number: int
    name: str


def write_rally_page(
    folder: Path,
    facts: RunFacts,
    metrics: Mapping[str, Any],
    recordings: Mapping[str, Recording],
    segmenter: Segmenter,
) -> Path:
    """Write ``index.html``, completely or not at all.

    Args:
        folder: Folder to write to; it is created if needed.
        facts: What the run was asked to do.
        metrics: The result of :func:`tt_actions.evaluation.rally_report.write_rally_report`.
        recordings: The recordings by name.
        segmenter: The method of finding strokes that the model uses.

    Returns:
        The page.

    Raises:
        OSError: If it can't be written.
    """
    path = folder / "index.html"
    with write_atomically(path, ADVICE) as temporary:
        page = render_rally_page(facts, metrics, recordings, segmenter)
        temporary.write_text(page, encoding="utf-8", errors="replace")
    return path


def render_rally_page(
    facts: RunFacts,
    metrics: Mapping[str, Any],
    recordings: Mapping[str, Recording],
    segmenter: Segmenter,
) -> str:
    """Return the page of a run on untrimmed recordings as HTML text.

    Args:
        facts: What the run was asked to do.
        metrics: The result of :func:`tt_actions.evaluation.rally_report.write_rally_report`.
        recordings: The recordings by name.
        segmenter: The method of finding strokes that the model uses.
    """
    names, used, curves = segmenter.timing.class_names, metrics["segmentation"][metrics["used"]], facts.curves
    strokes, classes = find_strokes(recordings, segmenter)
    labels = np.concatenate([recording.labels for recording in recordings.values()])
    matrix = count_confusions(labels, np.concatenate([classes[name] for name in recordings]), len(names))
    styles = [Style(number, name) for number, name in enumerate(name for name in names if name != IDLE)]
    colours = "".join(f".k{s.number}{{fill:{COLOURS[s.number % len(COLOURS)]}}}\n" for s in styles)
    found = sum(map(len, strokes.values()))
    page = build_page(
        TEMPLATE,
        "img-src data:",
        colours,
        **common_values(facts, metrics, curves),
        findings=[
            f"The method {metrics['used']} finds {found} strokes, where there are {used['num_true']}.",
            *describe_best_epoch(curves),
        ],
        tiles=[
            Tile("F1@50", used["f1"]["0.50"]["f1"], table_intervals(used)["f1_50"]),
            Tile("frame accuracy", used["frames"]["accuracy"], write_interval(used["frames"])),
            Tile("test recordings", used["num_recordings"]),
            Tile("true strokes", used["num_true"]),
            *own_tiles(metrics),
        ],
        unit="frames",
        videos=[],
        headings=[heading.replace("\n", " ") for heading in COLUMNS.values()],
        methods=[(name, _cells(own)) for name, own in metrics["segmentation"].items()],
        confusion=draw_confusion(matrix, names, "frames"),
        styles=styles,
        timelines=draw_timelines(recordings, strokes, styles, segmenter.timing.fps),
    )
    return page.html


def _cells(measured: dict[str, Any]) -> list[tuple[float | None, str]]:
    """Return the values of a method with their intervals in words."""
    intervals = table_intervals(measured)
    return [(value, intervals[key]) for key, value in table_metrics(measured).items()]


def draw_timelines(
    recordings: Mapping[str, Recording],
    strokes: Mapping[str, Sequence[Stroke]],
    styles: Sequence[Style],
    fps: float,
) -> list[Timeline]:
    """Draw the true and the found strokes of the first recordings.

    Args:
        recordings: The recordings by name.
        strokes: The found strokes of each recording.
        styles: The classes of strokes.
        fps: Frames per second of the model.
    """
    numbers = {style.name: style.number for style in styles}
    timelines = []
    for name in list(recordings)[:NUM_SHOWN]:
        recording = recordings[name]
        duration_s = len(recording.labels) / fps
        bars = [
            Bar(
                numbers[stroke.label],
                round(1000 * stroke.start_s / duration_s, 1),
                round(1000 * (stroke.end_s - stroke.start_s) / duration_s, 1),
                y,
                f"{kind}: {stroke.label}, {stroke.start_s:.2f} to {stroke.end_s:.2f} s",
            )
            for y, kind, listed in ((0, "true", recording.strokes), (24, "found", strokes[name]))
            for stroke in listed
        ]
        timelines.append(Timeline(Path(name).name, duration_s, bars))
    return timelines
