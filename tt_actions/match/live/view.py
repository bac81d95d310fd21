"""The page of a live analysis as HTML."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tt_actions.clips.strokes import IDLE
from tt_actions.evaluation.html_page import build_page
from tt_actions.match.report_drawings import ClassStyle, class_styles
from tt_actions.recognition.players import PlayerTrack

SHOWN_S = 60.0
"""Seconds of strokes that the timeline shows."""

_TEMPLATE = Path(__file__).with_name("live.html.j2")


class LiveView(NamedTuple):
    """What a page shows.

    Args:
        title: Name of the source.
        tracks: Where the players are.
        class_names: Names of the strokes' classes.
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.
    """

    title: str
    tracks: tuple[PlayerTrack, ...]
    class_names: tuple[str, ...]
    width: int
    height: int


def render_live_page(view: LiveView) -> tuple[str, bytes]:
    """Return the page, and the policy that lets nothing but its own script and style run.

    Names are escaped wherever they stand.

    Args:
        view: What it shows.
    """
    styles = class_styles(view.class_names)
    colours = "".join(
        f".k{style.number}{{fill:{style.colour}}}.i{style.number}{{fill:{style.ink}}}\n" for style in styles
    )
    allowed = "img-src blob: data:; connect-src 'self'"
    page = build_page(_TEMPLATE, allowed, colours, view=view, styles=styles, data=_embed(view, styles))
    # only a header may say who shows the page in a frame, so that it is no part of every page's policy
    return f"{page.policy}; frame-ancestors 'none'", page.html.encode("utf-8", "replace")


def _embed(view: LiveView, styles: Sequence[ClassStyle]) -> dict[str, Any]:
    """Return what the page's script works on."""
    return {
        "players": [track.name for track in view.tracks],
        "regions": [
            None
            if track.roi is None
            else [100 * edge / (view.height if i % 2 else view.width) for i, edge in enumerate(track.roi)]
            for track in view.tracks
        ],
        "classes": [style._asdict() for style in styles],
        "idle": IDLE,
        "seconds": SHOWN_S,
    }
