"""Pictures of a stroke: the frames of its video at the phases, with the joints drawn on them."""

import base64
from pathlib import Path

import cv2
import numpy as np

from tt_actions.coach.stroke import StrokeMotion, key_times
from tt_actions.skeleton.drawing import draw_bones
from tt_actions.skeleton.normalise import fill_gaps, place_unseen
from tt_actions.video.frames import iter_frames
from tt_actions.video.types import Image

_HEIGHT = 360
_MARGIN = 0.25  # of the player's height, left free around the joints
_OWN, _PLAYING = (0, 114, 178), (213, 94, 0)  # as on the page


def draw_pictures(
    video: Path, fps: float | None, points: np.ndarray, times_s: np.ndarray, stroke: StrokeMotion
) -> dict[str, str]:
    """Draw the joints into the video's frames at the phases, each cut out around the player.

    Args:
        video: The video.
        fps: Frames per second in which the joints were found, from the start of the video; None for every
            frame at its own time.
        points: Pixels of the joints, with y down, NaN if missing.
        times_s: Time of each row of ``points`` in seconds.
        stroke: The stroke.

    Returns:
        For each phase, the picture as a data URL.

    Shape:
        points ``(T, V, 2)``, times_s ``(T,)``.
    """
    filled = place_unseen(fill_gaps(points, 10), stroke.layout)
    wanted = {phase: int(np.abs(times_s - at_s).argmin()) for phase, at_s in key_times(stroke).items()}
    arm = [f"{'left' if stroke.left_handed else 'right'}_{part}" for part in ("elbow", "wrist", "hand")]
    shown = filled[list(wanted.values())]
    pictures: dict[str, str] = {}
    for number, (_, frame) in enumerate(iter_frames(video, fps=fps)):
        for phase in [phase for phase, moment in wanted.items() if moment == number]:
            picture = frame.copy()
            draw_bones(
                picture,
                filled[number].round().astype(int),
                stroke.layout,
                max(1, round(_size(shown) / 90)),
                lambda joint: _PLAYING if joint in arm else _OWN,
            )
            pictures[phase] = _encode(_cut_out(picture, shown))
        if number >= max(wanted.values()):
            break
    return pictures


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


def _encode(picture: Image) -> str:
    scale = _HEIGHT / picture.shape[0]
    size = (max(1, round(picture.shape[1] * scale)), _HEIGHT)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(picture, size, interpolation=way)
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(scaled, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"
