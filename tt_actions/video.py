"""Video files: frames at exact times, upright, and H.264 out."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import av
import cv2
import numpy as np

from tt_actions.decoder import VideoError, VideoWarning, open_decoder
from tt_actions.files import write_atomically
from tt_actions.player import follow_player

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
    "write_video",
]

Aspect = Literal["stretch", "pad"]
Crop = Literal["none", "motion"]
Roi = tuple[int, int, int, int]
Image = np.ndarray

_WRITABLE = (".mp4", ".mov", ".mkv", ".avi", ".ts")


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

    Raises:
        ValueError: If a value is out of its range.
    """

    fps: float
    size: tuple[int, int]
    aspect: Aspect = "pad"
    roi: Roi | None = None
    crop: Crop = "none"

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", tuple(self.size))
        object.__setattr__(self, "roi", None if self.roi is None else tuple(self.roi))
        _check_request(self.fps, self.size, self.aspect, self.roi, self.crop)


class Frames(NamedTuple):
    """Frames of a video and when they are shown.

    Shape:
        frames ``(T, H, W, 3)``, uint8 RGB; times_s ``(T,)``, float64.
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
    fps: float | None, size: tuple[int, int] | None, aspect: str, roi: Roi | None, crop: str = "none"
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

    Yields:
        The time in seconds and the frame, uint8 RGB. One array may come several times in a row.

    Shape:
        frame ``(H, W, 3)``.

    Raises:
        VideoError: If the file can't be read, the times or the region are outside, or no frame is there.
        ValueError: If an argument is out of its range.
    """
    _check_request(fps, size, aspect, roi, crop)
    if not 0 <= start_s < (math.inf if end_s is None else end_s) or math.isinf(start_s):
        raise VideoError(
            f"Expected `start_s` and `end_s` for '{path}' to be 0 <= start < end, but got {start_s}, {end_s}."
        )
    end_s = math.inf if end_s is None else end_s
    if crop == "motion":
        assert size is not None
        return follow_player(_iterate(Path(path), fps, start_s, end_s, None, aspect, roi), size)
    return _iterate(Path(path), fps, start_s, end_s, size, aspect, roi)


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

    Returns:
        The frames and their times.

    Raises:
        VideoError: If the file can't be read, the times or the region are outside, no frame is there, or
            the picture changes its size on the way and ``size`` is None.
        ValueError: If an argument is out of its range.
    """
    times, images = zip(
        *iter_frames(
            path, fps=fps, start_s=start_s, end_s=end_s, size=size, aspect=aspect, roi=roi, crop=crop
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


def write_video(path: Path, frames: Iterable[Image], fps: float, crf: int = 23) -> None:
    """Write frames as H.264 (yuv420p), which every browser plays from an ``.mp4``.

    A width or height that is odd, which yuv420p can't hold, grows by one pixel that repeats the edge. The
    encoder runs on one thread, so that the same frames give the same bytes on every machine.

    Args:
        path: The file to write: .mp4, .mov, .mkv, .avi or .ts, in a folder that exists.
        frames: Pictures of one size, uint8 RGB.
        fps: Frames a second.
        crf: Constant rate factor of x264: 0 is lossless, 51 the smallest file.

    Shape:
        frames: each ``(H, W, 3)``.

    Raises:
        ValueError: If the suffix is another, there is no frame, or a frame is not uint8 RGB of one size.
        OSError: If the file can't be written.
    """
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        raise ValueError(f"Expected at least one frame to write to '{path}', but got none.")
    _check_request(fps, None, "pad", None)
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in _WRITABLE:
        raise ValueError(f"Expected '{path}' to end in one of {', '.join(_WRITABLE)}, but got '{suffix}'.")
    options = {"movflags": "+faststart"} if suffix in {".mp4", ".mov"} else {}
    try:
        with (
            write_atomically(path) as temporary,
            av.open(str(temporary), "w", options=options) as container,
        ):
            stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
            height, width = first.shape[:2]
            stream.height, stream.width = height + height % 2, width + width % 2
            stream.pix_fmt, stream.thread_count = "yuv420p", 1
            # x264's macroblock tree gives other bytes from run to run on AVX-512
            stream.options = {"crf": str(crf), "preset": "superfast", "x264-params": "mbtree=0"}
            for image in chain([first], remaining):
                container.mux(stream.encode(_to_encode(path, image, first.shape)))
            container.mux(stream.encode())
    except av.FFmpegError as error:
        raise VideoError(
            f"Expected to write '{path}', but got: {error.strerror}. Check the free space."
        ) from error


def _to_encode(path: Path, image: Image, shape: tuple[int, ...]) -> av.VideoFrame:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.shape != shape:
        raise ValueError(
            f"Expected the frames for '{path}' to be uint8 (H, W, 3) of one size, but got {image.dtype} "
            f"{image.shape} where the first is {shape}."
        )
    if shape[0] % 2 or shape[1] % 2:
        image = np.pad(image, ((0, shape[0] % 2), (0, shape[1] % 2), (0, 0)), mode="edge")
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
