"""Performance of each stroke: key poses varied for each player, and the path between them."""

from dataclasses import dataclass

import numpy as np

from tt_actions.sources.synthetic.ball import GRAVITY
from tt_actions.sources.synthetic.key_poses import (
    AXIS,
    BLADE,
    CHEST_YAW,
    FREE_HAND,
    HIP_YAW,
    HIPS,
    LEAN,
    NORMAL,
    STANDARD_HEIGHT_M,
    STYLES,
    TILT,
)
from tt_actions.sources.synthetic.player import Player

END_LINE_M = -1.37
"""Position of the near end of the table along x."""
TENNIS_HOME_M = -2.8
"""Position of a tennis player along x. It is so far from the origin that nothing of the player is over the
place of the table."""
LOWEST_CONTACT_M = 0.88
"""Minimum height of a contact: a lower serve would be below the table, and other strokes could not clear its
edge."""

# Shortest and longest preparation, forward swing and follow-through, in seconds at a tempo of 1.
_PHASES_S = {
    "serve": ((0.20, 0.28), (0.17, 0.22), (0.20, 0.26)),
    "forehand": ((0.42, 0.54), (0.17, 0.23), (0.23, 0.31)),
    "backhand": ((0.38, 0.48), (0.15, 0.20), (0.21, 0.29)),
    "smash": ((0.48, 0.60), (0.18, 0.24), (0.25, 0.33)),
}
_FEET_YAW_DEG = {"serve": -40.0, "forehand": -16.0, "backhand": 2.0, "smash": -30.0}


@dataclass(frozen=True)
class Swing:
    """One planned stroke; times in seconds after contact.

    Args:
        label: Class name.
        times_s: Time of each key pose.
        keys: The key poses, one per row.
        slopes: Their rates of change, per second.
        start_s: Start of the movement.
        taken_over_s: Time at which the stroke has fully replaced the ready stance.
        end_s: End of the follow-through.
        settled_s: Time at which the player is back in the ready stance.
        centre: Middle of the feet at contact, in metres, in a court where the player faces +x.
        feet_yaw: Turn of the stance to the left, in radians.
        side: 1 if the forehand side of the blade hits the ball, -1 for the backhand side.
        release_s: Time at which the ball leaves the hand; None if it comes from the opponent.
        two_handed: Whether the free hand holds the racket too.

    Shape:
        times_s ``(N,)``, keys and slopes ``(N, 24)``, centre ``(2,)``.
    """

    label: str
    times_s: np.ndarray
    keys: np.ndarray
    slopes: np.ndarray
    start_s: float
    taken_over_s: float
    end_s: float
    settled_s: float
    centre: np.ndarray
    feet_yaw: float
    side: int
    release_s: float | None
    two_handed: bool = False

    def path(self, times_s: np.ndarray) -> np.ndarray:
        """Return the channels as cubic Hermite splines, constant beyond both ends.

        Args:
            times_s: Seconds after contact.

        Shape:
            ``(T,)`` -> ``(T, 24)``.
        """
        times_s = np.clip(times_s, self.times_s[0], self.times_s[-1])
        i = np.clip(np.searchsorted(self.times_s, times_s, side="right") - 1, 0, len(self.times_s) - 2)
        step = (self.times_s[i + 1] - self.times_s[i])[:, None]
        s = (times_s - self.times_s[i])[:, None] / step
        return np.asarray(
            (1 + 2 * s) * (1 - s) ** 2 * self.keys[i]
            + s * (1 - s) ** 2 * step * self.slopes[i]
            + s**2 * (3 - 2 * s) * self.keys[i + 1]
            + s**2 * (s - 1) * step * self.slopes[i + 1]
        )

    def weight(self, times_s: np.ndarray) -> np.ndarray:
        """Return the weight of the stroke over the ready stance, in [0, 1].

        Args:
            times_s: Seconds after contact.

        Shape:
            ``(T,)`` -> ``(T,)``.
        """
        rise = smooth_step((times_s - self.start_s) / (self.taken_over_s - self.start_s))
        fall = smooth_step((times_s - self.times_s[-1]) / (self.settled_s - self.times_s[-1]))
        return np.asarray(rise * (1 - fall))


