"""Pictures of a stroke: the frames of its video at the phases, with the joints drawn on them."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from tt_actions.coach.stroke import StrokeMotion, key_times
from tt_actions.skeleton.drawing import draw_bones
from tt_actions.skeleton.layouts import Layout
from tt_actions.skeleton.normalise import fill_gaps, place_unseen
from tt_actions.video.frames import iter_frames
from tt_actions.video.types import Image

HEIGHT = 360
"""Height of a picture in pixels."""

_LONGEST_GAP = 10
_MARGIN = 0.25  # of the player's height, left free around the joints
_OWN, _PLAYING = (0, 114, 178), (213, 94, 0)  # as on the page


class _Shown(NamedTuple):
    """The pictures wanted of a stroke: pixels of the joints ``(3, V, 2)``, and the arm that plays."""

    points: np.ndarray
    layout: Layout
    arm: tuple[str, ...]


def draw_pictures(
    video: Path,
    fps: float | None,
    points: np.ndarray,
    times_s: np.ndarray,
    strokes: Sequence[StrokeMotion],
    height: int = HEIGHT,
) -> list[dict[str, str]]:
    """Draw the joints into the video's frames at the phases of strokes, each cut out around the player.

    Args:
        video: The video; it is decoded once.
        fps: Frames per second in which the joints were found, from the start of the video; None for every
            frame at its own time.
        points: Pixels of the joints, with y down, NaN if missing.
        times_s: Time of each row of ``points`` in seconds.
        strokes: The strokes.
        height: Height of the pictures in pixels.

    Returns:
        For each stroke, the picture of each phase as a data URL.

    Shape:
        points ``(T, V, 2)``, times_s ``(T,)``.
    """
    pictures: list[dict[str, str]] = [{} for _ in strokes]
    wanted: dict[int, list[tuple[int, int, str]]] = {}  # frame -> stroke, number and name of the phase
    shown = []
    for own, stroke in enumerate(strokes):
        moments = {phase: int(np.abs(times_s - at_s).argmin()) for phase, at_s in key_times(stroke).items()}
        shown.append(_find_shown(points, list(moments.values()), stroke))
        for number, (phase, moment) in enumerate(moments.items()):
            wanted.setdefault(moment, []).append((own, number, phase))
    for frame, (_, image) in enumerate(iter_frames(video, fps=fps)):
        for own, number, phase in wanted.pop(frame, []):
            pictures[own][phase] = _encode(_draw(image, shown[own], number), height)
        if not wanted:
            break
    return pictures


def _find_shown(points: np.ndarray, moments: Sequence[int], stroke: StrokeMotion) -> _Shown:
    first = max(0, min(moments) - _LONGEST_GAP)
    near = points[first : max(moments) + _LONGEST_GAP + 1]
    filled = place_unseen(fill_gaps(near, _LONGEST_GAP), stroke.layout)
    arm = tuple(f"{'left' if stroke.left_handed else 'right'}_{part}" for part in ("elbow", "wrist", "hand"))
    return _Shown(filled[np.array(moments) - first], stroke.layout, arm)


def _draw(image: Image, shown: _Shown, number: int) -> Image:
    picture = image.copy()
    draw_bones(
        picture,
        shown.points[number].round().astype(int),
        shown.layout,
        max(1, round(_size(shown.points) / 90)),
        lambda joint: _PLAYING if joint in shown.arm else _OWN,
    )
    return _cut_out(picture, shown.points)


def _size(points: np.ndarray) -> float:
    return float(np.ptp(points[..., 1], axis=1).max())


def _cut_out(picture: Image, points: np.ndarray) -> Image:
    """Cut out what surrounds the points of all phases."""
    margin = _MARGIN * _size(points)
    low, high = points.min((0, 1)) - margin, points.max((0, 1)) + margin
    height, width = picture.shape[:2]
    x0, y0 = np.clip(np.floor(low), 0, (width - 1, height - 1)).astype(int)
    x1, y1 = np.clip(np.ceil(high), (x0 + 1, y0 + 1), (width, height)).astype(int)
    return picture[y0:y1, x0:x1]


def _encode(picture: Image, height: int) -> str:
    scale = height / picture.shape[0]
    size = (max(1, round(picture.shape[1] * scale)), height)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(picture, size, interpolation=way)
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(scaled, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"
