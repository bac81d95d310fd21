"""Sources of a live analysis: a camera, a network stream, or a file played in real time."""

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Condition, Event, Thread
from typing import Literal

import av

from tt_actions.errors import UserError, VideoError
from tt_actions.match.live.frames import FrameChoice, FrameGrid, LiveFrame
from tt_actions.match.live.readers import (
    TIMEOUT_S,
    Timed,
    hide_password,
    name_source,
    read_camera,
    read_file,
    read_stream,
)

State = Literal["running", "lost", "ended", "failed", "stopped"]

RETRY_S = 30.0
"""Seconds during which the reader tries to reconnect to a lost source."""

MAX_QUEUE_S = 0.5
"""Maximum seconds of frames that wait for the network; beyond this, the oldest are dropped."""

GAP_S = 2.0
"""Seconds without a frame after which a new part begins."""

MAX_LEAD_S = 2.0
"""Maximum seconds by which a stream may be ahead of the clock: at first, a camera sends buffered frames."""

_PROTOCOLS = ("rtsp", "rtsps", "http", "https", "udp", "tcp")
_LONGEST_WAIT_S = 8.0
_LONGEST_JUMP_S = 60.0  # in a stream's own timestamps
_SAME_TIME_S = 1e-3


class LiveSource:
    """Reads a source in its own thread into a short queue of frames.

    If the caller is too slow, the oldest frames are dropped and counted. The reader reconnects to a lost
    camera or stream after 1, 2, 4 and then every 8 seconds.

    Args:
        source: Number of a camera, URL of a stream, or path of a video file.
        retry_s: Seconds during which it tries to reconnect to a lost source.

    Raises:
        ValueError: If the URL has an unknown scheme, or ``retry_s`` is negative.
    """

    def __init__(self, source: str, retry_s: float = RETRY_S) -> None:
        scheme = source.partition("://")[0] if "://" in source else ""
        if scheme and scheme.lower() not in _PROTOCOLS:
            raise UserError(
                f"Expected `source` to be a camera number, a file, or a URL with one of the schemes "
                f"{', '.join(_PROTOCOLS)}, but got the scheme '{scheme}'."
            )
        if not 0 <= retry_s < math.inf:
            raise UserError(f"Expected `retry_s` to be at least 0, but got {retry_s}.")
        self.source, self.retry_s = source, retry_s
        self.is_file = not scheme and not source.isdecimal()
        self.title = name_source(source)
        self.num_damaged = 0  # damaged packets of a stream, without a frame
        self.state: State = "running"
        self.message = ""
        self.num_dropped = 0
        self.first: av.VideoFrame | None = None
        self._origin_s = 0.0
        self._choice: FrameChoice = FrameGrid(1.0, math.inf)
        self._has_frame = False  # since the source was last opened
        self._waiting: deque[LiveFrame] = deque()
        self._changed = Condition()
        self._stopping = Event()

    def start(self, fps: float, choice: type[FrameChoice] = FrameGrid) -> av.VideoFrame:
        """Start reading, and wait for the first frame.

        Args:
            fps: Frames per second to return.
            choice: How to choose them.

        Returns:
            The first frame.

        Raises:
            VideoError: If no frame arrives.
        """
        self._choice = choice(fps, math.inf if self.is_file else GAP_S)
        Thread(target=self._run, name="live source", daemon=True).start()
        with self._changed:
            while self.first is None and self.state == "running":
                self._changed.wait(0.1)  # short, so Ctrl-C works
        if self.first is None:
            raise VideoError(self.message)
        return self.first

    def take(self, most: int, timeout_s: float, batch: int = 1_000_000) -> list[LiveFrame]:
        """Return the waiting frames, or the newest of them if there are too many.

        Args:
            most: Maximum number of frames that may wait; older ones are dropped.
            timeout_s: Maximum seconds to wait for the first.
            batch: Maximum number of frames to return; later ones keep waiting.

        Returns:
            The frames in order; empty if none arrived.
        """
        with self._changed:
            if not self._waiting:
                self._changed.wait(timeout_s)
            self._drop(max(most, 1))
            return [self._waiting.popleft() for _ in range(min(batch, len(self._waiting)))]

    def set_rate(self, fps: float) -> None:
        """Change the number of frames to return.

        Args:
            fps: Frames per second.
        """
        self._choice.fps = fps

    def stop(self) -> None:
        """Stop reading, and discard waiting frames."""
        self._stopping.set()
        if self.state in ("running", "lost"):
            self._set_state("stopped")

    def _drop(self, most: int) -> None:
        while len(self._waiting) > most:
            self._waiting.popleft()
            self.num_dropped += 1

    def _enqueue(self, frames: Iterator[LiveFrame]) -> None:
        for frame in frames:
            with self._changed:
                self._waiting.append(frame)
                self._drop(max(2, round(MAX_QUEUE_S * self._choice.fps)))
                self._changed.notify_all()

    def _set_state(self, state: State, message: str = "") -> None:
        with self._changed:
            if self.state != "stopped":
                self.state, self.message = state, message
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            self._read_until_end()
        finally:
            if self.state in ("running", "lost"):  # a bug must not leave the caller waiting
                self._set_state("stopped" if self._stopping.is_set() else "failed", "the reader failed")

    def _read_until_end(self) -> None:
        """Read the source, and reconnect when it is lost, until it finally ends."""
        wait_s, last_frame_s = 1.0, 0.0
        while not self._stopping.is_set():
            self._has_frame = False
            reason = self._read()
            self._choice.interrupt()
            now_s = time.monotonic()
            if self._has_frame:
                wait_s, last_frame_s = 1.0, now_s
            if self.is_file:
                self._set_state("failed" if reason else "ended", reason)
                return
            if self.first is None or now_s + wait_s > last_frame_s + self.retry_s:
                problem = f"Expected frames from '{hide_password(self.source)}', but got none: {reason}."
                self._set_state(
                    "failed", f"{problem} Check the address, and that the camera or server is running."
                )
                return
            self._set_state("lost", f"{reason}; reconnecting in {wait_s:g} s")
            self._stopping.wait(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _read(self) -> str:
        """Read until the source ends or fails, and return the reason."""
        started_s = time.monotonic()
        try:
            with closing(self._frames()) as frames:
                self._choose(frames)
        except VideoError as error:
            return str(error)
        except av.ExitError:
            return f"no response for {TIMEOUT_S:g} s"
        except (av.FFmpegError, OSError) as error:
            if time.monotonic() - started_s >= TIMEOUT_S and not self._has_frame:
                return f"no response for {TIMEOUT_S:g} s"  # RTSP reports invalid data
            return str(error.strerror)
        return "" if self.is_file else "the stream ended"

    def _frames(self) -> Timed:
        if self.is_file:
            return read_file(Path(self.source))
        if self.source.isdecimal():
            return read_camera(int(self.source))
        return read_stream(self.source, self._count_damage)

    def _choose(self, frames: Timed) -> None:
        """Choose frames, none before its time; frames of a stream may be slightly early."""
        begun: tuple[float, float] | None = None  # the same moment in the stream's time and in ours
        last_s = 0.0
        for stamp_s, frame in frames:
            arrived_s = time.monotonic()
            if frame is not None:
                self._register(frame, arrived_s)
            if stamp_s is None:
                time_s = arrived_s - self._origin_s
            else:
                if begun is None or not -_SAME_TIME_S <= stamp_s - last_s < _LONGEST_JUMP_S:
                    begun = stamp_s, 0.0 if self.is_file else arrived_s - self._origin_s
                last_s = stamp_s
                time_s = stamp_s if self.is_file else begun[1] + stamp_s - begun[0]
            early_s = self._origin_s + time_s - arrived_s - (0 if self.is_file else MAX_LEAD_S)
            if self._stopping.wait(max(0.0, early_s)):
                return
            shown_s = self._origin_s + time_s if self.is_file else arrived_s
            choice = self._choice
            self._enqueue(choice.until(time_s) if frame is None else choice.push(time_s, shown_s, frame))

    def _count_damage(self) -> None:
        self.num_damaged += 1

    def _register(self, frame: av.VideoFrame, arrived_s: float) -> None:
        """Note the first frame, from which all times count, and the first one after a loss."""
        self._has_frame = True
        if self.first is None:
            self._origin_s = arrived_s
            with self._changed:
                self.first = frame
                self._changed.notify_all()
        elif self.state == "lost":
            self._set_state("running")
