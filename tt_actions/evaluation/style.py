"""The style of all figures, and writing them to files."""

import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names
from matplotlib.ticker import MaxNLocator

from tt_actions.files import write_atomically
from tt_actions.recognition import figures

COLOURS = figures.COLOURS

GREY = "#767676"

LINE_STYLES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)))
"""Line styles, so that lines are distinguishable without colours."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Markers of points on lines, so that these are distinguishable without colours."""

HATCHES = ("", "///", "...", "\\\\\\", "xxx", "---", "ooo")
"""Hatches of areas, so that these are distinguishable without colours."""

FIGURE_FORMATS = ("png", "svg", "pdf")
"""Formats of figures that are meant for papers."""

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


def line_look(number: int) -> dict[str, Any]:
    """Return colour and style of a line, different for the first 24 lines, and without colours for four.

    Args:
        number: Number of the line, from 0.

    >>> len({str(line_look(number)) for number in range(24)})
    24
    """
    style = number + number // (2 * len(COLOURS))
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": LINE_STYLES[style % len(LINE_STYLES)]}


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


def small_print(figure: Figure, note: str) -> None:
    """Write a note in small print below a figure.

    Args:
        figure: The figure.
        note: The note; its lines are wrapped.
    """
    width = int(figure.get_figwidth() * 16)
    figure.supxlabel(
        textwrap.fill(note, width), x=0.01, ha="left", fontsize=7.5, color=GREY, parse_math=False
    )


def write_figures(
    path: Path,
    figure: Figure,
    formats: Sequence[str] = FIGURE_FORMATS,
    advice: str = "and run it again",
) -> None:
    """Write a figure in several formats: see :func:`write_figure`.

    An earlier figure of that name in another format is removed.

    Args:
        path: The files, without a suffix.
        figure: The figure.
        formats: The formats: ``png``, ``svg`` or ``pdf``.
        advice: What to do besides checking space and permissions if a file can't be written.
    """
    for suffix in formats:
        write_figure(path.with_suffix(f".{suffix}"), figure, advice)
    for suffix in set(FIGURE_FORMATS) - set(formats):
        path.with_suffix(f".{suffix}").unlink(missing_ok=True)


def write_figure(path: Path, figure: Figure, advice: str = "and run it again") -> None:
    """Write a figure atomically and reproducibly: the same figure always gives the same bytes.

    Args:
        path: The file; its suffix sets the format: ``.png``, ``.svg`` or ``.pdf``.
        figure: The figure.
        advice: What to do besides checking space and permissions if the file can't be written.

    Raises:
        OSError: If it can't be written.
    """
    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix)
    with (
        write_atomically(path, advice) as temporary,
        matplotlib.rc_context({"svg.hashsalt": "tt_actions", "pdf.fonttype": 42}),  # 3 is refused by journals
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # one warning per letter
        figure.savefig(temporary, bbox_inches="tight", pad_inches=0.15, metadata=undated)
