"""Writing of H.264 video files, without sound or with the sound of the source video."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from tt_actions.errors import UserError, VideoError
from tt_actions.files import write_atomically
from tt_actions.video.decoder import Decoder, open_decoder
from tt_actions.video.sound import Sound
from tt_actions.video.types import Image

_WRITABLE = (".mp4", ".mov", ".mkv", ".avi", ".ts")
_TICKS = 90_000  # per second; a frame takes a whole number of ticks at all usual frame rates
_KEYFRAME_S = 2.0  # after a jump, a browser decodes from the keyframe before
_MATRICES = (1, 5, 6, 7, 9)  # those of H.273 table 4 that libswscale knows: BT.709, 601, 240M and 2020
_LIMITED = 1  # colour range of video


def write_video(path: Path, frames: Iterable[Image], fps: float, crf: int = 23) -> None:
    """Write frames as H.264 (yuv420p), which every browser can play from an ``.mp4``.

    An odd width or height, which yuv420p can't represent, grows by one pixel that repeats the edge. The
    encoder runs on one thread, so that the same frames give the same bytes on every machine.

    Args:
        path: The file to write: .mp4, .mov, .mkv, .avi or .ts, in a folder that exists.
        frames: Images of one size, uint8 RGB.
        fps: Frames per second.
        crf: Constant rate factor of x264: 0 is lossless, 51 gives the smallest file.

    Shape:
        frames: each ``(H, W, 3)``.

    Raises:
        ValueError: If the suffix is not supported, there is no frame, or the frames are not uint8 RGB images
            of one size.
        OSError: If the file can't be written.
    """
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        raise UserError(f"Expected at least one frame to write to '{path}', but got none.")
    if not 0 < fps < math.inf:
        raise UserError(f"Expected `fps` to be positive, but got {fps}.")
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in _WRITABLE:
        raise UserError(f"Expected '{path}' to end in one of {', '.join(_WRITABLE)}, but got '{suffix}'.")
    options = {"movflags": "+faststart"} if suffix in {".mp4", ".mov"} else {}
    with _open_output(path, options) as container:
        stream = _add_video_stream(container, first, fps)
        stream.thread_count = 1
        # with x264's macroblock tree, bytes differ from run to run on AVX-512
        stream.options = {"crf": str(crf), "preset": "superfast", "x264-params": "mbtree=0"}
        for image in chain([first], remaining):
            container.mux(stream.encode(_to_encode(path, image, first.shape)))
        container.mux(stream.encode())


def write_with_sound(path: Path, frames: Iterable[tuple[float, Image]], source: Path, crf: int = 23) -> None:
    """Write new frames for a video as an MP4, with the times of the frames and the sound of the video.

    Frames are H.264 (yuv420p) with the colour metadata of the source, as in :func:`write_video`, and a
    keyframe every two seconds. Sound that every browser plays is copied; other sound is converted to AAC.

    Args:
        path: The ``.mp4`` to write; not the source itself.
        frames: Increasing times in seconds, as in :func:`tt_actions.video.frames.iter_frames`, each with an
            image, uint8 RGB, all of one size.
        source: The video whose frame rate, colour metadata and sound are used.
        crf: Constant rate factor of x264: 0 is lossless, 51 gives the smallest file.

    Shape:
        frames: each image ``(H, W, 3)``.

    Raises:
        ValueError: If the suffix is not ``.mp4``, the source would be overwritten, or the frames are not
            uint8 RGB images of one size.
        VideoError: If the source can't be read.
        OSError: If the file can't be written.

    Warns:
        VideoWarning: If the sound is damaged; only the part that can be decoded is used.
    """
    if path.suffix.lower() != ".mp4" or path.resolve() == source.resolve():
        raise UserError(
            f"Expected an '.mp4' file other than the source '{source}' as output, but got '{path}'."
        )
    remaining = iter(frames)
    head = next(remaining, None)
    if head is None:
        raise UserError(f"Expected at least one frame to write to '{path}', but got none.")
    with open_decoder(source) as decoder, _open_output(path, {"movflags": "+faststart"}) as container:
        fps = 1 / decoder.frame_s
        stream = _add_video_stream(container, head[1], fps)
        stream.codec_context.time_base = Fraction(1, _TICKS)
        stream.codec_context.gop_size = max(1, round(_KEYFRAME_S * fps))
        stream.options = {"crf": str(crf), "preset": "veryfast"}
        matrix = _copy_colours(decoder, stream)
        sound = Sound(decoder, container)
        reformatter, last = VideoReformatter(), -1
        for time_s, image in chain([head], remaining):
            frame = reformatter.reformat(
                _to_encode(path, image, head[1].shape),
                format="yuv420p",
                dst_colorspace=matrix,
                dst_color_range=_LIMITED,
            )
            last = max(last + 1, round(time_s * _TICKS))
            frame.pts, frame.time_base, frame.duration = last, Fraction(1, _TICKS), round(_TICKS / fps)
            container.mux(stream.encode(frame))
            sound.write_until(time_s)
        container.mux(stream.encode())
        sound.write_until(math.inf)


@contextmanager
def _open_output(path: Path, options: dict[str, str]) -> Iterator[av.container.OutputContainer]:
    try:
        with write_atomically(path) as temporary, av.open(str(temporary), "w", options=options) as container:
            yield container
    except av.FFmpegError as error:
        raise VideoError(
            f"Expected to write '{path}', but got: {error.strerror}. Check the free disk space."
        ) from error


def _add_video_stream(container: av.container.OutputContainer, first: Image, fps: float) -> av.VideoStream:
    stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
    height, width = first.shape[:2]
    stream.height, stream.width = height + height % 2, width + width % 2
    stream.pix_fmt = "yuv420p"
    return stream


def _copy_colours(decoder: Decoder, stream: av.VideoStream) -> int:
    """Copy the source's colour metadata, and return its colour matrix, or libswscale's if it has none."""
    source, target = decoder.stream.codec_context, stream.codec_context
    target.color_range = _LIMITED
    if source.colorspace not in _MATRICES:
        return 5
    target.colorspace = source.colorspace
    target.color_primaries, target.color_trc = source.color_primaries, source.color_trc
    return int(source.colorspace)


def _to_encode(path: Path, image: Image, shape: tuple[int, ...]) -> av.VideoFrame:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.shape != shape:
        raise UserError(
            f"Expected the frames for '{path}' to be uint8 (H, W, 3) of one size, but got {image.dtype} "
            f"{image.shape} after a first frame of {shape}."
        )
    if shape[0] % 2 or shape[1] % 2:
        image = np.pad(image, ((0, shape[0] % 2), (0, shape[1] % 2), (0, 0)), mode="edge")
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
