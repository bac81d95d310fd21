"""Strokes with a known fault of a graded size, of the kind that a coach would correct."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from tt_actions.errors import UserError
from tt_actions.sources.synthetic.key_poses import BLADE, CHEST_YAW, ELBOW, FREE_HAND, HIP_YAW, LEAN
from tt_actions.sources.synthetic.motion import Motion, clip_motion
from tt_actions.sources.synthetic.performance import rest_at
from tt_actions.sources.synthetic.player import Player
from tt_actions.sources.synthetic.strokes import Swing, key_slopes, plan_swing

SIZES = ("small", "medium", "large")

_SHARPEST_RAD = np.radians(45)  # no elbow bends further

Change = Callable[[Player, Swing, float], Swing]


@dataclass(frozen=True)
class Fault:
    """A fault in a stroke.

    Args:
        name: Name of the fault, the key in :data:`FAULTS`.
        labels: Classes of strokes in which the fault occurs.
        amounts: Amounts of a small, medium and large fault, in ``unit``.
        unit: Unit of the amounts.
        change: Function that adds a given amount of the fault to a stroke.
    """

    name: str
    labels: tuple[str, ...]
    amounts: tuple[float, float, float]
    unit: str
    change: Change


def _rekeyed(swing: Swing, keys: np.ndarray, times_s: np.ndarray | None = None) -> Swing:
    times_s = swing.times_s if times_s is None else times_s
    return replace(swing, keys=keys, times_s=times_s, slopes=key_slopes(times_s, keys, swing.release_s))


def _from_shoulder(player: Player, swing: Swing) -> np.ndarray:
    """The vector from the playing shoulder to the blade at contact, in the floor plane: ``(2,)``."""
    return np.asarray(swing.keys[-2, BLADE][:2] - _shoulders(player, swing)[1, :2])


def _meet_late(player: Player, swing: Swing, amount: float) -> Swing:
    """Rotate the swing back about the shoulder, so that the ball is met too late by the given distance.

    The key of the elbow stays, but as the hand comes nearer, the elbow of a forehand rises by 8 to 18 cm.
    """
    arm = _from_shoulder(player, swing)
    reach = float(np.linalg.norm(arm))
    ahead = max(arm[0] - 0.01 * amount, -0.95 * reach)
    aside = -swing.side * np.sqrt(reach**2 - ahead**2)
    turn = np.arctan2(aside, ahead) - np.arctan2(arm[1], arm[0])
    keys = swing.keys.copy()
    shoulders = _shoulders(player, swing)[:, :2]
    for key, shoulder, share in zip(keys[-3:], shoulders, (0.5, 1.0, 1.0), strict=True):
        cos, sin = np.cos(share * turn), np.sin(share * turn)
        x, y = key[BLADE][:2] - shoulder
        key[BLADE][:2] = shoulder + np.array([cos * x - sin * y, sin * x + cos * y])
    return _rekeyed(swing, keys)


def _shoulders(player: Player, swing: Swing) -> np.ndarray:
    """Playing shoulder in the last three key poses, relative to the middle of the feet: ``(3, 3)``."""
    joints, _, _ = rest_at(player, swing, swing.times_s[-3:])
    return np.asarray(joints[:, 8] - [*swing.centre, 0])


def _bend_elbow(player: Player, swing: Swing, amount: float) -> Swing:
    """Bend the forearm towards the upper arm, which stays fixed, from the backswing on.

    It is not a fault of forehands: their elbow is already so bent that it could hardly bend further.
    """
    keys = swing.keys.copy()
    joints, _, _ = rest_at(player, swing, swing.times_s[-3:])
    for key, (shoulder, elbow, wrist) in zip(keys[-3:], joints[:, 8:11], strict=True):
        upper, lower = shoulder - elbow, wrist - elbow
        length = np.linalg.norm(lower)
        upper, lower = upper / np.linalg.norm(upper), lower / length
        cosine = upper @ lower
        aside = (lower - cosine * upper) / np.sqrt(1 - cosine**2)
        angle = max(np.arccos(cosine) - np.radians(amount), _SHARPEST_RAD)
        key[BLADE] += length * (np.cos(angle) * upper + np.sin(angle) * aside - lower)
    return _rekeyed(swing, keys)


def _raise_elbow(_: Player, swing: Swing, amount: float) -> Swing:
    """Rotate the elbow outwards and up about the line from shoulder to wrist."""
    keys, turn = swing.keys.copy(), np.radians(amount)
    _, across, up = keys[:, ELBOW].T
    outwards = np.hypot(across, up) * np.stack(
        [np.cos(np.arctan2(up, across) - turn), np.sin(np.arctan2(up, across) - turn)]
    )
    keys[:, ELBOW.start + 1 : ELBOW.stop] = outwards.T
    return _rekeyed(swing, keys)


def _scale_backswing(_: Player, swing: Swing, amount: float) -> Swing:
    keys = swing.keys.copy()
    keys[-3, BLADE] += amount / 100 * (keys[-2, BLADE] - keys[-3, BLADE])
    return _rekeyed(swing, keys)


def _stop_short(_: Player, swing: Swing, amount: float) -> Swing:
    """Stop all movement shortly after contact, at unchanged speed until then."""
    keys, times_s, share = swing.keys.copy(), swing.times_s.copy(), 1 - amount / 100
    keys[-1] = keys[-2] + share * (keys[-1] - keys[-2])
    times_s[-1] *= share
    early_s = swing.times_s[-1] - times_s[-1]
    swing = replace(swing, end_s=swing.end_s - early_s, settled_s=swing.settled_s - early_s)
    return _rekeyed(swing, keys, times_s)


def _turn_less(_: Player, swing: Swing, amount: float) -> Swing:
    keys = swing.keys.copy()
    keys[:, HIP_YAW : CHEST_YAW + 1] *= 1 - amount / 100
    return _rekeyed(swing, keys)


def _lean_back(_: Player, swing: Swing, amount: float) -> Swing:
    """Bend the waist back.

    The line from hips to shoulders leans by 0.85 of the angle, and the elbow straightens as a result.
    """
    keys = swing.keys.copy()
    keys[:, LEAN] -= np.radians(amount)
    return _rekeyed(swing, keys)


def _swing_slowly(_: Player, swing: Swing, amount: float) -> Swing:
    """Make the forward swing longer, and start everything before it earlier."""
    times_s = swing.times_s.copy()
    times_s[:-2] -= 0.001 * amount
    return replace(
        _rekeyed(swing, swing.keys, times_s),
        start_s=swing.start_s - 0.001 * amount,
        taken_over_s=swing.taken_over_s - 0.001 * amount,
    )


def _toss_low(_: Player, swing: Swing, amount: float) -> Swing:
    """Raise the free hand less and release the ball later, so that it has less time to rise and fall."""
    assert swing.release_s is not None
    keys, times_s, height = swing.keys.copy(), swing.times_s.copy(), FREE_HAND.start + 2
    late_s = 0.001 * amount
    keys[-4, height] -= 0.5 * (keys[-4, height] - keys[-5, height]) * min(1, amount / 240)
    latest_s = times_s[-3] - 0.06  # the free hand is done before the backswing ends
    late_s = min(late_s, latest_s - times_s[-4])
    times_s[:-3] += late_s
    moved = replace(
        swing,
        release_s=swing.release_s + late_s,
        start_s=swing.start_s + late_s,
        taken_over_s=swing.taken_over_s + late_s,
    )
    return _rekeyed(moved, keys, times_s)


def _square_feet(_: Player, swing: Swing, amount: float) -> Swing:
    return replace(swing, feet_yaw=swing.feet_yaw + np.radians(amount))


def _keep(_: Player, swing: Swing, __: float) -> Swing:
    return swing


_ALL = ("serve", "forehand", "backhand", "smash")
_RALLY = _ALL[1:]
NARROW_STANCE = "narrow_stance"

FAULTS = {
    fault.name: fault
    for fault in (
        Fault("late_contact", _RALLY, (14, 28, 42), "cm behind", _meet_late),
        Fault("bent_elbow", ("smash",), (30, 60, 90), "degrees", _bend_elbow),
        Fault("raised_elbow", ("forehand", "backhand"), (30, 60, 90), "degrees", _raise_elbow),
        Fault("small_backswing", ("forehand", "smash"), (30, 60, 80), "% of the way", _scale_backswing),
        Fault("short_follow_through", ("forehand", "smash"), (40, 70, 90), "% of the way", _stop_short),
        Fault("no_trunk_turn", ("forehand", "smash"), (50, 100, 150), "% of the turn", _turn_less),
        Fault("lean_back", _ALL, (14, 28, 42), "degrees", _lean_back),
        Fault("slow_swing", _RALLY, (80, 160, 240), "ms", _swing_slowly),
        Fault("low_toss", ("serve",), (80, 160, 240), "ms", _toss_low),
        Fault("square_feet", ("serve", "smash"), (20, 40, 60), "degrees", _square_feet),
        Fault(NARROW_STANCE, _ALL, (20, 40, 60), "cm", _keep),
    )
}
"""All faults by name."""


def draw_fault(rng: np.random.Generator, label: str) -> tuple[str, str]:
    """Choose a random fault of a stroke and its size, or none for one stroke in four.

    Args:
        rng: Random generator.
        label: Class of the stroke.

    Returns:
        Name and size of the fault, both empty for none.
    """
    if rng.random() < 0.25:
        return "", ""
    return str(rng.choice([f.name for f in FAULTS.values() if label in f.labels])), str(rng.choice(SIZES))


def faulty_motion(
    rng: np.random.Generator, player: Player, label: str, duration_s: float, name: str, size: str
) -> Motion:
    """Generate the motion of one stroke with a fault, with only this player in view.

    Args:
        rng: Random generator.
        player: The player of the stroke.
        label: Class of the stroke; the fault must occur in it.
        duration_s: Length in seconds.
        name: The fault, one of :data:`FAULTS`.
        size: One of :data:`SIZES`.

    Raises:
        ValueError: If there is no such fault, it does not occur in this class, or the size is unknown.
    """
    if name not in FAULTS or label not in FAULTS[name].labels or size not in SIZES:
        classes = {fault.name: ", ".join(fault.labels) for fault in FAULTS.values()}
        raise UserError(
            f"Expected a fault, one of the classes in which it occurs ({classes}), and a size out of "
            f"{', '.join(SIZES)}, but got '{name}' of a '{label}' and '{size}'. Choose from these."
        )
    fault = FAULTS[name]
    amount = fault.amounts[SIZES.index(size)]
    if name == NARROW_STANCE:
        player = replace(player, stance_width_m=max(0.08, player.stance_width_m - 0.01 * amount))
    return clip_motion(rng, player, label, duration_s, None, partial(_plan_faulty, fault, amount))


def _plan_faulty(fault: Fault, amount: float, rng: np.random.Generator, player: Player, label: str) -> Swing:
    return fault.change(player, plan_swing(rng, player, label), amount)
