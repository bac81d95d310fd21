"""Curves of a stroke over time, with the references aligned to it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tt_actions.coach.alignment import aligned, phase_moments, pose_path, sample
from tt_actions.coach.measures import MEASURES_OVER_TIME
from tt_actions.coach.phases import Phases, hand_speed
from tt_actions.coach.stroke import BODY_HEIGHTS, RATE_HZ, StrokeMotion


class StrokeCurve(NamedTuple):
    """A quantity over the time of a stroke, with the range of the references.

    Args:
        title: Name of the quantity.
        unit: Its unit.
        own: Values of the stroke.
        low: 10th percentile of the references.
        middle: Median of the references.
        high: 90th percentile of the references.

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
    """Return the curves of a stroke and of references, each reference aligned in time with the stroke.

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
    in_body_heights = (100 * BODY_HEIGHTS, "% of body height per second")
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