def smooth_step(s: np.ndarray) -> np.ndarray:
    """Rise smoothly from 0 at 0 to 1 at 1, with zero slope at both ends.

    Args:
        s: Progress; clipped to [0, 1].

    >>> smooth_step(np.array([-1.0, 0.5, 2.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    s = np.clip(s, 0, 1)
    return np.asarray(s**2 * (3 - 2 * s))


def plan_swing(rng: np.random.Generator, player: Player, label: str) -> Swing:
    """Generate a random stroke according to the player's habits.

    Args:
        rng: Random generator.
        player: The player of the stroke.
        label: Class name.
    """
    keys = _mix_styles(rng, player, label)
    contact = len(keys) - 2
    _vary(rng, player, label, keys, contact)
    tempo = player.tempo * rng.uniform(0.9, 1.1)
    prepare_s, swing_s, follow_s = (rng.uniform(*phase) / tempo for phase in _PHASES_S[label])
    times_s, taken_over_s, release_s = np.array([-swing_s, 0.0, follow_s]), -swing_s, None
    if label == "smash":
        times_s = np.array([-swing_s - 0.5 * prepare_s, *times_s])
    if label == "serve":
        release_s = -_draw_toss_s(rng, keys[contact - 2, FREE_HAND], keys[contact, BLADE])
        dip_s = release_s - rng.uniform(0.20, 0.26)
        times_s = np.array([dip_s - rng.uniform(0.08, 0.20), dip_s, release_s, -swing_s, 0.0, follow_s])
        taken_over_s = times_s[0]
    slopes = key_slopes(times_s, keys, release_s)
    centre, feet_yaw = _draw_stance(rng, player, label, keys[contact, BLADE])
    return Swing(
        label=label,
        times_s=times_s,
        keys=keys,
        slopes=slopes,
        start_s=float(taken_over_s - prepare_s),
        taken_over_s=float(taken_over_s),
        end_s=float(follow_s + 0.05),
        settled_s=float(follow_s + rng.uniform(0.32, 0.5) / tempo),
        centre=centre,
        feet_yaw=feet_yaw,
        side=int(np.sign(keys[contact, NORMAL.start])),
        release_s=release_s,
    )


def _mix_styles(rng: np.random.Generator, player: Player, label: str) -> np.ndarray:
    styles = STYLES[label]
    if label == "serve":
        forehand = 1 - player.backhand_serve
        return styles[rng.choice(3, p=[0.6 * forehand, 0.4 * forehand, player.backhand_serve])].copy()
    chances = [0.85, 0.15] if label == "smash" else [0.8 * (1 - player.spin), 0.8 * player.spin, 0.2]
    main, other = rng.choice(len(styles), size=2, p=chances)
    share = rng.uniform(0, 0.35)
    return np.asarray((1 - share) * styles[main] + share * styles[other])


def _vary(rng: np.random.Generator, player: Player, label: str, keys: np.ndarray, contact: int) -> None:
    """Adapt the key poses in place to the player's build and habits, with random variation."""
    for points in (BLADE, FREE_HAND, HIPS):
        keys[:, points] *= player.height_m / STANDARD_HEIGHT_M
    amplitude = player.amplitude * rng.uniform(0.82, 1.15)
    for channels, size in ((BLADE, amplitude), (slice(AXIS.start, NORMAL.stop), min(1, amplitude))):
        keys[:, channels] = keys[contact, channels] + size * (keys[:, channels] - keys[contact, channels])
    turns = slice(HIP_YAW, CHEST_YAW + 1)
    keys[:, turns] *= player.turn * np.sqrt(amplitude) * rng.uniform(0.9, 1.1)
    vary = player.variation
    keys[:, LEAN] += player.lean_rad + vary * rng.normal(0, 0.04)
    keys[:, HIPS.start + 2] += vary * rng.normal(0, 0.015) - player.crouch_m

    freedom = 0.5 if label == "serve" else 1.0
    shift = player.contact_m * np.array([1, -1, 1]) + vary * rng.normal(0, [0.04, 0.05, 0.06])
    follows = np.full((len(keys), 1), 0.6)  # the rest of the path partly follows the contact point
    follows[contact] = 1
    keys[:, BLADE] += follows * np.clip(freedom * shift, -0.13 * vary, 0.13 * vary)
    for channels, spread in ((BLADE, 0.02), (AXIS, 0.06), (NORMAL, 0.06), (FREE_HAND, 0.012)):
        keys[:, channels] += vary * rng.normal(0, spread, (len(keys), 3))
    keys[:, HIP_YAW : TILT + 1] += vary * rng.normal(0, 0.03, (len(keys), 4))
    height = BLADE.start + 2
    keys[contact, height] = max(keys[contact, height], LOWEST_CONTACT_M)
    if label == "serve":  # the toss leads to the contact point
        aside = keys[contact, BLADE][:2] - keys[contact - 2, FREE_HAND][:2]
        keys[: contact - 1, FREE_HAND] += [*(rng.uniform(0.5, 0.8) * aside), 0]
    else:
        keys[:, FREE_HAND] += vary * rng.normal(0, 0.03, 3)


