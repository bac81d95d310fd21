"""The report page of a match: one HTML file that needs only the video next to it."""

import base64
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np

from tt_actions.evaluation.html_page import build_page
from tt_actions.files import write_atomically
from tt_actions.match.key_frames import KeyFrames, embed_pictures
from tt_actions.match.report_drawings import (
    NAME_LENGTH,
    ClassStyle,
    Columns,
    NetworkDrawing,
    class_styles,
    draw_columns,
    draw_network,
)
from tt_actions.match.speed_curve import embed_speeds
from tt_actions.match.summary import (
    MIN_MINUTES,
    RALLY_GAP_S,
    UNSURE,
    Rally,
    count_strokes,
    describe_match,
    find_rallies,
    mean_confidence,
    measure_tempo,
    write_duration,
)
from tt_actions.match.technique_network import (
    TechniqueNetwork,
    answer_network,
    describe_network,
    own_network,
)
from tt_actions.recognition.analysis import ADVICE, STROKE_COLUMNS, MatchAnalysis, stroke_cells, write_clock

AROUND_S = 0.5
"""Seconds before and after a stroke for which the page contains probabilities."""

MAX_FRAME_BYTES = 1_500_000
"""Maximum size of the probabilities in bytes; for a longer match, the page skips frames."""

_TEMPLATE = Path(__file__).with_name("report.html.j2")
_MAX_COLUMNS = 20


class ClassRow(NamedTuple):
    """A row of the table of classes.

    Args:
        style: Style of the class.
        counts: Number of its strokes for each player.
        shares: Their share of all strokes of that player.
        confidence: Mean confidence of its strokes, of all players.
    """

    style: ClassStyle
    counts: list[int]
    shares: list[float]
    confidence: float | None


class NetworkView(NamedTuple):
    """A technique network with its drawing.

    Args:
        network: The network of a player.
        drawing: Its drawing.
        sentences: What stands out, in words.
    """

    network: TechniqueNetwork
    drawing: NetworkDrawing
    sentences: list[str]


def write_report_page(
    folder: Path,
    analysis: MatchAnalysis,
    annotated: str | None = None,
    key_frames: KeyFrames | None = None,
) -> None:
    """Write ``report.html``, completely or not at all.

    Args:
        folder: Folder to write to; it is created if needed.
        analysis: Result of the analysis.
        annotated: File name of the annotated video in that folder. None writes a page without a video.
        key_frames: Pictures of the strokes. None writes a page without them.

    Raises:
        OSError: If the page can't be written.
    """
    video = annotated if annotated and (folder / annotated).is_file() else None
    with write_atomically(folder / "report.html", ADVICE) as temporary:
        temporary.write_text(
            render_report_page(analysis, video, key_frames), encoding="utf-8", errors="replace"
        )


def render_report_page(
    analysis: MatchAnalysis, annotated: str | None, key_frames: KeyFrames | None = None
) -> str:
    """Return the report page as HTML text.

    All names are escaped. The content security policy allows only the page's own script, style and pictures,
    and the video.

    Args:
        analysis: Result of the analysis.
        annotated: File name of the video next to the page. None makes a page without a video.
        key_frames: Pictures of the strokes. None makes a page without them.
    """
    styles = class_styles(analysis.class_names)
    colours = "".join(
        f".k{style.number}{{fill:{style.colour}}}"
        f".i{style.number}{{fill:{style.ink};stroke:{style.colour};stroke-width:3px;paint-order:stroke}}\n"
        for style in styles
    )
    frames, stride = _embed_frames(analysis)
    page = build_page(
        _TEMPLATE,
        "media-src 'self' file:; img-src data:",
        colours,
        analysis=analysis,
        can_correct=analysis.video.is_file(),
        video=None if annotated is None else quote(annotated.encode("utf-8", "surrogateescape")),
        styles=styles,
        data=_embed(analysis, styles, frames) | {"pictures": embed_pictures(key_frames)},
        stride=stride,
        around_s=AROUND_S,
        unsure=UNSURE,
        rally_gap_s=RALLY_GAP_S,
        duration=write_duration,
        min_minutes=MIN_MINUTES,
        name_length=NAME_LENGTH,
        **_figures(analysis, styles),
    )
    return page.html


def _figures(analysis: MatchAnalysis, styles: list[ClassStyle]) -> dict[str, Any]:
    """Return the values for the template: sentences, the table of classes, charts and networks."""
    rallies = find_rallies(analysis.strokes)
    networks = _networks(rallies, analysis, styles)
    counts = count_strokes(analysis)
    return {
        "findings": describe_match(analysis),
        "rallies": rallies,
        "confidence": mean_confidence(analysis.strokes),
        "totals": {player: sum(own.values()) for player, own in counts.items()},
        "rows": _class_rows(analysis, styles, counts),
        "tempo": _draw_tempo(analysis),
        "lengths": _draw_lengths(rallies) if rallies else [],
        "networks": networks,
    }


def _class_rows(
    analysis: MatchAnalysis, styles: list[ClassStyle], counts: dict[str, dict[str, int]]
) -> list[ClassRow]:
    """Return the classes that occur, the most frequent first."""
    rows = []
    for style in styles:
        own = [counts[player][style.name] for player in analysis.players]
        totals = [max(1, sum(counts[player].values())) for player in analysis.players]
        shares = [count / total for count, total in zip(own, totals, strict=True)]
        confidence = mean_confidence([stroke for stroke in analysis.strokes if stroke.label == style.name])
        rows.append(ClassRow(style, own, shares, confidence))
    return sorted((row for row in rows if any(row.counts)), key=lambda row: -sum(row.counts))


