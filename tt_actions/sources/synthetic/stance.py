"""Movements between strokes: ready stance, small gestures and footsteps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tt_actions.sources.synthetic import tennis_poses
from tt_actions.sources.synthetic.key_poses import (
    AXIS,
    BLADE,
    ELBOW,
    FREE_HAND,
    HEELS,
    HIP_YAW,
    HIPS,
    LEAN,
    NORMAL,
    NUM_CHANNELS,
    READY,
    RELAXED,
    STANDARD_HEIGHT_M,
    TILT,
)
from tt_actions.sources.synthetic.player import Player
from tt_actions.sources.synthetic.strokes import Swing, home_of, smooth_step

# Gestures: the channels that move away from the stance, and their targets.
_GESTURES: tuple[tuple[tuple[slice, tuple[float, float, float]], ...], ...] = (
    ((FREE_HAND, (0.24, 0.10, 1.50)),),  # wipes the forehead
    ((FREE_HAND, (0.22, 0.04, 1.16)),),  # pulls at the shirt
    ((FREE_HAND, (0.16, 0.20, 0.74)),),  # dries the hand at the thigh
    ((BLADE, (0.36, 0.02, 1.18)), (AXIS, (0.2, 0.5, 0.8)), (NORMAL, (-0.9, 0.0, 0.2))),  # looks at the rubber
    ((BLADE, (0.42, 0.06, 1.06)), (AXIS, (0.7, 0.6, 0.2)), (FREE_HAND, (0.46, 0.10, 1.02))),  # wipes it
    ((BLADE, (0.34, -0.36, 0.94)), (AXIS, (0.7, -0.3, 0.1)), (NORMAL, (0.3, 0.8, 0.1))),  # loosens the arm
    ((NORMAL, (0.5, 0.4, 0.75)), (AXIS, (0.9, 0.1, 0.3))),  # turns the racket
)

# Size of the sway of each channel, in metres, radians or components of a direction.
_SWAY = np.zeros(NUM_CHANNELS)
_SWAY[BLADE], _SWAY[AXIS], _SWAY[NORMAL], _SWAY[ELBOW] = 0.022, 0.07, 0.06, 0.05
_SWAY[FREE_HAND], _SWAY[HIPS], _SWAY[HIP_YAW : TILT + 1] = 0.022, (0.014, 0.024, 0.010), 0.035

TOE_HEIGHT_M = 0.03
"""Height of the toe above the sole, in metres."""


def smooth_noise(rng: np.random.Generator, times_s: np.ndarray, num_channels: int) -> np.ndarray:
    """Generate smooth random signals of unit variance, slower than 1.5 Hz.

    Args:
        rng: Random generator.
        times_s: Points in time, in seconds.
        num_channels: Number of independent signals.

    Shape:
        ``(T,)`` -> ``(T, num_channels)``.
    """
    waves_hz = rng.uniform(0.15, 1.5, (3, num_channels))
    phases = rng.uniform(0, 2 * np.pi, (3, num_channels))
    return np.asarray(np.sin(2 * np.pi * waves_hz * times_s[:, None, None] + phases).sum(1) * np.sqrt(2 / 3))


def stand_ready(
    rng: np.random.Generator,
    player: Player,
    times_s: np.ndarray,
    relaxed: np.ndarray,
    free_s: Sequence[tuple[float, float]],
) -> np.ndarray:
    """Return the channels of a waiting player: swaying, bouncing and occasional gestures.

    Args:
        rng: Random generator.
        player: The waiting player.
        times_s: Points in time, in seconds.
        relaxed: From ready (0) to relaxed (1), at each point in time.
        free_s: Time intervals in which gestures may occur, in seconds.

    Shape:
        ``(T,)`` and ``(T,)`` -> ``(T, 24)``.
    """
    scale = player.height_m / STANDARD_HEIGHT_M
    ease = relaxed[:, None]
    ready, loose = (
        (tennis_poses.READY, tennis_poses.RELAXED) if player.sport == "tennis" else (READY, RELAXED)
    )
    channels = np.asarray((1 - ease) * ready + ease * loose)
    for start_s, end_s in free_s:
        _add_gestures(rng, channels, times_s, start_s, end_s)
    for points in (BLADE, FREE_HAND, HIPS):
        channels[:, points] *= scale
    channels[:, LEAN] += player.lean_rad * (1 - 0.6 * relaxed)
    channels[:, HIPS] -= (1 - ease) * [0, 0, player.crouch_m]
    channels += player.restlessness * _SWAY * smooth_noise(rng, times_s, NUM_CHANNELS)
    _bounce(rng, player, channels, times_s, relaxed)
    return channels


def _add_gestures(
    rng: np.random.Generator, channels: np.ndarray, times_s: np.ndarray, start_s: float, end_s: float
) -> None:
    now_s = start_s + rng.uniform(0, 1.0)
    while now_s + (length_s := rng.uniform(0.7, 1.4)) < end_s:
        if rng.random() < 0.55:
            s = (times_s - now_s) / length_s
            weight = (smooth_step(s / 0.4) * (1 - smooth_step((s - 0.6) / 0.4)))[:, None]
            rub = rng.uniform(0.0, 0.03, 3) * np.sin(2 * np.pi * rng.uniform(2, 4) * times_s)[:, None]
            for part, target in _GESTURES[rng.integers(len(_GESTURES))]:
                channels[:, part] += weight * (np.array(target) + rub - channels[:, part])
        now_s += length_s + rng.uniform(0.1, 1.2)


def _bounce(
    rng: np.random.Generator, player: Player, channels: np.ndarray, times_s: np.ndarray, relaxed: np.ndarray
) -> None:
    rate_hz = rng.uniform(1.4, 2.4) * player.tempo
    size = np.clip(0.5 + 0.6 * smooth_noise(rng, times_s, 1)[:, 0], 0, 1.5)
    size *= player.restlessness * (1 - 0.85 * relaxed)
    wave = np.sin(2 * np.pi * rate_hz * times_s + rng.uniform(0, 2 * np.pi))
    channels[:, HIPS.start + 2] += 0.014 * size * wave
    channels[:, [BLADE.start + 2, FREE_HAND.start + 2]] += (0.010 * size * wave)[:, None]
    channels[:, HEELS] = np.maximum(0, channels[:, HEELS] + (0.12 * size * (wave + 0.4))[:, None])


@dataclass(frozen=True)
class Stand:
    """Target position of the feet from a given moment.

    Args:
        time_s: Time at which both feet are on the floor, in seconds.
        lasts_s: Duration of the step, in seconds.
        centre: Middle of the feet, in metres.
        yaw: Turn of the stance to the left, in radians.

    Shape:
        centre ``(2,)``.
    """

    time_s: float
    lasts_s: float
    centre: np.ndarray
    yaw: float


def feet_at(player: Player, centre: np.ndarray, yaw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the positions of both feet of a stance.

    Args:
        player: The standing player.
        centre: Middle of the feet, in metres.
        yaw: Turn of the stance to the left, in radians.

    Returns:
        The toes of the left and right foot, and the turn of each foot to the left in radians.

    Shape:
        ``(N, 2)`` and ``(N,)`` -> ``(N, 2, 2)`` and ``(N, 2)``.
    """
    half = player.stance_width_m / 2
    offsets = np.array([[0.15, half], [0.03, -half]])
    along = np.stack([np.cos(yaw), np.sin(yaw)], -1)
    across = np.stack([-np.sin(yaw), np.cos(yaw)], -1)
    turned = offsets[:, :1] * along[:, None] + offsets[:, 1:] * across[:, None]
    return centre[:, None] + turned, yaw[:, None] + [0.20, -0.35]


