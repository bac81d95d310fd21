"""Video files: frames at exact times, upright."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np

from tt_actions.errors import UserError, VideoError
from tt_actions.video.regions import Crop, read_tracks
from tt_actions.video.scaling import Aspect
from tt_actions.video.types import Image, Roi, Timed


def check_roi(roi: Roi | None) -> None:
    """Refuse a region that holds no pixel.

    Args:
        roi: (x0, y0, x1, y1) in pixels, x1 and y1 exclusive.

    Raises:
        ValueError: If it is not 0 <= x0 < x1 and 0 <= y0 < y1.
    """
    if roi is None:
        return
    x0, y0, x1, y1 = roi
    if not (0 <= x0 < x1 and 0 <= y0 < y1):
        raise UserError(
            f"Expected `roi` to be x0,y0,x1,y1 with 0 <= x0 < x1 and 0 <= y0 < y1, but got {roi}."
        )


def check_request(
    fps: float | None,
    size: tuple[int, int] | None,
    aspect: str,
    roi: Roi | None,
    crop: str = "none",
    flow: bool = False,
) -> None:
    """Refuse a way to read frames that contradicts itself.

    Args:
        fps: Frames a second; None for those of the file.
        size: Height and width in pixels; None for those of the file.
        aspect: What happens to the picture's aspect.
        roi: Region in pixels, or None.
        crop: Whether the player is followed.
        flow: Whether optical flow is read too.

    Raises:
        ValueError: If a value is out of its range, or needs another.
    """
    if fps is not None and not 0 < fps < math.inf:
        raise UserError(f"Expected `fps` to be positive, but got {fps}.")
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise UserError(f"Expected `size` to be a height and a width of at least 1, but got {size}.")
    if aspect not in get_args(Aspect):
        raise UserError(f"Expected `aspect` to be one of {get_args(Aspect)}, but got '{aspect}'.")
    if crop not in get_args(Crop):
        raise UserError(f"Expected `crop` to be one of {get_args(Crop)}, but got '{crop}'.")
    if crop == "motion" and size is None:
        raise UserError("Expected `size`, the size of the window, with `crop: motion`, but got none.")
    if flow and (fps is None or size is None):
        raise UserError(f"Expected `fps` and `size` with `flow`, but got {fps} and {size}.")
    if flow and size is not None and min(size) < 8:
        raise UserError(f"Expected `size` of at least 8 pixels each way with `flow`, but got {size}.")
    check_roi(roi)


def iter_frames(
    path: Path,
    *,
    fps: float | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    size: tuple[int, int] | None = None,
    aspect: Aspect = "pad",
    roi: Roi | None = None,
    crop: Crop = "none",
    flow: bool = False,
) -> Iterator[tuple[float, Image]]:
    """Read the frames of a stretch of video one by one, upright.

    With ``fps`` the k-th frame is the one on display at ``start_s + k / fps``. Times count from the start of
    the file, whatever its first timestamp. Where timestamps are missing or run backwards (and in every
    AVI, which has none for reordered frames), they come from the frame's index and the average rate.
    Rotation metadata is honoured in steps of 90 degrees; pixels are taken as square.

    Args:
        path: The video file.
        fps: Frames a second to sample at, or None for every frame at its own time.
        start_s: Start in seconds.
        end_s: End in seconds (exclusive), or None for the end of the last frame's display.
        size: Height and width to scale to, or None to keep the size.
        aspect: ``pad`` keeps the aspect and fills up with black, ``stretch`` does not.
        roi: Region (x0, y0, x1, y1) of the upright picture to cut out before scaling.
        crop: ``motion`` cuts a window round the player out of that region, ``none`` keeps it whole.
        flow: Whether the frame's optical flow since the frame before, found at ``fps``, follows its colours.

    Yields:
        The time in seconds and the frame, uint8 RGB. One array may come several times in a row.

    Shape:
        frame ``(H, W, 3)``, or with flow ``(H, W, 5)``.

    Raises:
        VideoError: If the file can't be read, the times or the region are outside, or no frame is there.
        ValueError: If an argument is out of its range.
    """
    check_request(fps, size, aspect, roi, crop, flow)
    check_times(path, start_s, end_s)
    end_s = math.inf if end_s is None else end_s
    tracks = read_tracks(Path(path), fps, start_s, end_s, size, aspect, [roi], crop, flow)
    return ((time_s, image) for time_s, (image,) in tracks)


def check_times(path: Path, start_s: float, end_s: float | None) -> None:
    """Refuse a stretch of time that is none.

    Args:
        path: The video file.
        start_s: Start in seconds.
        end_s: End in seconds (exclusive), or None.

    Raises:
        VideoError: If the end is not after the start, or the start is negative.
    """
    if not 0 <= start_s < (math.inf if end_s is None else end_s) or math.isinf(start_s):
        raise VideoError(
            f"Expected `start_s` and `end_s` for '{path}' to be 0 <= start < end, but got {start_s}, {end_s}."
        )


def read_frames(
    path: Path,
    *,
    fps: float | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    size: tuple[int, int] | None = None,
    aspect: Aspect = "pad",
    roi: Roi | None = None,
    crop: Crop = "none",
    flow: bool = False,
) -> Timed:
    """Read the frames of a stretch of video at once; see :func:`iter_frames`.

    Args:
        path: The video file.
        fps: Frames a second to sample at, or None for every frame at its own time.
        start_s: Start in seconds.
        end_s: End in seconds (exclusive), or None for the end of the last frame's display.
        size: Height and width to scale to, or None to keep the size.
        aspect: ``pad`` keeps the aspect and fills up with black, ``stretch`` does not.
        roi: Region (x0, y0, x1, y1) of the upright picture to cut out before scaling.
        crop: ``motion`` cuts a window round the player out of that region, ``none`` keeps it whole.
        flow: Whether each frame comes with its optical flow.

    Returns:
        The frames and their times.

    Raises:
        VideoError: If the file can't be read, the times or the region are outside, no frame is there, or
            the picture changes its size on the way and ``size`` is None.
        ValueError: If an argument is out of its range.
    """
    times, images = zip(
        *iter_frames(
            path,
            fps=fps,
            start_s=start_s,
            end_s=end_s,
            size=size,
            aspect=aspect,
            roi=roi,
            crop=crop,
            flow=flow,
        ),
        strict=True,
    )
    for time_s, image in zip(times, images, strict=True):
        if image.shape != images[0].shape:
            raise VideoError(
                f"Expected one size of picture in '{path}', but it changes at {time_s:.3f} s. Set `size`."
            )
    return Timed(np.stack(images), np.array(times, np.float64))
