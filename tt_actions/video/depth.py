"""Depth pictures: metres in a file, levels of one 8-bit channel in a frame."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tt_actions.errors import UnreadableError
from tt_actions.video.depth_files import DepthPictures, open_depth
from tt_actions.video.info import VideoInfo
from tt_actions.video.scaling import Aspect, fill_up, fit_size
from tt_actions.video.types import Roi, Timed

NOT_MEASURED = 0
"""The level of a pixel of which nothing is known: in a shadow of the sensor's light, or on glass."""

MEAN, STD = 0.5, 0.25
"""What to take away from the channel, in [0, 1], and to divide it by then."""

_SAME_TIME_S = 1e-3  # as of video


def probe_depth(path: Path) -> VideoInfo:
    """Tell what a file or folder of depth holds.

    Args:
        path: The file, or a folder, whose rate is not known: 30 pictures a second are assumed, and said.

    Raises:
        UnreadableError: If it can't be read.
    """
    pictures = open_depth(path, 30.0)
    height, width = pictures.read(0).shape
    kind = "depth (PNG, as at 30 fps)" if path.is_dir() else "depth"
    return VideoInfo(path, pictures.duration_s, pictures.fps, width, height, kind, pictures.num_frames)


def check_beside(video: VideoInfo, pictures: DepthPictures) -> None:
    """Refuse depth that is not that of a video.

    Args:
        video: What the video holds.
        pictures: The depth.

    Raises:
        UnreadableError: If their lengths differ by more than a frame, or their pictures in size.
    """
    height, width = pictures.read(0).shape
    if abs(video.duration_s - pictures.duration_s) > 1.5 / min(video.fps, pictures.fps):
        raise UnreadableError(
            f"Expected depth as long as '{video.path}', {video.duration_s:.3f} s, but '{pictures.path}' has "
            f"{pictures.num_frames} pictures, {pictures.duration_s:.3f} s. Give the whole of both."
        )
    if (video.height, video.width) != (height, width):
        raise UnreadableError(
            f"Expected depth of the {video.width}x{video.height} pixels of '{video.path}', but "
            f"'{pictures.path}' has {width}x{height}. Register the depth to the picture."
        )


def read_depth(
    pictures: DepthPictures,
    fps: float,
    size: tuple[int, int],
    aspect: Aspect,
    range_m: tuple[float, float],
    start_s: float = 0.0,
    end_s: float | None = None,
    roi: Roi | None = None,
) -> Timed:
    """Read frames of depth as :func:`tt_actions.video.frames.read_frames` does those of colour.

    Args:
        pictures: The clip's depth.
        fps: Frames a second to sample at.
        size: Height and width to scale to; beyond the picture nothing is measured.
        aspect: ``pad`` keeps the aspect, ``stretch`` does not.
        range_m: The nearest and the farthest that levels tell apart: see :func:`quantise`.
        start_s: Start in seconds.
        end_s: End in seconds (exclusive), or None for the end of the last picture's display.
        roi: Region (x0, y0, x1, y1) in pixels to cut out before scaling.

    Returns:
        Frames ``(T, H, W, 1)``, uint8, and their times.

    Raises:
        UnreadableError: If a picture can't be read, the times or the region are outside, or nothing that is
            measured lies within the range.
    """
    path, length_s = pictures.path, pictures.duration_s
    last_s = length_s if end_s is None else end_s
    if not 0 <= start_s < min(last_s, length_s) or last_s > length_s + 1 / pictures.fps:
        raise UnreadableError(
            f"Expected times within the {length_s:.3f} s of '{path}', but got {start_s:g} s to "
            f"{'the end' if end_s is None else f'{end_s:g} s'}. Correct `start_s` and `end_s`."
        )
    until_s = min(length_s - _SAME_TIME_S, last_s)
    times_s = start_s + np.arange(max(1, int(np.ceil((until_s - start_s) * fps - 1e-9)))) / fps
    shown = ((times_s + _SAME_TIME_S) * pictures.fps).astype(int).clip(max=pictures.num_frames - 1)
    levels = {}
    for index in dict.fromkeys(shown.tolist()):
        metres = _cut(pictures.read(index), roi, path)
        levels[index] = quantise(scale_depth(metres, size, aspect), range_m)
    frames = np.stack([levels[index] for index in shown.tolist()])[..., None]
    if not ((frames > 1) & (frames < 255)).any():
        raise UnreadableError(
            f"Expected depth within {range_m[0]:g} m to {range_m[1]:g} m in '{path}', but nothing is. "
            "Is it in metres (of PNG files: millimetres)? Else correct `depth_range_m`."
        )
    return Timed(frames, times_s)


def _cut(metres: np.ndarray, roi: Roi | None, path: Path) -> np.ndarray:
    """Cut a region out, 0 where nothing is measured."""
    height, width = metres.shape
    x0, y0, x1, y1 = roi or (0, 0, width, height)
    if x1 > width or y1 > height:
        raise UnreadableError(
            f"Expected `roi` to lie within the {width}x{height} pixels of '{path}', but got {roi}. "
            "Correct the region."
        )
    part = metres[y0:y1, x0:x1]
    return np.where(np.isfinite(part) & (part > 0), part, np.float32(0))


def scale_depth(metres: np.ndarray, size: tuple[int, int], aspect: Aspect) -> np.ndarray:
    """Scale a picture of depth without mixing what is not measured in.

    A pixel of a smaller picture is the mean of what is measured in its area, if that is half of it or more;
    one of a larger picture is the nearest.

    Args:
        metres: Depth, 0 where nothing is measured.
        size: Height and width of the result; what is filled up is 0.
        aspect: ``pad`` keeps the aspect, ``stretch`` does not.

    Shape:
        metres ``(H, W)`` -> ``size``, float32.

    >>> scale_depth(np.float32([[2, 2, 3, 0], [2, 2, 5, 0]]), (1, 2), "stretch").tolist()
    [[2.0, 4.0]]
    >>> scale_depth(np.float32([[2, 2, 3, 0], [2, 2, 0, 0]]), (1, 2), "stretch").tolist()
    [[2.0, 0.0]]
    """
    height, width = fit_size(metres.shape, size, aspect)
    if height > metres.shape[0] or width > metres.shape[1]:
        return fill_up(cv2.resize(metres, (width, height), interpolation=cv2.INTER_NEAREST), size)
    is_measured = (metres > 0).astype(np.float32)
    total, share = (
        cv2.resize(x, (width, height), interpolation=cv2.INTER_AREA) for x in (metres, is_measured)
    )
    return fill_up(np.where(share > 0.499, total / np.maximum(share, 0.499), np.float32(0)), size)


def quantise(metres: np.ndarray, range_m: Sequence[float]) -> np.ndarray:
    """Give depth as one of 255 levels, and 0 where nothing is measured.

    Over the default 0.5 m to 8 m a level is 3 cm, about what a depth camera errs by itself there: the first
    Kinect's random error is 4 cm at 5 m (Khoshelham & Elberink 2012, Sensors 12(2)).

    Args:
        metres: Depth; 0 where nothing is measured.
        range_m: What level 1 and level 255 stand for; what is nearer or farther gets these.

    Shape:
        metres ``(H, W)`` -> ``(H, W)``, uint8.

    >>> quantise(np.array([0, 0.2, 0.5, 0.53, 8.0, 12.0]), (0.5, 8.0)).tolist()
    [0, 1, 1, 2, 255, 255]
    """
    near, far = range_m
    levels = (1 + (metres - near) * (254 / (far - near))).round().clip(1, 255)
    return np.where(metres > 0, levels, NOT_MEASURED).astype(np.uint8)
