"""The HTML of the live page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tt_actions.clips.strokes import IDLE
from tt_actions.evaluation.html_page import build_page
from tt_actions.match.report_drawings import ClassStyle, class_styles
from tt_actions.recognition.players import PlayerTrack

SHOWN_S = 60.0
"""Number of seconds that the timeline shows."""

_TEMPLATE = Path(__file__).with_name("live.html.j2")


class LiveView(NamedTuple):
    """Fixed contents of a live page.

    Args:
        title: Name of the source.
        tracks: Regions of the players.
        class_names: Names of the stroke classes.
        width: Width of the frames in pixels.
        height: Height of the frames in pixels.
        unit: What is counted per second.
        delay_from: Where the delay of a stroke begins.
    """

    title: str
    tracks: tuple[PlayerTrack, ...]
    class_names: tuple[str, ...]
    width: int
    height: int
    unit: str = "frames"
    delay_from: str = "the last frame of a stroke"


def render_live_page(view: LiveView) -> tuple[str, bytes]:
    """Return the page, and a content security policy that allows only its own script and style.

    All names are escaped.

    Args:
        view: Contents of the page.
    """
    styles = class_styles(view.class_names)
    colours = "".join(
        f".k{style.number}{{fill:{style.colour}}}.i{style.number}{{fill:{style.ink}}}\n" for style in styles
    )
    allowed = "img-src blob: data:; connect-src 'self'"
    page = build_page(_TEMPLATE, allowed, colours, view=view, styles=styles, data=_embed(view, styles))
    # frame-ancestors works only in a header, so it is not in the policy of every page
    return f"{page.policy}; frame-ancestors 'none'", page.html.encode("utf-8", "replace")


def _embed(view: LiveView, styles: Sequence[ClassStyle]) -> dict[str, Any]:
    """Return the data for the page's script."""
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
