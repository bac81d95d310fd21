"""Reading of video files: upright frames at exact times."""

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
    """Raise an error for a region without pixels.

    Args:
        roi: (x0, y0, x1, y1) in pixels, x1 and y1 exclusive, or None.

    Raises:
        ValueError: Unless 0 <= x0 < x1 and 0 <= y0 < y1.
    """
    if roi is None:
        return
    if isinstance(roi, str) or len(roi) != 4 or not all(isinstance(x, int | np.integer) for x in roi):
        raise UserError(f"Expected `roi` to be four whole numbers (x0, y0, x1, y1), but got {roi!r}.")
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
    """Raise an error for frame-reading options that are out of range or contradict each other.

    Args:
        fps: Frames per second, or None for the rate of the file.
        size: Height and width in pixels, or None for the size of the file.
        aspect: How the frame is fitted into ``size``: ``pad`` or ``stretch``.
        roi: Region in pixels, or None.
        crop: Whether to follow the player: ``motion`` or ``none``.
        flow: Whether to add optical flow.

    Raises:
        ValueError: If a value is out of range, or an option that it needs is missing.
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
        raise UserError("Expected `size`, the size of the window, with `crop: motion`, but got None. Set it.")
    if flow and (fps is None or size is None):
        raise UserError(f"Expected `fps` and `size` with `flow`, but got {fps} and {size}. Set both.")
    if flow and size is not None and min(size) < 8:
        raise UserError(
            f"Expected `size` with a height and width of at least 8 pixels with `flow`, but got {size}."
        )
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
    """Yield the upright frames of a stretch of video one by one.

    With ``fps``, the k-th frame is the one displayed at ``start_s + k / fps``. Times count from the start of
    the file, whatever its first timestamp. If timestamps are missing or run backwards, times are computed
    from the frame's index and the average rate. The same holds for every AVI file, which has no timestamps
    for reordered frames. Rotation metadata is applied in steps of 90 degrees. Pixels count as square.

    Args:
        path: The video file.
        fps: Frames per second to sample at, or None for every frame at its own time.
        start_s: Start in seconds.
        end_s: End in seconds (exclusive), or None for the end of the last frame's display.
        size: Height and width to scale to, or None to keep the size.
        aspect: ``pad`` keeps the aspect ratio and pads with black; ``stretch`` does not keep it.
        roi: Region (x0, y0, x1, y1) of the upright frame to cut out before scaling, or None for all of it.
        crop: ``motion`` cuts a window around the player out of the region; ``none`` keeps the whole region.
        flow: Whether to add the optical flow since the previous frame, at ``fps``, as two channels after the
            colours.

    Yields:
        The time in seconds and the frame, uint8 RGB. The same array may be yielded several times in a row.

    Shape:
        frame ``(H, W, 3)``, or with flow ``(H, W, 5)``.

    Raises:
        VideoError: If the file can't be read, the times or the region lie outside it, or there is no frame.
        ValueError: If an argument is out of range.
    """
    check_request(fps, size, aspect, roi, crop, flow)
    check_times(path, start_s, end_s)
    end_s = math.inf if end_s is None else end_s
    tracks = read_tracks(Path(path), fps, start_s, end_s, size, aspect, [roi], crop, flow)
    return ((time_s, image) for time_s, (image,) in tracks)


def check_times(path: Path, start_s: float, end_s: float | None) -> None:
    """Raise an error for an empty stretch of time, or one that starts before 0.

    Args:
        path: The video file.
        start_s: Start in seconds.
        end_s: End in seconds (exclusive), or None.

    Raises:
        VideoError: If the end is not after the start, or the start is negative.
    """
    if not 0 <= start_s < (math.inf if end_s is None else end_s) or math.isinf(start_s):
        raise VideoError(
            f"Expected 0 <= `start_s` < `end_s` for '{path}', but got {start_s} and {end_s}. Correct them."
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
    """Read all frames of a stretch of video at once; see :func:`iter_frames`.

    Args:
        path: The video file.
        fps: Frames per second to sample at, or None for every frame at its own time.
        start_s: Start in seconds.
        end_s: End in seconds (exclusive), or None for the end of the last frame's display.
        size: Height and width to scale to, or None to keep the size.
        aspect: ``pad`` keeps the aspect ratio and pads with black; ``stretch`` does not keep it.
        roi: Region (x0, y0, x1, y1) of the upright frame to cut out before scaling, or None for all of it.
        crop: ``motion`` cuts a window around the player out of the region; ``none`` keeps the whole region.
        flow: Whether to add the optical flow of each frame as two channels.

    Returns:
        The frames and their times.

    Raises:
        VideoError: If the file can't be read, the times or the region lie outside it, there is no frame, or
            the frames differ in size and ``size`` is None.
        ValueError: If an argument is out of range.
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
                f"Expected frames of one size in '{path}', but the size changes at {time_s:.3f} s. "
                "Set `size`."
            )
    return Timed(np.stack(images), np.array(times, np.float64))
