"""What a live analysis reports: strokes, how it stands, and its result."""

from dataclasses import dataclass
from typing import NamedTuple

import av
import numpy as np

from tt_actions.clips.strokes import Stroke
from tt_actions.match.live.source import State
from tt_actions.recognition.analysis import MatchAnalysis


class LiveStroke(NamedTuple):
    """A stroke, and how late it was told.

    Args:
        stroke: The stroke, with its player.
        delay_s: Seconds from when its last frame was there till it was told.
    """

    stroke: Stroke
    delay_s: float


class LiveStatus(NamedTuple):
    """How a live analysis stands.

    Args:
        state: Of the source.
        message: What is the matter with it.
        time_s: Time of the newest frame, in seconds from the first.
        fps: Frames a second that went through the network in the last seconds.
        num_frames: Frames that have gone through the network.
        num_dropped: Frames that were dropped because it was too slow.
        delay_s: Median delay of the last strokes; None before the first.
        slow_delay_s: Their 95th percentile.
        now: Likeliest class of each player's newest frame that is known, and its probability.
        frame: The newest frame.
    """

    state: State
    message: str
    time_s: float
    fps: float
    num_frames: int
    num_dropped: int
    delay_s: float | None
    slow_delay_s: float | None
    now: tuple[tuple[str, float], ...]
    frame: av.VideoFrame


@dataclass(frozen=True)
class LiveResult:
    """What came of a live analysis.

    Args:
        analysis: What was found. Where frames were dropped the probabilities are those of the frame before.
        strokes: The strokes with their delays, in the order in which they were told.
        latencies_s: Of each frame, seconds from when it was there till the network was through with it.
        num_dropped: Frames that were dropped because the network was too slow.
        state: How it ended: ``ended`` with the file, ``stopped``, or ``failed``.
        message: Why it failed.

    Shape:
        latencies_s ``(T,)``, float32.
    """

    analysis: MatchAnalysis
    strokes: tuple[LiveStroke, ...]
    latencies_s: np.ndarray
    num_dropped: int
    state: State
    message: str
