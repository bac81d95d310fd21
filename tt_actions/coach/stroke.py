"""One stroke as a coach looks at it: whole, in its own measures, as if a right-hander played it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tt_actions.coach.phases import Phases, find_swings, hand_of, hand_speed
from tt_actions.errors import UnreadableError
from tt_actions.skeleton.files import read_joints
from tt_actions.skeleton.layouts import Layout, middle
from tt_actions.skeleton.normalise import face_camera, fill_gaps, place_unseen, trunk_length

RATE_HZ = 120.0
"""Moments a second between which nothing of a stroke is lost."""

BODY_HEIGHTS = 0.29
"""Length of the trunk, hips' middle to shoulders' middle, in body heights (Winter 2009, figure 4.1)."""

_LONGEST_GAP = 10
_SHORTEST_S = 0.4
_AROUND_S = 0.25
_MOST_READINGS = 6


@dataclass(frozen=True)
class StrokeMotion:
    """A stroke of one player; lengths are in lengths of the trunk.

    Joints are those of a right-hander: of who plays with the left hand they are mirrored. In space the player
    faces -z with y up. In a picture x points where the playing hand swings, from the backswing to contact,
    and y up, so that it is mirrored where players swing to its left. The hips' mean place is the origin.

    Args:
        name: What it is called.
        joints: Places, :data:`RATE_HZ` a second.
        layout: What the joints are.
        start_s: Time of the first of them in the file.
        phases: When what happens.
        left_handed: Whether the left hand plays.
        mirrored: Whether left and right in space, or of the picture, have changed places.
        trunk_m: Length of the trunk in metres; None in a picture, or where the file's unit is not known.

    Shape:
        joints ``(T, V, C)``.
    """

    name: str
    joints: np.ndarray
    layout: Layout
    start_s: float
    phases: Phases
    left_handed: bool
    mirrored: bool
    trunk_m: float | None

    def place(self, *joints: str) -> np.ndarray:
        """Return the mean place of joints.

        Args:
            joints: Their names.

        Shape:
            ``(T, C)``.
        """
        return np.asarray(np.mean([self.joints[:, self.layout.index(name)] for name in joints], axis=0))


def read_readings(
    path: Path, layout: Layout, fps: float, start_s: float = 0.0, end_s: float | None = None
) -> list[StrokeMotion]:
    """Read the strokes that a file of joints may show: of either hand, at each moment that a hand is fast.

    Args:
        path: The file; see :func:`tt_actions.skeleton.files.read_joints`.
        layout: What the joints are.
        fps: Frames a second of a file that does not tell.
        start_s: Start of the clip in seconds.
        end_s: End of the clip in seconds, or None for the end of the file.

    Returns:
        At least one, the fastest first.

    Raises:
        UnreadableError: If the file can't be read, or shows no whole stroke.
    """
    sequence = read_joints(path, layout)
    times_s = np.arange(len(sequence.joints)) / fps if sequence.times_s is None else sequence.times_s
    is_seen = ~np.isnan(sequence.joints).any(-1).all(1)
    inside = (times_s >= start_s - 1e-9) & (times_s < (np.inf if end_s is None else end_s))
    frames = np.flatnonzero(is_seen & inside)
    if not len(frames) or times_s[frames[-1]] - times_s[frames[0]] < _SHORTEST_S:
        raise UnreadableError(
            f"Expected a stroke in '{path}', but a body is seen for less than {_SHORTEST_S} s. "
            "Check the times."
        )
    part = slice(frames[0], frames[-1] + 1)
    joints = place_unseen(fill_gaps(sequence.joints[part], _LONGEST_GAP), layout)
    return make_readings(path, joints.astype(np.float64), times_s[part], layout)


def make_readings(path: Path, joints: np.ndarray, times_s: np.ndarray, layout: Layout) -> list[StrokeMotion]:
    """Bring joints into a coach's measures, once for each stroke that they may show.

    Args:
        path: Where they come from, for what is told of them.
        joints: Places, none missing.
        times_s: When they are.
        layout: What the joints are.

    Raises:
        UnreadableError: If the body has no size, or there is no whole stroke.

    Shape:
        joints ``(T, V, C)``, times_s ``(T,)``.
    """
    trunk = trunk_length(joints, layout)
    if trunk <= 0:
        raise UnreadableError(
            f"Expected a body in '{path}' whose shoulders are apart from its hips, but they fall together. "
            f"Look whether the file is of `layout` {layout.name}, or leave the clip out."
        )
    fine, fine_s = interpolate(smooth(joints) / trunk, times_s, RATE_HZ)
    fine -= middle(fine, layout, layout.hips).mean(0)
    flip = np.array([-1.0] + [1.0] * (layout.num_coordinates - 1))
    swings = [
        (speed[phases.contact], side == "left", phases)
        for side in ("right", "left")
        for speed in [hand_speed(fine, layout, side, RATE_HZ)]
        for phases in find_swings(speed, RATE_HZ)
    ]
    if not swings:
        raise UnreadableError(
            f"Expected a whole stroke in '{path}', but no hand is fast between two moments of rest. "
            "Begin the clip before the backswing and end it after the follow-through."
        )
    readings = []
    for _, left_handed, phases in sorted(swings, key=lambda swing: -swing[0])[:_MOST_READINGS]:
        own, mirrored = (fine[:, list(layout.mirrored)] * flip if left_handed else fine), left_handed
        if layout.num_coordinates == 3:
            own = _face_table(own, layout, phases)
        elif _swings_left(own, layout, phases):
            own, mirrored = own * flip, not mirrored
        name, start_s, metres = path.name, float(fine_s[0]), _metres(trunk, layout)
        readings.append(StrokeMotion(name, own, layout, start_s, phases, left_handed, mirrored, metres))
    return readings


def _swings_left(joints: np.ndarray, layout: Layout, phases: Phases) -> bool:
    """Whether the playing hand, the right one, comes from the right of a picture to contact at its left."""
    hand = joints[:, layout.index(hand_of(layout, "right"))] - middle(joints, layout, layout.hips)
    return bool(hand[phases.contact, 0] < hand[phases.backswing, 0])


def _face_table(joints: np.ndarray, layout: Layout, phases: Phases) -> np.ndarray:
    """Turn a body to face -z as it does before and after the stroke, or on the whole if that is short."""
    around = round(_AROUND_S * RATE_HZ)
    waits = np.ones(len(joints), dtype=bool)
    waits[max(0, phases.backswing - around) : phases.follow_through + around] = False
    waits |= waits.mean() * len(joints) < around
    return face_camera(joints, layout, waits)


def _metres(trunk: float, layout: Layout) -> float | None:
    """Tell a trunk's length in metres where the number can only be one of metres or of millimetres."""
    if layout.num_coordinates == 2:
        return None
    for unit in (1.0, 0.001):
        if 0.25 < trunk * unit < 0.85:
            return trunk * unit
    return None


def smooth(joints: np.ndarray) -> np.ndarray:
    """Smooth places by the binomial weights 1, 2, 1.

    Args:
        joints: Places over time.

    >>> smooth(np.array([0.0, 0.0, 4.0, 0.0])).tolist()
    [0.0, 1.0, 2.0, 1.0]
    """
    padded = np.concatenate([joints[:1], joints, joints[-1:]])
    return np.asarray((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4)


def interpolate(values: np.ndarray, times_s: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Bring values to a rate, along cubic Hermite splines through them.

    Args:
        values: At least two.
        times_s: When they are.
        rate_hz: How many a second are wanted.

    Returns:
        The values and their times.

    Shape:
        values ``(T, ...)``, times_s ``(T,)`` -> ``(S, ...)``, ``(S,)``.
    """
    from scipy.interpolate import CubicHermiteSpline  # slow to load

    wanted_s = times_s[0] + np.arange(int((times_s[-1] - times_s[0]) * rate_hz + 1e-6) + 1) / rate_hz
    slopes = np.gradient(values, times_s, axis=0)
    return CubicHermiteSpline(times_s, values, slopes)(wanted_s), wanted_s
