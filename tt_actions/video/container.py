"""Opening a video file and reading its streams, its frame rate and its size."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.stream import Disposition

from tt_actions.errors import VideoError

LONGEST_FRAME_S = 60.0  # a longer gap is a splice, not a still image
_PICTURE_FORMATS = ("image2", "tty", "_pipe")


@contextmanager
def open_container(path: Path) -> Iterator[av.container.InputContainer]:
    """Open a video file, and close it at the end of the block.

    Args:
        path: The file.

    Yields:
        The open file.

    Raises:
        VideoError: If there is no such file, or it is not a video.
    """
    if not path.is_file():
        raise VideoError(f"Expected a video file, but there is no file '{path}'. Check the path.")
    if path.stat().st_size == 0:
        raise VideoError(f"Expected '{path}' to be a video, but it is empty. Copy or export it again.")
    try:
        # the whitelist keeps a playlist disguised as a video from opening network addresses
        container = av.open(
            str(path.absolute()), metadata_errors="ignore", options={"protocol_whitelist": "file"}
        )
    except PermissionError as error:
        raise VideoError(
            f"Expected '{path}' to be readable, but got: {error.strerror}. Check the permissions."
        ) from error
    except (av.FFmpegError, OSError) as error:
        raise VideoError(
            f"Expected '{path}' to be a video, but it can't be opened ({error.strerror}). "
            "If it is cut off or damaged, copy it again; otherwise convert it to MP4 (H.264)."
        ) from error
    with container:
        yield container


def video_stream(path: Path, container: av.container.InputContainer) -> av.VideoStream:
    """Return the first video stream that is not a cover image.

    Args:
        path: The file, for messages.
        container: The open file.

    Raises:
        VideoError: If there is no video stream, or its codec is not supported.
    """
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams or container.format.name.endswith(_PICTURE_FORMATS):
        raise VideoError(f"Expected '{path}' to contain a video stream, but it has none. Use a video file.")
    if not streams[0].codec_context:
        raise VideoError(
            f"Expected '{path}' to use a supported codec, but it does not. Convert it to MP4 (H.264)."
        )
    return streams[0]


def frame_length_s(path: Path, stream: av.VideoStream) -> float:
    """Return the display time of one frame in seconds, from the frame rate in the file's header.

    Args:
        path: The file, for messages.
        stream: Its video stream.

    Raises:
        VideoError: If the header gives no plausible frame rate.
    """
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate is not None and rate * LONGEST_FRAME_S > 1:
            return float(1 / rate)
    raise VideoError(
        f"Expected '{path}' to give a valid frame rate, but got {stream.average_rate} frames per second. "
        "If it is damaged, copy it again; otherwise convert it to MP4 (H.264)."
    )


def matroska_bytes(path: Path) -> int:
    """Return the byte at which a Matroska file's Segment should end, or 0 if unknown or for other files.

    The size is an EBML variable-length integer (RFC 8794, section 4). It has as many leading zero bits as
    bytes follow the first byte; all ones mean unknown.

    Args:
        path: The file.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    at = head.find(b"\x18\x53\x80\x67") + 4  # the Segment's ID
    if not head.startswith(b"\x1a\x45\xdf\xa3") or at < 4 or at >= len(head) or head[at] == 0:
        return 0
    length = 9 - head[at].bit_length()
    unknown = (1 << 7 * length) - 1
    size = int.from_bytes(head[at : at + length], "big") & unknown
    return 0 if size == unknown else at + length + size
