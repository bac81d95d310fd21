"""Frames of a camera, of a stream of the network or of a file, with the times that they come with."""

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

ANSWER_S = 5.0
"""Seconds without an answer after which a source of the network is lost."""

_INNER_PROTOCOLS = (
    "rtsp,rtsps,rtp,srtp,udp,tcp,tls,http,https,httpproxy,crypto"  # no file: a playlist names them
)


def name_source(source: str) -> str:
    """Name a source in a word that can be shown and be a file's name: without password and query.

    Args:
        source: A camera's number, the address of a stream, or a video file.

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
    """Return a source as it was given, without user, password and query.

    Args:
        source: A camera's number, the address of a stream, or a video file.

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
        Time in seconds and frame, and at last the end of the video and None.

    Raises:
        VideoError: If the file can't be read.
    """
    with open_decoder(path) as decoder:
        yield from decoder.frames()
        yield decoder.end_s, None
        decoder.report_damage(0.0, math.inf, found=decoder.end_s > 0)


def read_stream(address: str, on_damage: Callable[[], object]) -> Timed:
    """Read the frames of a stream of the network.

    Args:
        address: Its URL.
        on_damage: Called for each packet that was damaged on the way, and gives no frame.

    Yields:
        Time in seconds by the stream's own clock, or None where it has none, and frame.

    Raises:
        VideoError: If it holds no video.
        FFmpegError: If it can't be opened, or breaks off.
    """
    options = {
        "protocol_whitelist": _INNER_PROTOCOLS,
        "rtsp_transport": "tcp",  # by UDP each packet that is lost is a broken picture
        "analyzeduration": "500000",  # microseconds; MPEG-TS is read that far before the first frame
    }
    with av.open(address, options=options, timeout=ANSWER_S, metadata_errors="ignore") as container:
        if not container.streams.video:
            raise VideoError("it holds no video")
        stream = container.streams.video[0]
        stream.thread_type = "SLICE"  # threads by frames hold back as many frames
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                on_damage()
                continue
            for frame in frames:
                yield frame.time, frame


def read_camera(number: int) -> Timed:
    """Read the frames of a camera of this machine.

    Args:
        number: Which.

    Yields:
        None, for a camera tells no times, and frame.

    Raises:
        VideoError: If there is no such camera.
    """
    capture = cv2.VideoCapture(number)
    try:
        if not capture.isOpened():
            raise VideoError("there is no such camera, or another program uses it")
        while True:
            has_come, image = capture.read()
            if not has_come:
                return
            yield None, av.VideoFrame.from_ndarray(np.asarray(image, np.uint8), format="bgr24")
    finally:
        capture.release()
