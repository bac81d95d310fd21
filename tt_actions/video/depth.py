"""Reading depth images: metres in a file become levels of one 8-bit channel in a frame."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tt_actions.errors import UnreadableError
from tt_actions.video.depth_files import DepthImages, open_depth
from tt_actions.video.info import VideoInfo
from tt_actions.video.scaling import Aspect, fit_size, pad_to_size
from tt_actions.video.types import Roi, Timed

NOT_MEASURED = 0
"""The level of a pixel without a measurement, for example in the sensor's shadow or on glass."""

MEAN, STD = 0.5, 0.25
"""Values to subtract from the channel, in [0, 1], and to divide the difference by."""

_SAME_TIME_S = 1e-3  # the same tolerance as for video


def probe_depth(path: Path) -> VideoInfo:
    """Return basic information about a file or folder of depth images.

    Args:
        path: The file, or a folder. The rate of a folder is unknown; 30 images per second are assumed, and
            ``codec`` says so.

    Raises:
        UnreadableError: If it can't be read.
    """
    images = open_depth(path, 30.0)
    height, width = images.read(0).shape
    kind = "depth (PNG, assumed to be at 30 fps)" if path.is_dir() else "depth"
    return VideoInfo(path, images.duration_s, images.fps, width, height, kind, images.num_frames)


def check_depth_matches(video: VideoInfo, images: DepthImages) -> None:
    """Raise an error if depth images do not belong to a video.

    Args:
        video: Information about the video.
        images: The depth.

    Raises:
        UnreadableError: If the lengths differ by more than a frame, or the image sizes differ.
    """
    height, width = images.read(0).shape
    if abs(video.duration_s - images.duration_s) > 1.5 / min(video.fps, images.fps):
        raise UnreadableError(
            f"Expected depth as long as '{video.path}' ({video.duration_s:.3f} s), but '{images.path}' has "
            f"{images.num_frames} images ({images.duration_s:.3f} s). Use the complete video and depth."
        )
    if (video.height, video.width) != (height, width):
        raise UnreadableError(
            f"Expected depth of the {video.width}x{video.height} pixels of '{video.path}', but "
            f"'{images.path}' has {width}x{height}. Align the depth images with the video's frames."
        )


def read_depth(
    images: DepthImages,
    fps: float,
    size: tuple[int, int],
    aspect: Aspect,
    range_m: tuple[float, float],
    start_s: float = 0.0,
    end_s: float | None = None,
    roi: Roi | None = None,
) -> Timed:
    """Read depth frames, as :func:`tt_actions.video.frames.read_frames` reads colour frames.

    Args:
        images: The clip's depth.
        fps: Frames per second to sample at.
        size: Height and width to scale to; padding counts as not measured.
        aspect: ``pad`` keeps the aspect ratio, ``stretch`` does not.
        range_m: The nearest and the farthest depth that levels can distinguish: see :func:`quantise`.
        start_s: Start in seconds.
        end_s: End in seconds (exclusive), or None for the end of the last image's display.
        roi: Region (x0, y0, x1, y1) in pixels to cut out before scaling, or None for the whole image.

    Returns:
        Frames ``(T, H, W, 1)``, uint8, and their times.

    Raises:
        UnreadableError: If an image can't be read, the times or the region lie outside, or no measured depth
            lies within the range.
    """
    path, length_s = images.path, images.duration_s
    last_s = length_s if end_s is None else end_s
    if not 0 <= start_s < min(last_s, length_s) or last_s > length_s + 1 / images.fps:
        raise UnreadableError(
            f"Expected times within the {length_s:.3f} s of '{path}', but got {start_s:g} s to "
            f"{'the end' if end_s is None else f'{end_s:g} s'}. Correct `start_s` and `end_s`."
        )
    until_s = min(length_s - _SAME_TIME_S, last_s)
    times_s = start_s + np.arange(max(1, int(np.ceil((until_s - start_s) * fps - 1e-9)))) / fps
    shown = ((times_s + _SAME_TIME_S) * images.fps).astype(int).clip(max=images.num_frames - 1)
    levels = {}
    for index in dict.fromkeys(shown.tolist()):
        metres = _cut(images.read(index), roi, path)
        levels[index] = quantise(scale_depth(metres, size, aspect), range_m)
    frames = np.stack([levels[index] for index in shown.tolist()])[..., None]
    if not ((frames > 1) & (frames < 255)).any():
        raise UnreadableError(
            f"Expected depth between {range_m[0]:g} m and {range_m[1]:g} m in '{path}', but found none. "
            "Check that it is in metres (PNG files: millimetres), or correct `depth_range_m`."
        )
    return Timed(frames, times_s)


def _cut(metres: np.ndarray, roi: Roi | None, path: Path) -> np.ndarray:
    """Cut out a region, with 0 for pixels that are not measured."""
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
    """Scale a depth image without mixing in pixels that are not measured.

    In a smaller image, a pixel is the mean of the measured pixels in its area if these are at least half of
    the area, and 0 otherwise. In a larger image, it is the nearest pixel.

    Args:
        metres: Depth, 0 for pixels that are not measured.
        size: Height and width of the result; padding is 0.
        aspect: ``pad`` keeps the aspect ratio, ``stretch`` does not.

    Shape:
        metres ``(H, W)`` -> ``size``, float32.

    >>> scale_depth(np.float32([[2, 2, 3, 0], [2, 2, 5, 0]]), (1, 2), "stretch").tolist()
    [[2.0, 4.0]]
    >>> scale_depth(np.float32([[2, 2, 3, 0], [2, 2, 0, 0]]), (1, 2), "stretch").tolist()
    [[2.0, 0.0]]
    """
    height, width = fit_size(metres.shape, size, aspect)
    if height > metres.shape[0] or width > metres.shape[1]:
        return pad_to_size(cv2.resize(metres, (width, height), interpolation=cv2.INTER_NEAREST), size)
    is_measured = (metres > 0).astype(np.float32)
    total, share = (
        cv2.resize(x, (width, height), interpolation=cv2.INTER_AREA) for x in (metres, is_measured)
    )
    return pad_to_size(np.where(share > 0.499, total / np.maximum(share, 0.499), np.float32(0)), size)


def quantise(metres: np.ndarray, range_m: Sequence[float]) -> np.ndarray:
    """Convert depth to levels 1 to 255, and to 0 for pixels that are not measured.

    Over the default range of 0.5 m to 8 m, a level is 3 cm. That is about the error of a depth camera: the
    random error of the first Kinect is 4 cm at 5 m (Khoshelham & Elberink 2012, Sensors 12(2)).

    Args:
        metres: Depth; 0 for pixels that are not measured.
        range_m: Depths of level 1 and level 255. Smaller depths get level 1, and larger ones level 255.

    Shape:
        metres ``(H, W)`` -> ``(H, W)``, uint8.

    >>> quantise(np.array([0, 0.2, 0.5, 0.53, 8.0, 12.0]), (0.5, 8.0)).tolist()
    [0, 1, 1, 2, 255, 255]
    """
    near, far = range_m
    levels = (1 + (metres - near) * (254 / (far - near))).round().clip(1, 255)
    return np.where(metres > 0, levels, NOT_MEASURED).astype(np.uint8)
