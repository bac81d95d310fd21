"""Pictures of the strokes of a match: backswing, contact and follow-through."""

import base64
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from tt_actions.clips.strokes import Stroke
from tt_actions.match.report_drawings import class_styles
from tt_actions.match.skeletons import BODY, find_skeletons
from tt_actions.match.tiles import Box, rgb
from tt_actions.recognition.analysis import MatchAnalysis
from tt_actions.recognition.swings import find_moments
from tt_actions.video.frames import iter_frames
from tt_actions.video.info import VideoInfo, probe
from tt_actions.video.types import Image

LARGEST = (1920, 1080)
"""Maximum pixels of the longer and the shorter side; larger frames are scaled down."""

MAX_STROKES = 200
"""Maximum number of strokes with pictures; of more, the least certain and an even spread of the others."""

MAX_BYTES = 1_600_000
"""Maximum size of all pictures in bytes; if they are larger, fewer strokes have pictures."""

HEIGHT = 160
"""Height of a picture in pixels."""

_ASPECT = (0.7, 1.15)  # smallest and largest width of a picture, relative to its height
_MARGIN = 1.35  # size of a picture relative to the body, which leaves room for the racket
_QUALITY = 70  # of JPEG


class Picture(NamedTuple):
    """A picture of a player at a moment of a stroke.

    Args:
        time_s: The moment in seconds.
        jpeg: The picture as a JPEG file.
    """

    time_s: float
    jpeg: bytes


class _Shot(NamedTuple):
    """A picture to be taken.

    Args:
        time_s: When, in seconds.
        number: Index of the stroke.
        box: Part of the frame, in pixels of the video.
    """

    time_s: float
    number: int
    box: Box


def fit_frames(video: VideoInfo) -> tuple[tuple[int, int], float]:
    """Return the height and width of the frames to draw on, and their size relative to the video's.

    Args:
        video: The video.
    """
    scale = min(1, LARGEST[0] / max(video.width, video.height), LARGEST[1] / min(video.width, video.height))
    return (max(1, round(video.height * scale)), max(1, round(video.width * scale))), scale


