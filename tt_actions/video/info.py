"""Basic information about a video file, without reading all of it."""

from dataclasses import dataclass
from pathlib import Path

from tt_actions.errors import VideoError
from tt_actions.video.decoder import open_decoder
from tt_actions.video.scaling import Scaler


@dataclass(frozen=True)
class VideoInfo:
    """Basic information about a video file.

    Args:
        path: The file.
        duration_s: Time in seconds from the start to the end of the last frame's display.
        fps: Average frame rate.
        width: Width of the upright frame, in pixels.
        height: Height of the upright frame, in pixels.
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


def probe(path: Path) -> VideoInfo:
    """Return basic information about a video file, from its header if possible, else by counting packets.

    Args:
        path: The video file.

    Raises:
        VideoError: If the file can't be read or contains no frame.
    """
    path = Path(path)
    with open_decoder(path) as decoder:
        stream = decoder.stream
        codec, num_frames, duration_s = stream.codec_context.name, stream.frames, decoder.duration_s
        first = next(decoder.frames(), None)
        if first is None:
            raise VideoError(
                f"Expected '{path}' to contain frames, but none can be decoded. Copy or export it again."
            )
        height, width = Scaler(path)(first[1]).shape[:2]
    if not num_frames or duration_s is None:
        with open_decoder(path) as decoder:
            num_frames, duration_s = decoder.count()
    return VideoInfo(path, duration_s, 1 / decoder.frame_s, width, height, codec, num_frames)
