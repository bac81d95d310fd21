"""What a live analysis watches: a camera, a stream of the network, or a file at the pace of real time."""

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Condition, Event, Thread
from typing import Literal, NamedTuple

import av

from tt_actions.errors import UserError, VideoError
from tt_actions.match.live.readers import (
    ANSWER_S,
    Timed,
    hide_password,
    name_source,
    read_camera,
    read_file,
    read_stream,
)

State = Literal["running", "lost", "ended", "failed", "stopped"]

RETRY_S = 30.0
"""Seconds for which a lost source is tried again."""

WAITING_S = 0.5
"""Seconds of frames that may wait for the network; of more the oldest are dropped."""

GAP_S = 2.0
"""Seconds without a frame after which what comes is a new beginning."""

AHEAD_S = 2.0
"""Seconds by which a stream may run ahead of the clock: a camera sends its last ones at once at first."""

_PROTOCOLS = ("rtsp", "rtsps", "http", "https", "udp", "tcp")
_LONGEST_WAIT_S = 8.0
_LONGEST_JUMP_S = 60.0  # in a stream's own times
_SAME_TIME_S = 1e-3
_KNOWN_LENGTHS = 8  # of frames


class LiveFrame(NamedTuple):
    """The frame on display at a moment of the model's frame rate.

    Args:
        time_s: The moment, in seconds from the first frame.
        available_s: When it was there, by ``time.monotonic``.
        frame: The frame.
        part: Number of the stretch without a break that it belongs to.
        shown_s: When it was first shown, in seconds from the first frame.
    """

    time_s: float
    available_s: float
    frame: av.VideoFrame
    part: int
    shown_s: float


class FrameGrid:
    """Gives the frame on display at k / fps for every k, as a decoder does of a file, while frames come.

    A frame is taken to stay on display at least as long as the shortest of the last ones did; beyond, what
    is on display is known once the next one is there.

    Args:
        fps: Frames a second.
        gap_s: Seconds without a frame after which a new part begins.
    """

    def __init__(self, fps: float, gap_s: float) -> None:
        self.fps, self.gap_s = fps, gap_s
        self.part = self.next = 0
        self.shown: tuple[float, float, av.VideoFrame] | None = None
        self._lengths_s: deque[float] = deque(maxlen=_KNOWN_LENGTHS)
        self._least_s = 0.0  # that a frame stays on display

    def push(self, time_s: float, available_s: float, frame: av.VideoFrame) -> Iterator[LiveFrame]:
        """Take in a frame, and yield what is on display as far as that is known.

        Args:
            time_s: When it is shown, in seconds from the first frame.
            available_s: When it was there.
            frame: The frame.
        """
        if self.shown is not None and time_s - self.shown[0] <= self.gap_s:
            yield from self.until(time_s)
            self._lengths_s.append(time_s - self.shown[0])
            self._least_s = min(self._lengths_s) if len(self._lengths_s) == _KNOWN_LENGTHS else 0.0
        else:
            self.part += 1
            if self.part > 1:
                self.next = max(self.next, math.ceil((time_s - _SAME_TIME_S) * self.fps))
        self.shown = time_s, available_s, frame
        yield from self.until(time_s + self._least_s)

    def until(self, end_s: float) -> Iterator[LiveFrame]:
        """Yield the last frame for what is left of the grid before a moment.

        Args:
            end_s: The moment, in seconds.
        """
        while self.shown is not None and (time_s := self.next / self.fps) < end_s - _SAME_TIME_S:
            shown_s, available_s, frame = self.shown
            waited_s = max(0.0, time_s - shown_s - self._least_s)  # where one is shown again
            yield LiveFrame(time_s, available_s + waited_s, frame, self.part, shown_s)
            self.next += 1


