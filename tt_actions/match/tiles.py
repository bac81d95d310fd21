"""Text, patterns and outlines as small images that are quick to draw on frames."""

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
    """Return a colour as red, green and blue from 0 to 255.

    Args:
        colour: A colour of matplotlib: a name or a hex code.

    >>> rgb("#E69F00")
    (230, 159, 0)
    """
    red, green, blue = (round(255 * level) for level in to_rgb(colour))
    return red, green, blue


def paste(image: Image, tile: Image, x: int, y: int) -> None:
    """Paste a small image into a large one, clipped at the right and the bottom edge.

    Args:
        image: The large image, changed in place.
        tile: The small image.
        x: Column of its left edge.
        y: Row of its upper edge.

    Shape:
        image ``(H, W, 3)``, tile ``(h, w, 3)``.
    """
    place = image[y : y + tile.shape[0], x : x + tile.shape[1]]
    place[:] = tile[: place.shape[0], : place.shape[1]]


def outline(image: Image, box: Box, thickness: int, colour: Colour) -> None:
    """Draw the outline of a box, inside the box.

    Args:
        image: The image, changed in place.
        box: x0, y0, x1, y1 in pixels, x1 and y1 exclusive.
        thickness: Width of the line in pixels.
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
    """Return the dark pixels of a pattern: dots, horizontal lines or vertical lines.

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
    """Return a name on one line, shortened and without unprintable characters.

    Args:
        name: The name.

    >>> one_line("fore" + chr(10) + "hand" + chr(0)), one_line("")
    ('fore hand', '?')
    """
    seen = "".join(letter if letter.isprintable() else " " for letter in name[:200])
    return shortened(" ".join(seen.split())) or "?"


@lru_cache(1024)
def cover(text: str, letter: int, height: int) -> np.ndarray:
    """Draw text in any language for which a font is installed.

    Results are cached. The first call for a text takes milliseconds and is not safe while other threads run,
    because it catches matplotlib's warnings about letters without a font.

    Args:
        text: The text; both sides get a margin of half a letter's size.
        letter: Size of the letters in pixels.
        height: Height of the line in pixels.

    Returns:
        Share of each pixel that the text covers.

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
    """Draw as much of a text as fits into a width; see :func:`cover`.

    Args:
        text: The text.
        letter: Size of the letters in pixels.
        height: Height of the line in pixels.
        width: Maximum width in pixels; at least one letter is drawn.

    Shape:
        ``(height, W)``, float64 in [0, 1].
    """
    text = kept = one_line(text)
    while (drawn := cover(kept, letter, height)).shape[1] > width and len(text) > 1:
        text = text[: min(len(text) - 1, len(text) * width // drawn.shape[1])] or text[0]
        kept = f"{text}…"
    return drawn


def tint(covered: np.ndarray, back: Colour, ink: Colour) -> Image:
    """Colour a text and its background.

    Args:
        covered: Share of each pixel that the text covers, in [0, 1].
        back: Colour of the background.
        ink: Colour of the text.

    Shape:
        covered ``(H, W)`` -> ``(H, W, 3)``, uint8.
    """
    mixed = np.array(back) + (np.array(ink) - np.array(back)) * covered[..., None]
    return np.asarray(mixed.round(), np.uint8)
