"""Which frames of a live source a network gets, and at which times."""

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import av

MIN_RATE = 15.0
"""Lowest number of poses per second: a machine that is slower than this drops frames."""

_SHARE = 0.85  # of the time that the poses may take
_LATE_S = 0.1  # frames that have waited longer lower the rate
_WORSE, _BETTER = 0.2, 0.05  # weight of a pose that took longer, or shorter, than before
_SLOWER, _FASTER = 0.9, 1.02  # change of the rate per pose
_SAME_TIME_S = 1e-3
_KNOWN_LENGTHS = 8  # number of recent frame durations


class LiveFrame(NamedTuple):
    """A frame for the network.

    Args:
        time_s: Its time, in seconds from the first frame: a time step of the model's frame rate, or when it
            was first on display.
        available_s: When the frame arrived, by ``time.monotonic``.
        frame: The frame.
        part: Number of the uninterrupted part of the video that it belongs to.
        shown_s: When the frame was first on display, in seconds from the first frame.
    """

    time_s: float
    available_s: float
    frame: av.VideoFrame
    part: int
    shown_s: float


class FrameChoice(ABC):
    """Chooses among incoming frames.

    Args:
        fps: Frames per second.
        gap_s: Seconds without a frame after which a new part begins.
    """

    def __init__(self, fps: float, gap_s: float) -> None:
        self.fps, self.gap_s = fps, gap_s
        self.part = 0

    @abstractmethod
    def push(self, time_s: float, available_s: float, frame: av.VideoFrame) -> Iterator[LiveFrame]:
        """Add a frame, and yield the chosen frames as far as they are known by now.

        Args:
            time_s: When it is on display, in seconds from the first frame.
            available_s: When it arrived.
            frame: The frame.
        """

    @abstractmethod
    def until(self, end_s: float) -> Iterator[LiveFrame]:
        """Yield the remaining frames before the end of the video.

        Args:
            end_s: The end, in seconds.
        """

    @abstractmethod
    def interrupt(self) -> None:
        """End the part, because the source is lost."""


class FrameGrid(FrameChoice):
    """Resamples incoming frames to the times k / fps, as the decoder does for a file.

    A frame stays on display at least as long as the shortest of the last frames. After that time, the
    frame on display is known only once the next one arrives.

    Args:
        fps: Frames per second.
        gap_s: Seconds without a frame after which a new part begins.
    """

    def __init__(self, fps: float, gap_s: float) -> None:
        super().__init__(fps, gap_s)
        self.next = 0
        self.shown: tuple[float, float, av.VideoFrame] | None = None
        self._lengths_s: deque[float] = deque(maxlen=_KNOWN_LENGTHS)
        self._least_s = 0.0  # minimum time that a frame stays on display

    def push(self, time_s: float, available_s: float, frame: av.VideoFrame) -> Iterator[LiveFrame]:
        """Add a frame, and yield the frames on display as far as they are known by now.

        Args:
            time_s: When it is on display, in seconds from the first frame.
            available_s: When it arrived.
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

    def interrupt(self) -> None:
        """End the part, because the source is lost."""
        self.shown = None

    def until(self, end_s: float) -> Iterator[LiveFrame]:
        """Repeat the last frame for the remaining time steps before a point in time.

        Args:
            end_s: The point in time, in seconds.
        """
        while self.shown is not None and (time_s := self.next / self.fps) < end_s - _SAME_TIME_S:
            shown_s, available_s, frame = self.shown
            waited_s = max(0.0, time_s - shown_s - self._least_s)  # for a repeated frame
            yield LiveFrame(time_s, available_s + waited_s, frame, self.part, shown_s)
            self.next += 1


class FramePicker(FrameChoice):
    """Picks up to so many frames per second, evenly and each once, at their own times.

    The rate may change at any time. Frames in between are not wanted, so they do not count as dropped.

    Args:
        fps: Maximum number of frames per second.
        gap_s: Seconds without a frame after which a new part begins.
    """

    def __init__(self, fps: float, gap_s: float) -> None:
        super().__init__(fps, gap_s)
        self._last_s: float | None = None
        self._due_s = -math.inf

    def push(self, time_s: float, available_s: float, frame: av.VideoFrame) -> Iterator[LiveFrame]:
        """Add a frame, and yield it if it is its turn.

        Args:
            time_s: When it is on display, in seconds from the first frame.
            available_s: When it arrived.
            frame: The frame.
        """
        if self._last_s is None or time_s - self._last_s > self.gap_s:
            self.part += 1
        self._last_s = time_s
        if time_s >= self._due_s - _SAME_TIME_S:
            self._due_s = max(self._due_s + 1 / self.fps, time_s + 0.5 / self.fps)
            yield LiveFrame(time_s, available_s, frame, self.part, time_s)

    def until(self, end_s: float) -> Iterator[LiveFrame]:  # noqa: ARG002
        """Yield nothing, because every picked frame is known at once.

        Args:
            end_s: The end, in seconds.
        """
        yield from ()

    def interrupt(self) -> None:
        """End the part, because the source is lost."""
        self._last_s = None


class PoseRate:
    """Adapts the number of poses per second to what the machine can process.

    Args:
        most: Highest rate.
        least: Lowest rate.
    """

    def __init__(self, most: float, least: float = MIN_RATE) -> None:
        self.rate, self.most, self.least = most, most, min(most, least)
        self._cost_s: float | None = None

    def update(self, cost_s: float, waited_s: float) -> float:
        """Return the rate after another pose.

        Args:
            cost_s: Seconds that it took.
            waited_s: Seconds that its frame had waited before.

        >>> rate = PoseRate(30.0)
        >>> [round(rate.update(cost_s, 0.0), 1) for cost_s in (0.02, 0.05, 0.05)]
        [30.0, 30.0, 27.6]
        """
        if self._cost_s is None:
            self._cost_s = cost_s
        self._cost_s += (_WORSE if cost_s > self._cost_s else _BETTER) * (cost_s - self._cost_s)
        self.rate *= _SLOWER if waited_s > _LATE_S else _FASTER
        self.rate = max(min(self.rate, self.most, _SHARE / max(self._cost_s, 1e-6)), self.least)
        return self.rate
