"""How a stroke goes over time beside the references, aligned."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tt_actions.coach.alignment import aligned, phase_moments, pose_path, sample
from tt_actions.coach.measures import MEASURES_OVER_TIME
from tt_actions.coach.phases import Phases, hand_speed
from tt_actions.coach.stroke import BODY_HEIGHTS, RATE_HZ, StrokeMotion


class StrokeCurve(NamedTuple):
    """One number over a stroke's moments, and what the references have there.

    Args:
        title: What it is.
        unit: What it is in.
        own: The stroke's.
        low: What one reference in ten lies below.
        middle: Their median.
        high: What one in ten lies above.

    Shape:
        all ``(S,)``, at the moments of :func:`tt_actions.coach.alignment.phase_moments`.
    """

    title: str
    unit: str
    own: np.ndarray
    low: np.ndarray
    middle: np.ndarray
    high: np.ndarray


def draw_curves(stroke: StrokeMotion, others: Sequence[StrokeMotion]) -> list[StrokeCurve]:
    """Bring curves of references to the moments of a stroke, each by its own alignment.

    Args:
        stroke: The stroke.
        others: The references.
    """
    path = pose_path(stroke, RATE_HZ)
    places = [aligned(path, pose_path(other, RATE_HZ)) for other in others]
    curves = []
    for title, unit, read in MEASURES_OVER_TIME:
        own = _over_time(stroke, read)
        theirs = [sample(_over_time(other, read), place) for other, place in zip(others, places, strict=True)]
        low, middle, high = np.percentile(theirs, (10, 50, 90), axis=0)
        curves.append(StrokeCurve(title, unit, own, low, middle, high))
    speeds = [_speeds(other) for other in others]
    theirs = [sample(speed, place) for speed, place in zip(speeds, places, strict=True)]
    low, middle, high = np.percentile(theirs, (10, 50, 90), axis=0)
    in_body_heights = (100 * BODY_HEIGHTS, "% of body height a second")
    factor, unit = (stroke.trunk_m, "m/s") if stroke.trunk_m else in_body_heights
    curves.append(
        StrokeCurve(
            "speed of the playing hand", unit, *(factor * c for c in (_speeds(stroke), low, middle, high))
        )
    )
    return curves


def _over_time(stroke: StrokeMotion, read: Callable[[StrokeMotion], float | None]) -> np.ndarray:
    moments = phase_moments(stroke, RATE_HZ).round().astype(int).tolist()
    return np.array([read(replace(stroke, phases=Phases(t, t, t))) for t in moments], np.float64)


def _speeds(stroke: StrokeMotion) -> np.ndarray:
    speed = hand_speed(stroke.joints, stroke.layout, "right", RATE_HZ)
    return sample(speed, phase_moments(stroke, RATE_HZ))
