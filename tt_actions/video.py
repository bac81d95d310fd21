"""Video files: frames at exact times, upright."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import av
import cv2
import numpy as np

from tt_actions.decoder import VideoError, VideoWarning, open_decoder
from tt_actions.flow import DETAIL, with_flow
from tt_actions.player import Window, cut_out, follow_player

__all__ = [
    "Aspect",
    "FrameSpec",
    "Frames",
    "Roi",
    "VideoError",
    "VideoInfo",
    "VideoWarning",
    "check_roi",
    "iter_frames",
    "probe",
    "read_frames",
]

Aspect = Literal["stretch", "pad"]
Crop = Literal["none", "motion"]
Roi = tuple[int, int, int, int]
Image = np.ndarray


@dataclass(frozen=True)
class VideoInfo:
    """What a video file holds.

    Args:
        path: The file.
        duration_s: From the first moment to the end of the last frame's display.
        fps: Average frame rate.
        width: Of the upright picture, in pixels.
        height: Of the upright picture, in pixels.
        codec: Name of the codec, such as ``h264``.
        num_frames: Number of frames.
    """

    path: Path
    duration_s: float
    fps: float
    width: int
    height: int
    codec: str
    num_frames: int


@dataclass(frozen=True)
class FrameSpec:
    """How video becomes frames: the part of a model's preprocessing that happens before it.

    ``dataclasses.asdict`` gives plain types, and ``FrameSpec(**plain)`` the same spec again.

    Args:
        fps: Frames a second, whatever the rate of the file.
        size: Height and width of a frame in pixels.
        aspect: ``pad`` keeps the picture's aspect and fills up with black, ``stretch`` does not.
        roi: Region (x0, y0, x1, y1) of the upright picture to cut out before scaling, or None for all.
        crop: ``motion`` follows the player within that region (:mod:`tt_actions.player`) and cuts a window
            of the frame's aspect round them; ``none`` keeps the whole region.
        flow: Whether each frame comes with its optical flow since the frame before (:mod:`tt_actions.flow`).

    Raises:
        ValueError: If a value is out of its range.
    """

    fps: float
    size: tuple[int, int]
    aspect: Aspect = "pad"
    roi: Roi | None = None
    crop: Crop = "none"
    flow: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", tuple(self.size))
        object.__setattr__(self, "roi", None if self.roi is None else tuple(self.roi))
        _check_request(self.fps, self.size, self.aspect, self.roi, self.crop, self.flow)


class Frames(NamedTuple):
    """Frames of a video and when they are shown.

    Shape:
        frames ``(T, H, W, C)``, uint8: RGB, with ``flow`` x and y of it too; times_s ``(T,)``, float64.
    """

    frames: np.ndarray
    times_s: np.ndarray


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
        raise ValueError(
            f"Expected `roi` to be x0,y0,x1,y1 with 0 <= x0 < x1 and 0 <= y0 < y1, but got {roi}."
        )


def _check_request(
    fps: float | None,
    size: tuple[int, int] | None,
    aspect: str,
    roi: Roi | None,
    crop: str = "none",
    flow: bool = False,
) -> None:
    if fps is not None and not 0 < fps < math.inf:
        raise ValueError(f"Expected `fps` to be positive, but got {fps}.")
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise ValueError(f"Expected `size` to be a height and a width of at least 1, but got {size}.")
    if aspect not in get_args(Aspect):
        raise ValueError(f"Expected `aspect` to be one of {get_args(Aspect)}, but got '{aspect}'.")
    if crop not in get_args(Crop):
        raise ValueError(f"Expected `crop` to be one of {get_args(Crop)}, but got '{crop}'.")
    if crop == "motion" and size is None:
        raise ValueError("Expected `size`, the size of the window, with `crop: motion`, but got none.")
    if flow and (fps is None or size is None):
        raise ValueError(f"Expected `fps` and `size` with `flow`, but got {fps} and {size}.")
    if flow and size is not None and min(size) < 8:
        raise ValueError(f"Expected `size` of at least 8 pixels each way with `flow`, but got {size}.")
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
    _check_request(fps, size, aspect, roi, crop, flow)
    if not 0 <= start_s < (math.inf if end_s is None else end_s) or math.isinf(start_s):
        raise VideoError(
            f"Expected `start_s` and `end_s` for '{path}' to be 0 <= start < end, but got {start_s}, {end_s}."
        )
    end_s = math.inf if end_s is None else end_s
    detailed = None if size is None else (size[0] * DETAIL, size[1] * DETAIL) if flow else size
    follows = crop == "motion"
    whole = _iterate(Path(path), fps, start_s, end_s, None if follows else detailed, aspect, roi)
    frames = follow_player(whole) if follows else ((*frame, None) for frame in whole)
    flow_fps = None
    if flow:
        assert fps is not None
        flow_fps = min(fps, probe(path).fps)  # one picture after the other, at whichever rate they come
    return _finish(frames, detailed, flow_fps)


def _finish(
    frames: Iterable[tuple[float, Image, Window | None]], size: tuple[int, int] | None, flow_fps: float | None
) -> Iterator[tuple[float, Image]]:
    """Cut the windows out, and find the flow where that is asked for, seen through one window."""
    before: Image | None = None
    current: Image | None = None
    for time_s, image, window in frames:
        if image is not current:  # one that is shown again keeps its flow
            before, current = current, image
        frame = _cut(image, window, size)
        if flow_fps is not None:
            frame = with_flow(_cut(image if before is None else before, window, size), frame, flow_fps)
        yield time_s, frame


def _cut(image: Image, window: Window | None, size: tuple[int, int] | None) -> Image:
    if window is None:
        return image
    assert size is not None
    return cut_out(image, window, size)


def _iterate(
    path: Path,
    fps: float | None,
    start_s: float,
    end_s: float,
    size: tuple[int, int] | None,
    aspect: Aspect,
    roi: Roi | None,
) -> Iterator[tuple[float, Image]]:
    with open_decoder(path, start_s) as decoder:
        if decoder.promised_s is not None:
            decoder.check_inside(start_s, end_s, decoder.promised_s)
        if fps is None:
            chosen = decoder.frames_between(start_s, end_s)
        else:
            chosen = decoder.frames_at(fps, start_s, end_s)
        converted = image = None
        try:
            for time_s, frame in chosen:
                if frame is not converted:
                    converted, image = frame, _picture(path, frame, size, aspect, roi)
                assert image is not None
                yield time_s, image
        except av.FFmpegError as error:
            raise VideoError(
                f"Expected '{path}' to decode, but it fails at {decoder.end_s:.3f} s ({error.strerror}). "
                "Convert it to MP4 (H.264)."
            ) from error
        decoder.check_outcome(start_s, end_s, found=converted is not None)


def _picture(
    path: Path, frame: av.VideoFrame, size: tuple[int, int] | None, aspect: Aspect, roi: Roi | None
) -> Image:
    image: Image = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
    if roi is not None:
        x0, y0, x1, y1 = roi
        height, width = image.shape[:2]
        if x1 > width or y1 > height:
            raise VideoError(
                f"Expected `roi` to lie within the {width}x{height} pixels of '{path}', but got {roi}. "
                "Correct the region; it counts in pixels of the upright picture."
            )
        image = image[y0:y1, x0:x1]
    return np.ascontiguousarray(image if size is None else _scale(image, size, aspect))


def _scale(image: Image, size: tuple[int, int], aspect: Aspect) -> Image:
    (height, width), (old_height, old_width) = size, image.shape[:2]
    if (height, width) == (old_height, old_width):
        return image
    new_height, new_width = height, width
    if aspect == "pad":
        scale = min(height / old_height, width / old_width)
        new_height, new_width = max(1, round(old_height * scale)), max(1, round(old_width * scale))
    shrinks = new_height < old_height or new_width < old_width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    scaled: Image = cv2.resize(image, (new_width, new_height), interpolation=how)
    if (new_height, new_width) == size:
        return scaled
    top, left = (height - new_height) // 2, (width - new_width) // 2
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[top : top + new_height, left : left + new_width] = scaled
    return canvas


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
) -> Frames:
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
    return Frames(np.stack(images), np.array(times, np.float64))


def probe(path: Path) -> VideoInfo:
    """Tell what a video file holds, from its header where that says so, else by counting packets.

    Args:
        path: The video file.

    Raises:
        VideoError: If the file can't be read or holds no frame.
    """
    path = Path(path)
    with open_decoder(path) as decoder:
        stream = decoder.stream
        codec, num_frames, duration_s = stream.codec_context.name, stream.frames, decoder.duration_s
        first = next(decoder.frames(), None)
        if first is None:
            raise VideoError(f"Expected '{path}' to hold frames, but none decodes. Copy or export it again.")
        height, width = _picture(path, first[1], None, "pad", None).shape[:2]
    if not num_frames or duration_s is None:
        with open_decoder(path) as decoder:
            num_frames, duration_s = decoder.count()
    return VideoInfo(path, duration_s, 1 / decoder.frame_s, width, height, codec, num_frames)
