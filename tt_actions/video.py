"""Video files: frames at exact times, upright."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import tee
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import av
import numpy as np

from tt_actions.decoder import VideoError, VideoWarning, open_decoder
from tt_actions.flow import DETAIL, with_flow
from tt_actions.inputs import InputSpec, Roi, Timed
from tt_actions.player import Window, cut_out, follow_player
from tt_actions.scaling import Aspect, Scaler

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
    "iter_tracks",
    "probe",
    "read_frames",
]

Crop = Literal["none", "motion"]
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
class FrameSpec(InputSpec):
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

    def cache_key(self, roi: Roi | None) -> list[Any]:
        """Return what decides on the pixels beside the file's content and the times.

        Args:
            roi: The clip's own region, which goes before that of the spec.
        """
        pixels: list[Any] = [roi or self.roi, float(self.fps), self.size, self.aspect, self.crop]
        return [*pixels, "flow"] if self.flow else pixels

    def read(
        self, path: Path, start_s: float = 0.0, end_s: float | None = None, roi: Roi | None = None
    ) -> Timed:
        """Read the frames of a clip.

        Args:
            path: The video file.
            start_s: Start of the clip in seconds.
            end_s: End of the clip in seconds, or None for the end of the file.
            roi: The clip's own region, which goes before that of the spec.

        Returns:
            Frames ``(T, H, W, C)``, uint8, and their times.

        Raises:
            VideoError: If the clip can't be read.
        """
        frames, times_s = read_frames(
            path,
            fps=self.fps,
            start_s=start_s,
            end_s=end_s,
            size=self.size,
            aspect=self.aspect,
            roi=roi or self.roi,
            crop=self.crop,
            flow=self.flow,
        )
        return Timed(frames, times_s)


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
    _check_times(path, start_s, end_s)
    end_s = math.inf if end_s is None else end_s
    tracks = _iter_tracks(Path(path), fps, start_s, end_s, size, aspect, [roi], crop, flow)
    return ((time_s, image) for time_s, (image,) in tracks)


def _check_times(path: Path, start_s: float, end_s: float | None) -> None:
    if not 0 <= start_s < (math.inf if end_s is None else end_s) or math.isinf(start_s):
        raise VideoError(
            f"Expected `start_s` and `end_s` for '{path}' to be 0 <= start < end, but got {start_s}, {end_s}."
        )


def iter_tracks(
    path: Path, spec: FrameSpec, rois: Sequence[Roi | None], start_s: float = 0.0, end_s: float | None = None
) -> Iterator[tuple[float, tuple[Image, ...]]]:
    """Read several regions of a video at once, decoded once, as :func:`iter_frames` reads one.

    Args:
        path: The video file.
        spec: How video becomes frames; its own region does not count.
        rois: The regions, such as one a player; None for the whole picture.
        start_s: Start in seconds.
        end_s: End in seconds (exclusive), or None for the end of the last frame's display.

    Yields:
        The time in seconds, and for each region its frame.

    Raises:
        VideoError: If the file can't be read, the times or a region are outside, or no frame is there.
        ValueError: If a region holds no pixel.
    """
    for roi in rois:
        check_roi(roi)
    _check_times(path, start_s, end_s)
    end_s = math.inf if end_s is None else end_s
    return _iter_tracks(
        Path(path), spec.fps, start_s, end_s, spec.size, spec.aspect, rois, spec.crop, spec.flow
    )


def _iter_tracks(
    path: Path,
    fps: float | None,
    start_s: float,
    end_s: float,
    size: tuple[int, int] | None,
    aspect: Aspect,
    rois: Sequence[Roi | None],
    crop: Crop,
    flow: bool,
) -> Iterator[tuple[float, tuple[Image, ...]]]:
    detailed = None if size is None else (size[0] * DETAIL, size[1] * DETAIL) if flow else size
    follows = crop == "motion"
    scalers = [Scaler(path, None if follows else detailed, aspect, roi) for roi in rois]
    pictures = _iterate(path, fps, start_s, end_s, scalers)
    if not (follows or flow):
        return pictures
    flow_fps = None
    if flow:
        assert fps is not None
        flow_fps = min(fps, probe(path).fps)  # one picture after the other, at whichever rate they come
    tracks = [
        _finish(_track(copy, place), follows, detailed, flow_fps)
        for place, copy in enumerate(tee(pictures, len(rois)))
    ]
    return ((frames[0][0], tuple(image for _, image in frames)) for frames in zip(*tracks, strict=True))


def _track(pictures: Iterable[tuple[float, tuple[Image, ...]]], place: int) -> Iterator[tuple[float, Image]]:
    return ((time_s, images[place]) for time_s, images in pictures)


def _finish(
    pictures: Iterator[tuple[float, Image]],
    follows: bool,
    size: tuple[int, int] | None,
    flow_fps: float | None,
) -> Iterator[tuple[float, Image]]:
    """Cut the windows out, and find the flow where that is asked for, seen through one window."""
    frames = follow_player(pictures) if follows else ((*picture, None) for picture in pictures)
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
    path: Path, fps: float | None, start_s: float, end_s: float, scalers: Sequence[Scaler]
) -> Iterator[tuple[float, tuple[Image, ...]]]:
    with open_decoder(path, start_s) as decoder:
        if decoder.promised_s is not None:
            decoder.check_inside(start_s, end_s, decoder.promised_s)
        if fps is None:
            chosen = decoder.frames_between(start_s, end_s)
        else:
            chosen = decoder.frames_at(fps, start_s, end_s)
        converted: av.VideoFrame | None = None
        images: tuple[Image, ...] = ()
        try:
            for time_s, frame in chosen:
                if frame is not converted:
                    converted, images = frame, tuple(scaler(frame) for scaler in scalers)
                yield time_s, images
        except av.FFmpegError as error:
            raise VideoError(
                f"Expected '{path}' to decode, but it fails at {decoder.end_s:.3f} s ({error.strerror}). "
                "Convert it to MP4 (H.264)."
            ) from error
        decoder.check_outcome(start_s, end_s, found=converted is not None)


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
        height, width = Scaler(path)(first[1]).shape[:2]
    if not num_frames or duration_s is None:
        with open_decoder(path) as decoder:
            num_frames, duration_s = decoder.count()
    return VideoInfo(path, duration_s, 1 / decoder.frame_s, width, height, codec, num_frames)