def choose_strokes(strokes: Sequence[Stroke], numbers: Sequence[int], limit: int) -> list[int]:
    """Choose strokes to show: the least certain, and as many others, evenly spread.

    Args:
        strokes: All strokes.
        numbers: Indices of the strokes from which to choose.
        limit: Maximum number of strokes.

    Returns:
        Indices of strokes, ascending.

    >>> strokes = [Stroke("serve", i, i + 1, confidence=0.5 if i == 3 else 0.9) for i in range(10)]
    >>> choose_strokes(strokes, range(10), 4)
    [0, 1, 3, 9]
    """
    if len(numbers) <= limit:
        return list(numbers)

    def certainty(number: int) -> float:
        confidence = strokes[number].confidence
        return 1.0 if confidence is None else confidence

    doubtful = sorted(numbers, key=certainty)[: limit // 2]
    others = sorted(set(numbers).difference(doubtful))
    spread = np.linspace(0, len(others) - 1, limit - len(doubtful)).round().astype(int)
    return sorted({*doubtful, *(others[place] for place in spread)})


class KeyFrames:
    """Takes pictures of the strokes of a match from the frames of its video, which are decoded once.

    The three pictures of a stroke have the same scale.

    Args:
        analysis: Result of the analysis. Without joints, there are no pictures.
        has_skeletons: Whether to draw the skeletons of the players.

    Attributes:
        num_possible: Number of strokes of which there could be pictures, because the player is not lost.
        pictures: The pictures taken so far: index of the stroke -> backswing, contact and follow-through.
    """

    def __init__(self, analysis: MatchAnalysis, has_skeletons: bool = True) -> None:
        self._analysis, self._has_skeletons = analysis, has_skeletons
        self._skeletons = find_skeletons(analysis)
        self._colours = {style.name: rgb(style.colour) for style in class_styles(analysis.class_names)}
        video = probe(analysis.video)
        shots = {n: self._plan(n, (video.width, video.height)) for n in range(len(analysis.strokes))}
        possible = [number for number, own in shots.items() if own]
        self.num_possible = len(possible)
        chosen = choose_strokes(analysis.strokes, possible, MAX_STROKES)
        self._shots = sorted(shot for number in chosen for shot in shots[number])
        self.pictures: dict[int, list[Picture]] = {}

    def take(self) -> None:
        """Decode the video and take all pictures.

        Raises:
            VideoError: If the video can't be read.
        """
        if not self._shots:
            return
        size, scale = fit_frames(probe(self._analysis.video))
        for _ in self.watch(iter_frames(self._analysis.video, size=size, aspect="stretch"), scale):
            pass

    def watch(self, frames: Iterator[tuple[float, Image]], scale: float) -> Iterator[tuple[float, Image]]:
        """Pass the frames of the video on, and take the pictures from them.

        Args:
            frames: The time of each frame in seconds, and the frame.
            scale: Size of the frames relative to the video's.

        Yields:
            The same.
        """
        waiting = self._shots[::-1]
        shown: Image | None = None
        for time_s, image in frames:
            while shown is not None and waiting and waiting[-1].time_s < time_s - 1e-6:
                self._shoot(waiting.pop(), shown, scale)
            shown = image
            yield time_s, image
        while shown is not None and waiting:
            self._shoot(waiting.pop(), shown, scale)

    def fitting(self) -> dict[int, list[Picture]]:
        """Return the pictures of as many strokes as a page can hold: see :data:`MAX_BYTES`."""
        kept = sorted(self.pictures)
        while (excess := self._num_bytes(kept) / MAX_BYTES) > 1:
            kept = choose_strokes(self._analysis.strokes, kept, min(len(kept) - 1, int(len(kept) / excess)))
        return {number: self.pictures[number] for number in kept}

    def _num_bytes(self, numbers: Sequence[int]) -> int:
        return sum(len(picture.jpeg) for number in numbers for picture in self.pictures[number])

    def _plan(self, number: int, size: tuple[int, int]) -> list[_Shot]:
        """Return the pictures to take of a stroke; none if the player is lost at one of the moments."""
        stroke, motion = self._analysis.strokes[number], self._analysis.motion
        if motion is None:
            return []
        assert stroke.player is not None
        speed = motion.hand_speed[self._analysis.players.index(stroke.player)]
        moments = find_moments(stroke, self._analysis.times_s, speed)
        if moments is None:
            return []
        points = [self._skeletons[stroke.player].points_at(time_s) for time_s in moments]
        bodies = [body[BODY] for body in points if body is not None]
        if len(bodies) < len(points):
            return []
        boxes = _frame_bodies(np.stack(bodies), size)
        return [_Shot(time_s, number, box) for time_s, box in zip(moments, boxes, strict=True)]

    def _shoot(self, shot: _Shot, frame: Image, scale: float) -> None:
        stroke = self._analysis.strokes[shot.number]
        x0, y0, x1, y1 = (round(edge * scale) for edge in shot.box)
        part = frame[y0:y1, x0:x1]
        zoom = HEIGHT / part.shape[0]
        size = max(1, round(part.shape[1] * zoom)), HEIGHT
        picture = cv2.resize(part, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC)
        if self._has_skeletons:
            assert stroke.player is not None
            self._skeletons[stroke.player].draw(
                picture,
                shot.time_s,
                zoom * scale,
                (x0 / scale, y0 / scale),
                (stroke, self._colours[stroke.label]),
            )
        is_done, jpeg = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        assert is_done
        self.pictures.setdefault(shot.number, []).append(Picture(shot.time_s, jpeg.tobytes()))


def embed_pictures(key_frames: KeyFrames | None) -> dict[str, Any] | None:
    """Return pictures as plain values for the script of a page; None if there are none.

    Args:
        key_frames: The pictures.
    """
    if key_frames is None or not key_frames.pictures:
        return None
    kept, note = key_frames.fitting(), ""
    missing = "No pictures of this stroke: the player is not found at one of its moments."
    if len(kept) < key_frames.num_possible:
        note = (
            f"To keep this page small, {len(kept)} strokes have pictures: the least certain, and an even "
            "spread of the others."
        )
        missing = f"No pictures of this stroke. {note}"
    strokes = {
        number: [(round(own.time_s, 3), base64.b64encode(own.jpeg).decode()) for own in pictures]
        for number, pictures in kept.items()
    }
    return {"strokes": strokes, "note": note, "missing": missing}


def _frame_bodies(bodies: np.ndarray, size: tuple[int, int]) -> list[Box]:
    """Return boxes of one size around a body at several moments, within a frame of a width and height.

    Shape:
        bodies ``(N, V, 2)``.
    """
    low, high = bodies.min(1), bodies.max(1)
    width, height = _MARGIN * (high - low).max(0)
    height = max(height, width / _ASPECT[1])
    width = max(width, _ASPECT[0] * height)
    sides = [max(2, min(round(float(side)), most)) for side, most in zip((width, height), size, strict=True)]
    boxes = []
    for centre in (low + high) / 2:
        x0, y0 = (
            round(min(max(float(middle) - side / 2, 0), most - side))
            for middle, side, most in zip(centre, sides, size, strict=True)
        )
        boxes.append((x0, y0, x0 + sides[0], y0 + sides[1]))
    return boxes
