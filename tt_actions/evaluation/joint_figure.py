"""The figure of an explanation from joints: coloured skeletons, and a heat map of joints and time."""

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.text import Text

from tt_actions.evaluation.player_pictures import PlayerPictures
from tt_actions.evaluation.style import COLOURS, FONTS, GREY, tidy
from tt_actions.skeleton.drawing import seen_from_the_front
from tt_actions.skeleton.layouts import PATHS, Layout

COLOUR_MAP = LinearSegmentedColormap.from_list("support", [COLOURS[0], "#DCDCDC", COLOURS[5]])
"""Blue is against the class, grey is nothing, and orange is for it."""

_WIDTH = 11.0  # inches


def draw_explanation(
    joints: np.ndarray,
    layout: Layout,
    times_s: np.ndarray,
    falls: np.ndarray,
    limbs: Mapping[str, tuple[int, ...]],
    limb_falls: np.ndarray,
    hidden_probabilities: np.ndarray,
    key_frames: np.ndarray,
    pictures: PlayerPictures | None,
    title: str,
    note: str,
) -> Figure:
    """Draw key frames of a clip with coloured joints, and below them a heat map of joints and time.

    Args:
        joints: The joints, with y up.
        layout: Their layout.
        times_s: When each frame is shown, in seconds.
        falls: How much the log-odds of the class fall when a joint is hidden around a frame.
        limbs: The joints of each limb.
        limb_falls: How much they fall if a limb is hidden during the whole clip.
        hidden_probabilities: Probability of the class then.
        key_frames: Indices of the frames to show.
        pictures: The player in the key frames of a video, or None.
        title: Title of the figure.
        note: Small print below the figure.

    Shape:
        joints ``(T, V, C)``, times_s ``(T,)``, falls ``(T, V)``, limb_falls and hidden_probabilities
        ``(L,)``, key_frames ``(N,)``.
    """
    colours = COLOUR_MAP(_norm(falls)(falls))  # (T, V, 4)
    num_rows, map_height = 1 if pictures is None else 2, 0.9 + 0.17 * max(len(layout.joints), 4)
    strip_height = num_rows * 1.6
    size = (_WIDTH, strip_height + map_height + 0.9)
    figure = Figure(figsize=size, layout="constrained", dpi=150)
    parts: Any = figure.subfigures(2, 1, height_ratios=[strip_height, map_height])
    grid = parts[0].subplots(num_rows, len(key_frames), squeeze=False)
    points = joints[..., :2] * seen_from_the_front(layout) * [1, -1]  # y down, as in pictures
    for column, frame in enumerate(key_frames):
        if pictures is not None:
            _draw_picture(grid[0, column], pictures, column, colours[frame], layout)
        _draw_skeleton(grid[-1, column], points, frame, colours, layout)
        grid[0, column].set_title(f"{times_s[frame]:.2f} s", fontsize=8, color=GREY, pad=2)
    left, right = parts[1].subplots(1, 2, width_ratios=[3.4, 1], sharey=True)
    _draw_map(left, falls, limbs, layout, times_s, key_frames)
    _draw_bars(right, limbs, limb_falls, hidden_probabilities)
    _plain(figure.suptitle(title, fontsize=12))
    text = textwrap.fill(note, int(_WIDTH * 16))
    _plain(figure.supxlabel(text, x=0.01, ha="left", fontsize=7.5, color=GREY))
    return figure


def _norm(falls: np.ndarray) -> Normalize:
    highest = max(float(np.abs(falls).max()), 1e-6)
    return Normalize(-highest, highest)


def _draw_skeleton(axes: Axes, points: np.ndarray, frame: int, colours: np.ndarray, layout: Layout) -> None:
    """Draw the skeleton in one frame, or a trajectory up to the frame, with the scale of all frames."""
    low, high = points.min((0, 1)), points.max((0, 1))
    room = 0.54 * float(max(high - low)) + 1e-6
    middle = (low + high) / 2
    axes.set(xlim=(middle[0] - room, middle[0] + room), ylim=(middle[1] + room, middle[1] - room))
    axes.set_aspect("equal")
    axes.set_axis_off()
    if layout in PATHS:
        axes.plot(*points[:, 0].T, color="#E4E4E4", lw=1)  # all of it
        path = points[: frame + 1, 0]
        lines = np.stack([path[:-1], path[1:]], 1)
        axes.add_collection(LineCollection(list(lines), colors=colours[1 : frame + 1, 0], lw=2.5))
        axes.plot(*path[-1], "o", ms=5, color=colours[frame, 0])
    else:
        _draw_bones(axes, points[frame], colours[frame], layout, outlined=False)


