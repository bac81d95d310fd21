"""Frames of several regions of one video, decoded only once, with optional player following and flow."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import tee
from pathlib import Path
from typing import Literal

import av

from tt_actions.errors import VideoError
from tt_actions.video.decoder import open_decoder
from tt_actions.video.flow import DETAIL, with_flow
from tt_actions.video.following import Window, cut_out, follow_player
from tt_actions.video.info import probe
from tt_actions.video.scaling import Aspect, Scaler
from tt_actions.video.types import Image, Roi

Crop = Literal["none", "motion"]


def read_tracks(
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
    """Read several regions of a video, decoding it only once.

    :func:`tt_actions.clips.specs.iter_tracks` checks the arguments first.

    Args:
        path: The video file.
        fps: Frames per second to sample at, or None for every frame at its own time.
        start_s: Start in seconds.
        end_s: End in seconds (exclusive), or infinity.
        size: Height and width to scale to, or None to keep the size.
        aspect: ``pad`` keeps the aspect ratio and pads with black; ``stretch`` does not keep it.
        rois: The regions; None for the whole frame.
        crop: ``motion`` cuts a window around the player out of each region; ``none`` keeps the whole region.
        flow: Whether to add the optical flow as two channels after the colours.

    Yields:
        The time in seconds, and the frame of each region.

    Raises:
        VideoError: If the file can't be read, the times or a region lie outside it, or there is no frame.
    """
    detailed = None if size is None else (size[0] * DETAIL, size[1] * DETAIL) if flow else size
    follows = crop == "motion"
    scalers = [Scaler(path, None if follows else detailed, aspect, roi) for roi in rois]
    images = _iterate(path, fps, start_s, end_s, scalers)
    if not (follows or flow):
        return images
    flow_fps = None
    if flow:
        assert fps is not None
        flow_fps = min(fps, probe(path).fps)  # sampling faster than the file only repeats frames
    tracks = [
        _finish(_track(copy, index), follows, detailed, flow_fps)
        for index, copy in enumerate(tee(images, len(rois)))
    ]
    return ((frames[0][0], tuple(image for _, image in frames)) for frames in zip(*tracks, strict=True))


def _track(frames: Iterable[tuple[float, tuple[Image, ...]]], index: int) -> Iterator[tuple[float, Image]]:
    return ((time_s, images[index]) for time_s, images in frames)


def _finish(
    images: Iterator[tuple[float, Image]],
    follows: bool,
    size: tuple[int, int] | None,
    flow_fps: float | None,
) -> Iterator[tuple[float, Image]]:
    """Cut out the windows and, if requested, compute the flow within each window."""
    frames = follow_player(images) if follows else ((*timed, None) for timed in images)
    before: Image | None = None
    current: Image | None = None
    for time_s, image, window in frames:
        if image is not current:  # an image that is shown again keeps its flow
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
        if decoder.header_duration_s is not None:
            decoder.check_within_duration(start_s, end_s, decoder.header_duration_s)
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
                f"Expected every frame of '{path}' to be decodable, but decoding fails at "
                f"{decoder.end_s:.3f} s ({error.strerror}). Convert it to MP4 (H.264)."
            ) from error
        decoder.report_damage(start_s, end_s, found=converted is not None)
