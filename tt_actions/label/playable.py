"""Videos as a browser plays them: as they are, or converted."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from tt_actions.errors import UserError
from tt_actions.video.container import open_container, video_stream
from tt_actions.video.encoder import write_with_sound
from tt_actions.video.frames import iter_frames
from tt_actions.video.info import VideoInfo, probe
from tt_actions.video.types import Image

MAX_HEIGHT = 720
"""Largest height of a converted video in pixels."""

_PIXELS = ("yuv420p", "yuvj420p")  # other H.264 is for cameras and archives
_CODECS = {"mov,mp4": ("h264", "av1", "vp9"), "matroska": ("h264", "vp8", "vp9", "av1")}


def is_playable(path: Path) -> bool:
    """Return whether browsers probably play a video as it is.

    Not all do; the page asks for a conversion if its browser does not.

    Args:
        path: The video.

    Raises:
        VideoError: If it can't be read.
    """
    with open_container(path) as container:
        stream = video_stream(path, container)
        codec, pixels = stream.codec_context.name, stream.codec_context.pix_fmt
        codecs = [own for name, own in _CODECS.items() if container.format.name.startswith(name)]
    return pixels in _PIXELS and any(codec in own for own in codecs)


class Conversion:
    """Converts a video in a thread of its own.

    Args:
        path: The video.
        out: The ``.mp4`` to write.
    """

    def __init__(self, path: Path, out: Path) -> None:
        self.path, self.out = path, out
        self.share = 0.0
        self.is_done = False
        self.message: str | None = None
        self._is_stopped = Event()
        self._thread: Thread | None = None
        self._starting = Lock()

    def start(self) -> None:
        """Start it, unless it runs or is done."""
        with self._starting:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="conversion", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End it, finished or not."""
        self._is_stopped.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def progress(self) -> dict[str, Any]:
        """The share that is done, whether all is, and the message of an error."""
        return {"share": round(self.share, 3), "is_done": self.is_done, "message": self.message}

    def _run(self) -> None:
        try:
            self._convert(probe(self.path))
            self.is_done = not self._is_stopped.is_set()
        except (UserError, OSError) as error:
            self.message = str(error)

    def _convert(self, info: VideoInfo) -> None:
        height = min(info.height, MAX_HEIGHT)
        size = height, max(1, round(info.width * height / info.height))
        frames = iter_frames(self.path, size=None if height == info.height else size, aspect="stretch")
        write_with_sound(self.out, self._watch(frames, info.duration_s), self.path)

    def _watch(
        self, frames: Iterator[tuple[float, Image]], duration_s: float
    ) -> Iterator[tuple[float, Image]]:
        for time_s, image in frames:
            if self._is_stopped.is_set():
                return
            self.share = min(1.0, time_s / duration_s)
            yield time_s, image
