"""Phases of a stroke, found from the speed of the playing hand."""

from typing import NamedTuple

import numpy as np

from tt_actions.skeleton.hands import hand_of
from tt_actions.skeleton.layouts import Layout

_LONGEST_SWING_S = 0.7
_LONGEST_FOLLOW_S = 0.6
_SLOW = 0.6  # share of the highest speed: a turning point is slower
_AT_REST = 0.35  # share of the highest speed below which a recording may begin or end
_MIN_SPEED = 1.0  # trunk lengths per second; a slower hand plays no stroke
_HURRY = 1.2  # cost of a second's delay, as a share of the highest speed


class Phases(NamedTuple):
    """The phases of a stroke, as indices of its samples.

    Args:
        backswing: End of the backswing: the playing hand turns before contact.
        contact: The playing hand is fastest.
        follow_through: End of the follow-through: the playing hand comes to rest after contact.
    """

    backswing: int
    contact: int
    follow_through: int


def hand_speed(joints: np.ndarray, layout: Layout, side: str, rate_hz: float) -> np.ndarray:
    """Return the speed of a hand, in trunk lengths per second.

    Args:
        joints: Positions, in trunk lengths.
        layout: Layout of the joints.
        side: ``left`` or ``right``.
        rate_hz: Samples per second.

    Shape:
        joints ``(T, V, C)`` -> ``(T,)``.
    """
    hand = joints[:, layout.index(hand_of(layout, side))]
    return np.asarray(np.linalg.norm(np.gradient(hand, axis=0), axis=-1) * rate_hz)


def find_swings(speed: np.ndarray, rate_hz: float) -> list[Phases]:
    """Find the swings of a hand: contact is at its highest speed, the other phases at rest around it.

    A racket is fastest at the ball, or nearly so; before and after, the hand turns or comes to rest. A swing
    less than half as fast as the fastest is not a stroke. A swing that the recording cuts off is left out, as
    are slower ones near it, which belong to it.

    Args:
        speed: Speed of the hand, in trunk lengths per second.
        rate_hz: Samples per second.

    Shape:
        speed ``(T,)``.
    """
    inner, least = speed[1:-1], max(0.5 * speed.max(), _MIN_SPEED)
    is_peak = (inner >= speed[:-2]) & (inner > speed[2:]) & (inner > least)
    swings: list[Phases] = []
    cut: list[Phases] = []
    for contact in (np.flatnonzero(is_peak) + 1).tolist():
        first = max(0, contact - round(_LONGEST_SWING_S * rate_hz))
        last = min(len(speed) - 1, contact + round(_LONGEST_FOLLOW_S * rate_hz))
        before = contact - _rest(speed[first : contact + 1][::-1], rate_hz)
        after = contact + _rest(speed[contact : last + 1], rate_hz)
        if not (before < contact < after and speed[before : after + 1].max() == speed[contact]):
            continue
        edges = [edge for edge in (before, after) if not 2 < edge < len(speed) - 3]
        is_cut = any(speed[edge] > _AT_REST * speed[contact] for edge in edges)
        (cut if is_cut else swings).append(Phases(before, contact, after))
    near = round(_LONGEST_SWING_S * rate_hz)
    return [
        own
        for own in swings
        if all(
            abs(own.contact - other.contact) > near or speed[own.contact] > speed[other.contact]
            for other in cut
        )
    ]


def _rest(speed: np.ndarray, rate_hz: float) -> int:
    """Return the local minimum that is slow and soon or, if there is none, the slowest moment."""
    is_low = (speed[1:-1] <= speed[:-2]) & (speed[1:-1] < speed[2:]) & (speed[1:-1] < _SLOW * speed[0])
    found = np.flatnonzero(is_low) + 1
    if not len(found):
        return int(speed.argmin())
    return int(found[np.argmin(speed[found] / speed[0] + _HURRY * found / rate_hz)])
