"""From the landmarks of a video to the strokes that they may show."""

import numpy as np

from tt_actions.clips.records import Hand
from tt_actions.coach.stroke import NoStrokeError, StrokeMotion, find_candidates, key_times
from tt_actions.pose.joints import joints_of
from tt_actions.skeleton.layouts import Layout, middle
from tt_actions.video.types import Timed

AROUND_S = 1.5
"""Seconds before and after a known contact that are looked at."""

_NEAR_S = 0.3  # from a known contact to the fastest moment of the hand


def find_strokes(
    name: str,
    landmarks: Timed,
    layout: Layout,
    contact_s: float | None = None,
    hand: Hand | None = None,
) -> list[StrokeMotion]:
    """Find all strokes that the landmarks of a player may show.

    Frames in which the body is upside down count as missing, because the pose model is wrong there.

    Args:
        name: Name of the stroke.
        landmarks: See :func:`tt_actions.pose.video.find_poses`.
        layout: Layout of a body, in which to compare strokes.
        contact_s: Time of contact in seconds; None to consider every fast movement of a hand.
        hand: Playing hand, or None if it is unknown.

    Returns:
        At least one candidate, the fastest first.

    Raises:
        NoStrokeError: If there is no complete stroke, none at that time, or none with that hand.

    Shape:
        landmarks ``(T, 33, 6)``.
    """
    values, times_s = landmarks
    if contact_s is not None:
        is_near = np.abs(times_s - contact_s) <= AROUND_S
        values, times_s = values[is_near], times_s[is_near]
    joints = joints_of(values, layout)
    trunk = middle(joints, layout, layout.shoulders) - middle(joints, layout, layout.hips)
    joints[trunk[:, 1] < 0] = np.nan
    candidates = find_candidates(name, joints, times_s, layout)
    if contact_s is not None:
        candidates = [one for one in candidates if abs(key_times(one)["contact"] - contact_s) <= _NEAR_S]
    if not candidates:
        raise NoStrokeError(
            f"Expected a stroke at {contact_s:g} s in '{name}', but no hand moves fast within {_NEAR_S} s of "
            "that time. Check the time and the player's region."
        )
    return of_hand(name, candidates, hand)


def of_hand(name: str, candidates: list[StrokeMotion], hand: Hand | None) -> list[StrokeMotion]:
    """Return the candidates that the given hand plays.

    Args:
        name: Name of the stroke, for messages.
        candidates: The strokes.
        hand: Playing hand; None for both.

    Raises:
        NoStrokeError: If there is none.
    """
    own = [one for one in candidates if hand in (None, "left" if one.left_handed else "right")]
    if not own:
        raise NoStrokeError(
            f"Expected a stroke with the {hand} hand in '{name}', but found none. Correct the hand, or omit "
            "it."
        )
    return own
