"""The style of all figures, and writing them to files."""

import warnings
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names
from matplotlib.ticker import MaxNLocator

from tt_actions.files import write_atomically
from tt_actions.recognition import figures

COLOURS = figures.COLOURS

GREY = "#767676"

_INSTALLED = get_font_names()

FONTS = [
    "sans-serif",
    *(
        name
        for name in (
            "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP", "Noto Sans KR",
            "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "PingFang SC", "Hiragino Sans",
            "Apple SD Gothic Neo", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Arial Unicode MS",
        )
        if name in _INSTALLED
    ),
]  # fmt: skip
"""Fonts of class names, in order of preference; the later ones cover Chinese, Japanese and Korean."""


def shortened(name: str) -> str:
    """Shorten a class name from its middle to the space available in a figure.

    Args:
        name: The class name.

    >>> shortened("a forehand that is played from far behind the table")
    'a forehand that is…behind the table'
    """
    return name if len(name) <= 36 else f"{name[:18].rstrip()}…{name[-17:].lstrip()}"


def tidy(axes: Axes) -> None:
    """Apply the plain style of all figures to axes.

    Args:
        axes: The axes, after the data are drawn.
    """
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#B0B0B0")
    axes.tick_params(color="#B0B0B0", labelsize=9)
    axes.grid(color="#ECECEC", linewidth=0.8)
    axes.set_axisbelow(True)


def write_figure(path: Path, figure: Figure, advice: str = "and run it again") -> None:
    """Write a figure atomically and reproducibly: the same figure always gives the same bytes.

    Args:
        path: The file; its suffix sets the format: ``.png`` or ``.svg``.
        figure: The figure.
        advice: What to do besides checking space and permissions if the file can't be written.

    Raises:
        OSError: If it can't be written.
    """
    undated = {"Date": None} if path.suffix == ".svg" else None
    with (
        write_atomically(path, advice) as temporary,
        matplotlib.rc_context({"svg.hashsalt": "tt_actions"}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # one warning per letter
        figure.savefig(temporary, bbox_inches="tight", pad_inches=0.15, metadata=undated)
