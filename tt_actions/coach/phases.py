"""When what happens in a stroke: found from how fast the playing hand moves."""

from typing import NamedTuple

import numpy as np

from tt_actions.skeleton.layouts import Layout

_LONGEST_SWING_S = 0.7
_LONGEST_FOLLOW_S = 0.6
_SLOW = 0.6  # of the highest speed: a turning point is slower
_AT_REST = 0.35  # of the highest speed: where a recording may begin or end
_LEAST_SPEED = 1.0  # lengths of the trunk a second; a slower hand plays no stroke
_HURRY = 1.2  # a second later weighs as much as this share of the highest speed


class Phases(NamedTuple):
    """Moments of a stroke, as numbers of its joints' places.

    Args:
        backswing: The playing hand turns, before contact.
        contact: It is fastest.
        follow_through: It comes to rest, after contact.
    """

    backswing: int
    contact: int
    follow_through: int


def hand_of(layout: Layout, side: str) -> str:
    """Name the outermost joint of an arm that every joint's reader knows well: hand, or else wrist.

    Args:
        layout: What the joints are.
        side: ``left`` or ``right``.
    """
    return f"{side}_hand" if f"{side}_hand" in layout.joints else f"{side}_wrist"


def hand_speed(joints: np.ndarray, layout: Layout, side: str, rate_hz: float) -> np.ndarray:
    """Return how fast a hand moves, in lengths of the trunk a second.

    Args:
        joints: Places, in lengths of the trunk.
        layout: What the joints are.
        side: ``left`` or ``right``.
        rate_hz: Number of places a second.

    Shape:
        joints ``(T, V, C)`` -> ``(T,)``.
    """
    hand = joints[:, layout.index(hand_of(layout, side))]
    return np.asarray(np.linalg.norm(np.gradient(hand, axis=0), axis=-1) * rate_hz)


def find_swings(speed: np.ndarray, rate_hz: float) -> list[Phases]:
    """Find the swings of a hand: contact where it is fastest, the other phases where it rests beside.

    A racket is fastest at the ball, or nearly so; before and after, the hand turns or comes to rest. A swing
    less than half as fast as another is no stroke. One that the recording cuts off can't be judged, and
    slower ones beside it belong to it.

    Args:
        speed: Of the hand, in lengths of the trunk a second.
        rate_hz: Number of values a second.

    Shape:
        speed ``(T,)``.
    """
    inner, least = speed[1:-1], max(0.5 * speed.max(), _LEAST_SPEED)
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
    """The local minimum that is slow and soon, or else the slowest moment."""
    is_low = (speed[1:-1] <= speed[:-2]) & (speed[1:-1] < speed[2:]) & (speed[1:-1] < _SLOW * speed[0])
    found = np.flatnonzero(is_low) + 1
    if not len(found):
        return int(speed.argmin())
    return int(found[np.argmin(speed[found] / speed[0] + _HURRY * found / rate_hz)])
