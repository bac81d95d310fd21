"""Video files out: H.264."""

import math
from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np

from tt_actions.decoder import VideoError
from tt_actions.files import write_atomically

Image = np.ndarray

_WRITABLE = (".mp4", ".mov", ".mkv", ".avi", ".ts")


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
    if not 0 < fps < math.inf:
        raise ValueError(f"Expected `fps` to be positive, but got {fps}.")
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
