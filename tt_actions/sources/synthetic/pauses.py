"""What a player does between strokes: waits, walks, runs, picks up balls and bounces them.

Clips of these movements teach a network what is no stroke. In them too, a hand can be fast: the arms swing
while the player walks, or a hand is raised.
"""

from collections.abc import Callable

import numpy as np

from tt_actions.sources.synthetic.key_poses import (
    AXIS,
    BLADE,
    CHEST_YAW,
    ELBOW,
    FREE_HAND,
    HEELS,
    HIP_YAW,
    HIPS,
    LEAN,
    NORMAL,
    NUM_CHANNELS,
    STANDARD_HEIGHT_M,
)
from tt_actions.sources.synthetic.performance import embody, into_world
from tt_actions.sources.synthetic.player import Player
from tt_actions.sources.synthetic.stance import TOE_HEIGHT_M, feet_at, stand_ready
from tt_actions.sources.synthetic.strokes import home_of, smooth_step

Moving = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Joints, centre of the blade, and its rotation."""

_LONGEST_WAY_M = 2.4  # the camera may be near
_ALONG_FOREARM = np.array([0.55, 0.0, -0.84])  # of a racket in a hanging hand

# Quick movements of a hand: the channels that move, and where to, for a player of standard height.
_SIGNS: tuple[tuple[tuple[slice, tuple[float, float, float]], ...], ...] = (
    ((FREE_HAND, (0.15, 0.30, 1.98)),),  # raises the free arm
    ((FREE_HAND, (0.35, 0.75, 1.40)),),  # points aside
    ((FREE_HAND, (0.05, 0.08, 1.72)),),  # pushes hair back
    ((FREE_HAND, (0.38, 0.22, 1.30)),),  # makes a fist
    ((BLADE, (0.15, -0.32, 2.02)), (AXIS, (0.2, 0.0, 1.0))),  # raises the racket
    ((BLADE, (-0.05, -0.24, 1.60)), (AXIS, (-0.7, 0.1, 0.6))),  # lays it on the shoulder
    ((BLADE, (0.45, -0.24, 0.50)), (AXIS, (0.5, 0.0, -0.85))),  # hits the shoe with it
    ((BLADE, (0.42, 0.10, 1.30)), (AXIS, (0.4, 0.4, 0.8)), (FREE_HAND, (0.44, 0.20, 1.28))),  # claps on it
)


def pause(rng: np.random.Generator, player: Player, times_s: np.ndarray) -> Moving:
    """Compute the motion of a player who plays no stroke.

    Args:
        rng: Random generator.
        player: The near player.
        times_s: Points in time, in seconds.

    Returns:
        Joints, centre of the blade, and its rotation, in the world.

    Shape:
        ``(T,)`` -> ``(T, 25, 3)``, ``(T, 3)``, ``(T, 3, 3)``.
    """
    kinds: tuple[Callable[[np.random.Generator, Player, np.ndarray], Moving], ...]
    kinds = (_wait, _go, _go, _pick_up, _pick_up, _bounce_ball)
    joints, blade, rotation = kinds[rng.integers(len(kinds))](rng, player, times_s)
    away = np.pi + rng.uniform(-1.8, 1.8)  # nobody walks into the table
    turn = np.array([[np.cos(away), -np.sin(away), 0], [np.sin(away), np.cos(away), 0], [0, 0, 1]])
    home = np.array([*home_of(player), 0.0])
    return into_world(joints @ turn.T + home, blade @ turn.T + home, turn @ rotation, player, 0)


def _wait(rng: np.random.Generator, player: Player, times_s: np.ndarray) -> Moving:
    """Stand, make small gestures and now and then a quick sign."""
    channels = _stand(rng, player, times_s)
    now_s = rng.uniform(-0.2, 0.8)
    while now_s < times_s[-1] - 0.3:
        _move(channels, times_s, now_s, rng, _SIGNS[rng.integers(len(_SIGNS))], player)
        now_s += rng.uniform(0.8, 1.8)
    return _on_the_spot(player, channels)


def _pick_up(rng: np.random.Generator, player: Player, times_s: np.ndarray) -> Moving:
    """Squat or stoop, reach for a ball on the floor with a hand or the racket, and rise."""
    channels = _stand(rng, player, times_s)
    down_s, rest_s, up_s = rng.uniform(0.35, 0.9), rng.uniform(0.05, 0.5), rng.uniform(0.35, 0.9)
    begin_s = rng.uniform(-0.3, max(0.0, times_s[-1] - down_s - rest_s))
    since_s = times_s - begin_s
    weight = smooth_step(since_s / down_s) * (1 - smooth_step((since_s - down_s - rest_s) / up_s))
    squats = rng.uniform(0, 1)
    reach = np.array([rng.uniform(0.30, 0.60), rng.uniform(-0.25, 0.30), rng.uniform(0.08, 0.18)])
    low = channels[0].copy()
    low[HIPS] = [-0.22 + 0.12 * squats, 0.0, 0.80 - 0.38 * squats]
    low[LEAN] = np.radians(rng.uniform(72, 88) - 32 * squats)
    low[HIP_YAW] = low[CHEST_YAW] = np.radians(rng.uniform(-25, 25))
    low[HEELS] = rng.uniform(0, 0.7, 2) * squats
    if rng.random() < 0.35:  # with the racket
        low[BLADE], low[AXIS], low[NORMAL] = reach * [1, -1, 1], (0.7, 0.2, -0.6), (0.3, 0.9, 0.3)
        low[FREE_HAND] = [0.20, 0.25, 0.55]
    else:
        low[FREE_HAND] = reach
        low[BLADE] = [0.30, -0.32, rng.uniform(0.35, 0.60)]
    for points in (BLADE, FREE_HAND, HIPS):
        low[points] *= player.height_m / STANDARD_HEIGHT_M
    channels += weight[:, None] * (low - channels)
    return _on_the_spot(player, channels)


def _bounce_ball(rng: np.random.Generator, player: Player, times_s: np.ndarray) -> Moving:
    """Bounce a ball on the floor with the free hand, or on the racket."""
    channels = _stand(rng, player, times_s)
    wave = np.sin(2 * np.pi * rng.uniform(1.2, 2.2) * times_s + rng.uniform(0, 2 * np.pi))
    scale = player.height_m / STANDARD_HEIGHT_M
    if rng.random() < 0.6:
        channels[:, LEAN] += rng.uniform(0.2, 0.6)
        size_m = rng.uniform(0.08, 0.20)
        channels[:, FREE_HAND] = np.array([0.45, 0.12, 0.80]) * scale
        channels[:, FREE_HAND.start + 2] += size_m * wave
    else:
        size_m = rng.uniform(0.04, 0.14)
        channels[:, BLADE] = np.array([0.50, -0.15, 1.05]) * scale
        channels[:, AXIS], channels[:, NORMAL] = (0.95, 0.25, 0.05), (0.0, 0.1, 1.0)
        channels[:, BLADE.start + 2] += size_m * wave
    return _on_the_spot(player, channels)


def _go(rng: np.random.Generator, player: Player, times_s: np.ndarray) -> Moving:
    """Walk or run in an arc, the arms swinging against the legs."""
    runs = rng.random() < 0.35
    speed_m = rng.uniform(2.0, 3.2) if runs else rng.uniform(0.7, 1.7)
    strides_hz = (1.25 + 0.5 * speed_m) / 2 * rng.uniform(0.9, 1.1) * np.sqrt(1.73 / player.height_m)
    covers_m = min(speed_m, _LONGEST_WAY_M / times_s[-1])  # fast runners step nearly on the spot
    turns = rng.uniform(-0.5, 0.5) or 1e-3  # radians per second

    def way(at_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        since_s = at_s - times_s[-1] / 2
        yaw = turns * since_s
        return covers_m / turns * np.stack([np.sin(yaw), 1 - np.cos(yaw)], -1), yaw

    begins = rng.random()
    cycles = np.stack([strides_hz * times_s + begins, strides_hz * times_s + begins + 0.5], -1)
    duty = 0.38 if runs else 0.60
    number = np.floor(cycles)
    through = smooth_step((cycles - number - duty) / (1 - duty))  # of the foot in the air
    middle_s = (number + duty / 2 - begins - [0.0, 0.5]) / strides_hz
    width_m = rng.uniform(0.07, 0.13)
    (here, here_yaw), (there, there_yaw) = (
        _footprints(*way(at_s), width_m) for at_s in (middle_s, middle_s + 1 / strides_hz)
    )
    tips = here + through[..., None] * (there - here)
    foot_yaw = here_yaw + through * (there_yaw - here_yaw)
    lift = (0.05 + 0.06 * speed_m) * 4 * through * (1 - through)

    channels = _stand(rng, player, times_s, still=True)
    _swing_arms(rng, player, channels, cycles, runs)
    channels[:, HIPS.start + 2] += 0.02 * np.cos(4 * np.pi * (cycles[:, 0] - duty / 2)) - 0.04 * runs
    channels[:, LEAN] = np.radians(3 + 4 * speed_m + rng.normal(0, 4))
    sway = np.radians(rng.uniform(3, 9)) * np.cos(2 * np.pi * cycles[:, 0])
    channels[:, HIP_YAW], channels[:, CHEST_YAW] = -sway, sway
    pushes = smooth_step((cycles - number - 0.6 * duty) / (0.5 * duty)) * (1 - through)
    channels[:, HEELS] = (0.5 + 0.2 * runs) * pushes + 0.5 * np.sin(np.pi * through) * through
    toes = np.concatenate([tips, (TOE_HEIGHT_M + lift)[..., None]], -1)
    return _along(player, channels, toes, foot_yaw, *way(times_s))


def _footprints(centre: np.ndarray, yaw: np.ndarray, width_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Return where the toes of both feet stand, and their turns: ``(T, 2, 2)`` and ``(T, 2)``."""
    along = np.stack([np.cos(yaw), np.sin(yaw)], -1)
    across = np.stack([-np.sin(yaw), np.cos(yaw)], -1)
    return centre + 0.12 * along + np.array([[width_m], [-width_m]]) * across, yaw + np.array([0.1, -0.1])