class LiveSource:
    """Reads a source in a thread of its own, and keeps a few frames for whoever takes them.

    Who is too slow loses the oldest of them, which are counted. A camera or a stream that is lost is tried
    again after 1, 2, 4 and then every 8 seconds.

    Args:
        source: A camera's number, the address of a stream, or a video file.
        retry_s: Seconds for which a lost source is tried again.

    Raises:
        ValueError: If the address is of another kind, or ``retry_s`` is negative.
    """

    def __init__(self, source: str, retry_s: float = RETRY_S) -> None:
        scheme = source.partition("://")[0] if "://" in source else ""
        if scheme and scheme.lower() not in _PROTOCOLS:
            raise UserError(
                f"Expected `source` to be a camera's number, a file or an address of "
                f"{', '.join(_PROTOCOLS)}, but got one of '{scheme}'."
            )
        if not 0 <= retry_s < math.inf:
            raise UserError(f"Expected `retry_s` of at least 0, but got {retry_s}.")
        self.source, self.retry_s = source, retry_s
        self.is_file = not scheme and not source.isdecimal()
        self.title = name_source(source)
        self.num_damaged = 0  # packets of a stream that gave no frame
        self.state: State = "running"
        self.message = ""
        self.num_dropped = 0
        self.first: av.VideoFrame | None = None
        self._origin_s = 0.0
        self._fps = 1.0
        self._has_come = False  # a frame, since the source was opened last
        self._waiting: deque[LiveFrame] = deque()
        self._changed = Condition()
        self._stopping = Event()

    def start(self, fps: float) -> av.VideoFrame:
        """Begin to read, and wait for the first frame.

        Args:
            fps: Frames a second that are wanted.

        Returns:
            The first frame.

        Raises:
            VideoError: If there is none.
        """
        self._fps = fps
        Thread(target=self._run, name="live source", daemon=True).start()
        with self._changed:
            while self.first is None and self.state == "running":
                self._changed.wait(0.1)  # a longer one would hold up Ctrl-C
        if self.first is None:
            raise VideoError(self.message)
        return self.first

    def take(self, most: int, timeout_s: float) -> list[LiveFrame]:
        """Take the frames that wait, the newest of them if they are too many.

        Args:
            most: How many may be taken; the others are dropped.
            timeout_s: Seconds to wait for the first.

        Returns:
            The frames in order; none if none came.
        """
        with self._changed:
            if not self._waiting:
                self._changed.wait(timeout_s)
            self._drop(max(most, 1))
            taken = list(self._waiting)
            self._waiting.clear()
        return taken

    def stop(self) -> None:
        """End reading; what waits is lost."""
        self._stopping.set()
        if self.state in ("running", "lost"):
            self._tell("stopped")

    def _drop(self, most: int) -> None:
        while len(self._waiting) > most:
            self._waiting.popleft()
            self.num_dropped += 1

    def _put(self, frames: Iterator[LiveFrame]) -> None:
        for frame in frames:
            with self._changed:
                self._waiting.append(frame)
                self._drop(max(2, round(WAITING_S * self._fps)))
                self._changed.notify_all()

    def _tell(self, state: State, message: str = "") -> None:
        with self._changed:
            if self.state != "stopped":
                self.state, self.message = state, message
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            self._read_on()
        finally:
            if self.state in ("running", "lost"):  # else an error of ours would leave all waiting
                self._tell("stopped" if self._stopping.is_set() else "failed", "its reader broke down")

    def _read_on(self) -> None:
        """Read, and read again what was lost, till it ends for good."""
        grid = FrameGrid(self._fps, math.inf if self.is_file else GAP_S)
        wait_s, lost_s = 1.0, 0.0
        while not self._stopping.is_set():
            self._has_come = False
            reason = self._read(grid)
            grid.shown = None
            now_s = time.monotonic()
            if self._has_come:
                wait_s, lost_s = 1.0, now_s
            if self.is_file:
                self._tell("failed" if reason else "ended", reason)
                return
            if self.first is None or now_s + wait_s > lost_s + self.retry_s:
                where = f"Expected pictures from '{hide_password(self.source)}', but got none: {reason}."
                self._tell("failed", f"{where} Check the address, and that the camera or server runs.")
                return
            self._tell("lost", f"{reason}; trying again in {wait_s:g} s")
            self._stopping.wait(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _read(self, grid: FrameGrid) -> str:
        """Read till the source ends or breaks, and say why."""
        begun_s = time.monotonic()
        try:
            with closing(self._frames()) as frames:
                self._follow(frames, grid)
        except VideoError as error:
            return str(error)
        except av.ExitError:
            return f"no answer for {ANSWER_S:g} s"
        except (av.FFmpegError, OSError) as error:
            if time.monotonic() - begun_s >= ANSWER_S and not self._has_come:
                return f"no answer for {ANSWER_S:g} s"  # RTSP calls that invalid data
            return str(error.strerror)
        return "" if self.is_file else "it ended"

    def _frames(self) -> Timed:
        if self.is_file:
            return read_file(Path(self.source))
        if self.source.isdecimal():
            return read_camera(int(self.source))
        return read_stream(self.source, self._count_damage)

    def _follow(self, frames: Timed, grid: FrameGrid) -> None:
        """Put frames on the grid, none earlier than it is shown; a stream's may be a little early."""
        begun: tuple[float, float] | None = None  # a moment by the stream's times, and by ours
        last_s = 0.0
        for stamp_s, frame in frames:
            arrived_s = time.monotonic()
            if frame is not None:
                self._welcome(frame, arrived_s)
            if stamp_s is None:
                time_s = arrived_s - self._origin_s
            else:
                if begun is None or not -_SAME_TIME_S <= stamp_s - last_s < _LONGEST_JUMP_S:
                    begun = stamp_s, 0.0 if self.is_file else arrived_s - self._origin_s
                last_s = stamp_s
                time_s = stamp_s if self.is_file else begun[1] + stamp_s - begun[0]
            early_s = self._origin_s + time_s - arrived_s - (0 if self.is_file else AHEAD_S)
            if self._stopping.wait(max(0.0, early_s)):
                return
            shown_s = self._origin_s + time_s if self.is_file else arrived_s
            self._put(grid.until(time_s) if frame is None else grid.push(time_s, shown_s, frame))

    def _count_damage(self) -> None:
        self.num_damaged += 1

    def _welcome(self, frame: av.VideoFrame, arrived_s: float) -> None:
        """Take notice of a frame: of the first, from which all times count, and of one after a loss."""
        self._has_come = True
        if self.first is None:
            self._origin_s = arrived_s
            with self._changed:
                self.first = frame
                self._changed.notify_all()
        elif self.state == "lost":
            self._tell("running")
