"""What a video file holds, without reading all of it."""

from dataclasses import dataclass
from pathlib import Path

from tt_actions.errors import VideoError
from tt_actions.video.decoder import open_decoder
from tt_actions.video.scaling import Scaler


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
