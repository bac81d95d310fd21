"""Strokes, status and result of a live analysis."""

from dataclasses import dataclass
from typing import NamedTuple

import av
import numpy as np

from tt_actions.clips.strokes import Stroke
from tt_actions.match.live.source import State
from tt_actions.recognition.analysis import MatchAnalysis


class LiveStroke(NamedTuple):
    """A stroke, and the delay with which it was reported.

    Args:
        stroke: The stroke, with its player.
        delay_s: Seconds to the report from the arrival of its last frame or, for a model of joints, from the
            arrival of the frame of its contact.
    """

    stroke: Stroke
    delay_s: float


class LiveStatus(NamedTuple):
    """Current state of a live analysis.

    Args:
        state: Of the source.
        message: Reason why the source is lost or has failed; empty otherwise.
        time_s: Time of the newest frame, in seconds from the first.
        fps: Frames per second that the network, or the pose model, processed in the last seconds.
        num_frames: Number of frames that the network has processed.
        num_dropped: Number of frames dropped because the network was too slow.
        delay_s: Median delay of the last strokes; None before the first.
        slow_delay_s: 95th percentile of these delays; None before the first.
        now: For each player, the most likely class of the newest known frame, and its probability.
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
    """Result of a live analysis.

    Args:
        analysis: The analysis. Dropped frames have the probabilities of the frame before.
        strokes: The strokes with their delays, in the order in which they were reported.
        latencies_s: For each frame, seconds from its arrival until the network has processed it.
        num_dropped: Number of frames dropped because the network was too slow.
        state: How it ended: ``ended`` with the file, ``stopped``, or ``failed``.
        message: Reason of a failure; empty otherwise.

    Shape:
        latencies_s ``(T,)``, float32.
    """

    analysis: MatchAnalysis
    strokes: tuple[LiveStroke, ...]
    latencies_s: np.ndarray
    num_dropped: int
    state: State
    message: str
