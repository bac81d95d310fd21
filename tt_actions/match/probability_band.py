"""The band below the picture: each player's class probabilities over the last seconds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tt_actions.match.report_drawings import ClassStyle, class_styles
from tt_actions.match.tiles import cover_within, hatch, paste, rgb, tint
from tt_actions.recognition.analysis import MatchAnalysis
from tt_actions.recognition.players import PlayerTrack
from tt_actions.video.types import Image

BAND_S = 5.0
"""Number of seconds that the band shows, up to the current frame."""

BAND_SHARE = 0.115
"""Height of the band relative to the picture, unless its text needs more."""

DARK, LIGHT, GREY = (24, 24, 24), (255, 255, 255), (190, 190, 190)

_NUM_ROWS = 3  # of text: the class names, and room for a player's name in a strip
_ROUNDED_S = 1e-6


class _Strip(NamedTuple):
    """One player's part of the band.

    Args:
        left: Its left edge.
        width: Its width.
        name: The player's name, as a tile.
        contacts_s: Times of the contacts, rising.
        probabilities: Probabilities of the stroke classes, ``(T + 1, K)``; 0 before the first frame.
    """

    left: int
    width: int
    name: Image
    contacts_s: np.ndarray
    probabilities: np.ndarray


class ProbabilityBand:
    """Draws the probabilities of the last seconds; the right edge is the current time.

    Each class has the same colour as on the report page; the height of the colour is its probability. The
    band is dark where no stroke is likely. A line marks each contact. Each player has a strip; they are in
    the order of the regions from left to right. Above the strips are the class names; if they don't all fit,
    the classes with the highest total probability.

    Args:
        analysis: Result of the analysis.
        tracks: Regions of the players, in the order of the analysis.
        size: Height and width of the picture.
        letter: Size of letters in pixels.
        line: Width of lines in pixels.
    """

    def __init__(
        self,
        analysis: MatchAnalysis,
        tracks: Sequence[PlayerTrack],
        size: tuple[int, int],
        letter: int,
        line: int,
    ) -> None:
        self._letter, self._line, self._width = letter, line, size[1]
        self._row_height = round(1.35 * letter)
        self.height = max(int(BAND_SHARE * size[0]), _NUM_ROWS * self._row_height)
        by_name = {style.name: style for style in class_styles(analysis.class_names)}
        shown = [k for k, name in enumerate(analysis.frame_classes) if name in by_name]
        styles = [by_name[analysis.frame_classes[k]] for k in shown]
        colours = np.array([(*rgb(style.colour), 0) for style in styles] + [(*DARK, 0)], np.uint8)
        self._colours = colours.view(np.uint32)[:, 0]  # (K + 1,): copying pixels is faster than copying bytes
        self._patterns = np.array([*(style.pattern for style in styles), 0])
        self._times_s = analysis.times_s
        weights = analysis.probabilities.sum((0, 1), dtype=np.float64)[shown]
        legend = self._draw_legend(styles, weights)
        self._top = len(legend)
        self._strips = [
            self._lay_out(analysis, tracks, number, shown) for number in range(len(analysis.players))
        ]
        self._has_names = len(tracks) > 1
        self._ground = np.full((self.height, self._width, 3), DARK, np.uint8)
        paste(self._ground, legend, 0, 0)

    def draw(self, time_s: float) -> Image:
        """Return the band, uint8 RGB.

        Args:
            time_s: Time of the frame in seconds.

        Shape:
            ``(height, W, 3)``.
        """
        drawn = self._ground.copy()
        for strip in self._strips:
            if not strip.width:  # more players than pixels
                continue
            drawn[self._top :, strip.left : strip.left + strip.width] = self._draw_strip(strip, time_s)
            if self._has_names:
                paste(drawn, strip.name[:, : strip.width], strip.left, self._top)
        return drawn

    def _draw_strip(self, strip: _Strip, time_s: float) -> Image:
        height, width = self.height - self._top, strip.width
        columns_s = time_s + BAND_S * (np.arange(1 - width, 1) / width)
        frames = np.searchsorted(self._times_s, columns_s + _ROUNDED_S, "right")
        first, last = int(frames[0]), int(frames[-1])
        edges = strip.probabilities[first : last + 1].cumsum(-1)  # (n, K)
        rows = 1 - (np.arange(height)[:, None] + 0.5) / height
        classes = np.zeros((height, len(edges)), int)  # K stands for no stroke
        for edge in edges.T:
            classes += edge <= rows
        pixels = self._colours[classes].take(frames - first, 1)  # (height, width)
        drawn = pixels[..., None].view(np.uint8)[..., :3]
        if self._patterns.any():
            drawn[hatch(self._patterns[classes].take(frames - first, 1), 2 * self._line)] //= 3
        begin, end = np.searchsorted(strip.contacts_s, [columns_s[0], time_s], "right")
        for contact_s in strip.contacts_s[begin:end]:
            x = int((contact_s - columns_s[0]) / BAND_S * width)
            drawn[:, max(0, x - 2 * self._line) : x + 1 + self._line] = DARK
            drawn[:, max(0, x + 1 - self._line) : x + 1] = LIGHT
        drawn[:, -2 * self._line :] = LIGHT
        return drawn

    def _lay_out(
        self, analysis: MatchAnalysis, tracks: Sequence[PlayerTrack], number: int, shown: list[int]
    ) -> _Strip:
        middles = [0 if track.roi is None else track.roi[0] + track.roi[2] for track in tracks]
        column = sorted(range(len(tracks)), key=middles.__getitem__).index(number)
        left, right = (self._width * edge // len(tracks) for edge in (column, column + 1))
        contacts = [
            stroke.contact_s
            for stroke in analysis.strokes
            if stroke.player == tracks[number].name and stroke.contact_s is not None
        ]
        probabilities = analysis.probabilities[number][:, shown]  # (T, K)
        return _Strip(
            left,
            right - left,
            self._draw_text(tracks[number].name),
            np.sort(np.array(contacts, np.float64)),
            np.concatenate([np.zeros_like(probabilities, shape=(1, len(shown))), probabilities]),
        )

    def _draw_legend(self, styles: Sequence[ClassStyle], weights: np.ndarray) -> Image:
        """Draw the class names in a row."""
        if not styles:
            return np.zeros((0, self._width, 3), np.uint8)
        items = [self._draw_item(style) for style in styles]
        rest = self._draw_text(f"+{len(items)}")
        kept: list[int] = []
        for k in np.argsort(-weights, kind="stable").tolist():
            room = self._width - (0 if len(kept) + 1 == len(items) else rest.shape[1])
            if sum(items[number].shape[1] for number in [*kept, k]) > room:
                break
            kept.append(k)
        chosen = [items[k] for k in sorted(kept)]
        if len(kept) < len(items):
            chosen.append(self._draw_text(f"+{len(items) - len(kept)}"))
        return np.concatenate(chosen, 1)

    def _draw_item(self, style: ClassStyle) -> Image:
        height, gap = self._row_height, 4 * self._line
        side = round(0.55 * height)
        square = np.full((side, side, 3), rgb(style.colour), np.uint8)
        square[hatch(np.full((side, side), style.pattern), 2 * self._line)] //= 3
        swatch = np.full((height, gap + side, 3), DARK, np.uint8)
        paste(swatch, square, gap, (height - side) // 2)
        return np.concatenate([swatch, self._draw_text(style.name)], 1)

    def _draw_text(self, text: str) -> Image:
        return tint(cover_within(text, self._letter, self._row_height, self._width // 4), DARK, LIGHT)
