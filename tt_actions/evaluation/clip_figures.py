"""Figures of one clip: its frames with joints or flow, and its probabilities over time."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure, SubFigure
from matplotlib.patheffects import Stroke
from matplotlib.text import Text
from numpy.typing import NDArray

from tt_actions.errors import UserError
from tt_actions.evaluation.style import COLOURS, FONTS, GREY, line_look, shortened, tidy
from tt_actions.video.flow import optical_flow
from tt_actions.video.following import camera_motion

NUM_COLUMNS = 8
_WIDTH = 11.0  # inches


def frame_strip(
    frames: NDArray[np.uint8],
    times_s: NDArray[np.floating],
    title: str = "",
    max_frames: int = 2 * NUM_COLUMNS,
    joints: NDArray[np.floating] | None = None,
    bones: Sequence[tuple[int, int]] = (),
) -> Figure:
    """Draw the frames of a clip with their times, eight per row.

    Args:
        frames: RGB frames.
        times_s: When each frame is shown, in seconds.
        title: Title of the figure.
        max_frames: Maximum number of frames to draw; of more frames, evenly spaced ones are chosen.
        joints: Position of each joint of a skeleton in each frame, in pixels from the frame's corner (x to
            the right, y down), or None. Joints that are nan are not drawn.
        bones: Pairs of joints to connect with lines.

    Shape:
        frames ``(T, H, W, 3)``, times_s ``(T,)``, joints ``(T, V, 2)``.
    """
    figure = Figure(figsize=(_WIDTH, _strip_height(frames, max_frames)), layout="constrained", dpi=150)
    drawn = _draw_strip(figure, frames, times_s, max_frames)
    if joints is not None:
        for t, axes in drawn.items():
            _draw_skeleton(axes, joints[t], bones)
    _write_title(figure, title)
    return figure


def clip_figure(
    frames: NDArray[np.uint8],
    times_s: NDArray[np.floating],
    probabilities: NDArray[np.floating],
    class_names: Sequence[str],
    title: str = "",
    marked: str | None = None,
) -> Figure:
    """Draw the frames of a clip and below them the probability of each class over time.

    Args:
        frames: RGB frames.
        times_s: When each frame is shown, in seconds.
        probabilities: Probability of each class at each frame.
        class_names: Names of the *K* classes.
        title: Title of the figure.
        marked: The class to draw with a thicker line, or None.

    Shape:
        frames ``(T, H, W, 3)``, times_s ``(T,)``, probabilities ``(T, K)``.
    """
    heights = _strip_height(frames, 2 * NUM_COLUMNS), _plot_height(class_names)
    figure = Figure(figsize=(_WIDTH, sum(heights) + 0.5), layout="constrained", dpi=150)
    parts: Any = figure.subfigures(2, 1, height_ratios=heights)
    above, below = parts
    _draw_strip(above, frames, times_s, 2 * NUM_COLUMNS)
    draw_probabilities(below.add_subplot(), probabilities, times_s, class_names, marked)
    _write_title(figure, title)
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
    max_frames: int,
) -> dict[int, Axes]:
    """Draw frames in rows, and return the axes of each frame drawn, by index."""
    chosen = np.linspace(0, len(frames) - 1, min(len(frames), max_frames)).round().astype(int)
    num_rows = -(-len(chosen) // NUM_COLUMNS)
    grid = figure.subplots(num_rows, NUM_COLUMNS, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    drawn = dict(zip(chosen.tolist(), grid, strict=False))
    for t, axes in drawn.items():
        axes.imshow(frames[t], interpolation="nearest")
        axes.set_title(f"{times_s[t]:.2f} s", fontsize=8, color=GREY, pad=2)
    return drawn


def _draw_skeleton(axes: Axes, joints: NDArray[np.floating], bones: Sequence[tuple[int, int]]) -> None:
    axes.autoscale(False)  # joints outside the frame don't shrink it
    edge = [Stroke(linewidth=2.6, foreground="black"), Stroke(linewidth=1.4, foreground=COLOURS[1])]
    lines = joints[np.array(bones, int).reshape(-1, 2)]  # (bones, 2, 2)
    axes.add_collection(LineCollection(list(lines), path_effects=edge, capstyle="round"))
    axes.plot(*joints.T, "o", ms=2.4, color="white", mec="black", mew=0.5)


def draw_probabilities(
    axes: Axes,
    probabilities: NDArray[np.floating],
    times_s: NDArray[np.floating],
    class_names: Sequence[str],
    marked: str | None,
) -> None:
    """Draw the probability of each class over time, with a legend to the right.

    Args:
        axes: The axes.
        probabilities: Probability of each class at each frame.
        times_s: When each frame is shown, in seconds.
        class_names: Names of the *K* classes.
        marked: The class to draw with a thicker line, or None.

    Shape:
        probabilities ``(T, K)``, times_s ``(T,)``.
    """
    for number, values in enumerate(probabilities.T):
        axes.plot(
            times_s,
            values,
            **line_look(number),
            linewidth=2.8 if class_names[number] == marked else 1.4,
            marker="o",
            ms=4 if class_names[number] == marked else 2.5,
            clip_on=False,
            label=str(number),  # not the class name: Matplotlib hides labels such as _other
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
        plain(text)


def _write_title(figure: Figure, title: str) -> None:
    if title:
        plain(figure.suptitle(title, fontsize=12))


def plain(text: Text) -> None:
    """Show text in any language literally, never as a formula.

    Args:
        text: A text of a figure.
    """
    text.set_parse_math(False)
    text.set_fontfamily(FONTS)


def flow_figure(frames: NDArray[np.uint8], times_s: NDArray[np.floating], title: str = "") -> Figure:
    """Draw the frames of a clip and, below each, the motion of its pixels until the next frame.

    The optical flow is that of Kroeger et al. (2016, arXiv:1603.03590). The hue shows the direction and the
    saturation the speed, as in Baker et al. (2011), so still pixels are white. The camera's own motion is
    subtracted; :func:`tt_actions.video.following.camera_motion` estimates it.

    Args:
        frames: RGB frames, at least two.
        times_s: When each frame is shown, in seconds.
        title: Title of the figure.

    Shape:
        frames ``(T, H, W, 3)``, times_s ``(T,)``.

    Raises:
        ValueError: If there are fewer than two frames.
    """
    if len(frames) < 2:
        raise UserError(f"Expected at least two frames, but got {len(frames)}. Use a longer clip.")
    flow = np.stack([_flow(before, after) for before, after in pairwise(frames)])  # (T - 1, H, W, 2)
    speed = np.linalg.norm(flow, axis=-1)
    fastest = max(float(np.quantile(speed, 0.995)), 0.5)  # less than half a pixel counts as no motion
    chosen = np.linspace(0, len(flow) - 1, min(len(flow), NUM_COLUMNS)).round().astype(int)
    height = 2 * _strip_height(frames[:1], 1)
    figure = Figure(figsize=(_WIDTH * (NUM_COLUMNS + 1) / NUM_COLUMNS, height), layout="constrained", dpi=150)
    grid = figure.subplots(2, NUM_COLUMNS + 1, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    for column, t in enumerate(chosen):
        above, below = grid[:, column]
        above.imshow(frames[t], interpolation="nearest")
        above.set_title(f"{times_s[t]:.2f} s", fontsize=8, color=GREY, pad=2)
        below.imshow(flow_colours(flow[t], fastest))
        below.set_axis_on()  # a border, because the flow may be white
        below.set(xticks=[], yticks=[])
        below.spines[:].set_color("#D0D0D0")
    key = grid[1, -1]
    across = np.linspace(-1, 1, 101)
    disc = np.stack(np.meshgrid(across, across), -1)
    inside = np.linalg.norm(disc, axis=-1, keepdims=True) <= 1
    key.imshow(np.where(inside, flow_colours(disc, 1.0), 255))
    pixels_s = fastest * float(len(times_s) - 1) / float(times_s[-1] - times_s[0])
    key.set_title(f"outer edge: {pixels_s:.0f} pixels/s", fontsize=8, color=GREY, pad=2)
    _write_title(figure, title)
    return figure


def _flow(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.float32]:
    x, y = np.meshgrid(*map(np.arange, before.shape[1::-1]))
    positions = np.stack([x, y, np.ones_like(x)], -1)  # (H, W, 3)
    camera = positions @ camera_motion(before, after).T - positions[..., :2]
    return np.asarray(optical_flow(before, after) - camera, np.float32)


def flow_colours(flow: NDArray[np.floating], fastest: float) -> NDArray[np.uint8]:
    """Turn motion into colours: the hue shows the direction, the saturation the speed.

    Args:
        flow: Motion of each pixel, x to the right and y down.
        fastest: The speed that gives full saturation.

    Shape:
        flow ``(..., 2)`` -> RGB ``(..., 3)``.

    >>> flow_colours(np.array([[0.0, 0.0], [5.0, 0.0], [-5.0, 0.0]]), fastest=5.0).tolist()
    [[255, 255, 255], [255, 0, 0], [0, 255, 255]]
    """
    hue = np.arctan2(flow[..., 1], flow[..., 0]) / (2 * np.pi) % 1
    saturation = np.minimum(np.linalg.norm(flow, axis=-1) / fastest, 1)
    hsv = np.stack([hue, saturation, np.ones_like(hue)], -1)
    return np.asarray((255 * hsv_to_rgb(hsv)).round(), np.uint8)