def _swing_arms(
    rng: np.random.Generator, player: Player, channels: np.ndarray, cycles: np.ndarray, runs: bool
) -> None:
    """Set the hands of a walker, of whom some hold the racket still."""
    size = rng.uniform(0.4, 0.9) if runs else rng.uniform(0.15, 0.65)
    length_m = (
        (rng.uniform(0.42, 0.52) if runs else rng.uniform(0.54, 0.60)) * player.height_m / STANDARD_HEIGHT_M
    )
    shoulder_m = np.array([0.02, 0.0, 1.40]) * player.height_m / STANDARD_HEIGHT_M
    aside_m = rng.uniform(0.22, 0.32)
    for side, (points, cycle) in enumerate(((FREE_HAND, cycles[:, 1]), (BLADE, cycles[:, 0]))):
        if side and rng.random() < 0.35:
            continue
        angle = (0.35 if runs else 0.08) + size * np.cos(2 * np.pi * cycle)
        hand = shoulder_m + length_m * np.stack([np.sin(angle), 0 * angle, -np.cos(angle)], -1)
        hand[:, 1] += (1 - 2 * side) * aside_m
        channels[:, points] = hand
    if np.ptp(channels[:, BLADE.start]) > 0.1:
        axis = _ALONG_FOREARM + rng.normal(0, 0.25, 3)
        axis /= np.linalg.norm(axis)
        channels[:, BLADE] += 0.14 * axis
        channels[:, AXIS], channels[:, NORMAL] = axis, np.array([0.1, 1.0, 0.1]) + rng.normal(0, 0.2, 3)
        channels[:, ELBOW] = (-0.8, -0.3, -0.5)