def walk(
    player: Player, times_s: np.ndarray, stands: Sequence[Stand]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Step from stand to stand, first with the foot on the side of the movement.

    Args:
        player: The walking player.
        times_s: Points in time, in seconds.
        stands: Stands in order of time; the first applies from the beginning.

    Returns:
        The toes of both feet, the turn of both feet in radians, and the middle of the feet. A foot on the
        floor does not move.

    Shape:
        ``(T, 2, 3)``, ``(T, 2)`` and ``(T, 2)``.
    """
    centres = np.stack([stand.centre for stand in stands])
    tips, yaws = feet_at(player, centres, np.array([stand.yaw for stand in stands]))
    steps, turns = np.diff(tips, axis=0), np.diff(yaws, axis=0)  # (S, 2, 2), (S, 2)
    ends_s = np.array([stand.time_s for stand in stands[1:]])
    lasts_s = np.array([stand.lasts_s for stand in stands[1:]])
    leads_left = np.diff(centres, axis=0)[:, 1] > 0
    first = np.stack([leads_left, ~leads_left], -1)  # (S, 2)
    begin_s = ends_s[:, None] - lasts_s[:, None] * np.where(first, 1.0, 0.55)
    share = (times_s[:, None, None] - begin_s) / (0.55 * lasts_s[:, None])  # (T, S, 2)
    done = smooth_step(share)
    length_m = np.linalg.norm(steps, axis=-1)
    lift = (4 * done * (1 - done) * np.minimum(0.02 + 0.16 * length_m, 0.10)).sum(1)
    ground = tips[0] + np.einsum("tsf,sfd->tfd", done, steps)
    middle = centres[0] + np.einsum("ts,sd->td", done.mean(2), np.diff(centres, axis=0))
    yaw = yaws[0] + np.einsum("tsf,sf->tf", done, turns)
    return np.concatenate([ground, TOE_HEIGHT_M + lift[..., None]], -1), yaw, middle


def plan_steps(
    rng: np.random.Generator, player: Player, swings: Sequence[tuple[float, Swing]], end_s: float
) -> list[Stand]:
    """Plan a player's stands: at each stroke, back in between, and small steps while waiting.

    Args:
        rng: Random generator.
        player: The walking player.
        swings: Contact time in seconds and stroke, in order of time.
        end_s: End time in seconds.
    """
    home = home_of(player)
    stands = [Stand(-np.inf, 1.0, home + rng.normal(0, 0.06, 2), rng.normal(0, 0.06))]
    if swings and swings[0][1].label == "serve":
        stands = [Stand(-np.inf, 1.0, swings[0][1].centre, swings[0][1].feet_yaw)]
    now_s = 0.0
    for contact_s, swing in swings:
        arrives_s = contact_s + 0.8 * swing.taken_over_s
        lasts_s = min(rng.uniform(0.34, 0.46), arrives_s - contact_s - swing.start_s)
        _shuffle(rng, player, stands, now_s, arrives_s - lasts_s)
        stands.append(Stand(arrives_s, lasts_s, swing.centre, swing.feet_yaw))
        now_s = contact_s + swing.settled_s
        follows = [s + other.start_s for s, other in swings if s > contact_s]
        if not follows or follows[0] > now_s:
            stands.append(Stand(now_s, 0.42, home + rng.normal(0, 0.06, 2), rng.normal(0, 0.06)))
    _shuffle(rng, player, stands, now_s, end_s)
    return stands


def _shuffle(
    rng: np.random.Generator, player: Player, stands: list[Stand], now_s: float, end_s: float
) -> None:
    while (now_s := now_s + rng.exponential(0.9 / player.restlessness) + 0.3) < end_s:
        last = stands[-1]
        home = home_of(player)
        centre = last.centre + 0.4 * (home - last.centre) + rng.normal(0, 0.045, 2)
        stands.append(Stand(now_s, 0.28, centre, 0.6 * last.yaw + rng.normal(0, 0.06)))
