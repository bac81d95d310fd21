"""The figure of an explanation from frames: heat over the whole frames of the video, and over time."""

from collections.abc import Sequence
from typing import Any

import cv2
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from tt_actions.evaluation.clip_figures import NUM_COLUMNS, draw_probabilities, plain
from tt_actions.evaluation.frame_places import Place, WholeFrames
from tt_actions.evaluation.style import GREY, small_print, tidy
from tt_actions.video.types import Image

HEAT_COLOURS = matplotlib.colors.ListedColormap(matplotlib.colormaps["inferno"](np.linspace(0.4, 0.95, 256)))
MAX_OPACITY = 0.6
DIMMED = 0.45
"""Brightness of the part of a frame that the network does not see."""

MIN_DPI, MAX_DPI = 150, 300
_WIDTH = 11.0  # inches
_LARGE = (6.4, 4.4)  # largest width and height of the large frame, in inches
_TILE_PIXELS = 420


def draw_explanation(
    whole: WholeFrames,
    heat: NDArray[np.floating],
    times_s: NDArray[np.floating],
    probabilities: NDArray[np.floating],
    class_names: Sequence[str],
    marked: str,
    title: str,
    note: str,
) -> Figure:
    """Draw the hottest frame in full size, the probabilities and the heat over time, and a strip of frames.

    Args:
        whole: The frames to show, and where the heat map lies on them.
        heat: Heat map over the network's input, with values from 0 to 1.
        times_s: When each frame is shown, in seconds.
        probabilities: Probability of each class at each frame.
        class_names: Names of the *K* classes.
        marked: The explained class.
        title: Title of the figure.
        note: Small print below the figure.

    Shape:
        heat ``(T, h, w)``, times_s ``(T,)``, probabilities ``(T, K)``.
    """
    chosen = sorted(whole.images)
    hottest = max(chosen, key=lambda i: float(heat[i].sum()))
    height, width = whole.images[hottest].shape[:2]
    large_width = min(_LARGE[0], _LARGE[1] * width / height)
    large_height = max(large_width * height / width, 2.9)
    strip_height = -(-len(chosen) // NUM_COLUMNS) * (0.95 * _WIDTH / NUM_COLUMNS * height / width + 0.22)
    dpi = float(np.clip(width / large_width, MIN_DPI, MAX_DPI))  # no pixel of the large frame is lost
    size = (_WIDTH, large_height + strip_height + 1.0)
    figure = Figure(figsize=size, layout="constrained", dpi=dpi)
    parts: Any = figure.subfigures(2, 1, height_ratios=[large_height + 0.35, strip_height])
    left, right = parts[0].subfigures(1, 2, width_ratios=[large_width, _WIDTH - large_width])
    axes = left.add_subplot()
    _draw_frame(
        axes, whole.images[hottest], whole.places[hottest], heat[hottest], f"{times_s[hottest]:.2f} s"
    )
    above, below = right.subplots(2, 1, height_ratios=[3, 1], sharex=True)
    draw_probabilities(above, probabilities, times_s, class_names, marked)
    above.set_xlabel("")
    _draw_heat_over_time(below, heat, times_s, times_s[hottest])
    _draw_strip(parts[1], whole, heat, times_s, chosen)
    plain(figure.suptitle(title, fontsize=12))
    small_print(figure, note)
    return figure


def overlay_heat(image: Image, heat: NDArray[np.floating], inside: NDArray[np.bool_]) -> Image:
    """Overlay heat on a frame: hotter positions are brighter and more opaque.

    Args:
        image: The frame, uint8 RGB.
        heat: Heat of each pixel, from 0 to 1.
        inside: Whether the network sees each pixel; the others are dimmed.

    Shape:
        image ``(H, W, 3)``, heat and inside ``(H, W)`` -> ``(H, W, 3)``.

    >>> grey = np.full((1, 2, 3), 100, np.uint8)
    >>> overlay_heat(grey, np.zeros((1, 2)), np.array([[True, False]])).tolist()
    [[[100, 100, 100], [45, 45, 45]]]
    """
    opacity = MAX_OPACITY * np.sqrt(heat)[..., None]
    colours = 255 * HEAT_COLOURS(heat)[..., :3]
    mixed = image * (1 - opacity) + colours * opacity
    return np.where(inside[..., None], mixed, DIMMED * image).round().astype(np.uint8)


def _draw_frame(
    axes: Axes, image: Image, place: Place, heat: NDArray[np.floating], title: str, shrink: float = 1.0
) -> None:
    size = image.shape[0], image.shape[1]
    inside = place.inside(size, shrink)
    axes.imshow(overlay_heat(image, place.spread(heat, size, shrink), inside))
    axes.set_axis_off()
    axes.set_title(title, fontsize=8, color=GREY, pad=2)
    if not inside.all():
        x0, y0, x1, y1 = np.array(place.seen) * shrink - 0.5
        axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, ec="white", lw=0.8))


def _draw_strip(
    figure: Any,
    whole: WholeFrames,
    heat: NDArray[np.floating],
    times_s: NDArray[np.floating],
    chosen: Sequence[int],
) -> None:
    grid = figure.subplots(-(-len(chosen) // NUM_COLUMNS), NUM_COLUMNS, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, i in zip(grid, chosen, strict=False):
        image = whole.images[i]
        shrink = min(1.0, _TILE_PIXELS / image.shape[1])
        size = max(1, round(shrink * image.shape[1])), max(1, round(shrink * image.shape[0]))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        _draw_frame(axes, small, whole.places[i], heat[i], f"{times_s[i]:.2f} s", shrink)


def _draw_heat_over_time(
    axes: Axes, heat: NDArray[np.floating], times_s: NDArray[np.floating], shown_s: float
) -> None:
    """Draw the sum of the heat of each frame, as a share of the hottest frame's."""
    sums = heat.sum((1, 2))
    shares = sums / sums.max() if sums.any() else sums
    step = float(times_s[-1] - times_s[0]) / max(len(times_s) - 1, 1) or 1.0
    axes.bar(times_s, shares, width=step, color=HEAT_COLOURS(Normalize(0, 1)(shares)))
    axes.plot([shown_s], [-0.06], "^", color=GREY, ms=5, clip_on=False)
    tidy(axes)
    axes.xaxis.set_major_locator(matplotlib.ticker.AutoLocator())
    axes.grid(visible=False)
    axes.set_ylim(0, 1.02)
    axes.set_yticks([])
    axes.set_ylabel("heat", fontsize=9)
    axes.set_xlabel("seconds", fontsize=9)
