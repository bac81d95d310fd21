"""One complete stroke in the coach's coordinates: in trunk lengths, mirrored for left-handed players."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tt_actions.coach.phases import Phases, find_swings, hand_speed
from tt_actions.errors import UnreadableError
from tt_actions.skeleton.files import read_joints
from tt_actions.skeleton.hands import hand_of
from tt_actions.skeleton.layouts import Layout, middle
from tt_actions.skeleton.normalise import face_camera, fill_gaps, place_unseen, trunk_length

RATE_HZ = 120.0
"""Samples per second, enough to keep every detail of a stroke."""

BODY_HEIGHTS = 0.29
"""Trunk length, middle of hips to middle of shoulders, in body heights (Winter 2009, figure 4.1)."""

_LONGEST_GAP = 10
_LONGEST_UNSEEN_S = 0.11  # three frames at 30 per second
_SHORTEST_S = 0.4
_AROUND_S = 0.25
_MAX_CANDIDATES = 6


class NoStrokeError(UnreadableError):
    """A clip can be read, but shows no complete stroke."""


@dataclass(frozen=True)
class StrokeMotion:
    """A stroke of one player; lengths are in trunk lengths.

    Joints are those of a right-handed player; left-handed players are mirrored. In 3D, the player faces -z
    and y points up. In 2D, x points in the direction in which the playing hand swings from backswing to
    contact, and y points up; swings to the left of the frame are mirrored. The origin is the mean position of
    the hips.

    Args:
        name: Name of the stroke.
        joints: Positions, :data:`RATE_HZ` samples per second.
        layout: Layout of the joints.
        start_s: Time of the first sample in the file, in seconds.
        phases: Phases of the stroke.
        left_handed: Whether the left hand plays.
        mirrored: Whether left and right are swapped, in 3D or in the frame.
        trunk_m: Trunk length in metres; None in 2D, or if the file's unit is unknown.

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
        """Return the mean position of joints.

        Args:
            joints: Names of the joints.

        Shape:
            ``(T, C)``.
        """
        return np.asarray(np.mean([self.joints[:, self.layout.index(name)] for name in joints], axis=0))


def read_candidates(
    path: Path, layout: Layout, fps: float, start_s: float = 0.0, end_s: float | None = None
) -> list[StrokeMotion]:
    """Read all strokes that a joint file may show: one for each fast movement of either hand.

    Args:
        path: The file; see :func:`tt_actions.skeleton.files.read_joints`.
        layout: Layout of the joints.
        fps: Frames per second, if the file does not say.
        start_s: Start of the clip in seconds.
        end_s: End of the clip in seconds, or None for the end of the file.

    Returns:
        At least one candidate, the fastest first.

    Raises:
        UnreadableError: If the file can't be read.
        NoStrokeError: If it shows no complete stroke.
    """
    sequence = read_joints(path, layout)
    times_s = np.arange(len(sequence.joints)) / fps if sequence.times_s is None else sequence.times_s
    inside = (times_s >= start_s - 1e-9) & (times_s < (np.inf if end_s is None else end_s))
    return find_candidates(str(path), sequence.joints[inside], times_s[inside], layout)


def find_candidates(name: str, joints: np.ndarray, times_s: np.ndarray, layout: Layout) -> list[StrokeMotion]:
    """Find all strokes that joints may show: one for each fast movement of either hand.

    Short gaps are filled in. A movement during a longer gap is unknown, and is therefore no stroke.

    Args:
        name: Name of the file, for messages and as the name of the strokes.
        joints: Positions, NaN if missing.
        times_s: Their times in seconds.
        layout: Layout of the joints.

    Returns:
        At least one candidate, the fastest first.

    Raises:
        NoStrokeError: If there is no complete stroke.

    Shape:
        joints ``(T, V, C)``, times_s ``(T,)``.
    """
    frames = np.flatnonzero(~np.isnan(joints).any(-1).all(1))
    if not len(frames) or times_s[frames[-1]] - times_s[frames[0]] < _SHORTEST_S:
        raise NoStrokeError(
            f"Expected a stroke in '{name}', but a body is visible for less than {_SHORTEST_S} s. Check the "
            "times."
        )
    part = slice(frames[0], frames[-1] + 1)
    filled = place_unseen(fill_gaps(joints[part], _LONGEST_GAP), layout).astype(np.float64)
    candidates = make_candidates(name, filled, times_s[part], layout)
    seen_s = times_s[frames]
    gaps = [(a, b) for a, b in itertools.pairwise(seen_s.tolist()) if b - a > _LONGEST_UNSEEN_S]
    known = [one for one in candidates if not any(_overlaps(one, *gap) for gap in gaps)]
    if not known:
        raise NoStrokeError(
            f"Expected a body that is visible during the whole stroke in '{name}', but it is lost for up to "
            f"{np.diff(seen_s).max():.2f} s. Check the player's region, or exclude the clip."
        )
    return known


def _overlaps(stroke: StrokeMotion, start_s: float, end_s: float) -> bool:
    times = key_times(stroke)
    return times["backswing"] < end_s and times["follow_through"] > start_s


