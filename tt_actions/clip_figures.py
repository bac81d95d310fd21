"""The drawings of one clip: its frames, with or without heat, and what is said of each over time."""

import textwrap
from collections.abc import Sequence
from typing import Any

import cv2
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.text import Text
from numpy.typing import NDArray

from tt_actions.figures import COLOURS, FONTS, GREY, shortened, tidy

STYLES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)))
"""Line styles for when the colours begin anew."""

HEAT_COLOURS = "inferno"
MAX_OPACITY = 0.75
NUM_COLUMNS = 8
_WIDTH = 11.0  # inches


def overlay_heat(frames: NDArray[np.uint8], heat: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Lay heat over frames: the hotter a place, the brighter and the less of the frame shows through.

    Args:
        frames: RGB.
        heat: From 0 to 1, of any resolution.

    Shape:
        frames ``(T, H, W, 3)``, heat ``(T, h, w)`` -> ``(T, H, W, 3)``.

    >>> grey = np.full((1, 2, 2, 3), 100, np.uint8)
    >>> overlay_heat(grey, np.zeros((1, 1, 1))).ravel().tolist() == grey.ravel().tolist()
    True
    """
    height, width = frames.shape[1:3]
    mixed = np.empty_like(frames)
    for t, (frame, coarse) in enumerate(zip(frames, heat, strict=True)):
        fine = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        opacity = MAX_OPACITY * fine[..., None]
        colour = 255 * matplotlib.colormaps[HEAT_COLOURS](0.4 + 0.55 * fine)[..., :3]  # none too dark
        mixed[t] = (frame * (1 - opacity) + colour * opacity).round()
    return mixed


def frame_strip(
    frames: NDArray[np.uint8],
    times_s: NDArray[np.floating],
    heat: NDArray[np.floating] | None = None,
    title: str = "",
    max_frames: int = 2 * NUM_COLUMNS,
) -> Figure:
    """Draw the frames of a clip, in rows of eight, each with its time.

    Args:
        frames: RGB.
        times_s: When each is shown, in seconds.
        heat: From 0 to 1, of any resolution, to lay over them, or None.
        title: What the figure shows.
        max_frames: Of more frames, this number is drawn, evenly chosen.

    Shape:
        frames ``(T, H, W, 3)``, times_s ``(T,)``, heat ``(T, h, w)``.
    """
    figure = Figure(figsize=(_WIDTH, _strip_height(frames, max_frames)), layout="constrained", dpi=150)
    _draw_strip(figure, frames, times_s, heat, max_frames)
    _write_title(figure, title)
    return figure


def probability_strip(
    probabilities: NDArray[np.floating],
    times_s: NDArray[np.floating],
    class_names: Sequence[str],
    marked: str | None = None,
    title: str = "",
) -> Figure:
    """Draw the probability of each class over the frames of a clip.

    Args:
        probabilities: Of each class at each frame.
        times_s: When each frame is shown, in seconds.
        class_names: Names of the *K* classes.
        marked: The class to draw with a thicker line, or None.
        title: What the figure shows.

    Shape:
        probabilities ``(T, K)``, times_s ``(T,)``.
    """
    figure = Figure(figsize=(_WIDTH, _plot_height(class_names)), layout="constrained", dpi=150)
    _draw_probabilities(figure.add_subplot(), probabilities, times_s, class_names, marked)
    _write_title(figure, title)
    return figure


def clip_figure(
    frames: NDArray[np.uint8],
    times_s: NDArray[np.floating],
    probabilities: NDArray[np.floating],
    class_names: Sequence[str],
    heat: NDArray[np.floating] | None = None,
    title: str = "",
    note: str = "",
    marked: str | None = None,
) -> Figure:
    """Draw the frames of a clip and below them the probability of each class over time.

    Args:
        frames: RGB.
        times_s: When each is shown, in seconds.
        probabilities: Of each class at each frame.
        class_names: Names of the *K* classes.
        heat: From 0 to 1, of any resolution, to lay over the frames, or None.
        title: What the figure shows.
        note: Small print under it.
        marked: The class to draw with a thicker line, or None.

    Shape:
        frames ``(T, H, W, 3)``, times_s ``(T,)``, probabilities ``(T, K)``, heat ``(T, h, w)``.
    """
    heights = _strip_height(frames, 2 * NUM_COLUMNS), _plot_height(class_names)
    figure = Figure(figsize=(_WIDTH, sum(heights) + 0.5), layout="constrained", dpi=150)
    parts: Any = figure.subfigures(2, 1, height_ratios=heights)
    above, below = parts
    _draw_strip(above, frames, times_s, heat, 2 * NUM_COLUMNS)
    _draw_probabilities(below.add_subplot(), probabilities, times_s, class_names, marked)
    _write_title(figure, title)
    if note:
        text = textwrap.fill(note, int(_WIDTH * 16))
        _plain(figure.supxlabel(text, x=0.01, ha="left", fontsize=7.5, color=GREY))
    return figure


def _strip_height(frames: NDArray[np.uint8], max_frames: int) -> float:
    num_rows = -(-min(len(frames), max_frames) // NUM_COLUMNS)
    height, width = int(frames.shape[1]), int(frames.shape[2])
    return num_rows * (0.95 * _WIDTH / NUM_COLUMNS * height / width + 0.22) + 0.1


def _plot_height(class_names: Sequence[str]) -> float:
    return max(2.2, 0.5 + 0.2 * len(class_names))


def _draw_strip(
    figure: Figure | SubFigure,
    frames: NDArray[np.uint8],
    times_s: NDArray[np.floating],
    heat: NDArray[np.floating] | None,
    max_frames: int,
) -> None:
    images = frames if heat is None else overlay_heat(frames, heat)
    chosen = np.linspace(0, len(images) - 1, min(len(images), max_frames)).round().astype(int)
    num_rows = -(-len(chosen) // NUM_COLUMNS)
    grid = figure.subplots(num_rows, NUM_COLUMNS, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, t in zip(grid, chosen, strict=False):
        axes.imshow(images[t], interpolation="nearest")
        axes.set_title(f"{times_s[t]:.2f} s", fontsize=8, color=GREY, pad=2)


def _draw_probabilities(
    axes: Axes,
    probabilities: NDArray[np.floating],
    times_s: NDArray[np.floating],
    class_names: Sequence[str],
    marked: str | None,
) -> None:
    for number, values in enumerate(probabilities.T):
        axes.plot(
            times_s,
            values,
            color=COLOURS[number % len(COLOURS)],
            linestyle=STYLES[number // len(COLOURS) % len(STYLES)],
            linewidth=2.8 if class_names[number] == marked else 1.4,
            marker="o",
            ms=4 if class_names[number] == marked else 2.5,
            clip_on=False,
            label=str(number),  # a class may be called what no label may be, such as _other
        )
    tidy(axes)
    axes.xaxis.set_major_locator(matplotlib.ticker.AutoLocator())
    axes.set_ylim(0, 1)
    axes.margins(x=0.02)
    axes.set_xlabel("seconds", fontsize=9)
    axes.set_ylabel("probability", fontsize=9)
    legend = axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.01, 0.5))
    for text, name in zip(legend.get_texts(), class_names, strict=True):
        text.set_text(shortened(name))
        text.set_fontweight("bold" if name == marked else "normal")
        _plain(text)


def _write_title(figure: Figure, title: str) -> None:
    if title:
        _plain(figure.suptitle(title, fontsize=12))


def _plain(text: Text) -> None:
    """Class names are no formulas, and of any language."""
    text.set_parse_math(False)
    text.set_fontfamily(FONTS)