def _draw_toss_s(rng: np.random.Generator, hand: np.ndarray, blade: np.ndarray) -> float:
    """Choose a random toss duration; the ball rises by more than the 16 cm of the ITTF rules."""
    rise_m = rng.uniform(0.21, 0.42)
    drop_m = rise_m + hand[2] - blade[2]
    return float(np.sqrt(2 * rise_m / GRAVITY) + np.sqrt(2 * drop_m / GRAVITY))


def key_slopes(times_s: np.ndarray, keys: np.ndarray, release_s: float | None) -> np.ndarray:
    """Compute slopes that are zero at the ends of backswing and follow-through, and largest at contact.

    Args:
        times_s: Time of each key pose, in seconds after contact.
        keys: The key poses; the second-to-last is the contact.
        release_s: Time at which a served ball leaves the hand, or None.

    Shape:
        times_s ``(N,)``, keys ``(N, 24)`` -> ``(N, 24)``.
    """
    contact = len(keys) - 2
    rates = np.diff(keys, axis=0) / np.diff(times_s)[:, None]
    slopes = np.zeros_like(keys)
    before, after = rates[contact - 1], rates[contact]
    slopes[contact] = 0.85 * (before + after)
    speed = np.linalg.norm(before[BLADE]) + np.linalg.norm(after[BLADE])
    slopes[contact, BLADE] *= speed / np.linalg.norm(
        before[BLADE] + after[BLADE]
    )  # keeps the full speed in a change of direction
    if release_s is not None:
        release = contact - 2
        slopes[release] = 0.5 * (rates[release - 1] + rates[release])
        slopes[release, FREE_HAND] = [0, 0, 2.0]  # about the release speed of the ball
        slopes[contact - 1, FREE_HAND] = 0.3 * rates[contact - 1, FREE_HAND]
    return slopes


def _draw_stance(
    rng: np.random.Generator, player: Player, label: str, blade: np.ndarray
) -> tuple[np.ndarray, float]:
    home = home_of(player)
    if label == "serve":
        shift = rng.normal([0.0, 0.12], [0.03, 0.12])
    else:
        shift = rng.normal([-0.03, 0.0], [0.07, 0.20])
    centre = home + np.clip(shift, -0.35, 0.35)
    centre[1] = np.clip(centre[1] + blade[1], -0.68, 0.68) - blade[1]
    feet_yaw = np.radians(_FEET_YAW_DEG[label] * player.turn + rng.normal(0, 5))
    return centre, float(feet_yaw)


def home_of(player: Player) -> np.ndarray:
    """Return the middle of the feet in the ready stance, in a court in which the player is right-handed.

    Args:
        player: The player.

    Shape:
        ``(2,)``, metres.
    """
    if player.sport == "tennis":
        return np.array([TENNIS_HOME_M, 0.0])
    return np.array([END_LINE_M - player.distance_m, 0.22])
