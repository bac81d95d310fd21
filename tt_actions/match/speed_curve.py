"""The speed of the players' hands over time, small enough for a page."""

import base64
import math
from typing import Any, NamedTuple

import numpy as np

from tt_actions.recognition.analysis import MatchAnalysis, PlayerMotion

MAX_RATE = 20.0
"""Maximum number of values per second and player."""

MAX_BYTES = 150_000
"""Maximum size of all curves in bytes; for a longer match, there are fewer values per second."""

LOST = 255
"""The value while a player is not found."""


class SpeedCurves(NamedTuple):
    """The speed of the faster hand of each player, as the highest in each of many short times.

    Args:
        rate: Number of values per second.
        top: Speed that the value 254 stands for, in trunk lengths per second.
        levels: Speed of each player from 0 to 254, or :data:`LOST`.

    Shape:
        levels ``(P, N)``, uint8.
    """

    rate: float
    top: float
    levels: np.ndarray


def reduce_speeds(motion: PlayerMotion, times_s: np.ndarray, duration_s: float) -> SpeedCurves:
    """Reduce the speed of the hands to few values.

    A time without an image, in a video with few of them, gets the value before.

    Args:
        motion: Joints and speeds of the players.
        times_s: Time of each image in seconds, ascending.
        duration_s: Length of the video in seconds.

    Shape:
        times_s ``(T,)``.
    """
    speeds = motion.hand_speed
    steps_s = np.diff(times_s)
    own_rate = 1 / float(np.median(steps_s)) if len(steps_s) else MAX_RATE
    rate = min(MAX_RATE, own_rate, MAX_BYTES / (len(speeds) * duration_s))
    num = max(1, math.ceil(duration_s * rate))
    places = np.minimum((times_s * rate + 1e-6).astype(int), num - 1)
    highest = np.full((len(speeds), num), -np.inf)
    for own, speed in zip(highest, speeds, strict=True):
        np.maximum.at(own, places, np.where(np.isnan(speed), -1.0, speed))
    for place in np.flatnonzero(np.isinf(highest[0])):
        highest[:, place] = highest[:, place - 1] if place else -1
    top = max(float(highest.max()), motion.least_speed, 1e-6)
    levels = np.round(np.clip(highest, 0, None) / top * (LOST - 1)).astype(np.uint8)
    return SpeedCurves(rate, top, np.where(highest < 0, LOST, levels).astype(np.uint8))


def embed_speeds(analysis: MatchAnalysis) -> dict[str, Any]:
    """Return the speed of the hands as plain values for the script of a page.

    Args:
        analysis: Result of an analysis with joints.
    """
    assert analysis.motion is not None
    curves = reduce_speeds(analysis.motion, analysis.times_s, analysis.duration_s)
    return {
        "rate": curves.rate,
        "top": round(curves.top, 3),
        "least": round(analysis.motion.least_speed, 3),
        "levels": [base64.b64encode(own.tobytes()).decode() for own in curves.levels],
    }
