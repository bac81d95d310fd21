"""The annotated video of a match."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from tt_actions.clips.strokes import Stroke
from tt_actions.errors import UserError
from tt_actions.match.key_frames import KeyFrames, fit_frames
from tt_actions.match.probability_band import DARK, GREY, LIGHT, ProbabilityBand
from tt_actions.match.report_drawings import class_styles
from tt_actions.match.skeletons import Skeleton, find_skeletons
from tt_actions.match.tiles import Box, cover, cover_within, outline, paste, rgb, tint
from tt_actions.recognition.analysis import MatchAnalysis
from tt_actions.recognition.players import PlayerTrack
from tt_actions.video.ahead import read_ahead
from tt_actions.video.encoder import write_with_sound
from tt_actions.video.frames import iter_frames
from tt_actions.video.info import probe
from tt_actions.video.types import Image, Roi

FLASH_S = 0.15
"""Duration of the flash at a contact in seconds."""

AHEAD = 4
"""Maximum number of frames that wait between decoding, drawing and encoding, which have a thread each."""

MIN_LETTER = 10
"""Minimum size of letters in pixels; smaller ones are unreadable."""

_PROGRESS_FRAMES = 32


def write_annotated(
    path: Path,
    analysis: MatchAnalysis,
    tracks: Sequence[PlayerTrack],
    on_progress: Callable[[float], object] | None = None,
    *,
    has_skeletons: bool = True,
    key_frames: KeyFrames | None = None,
) -> None:
    """Write the video with its strokes drawn on it, as an MP4 that every browser plays.

    Each frame keeps its time, so all times of the analysis are valid here too. The sound is kept. Frames of
    more than 1920x1080 pixels are scaled down. A band below the picture shows the probabilities. If the file
    breaks off, the part that decodes is written.

    Args:
        path: The ``.mp4`` to write.
        analysis: Result of the analysis; its video is read again.
        tracks: Regions of the players, in the order of the analysis.
        on_progress: Called with the number of seconds of the video that are done.
        has_skeletons: Whether to draw the skeletons of the players, if the analysis has their joints.
        key_frames: Takes its pictures of the strokes from the same frames.

    Raises:
        VideoError: If the video can't be read.
        ValueError: If the tracks are not those of the analysis' players, or if the path is not an ``.mp4``
            or is that of the video itself.
        OSError: If the file can't be written.

    Warns:
        VideoWarning: If the video or its sound is damaged.
    """
    names = tuple(track.name for track in tracks)
    if names != analysis.players:
        raise UserError(
            f"Expected `tracks` of {', '.join(analysis.players)}, but got {', '.join(names)}. Use the "
            "tracks with which the video was analysed."
        )
    video = probe(analysis.video)
    size, scale = fit_frames(video)
    overlay = Overlay(analysis, tracks, size, scale, 1 / video.fps, has_skeletons)
    # if the frame size changes within the video, that of the first frame is kept
    frames = iter_frames(analysis.video, size=size, aspect="stretch")
    if key_frames is not None:
        frames = key_frames.watch(frames, scale)
    drawn = read_ahead(((t, overlay.draw(t, image)) for t, image in read_ahead(frames, AHEAD)), AHEAD)
    write_with_sound(path, _report_progress(drawn, on_progress), analysis.video)


def _report_progress(
    drawn: Iterator[tuple[float, Image]], on_progress: Callable[[float], object] | None
) -> Iterator[tuple[float, Image]]:
    time_s, number = 0.0, 0
    for number, (time_s, image) in enumerate(drawn, 1):
        yield time_s, image
        if on_progress is not None and number % _PROGRESS_FRAMES == 0:
            on_progress(time_s)
    if on_progress is not None and number % _PROGRESS_FRAMES:
        on_progress(time_s)


class _Place(NamedTuple):
    """One player's region of the frame, and what to draw there.

    Args:
        name: The player's name, as a tile.
        region: Box of the outline, or the whole picture if the player has no region.
        has_outline: Whether the outline is always visible.
        strokes: The player's strokes in order of their start.
        starts_s: Their starts in seconds.
        longest_s: Length of the longest in seconds.
        contacts_s: Times of the contacts, rising.
        skeleton: Draws the player's body; None if it is not known or not wanted.
    """

    name: Image
    region: Box
    has_outline: bool
    strokes: list[Stroke]
    starts_s: list[float]
    longest_s: float
    contacts_s: np.ndarray
    skeleton: Skeleton | None


class Overlay:
    """Draws the strokes and probabilities of a match on its frames.

    Each player's region has an outline. During a stroke, the outline and the arm that plays have the colour
    of the class, and the corner shows the class and its confidence. The outline flashes at a contact. The
    :class:`ProbabilityBand` is below the picture.

    Args:
        analysis: Result of the analysis.
        tracks: Regions of the players, in the order of the analysis.
        size: Height and width of the frames to draw on.
        scale: Their size relative to the video's own frames, to which the regions refer.
        frame_s: Duration of a frame in seconds.
        has_skeletons: Whether to draw the skeletons of the players, if the analysis has their joints.
    """

    def __init__(
        self,
        analysis: MatchAnalysis,
        tracks: Sequence[PlayerTrack],
        size: tuple[int, int],
        scale: float = 1.0,
        frame_s: float = 0.04,
        has_skeletons: bool = True,
    ) -> None:
        height, width = size
        self._scale, self._frame_s = scale, frame_s
        self._skeletons = find_skeletons(analysis) if has_skeletons else {}
        self._letter = max(MIN_LETTER, round(0.026 * min(height, 0.75 * width)))
        self._line = max(1, round(min(size) / 480))
        self._styles = {style.name: style for style in class_styles(analysis.class_names)}
        self._band = ProbabilityBand(analysis, tracks, size, self._letter, self._line)
        self._places = [self._lay_out(analysis, track, scale, size) for track in tracks]
        self._label = lru_cache(1024)(self._draw_label)
        for place in self._places:
            for name, percent in {(stroke.label, _percent(stroke)) for stroke in place.strokes}:
                self._label(name, percent, place.region[2] - place.region[0])

    def draw(self, time_s: float, image: Image) -> Image:
        """Draw on a copy of a frame, and the band below it.

        Args:
            time_s: Time of the frame in seconds.
            image: The frame, uint8 RGB.

        Returns:
            The copy.

        Shape:
            ``(H, W, 3)`` -> ``(H + B, W, 3)`` with the height *B* of the band.
        """
        height, width, _ = image.shape
        whole = np.empty((height + self._band.height, width, 3), np.uint8)
        drawn = whole[:height]
        drawn[:] = image
        running = [_running(place, time_s) for place in self._places]
        for place, stroke in zip(self._places, running, strict=True):
            if place.skeleton is not None:
                swing = None if stroke is None else (stroke, rgb(self._styles[stroke.label].colour))
                place.skeleton.draw(drawn, time_s, self._scale, swing=swing)
        for place, stroke in zip(self._places, running, strict=True):
            self._draw_player(drawn, place, stroke, time_s)
        whole[height:] = self._band.draw(time_s)
        return whole

    def _draw_player(self, image: Image, place: _Place, stroke: Stroke | None, time_s: float) -> None:
        first, last = np.searchsorted(
            place.contacts_s, [time_s - FLASH_S, time_s + self._frame_s / 2], "right"
        )
        is_flash = last > first
        if place.has_outline or is_flash:
            colour = GREY if stroke is None else rgb(self._styles[stroke.label].colour)
            thick = self._line * (4 if is_flash else 2 if stroke else 1)
            outline(image, place.region, thick + self._line, DARK)
            outline(image, place.region, thick, LIGHT if is_flash else colour)
        x0, y0, x1, _ = place.region
        x, y = x0 + 6 * self._line, y0 + 6 * self._line
        paste(image, place.name, x, y)
        if stroke is None:
            return
        label = self._label(stroke.label, _percent(stroke), x1 - x0)
        beside = x + place.name.shape[1] + self._line
        if beside + label.shape[1] <= x1:
            paste(image, label, beside, y)
        else:
            paste(image, label, x, y + place.name.shape[0] + self._line)

    def _lay_out(
        self, analysis: MatchAnalysis, track: PlayerTrack, scale: float, size: tuple[int, int]
    ) -> _Place:
        strokes = [stroke for stroke in analysis.strokes if stroke.player == track.name]
        contacts = [stroke.contact_s for stroke in strokes if stroke.contact_s is not None]
        region = _fit(track.roi, scale, size)
        room = region[2] - region[0] - 12 * self._line
        name = cover_within(track.name, self._letter, self._row_height, room)
        return _Place(
            cv2.copyMakeBorder(tint(name, DARK, LIGHT), *self._edge, cv2.BORDER_CONSTANT, value=DARK),
            region,
            track.roi is not None,
            strokes,
            [stroke.start_s for stroke in strokes],
            max((stroke.end_s - stroke.start_s for stroke in strokes), default=0.0),
            np.sort(np.array(contacts, np.float64)),
            self._skeletons.get(track.name),
        )

    def _draw_label(self, name: str, percent: int | None, width: int) -> Image:
        """Draw a stroke's class and confidence within a width."""
        room, style = width - 14 * self._line, self._styles[name]
        parts = []
        if percent is not None:
            parts = [cover(f"{percent} %", self._letter, self._row_height)[:, self._letter // 2 :]]
            room -= parts[0].shape[1]
        parts.insert(0, cover_within(name, self._letter, self._row_height, room))
        label = tint(np.concatenate(parts, 1), rgb(style.colour), rgb(style.ink))
        return cv2.copyMakeBorder(label, *self._edge, cv2.BORDER_CONSTANT, value=DARK)

    @property
    def _row_height(self) -> int:
        return round(1.4 * self._letter)

    @property
    def _edge(self) -> tuple[int, int, int, int]:
        return self._line, self._line, self._line, self._line


def _fit(roi: Roi | None, scale: float, size: tuple[int, int]) -> Box:
    """Return a region in pixels of the scaled frame, clipped to its height and width."""
    height, width = size
    if roi is None:
        return 0, 0, width, height
    x0, y0, x1, y1 = (round(scale * edge) for edge in roi)
    return min(x0, width - 1), min(y0, height - 1), min(x1, width), min(y1, height)


def _percent(stroke: Stroke) -> int | None:
    return None if stroke.confidence is None else round(100 * stroke.confidence)


def _running(place: _Place, time_s: float) -> Stroke | None:
    """Return the stroke in progress; if there are several, the one that began last."""
    number = bisect_right(place.starts_s, time_s) - 1
    while number >= 0 and place.starts_s[number] + place.longest_s > time_s:
        if place.strokes[number].end_s > time_s:
            return place.strokes[number]
        number -= 1
    return None
