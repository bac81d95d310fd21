"""Swings in the joints of a player: when a hand is fast, and the time around it that shows the stroke."""

from typing import NamedTuple

import numpy as np

from tt_actions.clips.strokes import Stroke
from tt_actions.clips.typical_swing import TypicalSwing

MIN_SPEED = 0.6
"""Lowest speed of the hand in a swing, relative to the typical swing."""

MIN_GAP = 0.5
"""Least time between two contacts, relative to the length of the training clips."""

MIN_RISE = 0.3
"""Least rise of the speed to a contact, relative to the lowest speed of a swing."""

HURRY = 0.5
"""What a second between contact and backswing or follow-through costs, as a share of the highest speed."""


class Swing(NamedTuple):
    """A swing, in seconds.

    Args:
        start_s: Start of the time that shows the stroke.
        contact_s: When the hand is fastest.
        end_s: End of that time.
    """

    start_s: float
    contact_s: float
    end_s: float


def find_swings(speed: np.ndarray, times_s: np.ndarray, typical: TypicalSwing) -> list[Swing]:
    """Find the swings of a player in a scene.

    A swing lasts as long as the training clips, around a peak of the hand's speed that lies where it lies in
    these clips. At the edges of the scene, it is moved to lie within the scene. If two swings are thereby at
    nearly the same time, only the faster one counts.

    Args:
        speed: Speed of the faster hand, in trunk lengths per second.
        times_s: Time of each frame in seconds, at a constant rate.
        typical: The typical swing of the training clips.

    Shape:
        speed and times_s ``(T,)``.
    """
    if len(speed) < 3:
        return []
    step_s = float(times_s[-1] - times_s[0]) / (len(times_s) - 1)
    first_s, last_s = float(times_s[0]), float(times_s[-1]) + step_s
    swings: list[Swing] = []
    fastest = -np.inf
    for peak in find_peaks(speed, 1 / step_s, typical):
        swing = place_swing(float(times_s[peak]), first_s, last_s, typical)
        is_same = bool(swings) and swing.start_s - swings[-1].start_s < 0.9 * MIN_GAP * typical.seconds
        if is_same and speed[peak] <= fastest:
            continue
        swings[-1 if is_same else len(swings) :] = [swing]
        fastest = speed[peak]
    return swings


def place_swing(contact_s: float, first_s: float, last_s: float, typical: TypicalSwing) -> Swing:
    """Return the swing around a contact, moved to lie within a scene.

    Args:
        contact_s: When the hand is fastest, in seconds.
        first_s: Start of the scene.
        last_s: End of the scene.
        typical: The typical swing of the training clips.

    >>> place_swing(1.0, 0.0, 9.0, TypicalSwing(seconds=1.0, speed=5.0, contact=0.75))
    Swing(start_s=0.25, contact_s=1.0, end_s=1.25)
    """
    latest_s = max(first_s, last_s - typical.seconds)
    start_s = min(max(first_s, contact_s - typical.contact * typical.seconds), latest_s)
    return Swing(start_s, contact_s, min(start_s + typical.seconds, last_s))


def find_peaks(speed: np.ndarray, fps: float, typical: TypicalSwing, min_gap: float = MIN_GAP) -> np.ndarray:
    """Return the frames in which the hand is as fast as at contact and faster than around them.

    Args:
        speed: Speed of the faster hand, in trunk lengths per second.
        fps: Frames per second.
        typical: The typical swing of the training clips.
        min_gap: Least time between two peaks, relative to the length of the training clips.

    Shape:
        speed ``(T,)`` -> ``(N,)``, int64.
    """
    from scipy import signal  # takes long to import

    least = MIN_SPEED * typical.speed
    apart = max(1, round(min_gap * typical.seconds * fps))
    peaks, _ = signal.find_peaks(speed, height=least, distance=apart, prominence=MIN_RISE * least)
    return np.asarray(peaks)


def separate(swings: list[Swing]) -> list[Swing]:
    """Shorten swings that overlap, so that one ends when the next begins, midway between their contacts.

    Args:
        swings: Swings of one player, in order.

    >>> separate([Swing(0.0, 1.0, 2.0), Swing(1.0, 2.0, 3.0)])
    [Swing(start_s=0.0, contact_s=1.0, end_s=1.5), Swing(start_s=1.5, contact_s=2.0, end_s=3.0)]
    """
    separated = list(swings)
    for i in range(len(swings) - 1):
        middle_s = (swings[i].contact_s + swings[i + 1].contact_s) / 2
        separated[i] = separated[i]._replace(end_s=min(separated[i].end_s, middle_s))
        separated[i + 1] = separated[i + 1]._replace(start_s=max(separated[i + 1].start_s, middle_s))
    return separated


class StrokeMoments(NamedTuple):
    """The moments of a stroke that a coach looks at, in seconds.

    Args:
        backswing_s: End of the backswing: the hand is slowest before the contact.
        contact_s: When racket and ball meet.
        follow_through_s: End of the follow-through: the hand is slowest after the contact.
    """

    backswing_s: float
    contact_s: float
    follow_through_s: float


def find_moments(stroke: Stroke, times_s: np.ndarray, speed: np.ndarray) -> StrokeMoments | None:
    """Find backswing, contact and follow-through of a stroke from the speed of the hand.

    A stroke without a contact has it where the hand is fastest. Backswing and follow-through are slow moments
    near the contact: a short wait counts as much as a little speed, so that a player who rests before or
    after the stroke is shown while turning.

    Args:
        stroke: The stroke.
        times_s: Time of each image in seconds, ascending.
        speed: Speed of the faster hand of the stroke's player in each image; NaN if it is not known.

    Returns:
        The moments, or None if the speed is not known during the stroke.

    Shape:
        times_s and speed ``(T,)``.

    >>> times_s, speed = np.arange(10) / 10, np.array([3, 1, 4, 8, 9, 4, 3, 1, 2, 5.0])
    >>> find_moments(Stroke("serve", 0.0, 0.9), times_s, speed)
    StrokeMoments(backswing_s=0.1, contact_s=0.4, follow_through_s=0.7)
    """
    first, last = np.searchsorted(times_s, [stroke.start_s, stroke.end_s - 1e-6])
    is_known = ~np.isnan(speed[first:last])
    if not is_known.any():
        return None
    at_s, own = times_s[first:last][is_known], speed[first:last][is_known]
    contact_s = float(at_s[own.argmax()]) if stroke.contact_s is None else stroke.contact_s
    cost = own / max(float(own.max()), 1e-6) + HURRY * np.abs(at_s - contact_s)
    before, after = at_s <= contact_s, at_s >= contact_s
    first_s, last_s = (
        float(at_s[part][cost[part].argmin()]) if part.any() else contact_s for part in (before, after)
    )
    return StrokeMoments(first_s, contact_s, last_s)