def _draw_tempo(analysis: MatchAnalysis) -> list[Columns]:
    """Draw a tempo chart for each player, all with the same scale."""
    tempo = measure_tempo(analysis)
    highest = max(max(rates) for rates in tempo.rates.values())
    charts = []
    for player, rates in tempo.rates.items():
        starts = [write_clock(number * tempo.bin_s) for number in range(len(rates))]
        titles = [f"from {start}: {rate:.1f} per minute" for start, rate in zip(starts, rates, strict=True)]
        step = math.ceil(len(rates) / 4)
        marks = [(float(number), starts[number]) for number in range(0, len(rates), step)]
        charts.append(draw_columns(player, rates, titles, marks, highest))
    return charts


def _draw_lengths(rallies: Sequence[Rally]) -> list[Columns]:
    """Draw histograms of the length of rallies, in strokes and in seconds."""
    strokes = [len(rally.strokes) for rally in rallies]
    seconds = [math.floor(rally.length_s) for rally in rallies]
    return [_draw_histogram("strokes", strokes, first=1), _draw_histogram("seconds", seconds, first=0)]


def _draw_histogram(unit: str, values: list[int], first: int) -> Columns:
    """Draw a histogram of whole numbers in bins of equal width, labelled with their lower limit."""
    width = math.ceil((max(values) - first + 1) / _MAX_COLUMNS)
    columns = Counter((value - first) // width for value in values)
    heights = [columns[number] for number in range(max(columns) + 1)]
    starts = [first + width * number for number in range(len(heights))]
    exact = unit == "strokes" and width == 1  # seconds are rounded down, so their bins are always ranges
    end = width - 1 if unit == "strokes" else width
    names = [f"{start}" if exact else f"{start} to {start + end}" for start in starts]
    titles = [f"{name} {unit}: {height}" for name, height in zip(names, heights, strict=True)]
    step = math.ceil(len(starts) / 8)
    centre = 0.5 if exact else 0.0
    marks = [(number + centre, str(starts[number])) for number in range(0, len(starts), step)]
    return draw_columns(unit, heights, titles, marks, max(heights))


def _networks(
    rallies: Sequence[Rally], analysis: MatchAnalysis, styles: list[ClassStyle]
) -> list[NetworkView]:
    """Return the networks that have at least one transition."""
    builds = [own_network, answer_network] if len(analysis.players) == 2 else [own_network]
    networks = (
        build(rallies, player, analysis.class_names) for build in builds for player in analysis.players
    )
    return [
        NetworkView(network, draw_network(network, styles), describe_network(network))
        for network in networks
        if network.transitions
    ]


def _embed(analysis: MatchAnalysis, styles: list[ClassStyle], frames: list[dict[str, str]]) -> dict[str, Any]:
    """Return the data for the page's script, with classes and players as numbers."""
    classes = {name: number for number, name in enumerate(analysis.class_names)}
    players = {name: number for number, name in enumerate(analysis.players)}
    strokes = []
    for stroke in analysis.strokes:
        start_s, contact_s, end_s, confidence = stroke_cells(stroke)
        assert stroke.player is not None
        player, label = players[stroke.player], classes[stroke.label]
        strokes.append((start_s, contact_s, end_s, label, confidence, player))
    return {
        "video": analysis.name,
        "duration": round(analysis.duration_s, 3),
        "players": analysis.players,
        "classes": [style._asdict() for style in styles],
        "columns": STROKE_COLUMNS,
        "strokes": strokes,
        "unsure": UNSURE,
        "around": AROUND_S,
        "frameClasses": [(name, classes.get(name, -1)) for name in analysis.frame_classes],
        "frames": frames,
        "speed": None if analysis.motion is None else embed_speeds(analysis),
    }


def _embed_frames(analysis: MatchAnalysis) -> tuple[list[dict[str, str]], int]:
    """Pack each player's probabilities around their strokes, only every n-th frame, and return n too."""
    near = [
        np.flatnonzero(_near(analysis.times_s, [s for s in analysis.strokes if s.player == player]))
        for player in analysis.players
    ]
    num_bytes = sum(map(len, near)) * (4 + len(analysis.frame_classes))  # each time takes four bytes
    stride = max(1, math.ceil(num_bytes / MAX_FRAME_BYTES))
    frames = []
    for own, probabilities in zip(near, analysis.probabilities, strict=True):
        times_ms = np.round(1000 * analysis.times_s[own[::stride]]).astype("<u4")
        levels = np.round(255 * np.clip(np.nan_to_num(probabilities[own[::stride]]), 0, 1)).astype(np.uint8)
        frames.append({"times": _base64(times_ms), "levels": _base64(levels)})
    return frames, stride


def _near(times_s: np.ndarray, strokes: Sequence[Any]) -> np.ndarray:
    near = np.zeros(len(times_s), dtype=bool)
    for stroke in strokes:
        first, last = np.searchsorted(times_s, [stroke.start_s - AROUND_S, stroke.end_s + AROUND_S])
        near[first:last] = True
    return near


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()