def key_times(stroke: StrokeMotion) -> dict[str, float]:
    """Return the times of a stroke's key frames: each phase and its time in the file, in seconds.

    Args:
        stroke: The stroke.
    """
    return {phase: stroke.start_s + moment / RATE_HZ for phase, moment in stroke.phases._asdict().items()}


def make_candidates(name: str, joints: np.ndarray, times_s: np.ndarray, layout: Layout) -> list[StrokeMotion]:
    """Convert joints to the coach's coordinates, once for each stroke that they may show.

    Args:
        name: Name of the file, for messages and as the name of the strokes.
        joints: Positions, none missing.
        times_s: Their times in seconds.
        layout: Layout of the joints.

    Raises:
        UnreadableError: If the body has no size.
        NoStrokeError: If there is no complete stroke.

    Shape:
        joints ``(T, V, C)``, times_s ``(T,)``.
    """
    trunk = trunk_length(joints, layout)
    if trunk <= 0:
        raise UnreadableError(
            f"Expected shoulders and hips at different positions in '{name}', but they coincide. Check that "
            f"the file has the `layout` {layout.name}, or exclude the clip."
        )
    fine, fine_s = interpolate(smooth(joints) / trunk, times_s, RATE_HZ)
    fine -= middle(fine, layout, layout.hips).mean(0)
    swings = [
        (speed[phases.contact], side == "left", phases)
        for side in ("right", "left")
        for speed in [hand_speed(fine, layout, side, RATE_HZ)]
        for phases in find_swings(speed, RATE_HZ)
    ]
    if not swings:
        raise NoStrokeError(
            f"Expected a complete stroke in '{name}', but found no fast hand movement between two moments of "
            "rest. Start the clip before the backswing and end it after the follow-through."
        )
    short, metres = Path(name).name, _metres(trunk, layout)
    candidates = []
    for _, left_handed, phases in sorted(swings, key=lambda swing: -swing[0])[:_MAX_CANDIDATES]:
        own, mirrored = _to_own_axes(fine, layout, phases, left_handed)
        start_s = float(fine_s[0])
        candidates.append(StrokeMotion(short, own, layout, start_s, phases, left_handed, mirrored, metres))
    return candidates


def _to_own_axes(
    joints: np.ndarray, layout: Layout, phases: Phases, left_handed: bool
) -> tuple[np.ndarray, bool]:
    """Turn and mirror a body as :class:`StrokeMotion` describes; return whether it is mirrored, too."""
    flip = np.array([-1.0] + [1.0] * (layout.num_coordinates - 1))
    own = joints[:, list(layout.mirrored)] * flip if left_handed else joints
    if layout.num_coordinates == 3:
        return _face_table(own, layout, phases), left_handed
    return (own * flip, not left_handed) if _swings_left(own, layout, phases) else (own, left_handed)


def _swings_left(joints: np.ndarray, layout: Layout, phases: Phases) -> bool:
    """Return whether the playing (right) hand moves to the left of the frame until contact."""
    hand = joints[:, layout.index(hand_of(layout, "right"))] - middle(joints, layout, layout.hips)
    return bool(hand[phases.contact, 0] < hand[phases.backswing, 0])


def _face_table(joints: np.ndarray, layout: Layout, phases: Phases) -> np.ndarray:
    """Rotate a body so that it faces -z around the stroke or, if that time is too short, on average."""
    around = round(_AROUND_S * RATE_HZ)
    is_still = np.ones(len(joints), dtype=bool)
    is_still[max(0, phases.backswing - around) : phases.follow_through + around] = False
    is_still |= is_still.mean() * len(joints) < around
    return face_camera(joints, layout, is_still)


def _metres(trunk: float, layout: Layout) -> float | None:
    """Return the trunk length in metres if the number can only be in metres or in millimetres."""
    if layout.num_coordinates == 2:
        return None
    for unit in (1.0, 0.001):
        if 0.25 < trunk * unit < 0.85:
            return trunk * unit
    return None


def smooth(joints: np.ndarray) -> np.ndarray:
    """Smooth positions with the binomial weights 1, 2, 1.

    Args:
        joints: Positions over time.

    >>> smooth(np.array([0.0, 0.0, 4.0, 0.0])).tolist()
    [0.0, 1.0, 2.0, 1.0]
    """
    padded = np.concatenate([joints[:1], joints, joints[-1:]])
    return np.asarray((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4)


def interpolate(values: np.ndarray, times_s: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Resample values to a rate with cubic Hermite splines.

    Args:
        values: At least two values.
        times_s: Their times in seconds.
        rate_hz: Samples per second to return.

    Returns:
        The values and their times.

    Shape:
        values ``(T, ...)``, times_s ``(T,)`` -> ``(S, ...)``, ``(S,)``.
    """
    from scipy.interpolate import CubicHermiteSpline  # slow to load

    wanted_s = times_s[0] + np.arange(int((times_s[-1] - times_s[0]) * rate_hz + 1e-6) + 1) / rate_hz
    slopes = np.gradient(values, times_s, axis=0)
    return CubicHermiteSpline(times_s, values, slopes)(wanted_s), wanted_s
