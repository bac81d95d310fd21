"""Frames of a camera, a network stream or a file, with their times."""

import math
import re
from collections.abc import Callable, Generator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import av
import cv2
import numpy as np

from tt_actions.errors import VideoError
from tt_actions.video.decoder import open_decoder

Timed = Generator[tuple[float | None, av.VideoFrame | None], None, None]

TIMEOUT_S = 5.0
"""Timeout in seconds after which a network source is lost."""

# without file: a playlist could read a local one
_INNER_PROTOCOLS = "rtsp,rtsps,rtp,srtp,udp,tcp,tls,http,https,httpproxy,crypto"


def name_source(source: str) -> str:
    """Return a short name of a source for display and file names, without password and query.

    Args:
        source: Number of a camera, URL of a stream, or path of a video file.

    >>> name_source("rtsp://user:secret@10.0.0.5:554/court/1?token=x"), name_source("0")
    ('10.0.0.5_554_court_1', 'camera 0')
    """
    if source.isdecimal():
        return f"camera {int(source)}"
    if "://" not in source:
        return Path(source).name
    parts = urlsplit(source)
    address = parts.netloc.rpartition("@")[2] + parts.path
    return re.sub(r"[^\w.\-]+", "_", address).strip("_") or parts.scheme


def hide_password(source: str) -> str:
    """Return the address of a source without user, password and query.

    Args:
        source: Number of a camera, URL of a stream, or path of a video file.

    >>> hide_password("rtsp://user:secret@10.0.0.5:554/court/1?token=x"), hide_password("0")
    ('rtsp://10.0.0.5:554/court/1', '0')
    """
    if "://" not in source:
        return source
    parts = urlsplit(source)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def read_file(path: Path) -> Timed:
    """Read the frames of a file.

    Args:
        path: The video file.

    Yields:
        Time in seconds and frame; finally, the end of the video and None.

    Raises:
        VideoError: If the file can't be read.
    """
    with open_decoder(path) as decoder:
        yield from decoder.frames()
        yield decoder.end_s, None
        decoder.report_damage(0.0, math.inf, found=decoder.end_s > 0)


def read_stream(address: str, on_damage: Callable[[], object]) -> Timed:
    """Read the frames of a network stream.

    Args:
        address: Its URL.
        on_damage: Called for each damaged packet, which gives no frame.

    Yields:
        Time in seconds by the stream's own clock, or None if it has none, and frame.

    Raises:
        VideoError: If it contains no video.
        FFmpegError: If it can't be opened, or breaks off.
    """
    options = {
        "protocol_whitelist": _INNER_PROTOCOLS,
        "rtsp_transport": "tcp",  # over UDP, every lost packet damages a frame
        "analyzeduration": "500000",  # microseconds of MPEG-TS that are read before the first frame
    }
    with av.open(address, options=options, timeout=TIMEOUT_S, metadata_errors="ignore") as container:
        if not container.streams.video:
            raise VideoError("it contains no video")
        stream = container.streams.video[0]
        stream.thread_type = "SLICE"  # one thread per frame would delay frames
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                on_damage()
                continue
            for frame in frames:
                yield frame.time, frame


def read_camera(number: int) -> Timed:
    """Read the frames of a local camera.

    Args:
        number: Number of the camera.

    Yields:
        None, because a camera gives no times, and frame.

    Raises:
        VideoError: If the camera does not exist or is in use.
    """
    capture = cv2.VideoCapture(number)
    try:
        if not capture.isOpened():
            raise VideoError("there is no such camera, or another program is using it")
        while True:
            has_frame, image = capture.read()
            if not has_frame:
                return
            yield None, av.VideoFrame.from_ndarray(np.asarray(image, np.uint8), format="bgr24")
    finally:
        capture.release()