def _draw_picture(
    axes: Axes, pictures: PlayerPictures, number: int, colours: np.ndarray, layout: Layout
) -> None:
    axes.imshow(pictures.images[number])
    axes.set_axis_off()
    axes.autoscale(False)
    _draw_bones(axes, pictures.points[number], colours, layout, outlined=True)


def _draw_bones(
    axes: Axes, points: np.ndarray, colours: np.ndarray, layout: Layout, *, outlined: bool
) -> None:
    ends = np.array(layout.bones)
    lines, width = list(points[ends]), 1.8 if outlined else 2.4
    if outlined:
        axes.add_collection(LineCollection(lines, colors="black", lw=width + 1.4, capstyle="round"))
    axes.add_collection(LineCollection(lines, colors=list(colours[ends[:, 0]]), lw=width, capstyle="round"))
    edge = "black" if outlined else "none"
    axes.scatter(points[:, 0], points[:, 1], 4 * width**2, colours, lw=0.4, ec=edge, zorder=3)


def _draw_map(
    axes: Axes,
    falls: np.ndarray,
    limbs: Mapping[str, tuple[int, ...]],
    layout: Layout,
    times_s: np.ndarray,
    key_frames: np.ndarray,
) -> None:
    """Draw a row for each joint, with the joints of a limb below each other."""
    edges = np.concatenate([times_s[:1], (times_s[1:] + times_s[:-1]) / 2, times_s[-1:]])
    if len(times_s) == 1:
        edges = times_s[0] + np.array([-0.5, 0.5])
    order = [joint for of_limb in limbs.values() for joint in of_limb]
    rows = np.arange(len(order) + 1) - 0.5
    mesh = axes.pcolormesh(edges, rows, falls.T[order], cmap=COLOUR_MAP, norm=_norm(falls), rasterized=True)
    axes.set_yticks(range(len(order)), [layout.joints[joint].replace("_", " ") for joint in order])
    axes.invert_yaxis()
    between = np.cumsum([len(of_limb) for of_limb in limbs.values()])[:-1] - 0.5
    axes.hlines(between, edges[0], edges[-1], color="white", lw=3)
    axes.plot(times_s[key_frames], [-0.5] * len(key_frames), "v", color=GREY, ms=4, clip_on=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=8)
    axes.set_xlabel("seconds", fontsize=9)
    bar = axes.get_figure(root=True).colorbar(mesh, ax=axes, pad=0.01, fraction=0.04)  # type: ignore[union-attr]
    bar.ax.set_ylim(min(float(falls.min()), 0), max(float(falls.max()), 1e-6))
    bar.set_label("fall of the log-odds", fontsize=8)
    bar.ax.tick_params(labelsize=8, length=0)
    bar.ax.spines[:].set_visible(False)


def _draw_bars(
    axes: Axes, limbs: Mapping[str, tuple[int, ...]], falls: np.ndarray, hidden: np.ndarray
) -> None:
    """Draw a bar for each limb, as high as the rows of its joints."""
    heights = np.array([len(of_limb) for of_limb in limbs.values()])
    middles = heights.cumsum() - heights / 2 - 0.5
    colours = [COLOURS[5] if fall > 0 else COLOURS[0] for fall in falls]
    axes.barh(middles, falls, height=heights - 0.4, color=colours, alpha=0.55)
    for name, row, value in zip(limbs, middles, hidden, strict=True):
        text = f" {name}: probability {value:.2f}"
        axes.text(0, row, text, transform=axes.get_yaxis_transform(), va="center", fontsize=7.5)
    tidy(axes)
    axes.axvline(0, color=GREY, lw=0.8)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0, labelleft=False)
    axes.tick_params(labelsize=8)
    axes.margins(x=0.05)
    axes.set_title("limb hidden during the whole clip", fontsize=9)
    axes.set_xlabel("fall of the log-odds", fontsize=9)


def _plain(text: Text) -> None:
    """Show text in any language literally, never as a formula."""
    text.set_parse_math(False)
    text.set_fontfamily(FONTS)
