"""Figures of what a model found: a clip's probabilities over time, and the timeline of a match."""

import io
import warnings
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tt_actions.files import write_atomically

if TYPE_CHECKING:
    from tt_actions.recognition.analysis import MatchAnalysis
    from tt_actions.recognition.prediction import ClipPrediction

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
"""Colours that are distinguishable with any colour vision: Okabe and Ito, Color Universal Design, 2008."""

STYLES = ("-", "--", ":", "-.")
"""Line styles, which change when there are more classes than colours."""

_MIN_WIDTH = 0.004  # of a stroke, relative to the match, so that it stays visible
_NUM_SHOWN = 12  # classes in a legend
_ASIAN = ("CJK", "YaHei", "Gothic", "PingFang", "Hiragino", "WenQuanYi", "Arial Unicode")


class ResultFigure(Figure):
    """A figure that a notebook shows, also if pyplot is not loaded."""

    def _repr_png_(self) -> bytes:
        return to_png(self)


def plot_prediction(prediction: "ClipPrediction") -> Figure:
    """Draw the probability of each class over a clip; the most likely class is the thickest line.

    Args:
        prediction: The prediction.
    """
    figure = ResultFigure(figsize=(8, 3.2), layout="constrained", dpi=110)
    axes = figure.add_subplot()
    names = [name for name, _ in prediction.ranking]
    columns = dict(zip(prediction.probabilities, prediction.frame_probabilities.T, strict=True))
    places = {name: place for place, name in enumerate(prediction.probabilities)}
    marker = "o" if len(prediction.times_s) == 1 else None
    for rank, name in enumerate(names):
        place = places[name]
        axes.plot(
            prediction.times_s,
            columns[name],
            color=COLOURS[place % len(COLOURS)],
            linestyle=STYLES[place // len(COLOURS) % len(STYLES)],
            linewidth=1.4 if rank else 2.8,
            marker=marker,
            zorder=3 - rank / len(names),
            label=f"{name} {prediction.probabilities[name]:.2f}" if rank < _NUM_SHOWN else None,
        )
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("time in seconds")
    axes.set_ylabel("probability")
    axes.grid(color="#ececec")
    _finish(axes)
    legend = axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
    _set_fonts([axes.set_title(prediction.label, loc="left", fontsize=11), *legend.get_texts()])
    return figure


def plot_match(analysis: "MatchAnalysis") -> Figure:
    """Draw the strokes of a match over time, one row per player; a line above a stroke marks its contact.

    Args:
        analysis: The analysis.
    """
    players = analysis.players
    figure = ResultFigure(figsize=(10, 1.3 + 0.55 * len(players)), layout="constrained", dpi=110)
    axes = figure.add_subplot()
    colours = dict(zip(analysis.class_names, cycle(COLOURS), strict=False))
    least_s = _MIN_WIDTH * analysis.duration_s
    for row, player in enumerate(players):
        own = [stroke for stroke in analysis.strokes if stroke.player == player]
        spans = [(stroke.start_s, max(least_s, stroke.end_s - stroke.start_s)) for stroke in own]
        axes.broken_barh(spans, (row - 0.32, 0.64), facecolors=[colours[stroke.label] for stroke in own])
        contacts_s = [stroke.contact_s for stroke in own if stroke.contact_s is not None]
        axes.vlines(contacts_s, row - 0.44, row - 0.32, color="#202020", linewidth=0.8)
    axes.set_xlim(0, analysis.duration_s)
    axes.set_ylim(len(players) - 0.5, -0.5)
    axes.set_yticks(range(len(players)), players)
    axes.xaxis.set_major_formatter(FuncFormatter(_clock))
    axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 1.5, 3, 6, 10]))
    axes.set_xlabel("time in the video")
    _finish(axes)
    title = axes.set_title(_title(analysis), loc="left", fontsize=11)
    texts = [title, *axes.get_yticklabels()]
    counts = {name: sum(stroke.label == name for stroke in analysis.strokes) for name in colours}
    shown = [name for name in sorted(colours, key=lambda name: -counts[name]) if counts[name]][:_NUM_SHOWN]
    if shown:
        patches = [Patch(color=colours[name], label=f"{name} {counts[name]}") for name in shown]
        legend = axes.legend(
            handles=patches, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9
        )
        texts += legend.get_texts()
    _set_fonts(texts)
    return figure


def to_png(figure: Figure) -> bytes:
    """Return a figure as a PNG file.

    Args:
        figure: The figure.
    """
    with io.BytesIO() as file, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # one warning per letter
        figure.savefig(file, format="png")
        return file.getvalue()


def write_picture(path: Path, figure: Figure) -> None:
    """Write a figure atomically.

    Args:
        path: The file; its suffix sets the format, such as ``.png``, ``.svg`` or ``.pdf``.
        figure: The figure.

    Raises:
        OSError: If it can't be written.
    """
    with write_atomically(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure.savefig(temporary)


def _title(analysis: "MatchAnalysis") -> str:
    num = len(analysis.strokes)
    return f"{analysis.name}: {num or 'no'} stroke{'' if num == 1 else 's'}"


def _clock(seconds: float, _: object = None) -> str:
    """Format a time as a video player does, with a decimal where seconds are divided.

    >>> _clock(75), _clock(2.5)
    ('1:15', '0:02.5')
    """
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{minutes:.0f}:{rest:02.0f}" if rest == int(rest) else f"{minutes:.0f}:{rest:04.1f}"


def _finish(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
    axes.set_axisbelow(True)


def _set_fonts(texts: list[Text]) -> None:
    """Let texts use an installed font for Chinese, Japanese and Korean where the usual one has no letters."""
    for text in texts:
        text.set_parse_math(False)  # a name with dollar signs is no formula
    if all(text.get_text().isascii() for text in texts):
        return
    others = sorted(name for name in set(get_font_names()) if any(part in name for part in _ASIAN))
    for text in texts:
        text.set_fontfamily(["sans-serif", *others])