def _stand(rng: np.random.Generator, player: Player, times_s: np.ndarray, still: bool = False) -> np.ndarray:
    """Return the channels of a waiting player ``(T, 24)``, with gestures unless ``still``."""
    relaxed = np.full(len(times_s), rng.uniform(0.5, 1.0))
    free_s = [] if still else [(0.0, float(times_s[-1]))]
    return stand_ready(rng, player, times_s, relaxed, free_s)


def _move(
    channels: np.ndarray,
    times_s: np.ndarray,
    begin_s: float,
    rng: np.random.Generator,
    sign: tuple[tuple[slice, tuple[float, float, float]], ...],
    player: Player,
) -> None:
    """Move a hand quickly to a place and back."""
    there_s, rest_s, back_s = rng.uniform(0.18, 0.5), rng.uniform(0.0, 0.5), rng.uniform(0.25, 0.6)
    since_s = times_s - begin_s
    weight = smooth_step(since_s / there_s) * (1 - smooth_step((since_s - there_s - rest_s) / back_s))
    for part, place in sign:
        target = np.array(place)
        if part in (BLADE, FREE_HAND):
            target = target * player.height_m / STANDARD_HEIGHT_M + rng.normal(0, 0.06, 3)
        channels[:, part] += weight[:, None] * (target - channels[:, part])


def _on_the_spot(player: Player, channels: np.ndarray) -> Moving:
    num = len(channels)
    centre = np.zeros((num, 2))
    tips, foot_yaw = feet_at(player, centre, np.zeros(num))
    toes = np.concatenate([tips, np.full((num, 2, 1), TOE_HEIGHT_M)], -1)
    return _along(player, channels, toes, foot_yaw, centre, np.zeros(num))


def _along(
    player: Player,
    channels: np.ndarray,
    toes: np.ndarray,
    foot_yaw: np.ndarray,
    centre: np.ndarray,
    yaw: np.ndarray,
) -> Moving:
    """Place a body whose channels are seen from its own middle and direction."""
    assert channels.shape[1] == NUM_CHANNELS
    cos, sin, zero, one = np.cos(yaw), np.sin(yaw), np.zeros(len(yaw)), np.ones(len(yaw))
    turn = np.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], -1).reshape(-1, 3, 3)
    middle = np.concatenate([centre, np.zeros((len(centre), 1))], -1)
    own_toes = (toes - middle[:, None]) @ turn
    gaze = np.tile([2.0, 0.0, 0.9], (len(yaw), 1))
    joints, blade, rotation = embody(player, channels, own_toes, foot_yaw - yaw[:, None], gaze)
    return (
        joints @ turn.swapaxes(-1, -2) + middle[:, None],
        (turn @ blade[..., None])[..., 0] + middle,
        turn @ rotation,
    )
