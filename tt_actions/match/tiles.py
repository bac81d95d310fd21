"""What is drawn on frames: text, patterns and outlines, as small pictures that cost next to nothing."""

import warnings
from functools import lru_cache

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from tt_actions.evaluation.style import FONTS, shortened
from tt_actions.match.report_drawings import NUM_PATTERNS
from tt_actions.video.types import Image

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]


def rgb(colour: str) -> Colour:
    """Return red, green and blue of 255.

    Args:
        colour: As matplotlib names it.

    >>> rgb("#E69F00")
    (230, 159, 0)
    """
    red, green, blue = (round(255 * level) for level in to_rgb(colour))
    return red, green, blue


def paste(image: Image, tile: Image, x: int, y: int) -> None:
    """Lay a small picture over a large one, what sticks out at the right or below cut off.

    Args:
        image: What it is laid on.
        tile: The small picture.
        x: Of its left edge.
        y: Of its upper edge.

    Shape:
        image ``(H, W, 3)``, tile ``(h, w, 3)``.
    """
    place = image[y : y + tile.shape[0], x : x + tile.shape[1]]
    place[:] = tile[: place.shape[0], : place.shape[1]]


def outline(image: Image, box: Box, thickness: int, colour: Colour) -> None:
    """Draw a box's edge, inside of it.

    Args:
        image: What it is drawn on.
        box: x0, y0, x1, y1 in pixels, x1 and y1 exclusive.
        thickness: In pixels.
        colour: Red, green and blue.

    Shape:
        image ``(H, W, 3)``, contiguous.
    """
    x0, y0, x1, y1 = box
    for left, top, right, bottom in (
        (x0, y0, x1, min(y0 + thickness, y1)),
        (x0, max(y1 - thickness, y0), x1, y1),
        (x0, y0, min(x0 + thickness, x1), y1),
        (max(x1 - thickness, x0), y0, x1, y1),
    ):
        cv2.rectangle(image, (left, top), (right - 1, bottom - 1), colour, cv2.FILLED)


def hatch(patterns: np.ndarray, cell: int) -> np.ndarray:
    """Tell which pixels are dark, of dots, lines across or lines upright.

    Args:
        patterns: Number of each pixel's pattern; 0 is plain.
        cell: Width of a dot or line in pixels.

    Shape:
        ``(H, W)`` -> ``(H, W)``, bool.

    >>> hatch(np.array([[1, 0, 1], [2, 2, 3]]), cell=1).astype(int)
    array([[1, 0, 1],
           [0, 0, 1]])
    """
    y, x = np.ogrid[: patterns.shape[0], : patterns.shape[1]]
    across, upright = y // cell % 2 == 0, x // cell % 2 == 0
    kinds = across & upright, across, upright
    assert len(kinds) == NUM_PATTERNS - 1
    dark = np.zeros(patterns.shape, bool)
    for number, kind in enumerate(kinds, 1):
        dark |= (patterns == number) & kind
    return dark


def one_line(name: str) -> str:
    """Return a name short and on one line, without what is no letter to be seen.

    Args:
        name: The name.

    >>> one_line("fore" + chr(10) + "hand" + chr(0)), one_line("")
    ('fore hand', '?')
    """
    seen = "".join(letter if letter.isprintable() else " " for letter in name[:200])
    return shortened(" ".join(seen.split())) or "?"


@lru_cache(1024)
def cover(text: str, letter: int, height: int) -> np.ndarray:
    """Draw text in letters of any language that there is a font for.

    What is drawn once is kept; the first time takes milliseconds, and must not be in a thread beside others,
    since matplotlib's warnings of letters without a font are caught.

    Args:
        text: The text, half a letter's size left free on both sides.
        letter: Size of the letters in pixels.
        height: Of the line in pixels.

    Returns:
        How much of each pixel the text covers.

    Shape:
        ``(height, W)``, float64 in [0, 1].
    """
    figure = Figure(figsize=(1, 1), dpi=72)
    canvas = FigureCanvasAgg(figure)
    drawn = figure.text(0, 0, one_line(text), fontsize=letter, fontfamily=FONTS, parse_math=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a warning for each letter
        extent = drawn.get_window_extent(canvas.get_renderer())  # type: ignore[no-untyped-call]
        width = round(extent.width) + letter
        figure.set_size_inches(width / 72, height / 72)
        drawn.set_position((letter / 2 / width, 0.5 - 0.36 * letter / height))
        figure.patch.set_alpha(0)
        canvas.draw()  # type: ignore[no-untyped-call]
    covered = np.array(canvas.buffer_rgba())[..., 3] / 255  # type: ignore[no-untyped-call]
    return np.asarray(covered)


def cover_within(text: str, letter: int, height: int, width: int) -> np.ndarray:
    """Draw as much of a text as there is room for; see :func:`cover`.

    Args:
        text: The text.
        letter: Size of the letters in pixels.
        height: Of the line in pixels.
        width: At most this many pixels, as long as a letter fits.

    Shape:
        ``(height, W)``, float64 in [0, 1].
    """
    text = kept = one_line(text)
    while (drawn := cover(kept, letter, height)).shape[1] > width and len(text) > 1:
        text = text[: min(len(text) - 1, len(text) * width // drawn.shape[1])] or text[0]
        kept = f"{text}…"
    return drawn


def tint(covered: np.ndarray, back: Colour, ink: Colour) -> Image:
    """Colour text and its ground.

    Args:
        covered: How much of each pixel the text covers, in [0, 1].
        back: Colour of the ground.
        ink: Colour of the text.

    Shape:
        covered ``(H, W)`` -> ``(H, W, 3)``, uint8.
    """
    mixed = np.array(back) + (np.array(ink) - np.array(back)) * covered[..., None]
    return np.asarray(mixed.round(), np.uint8)
