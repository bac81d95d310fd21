"""How figures look, and how they are written."""

import warnings
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names
from matplotlib.ticker import MaxNLocator

from tt_actions.files import write_atomically

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
"""Told apart with any colour vision: Okabe and Ito, Color Universal Design, 2008."""


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
"""Fonts of class names, in this order: the later ones have the Chinese, Japanese and Korean letters."""


def shortened(name: str) -> str:
    """Return a class name as short as a figure has room for.

    Args:
        name: The name.

    >>> shortened("a forehand that is played from far behind the table")
    'a forehand that is played from far …'
    """
    return name if len(name) <= 36 else f"{name[:35]}…"


def tidy(axes: Axes) -> None:
    """Give axes the quiet look of all figures.

    Args:
        axes: What is drawn already.
    """
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#B0B0B0")
    axes.tick_params(color="#B0B0B0", labelsize=9)
    axes.grid(color="#ECECEC", linewidth=0.8)
    axes.set_axisbelow(True)


def write_figure(path: Path, figure: Figure, advice: str = "and run it again") -> None:
    """Write a figure, whole or not at all, and the same bytes for the same figure.

    Args:
        path: The file, whose suffix says which kind: ``.png`` or ``.svg``.
        figure: The figure.
        advice: What helps besides space or permissions, where the file can't be written.

    Raises:
        OSError: If it can't be written.
    """
    undated = {"Date": None} if path.suffix == ".svg" else None
    with (
        write_atomically(path, advice) as temporary,
        matplotlib.rc_context({"svg.hashsalt": "tt_actions"}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a warning for each letter
        figure.savefig(temporary, bbox_inches="tight", pad_inches=0.15, metadata=undated)
