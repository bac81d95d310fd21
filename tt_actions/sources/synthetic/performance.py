"""A player's whole motion: strokes blended into the ready stance, on moving feet."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tt_actions.sources.synthetic.body import MIRRORED, Pose, body_of, solve, trunk_rotation
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
    TILT,
)
from tt_actions.sources.synthetic.player import Player
from tt_actions.sources.synthetic.stance import TOE_HEIGHT_M, feet_at, plan_steps, stand_ready, walk
from tt_actions.sources.synthetic.strokes import Swing

_SHORTEST_PAUSE_S = 1.0


def to_court(points: np.ndarray, player: Player, side: int) -> np.ndarray:
    """Convert points between the world and the court of a right-handed player who faces +x; its own inverse.

    Args:
        points: Positions or directions.
        player: The player of the court; the court of a left-handed player is mirrored.
        side: 0 for the near player, 1 for the opponent, whose court is rotated.

    Shape:
        ``(..., 3)`` -> ``(..., 3)``.
    """
    along = -1.0 if side else 1.0
    across = -along if player.left_handed else along
    return np.asarray(points * [along, across, 1.0])


def rest_at(player: Player, swing: Swing, times_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute the body in the middle of a stroke, with planted feet, in the player's own court.

    Args:
        player: The player of the stroke.
        swing: The stroke.
        times_s: Points in time, in seconds after contact.

    Returns:
        The result of :func:`tt_actions.sources.synthetic.body.solve`.

    Shape:
        ``(T,)`` -> ``(T, 25, 3)``, ``(T, 3)``, ``(T, 3, 3)``.
    """
    num = len(times_s)
    centre = np.tile(swing.centre, (num, 1))
    tips, yaw = feet_at(player, centre, np.full(num, swing.feet_yaw))
    toes = np.concatenate([tips, np.full((num, 2, 1), TOE_HEIGHT_M)], -1)
    pose = _pose(swing.path(times_s), toes, yaw, centre, np.zeros((num, 3)))
    if swing.two_handed:
        pose = replace(pose, grip=np.ones(num))
    return solve(body_of(player), pose)


def perform(
    rng: np.random.Generator,
    player: Player,
    side: int,
    times_s: np.ndarray,
    swings: Sequence[tuple[float, Swing]],
    relaxed: np.ndarray,
    ball: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute the motion of one player over time.

    Args:
        rng: Random generator.
        player: The moving player.
        side: 0 for the near player, 1 for the opponent.
        times_s: Points in time, in seconds.
        swings: Contact time in seconds and stroke, in order of time.
        relaxed: From ready (0) to relaxed (1), at each point in time.
        ball: Position of the ball, which the eyes follow; NaN while none is in flight.

    Returns:
        Joints, centre of the blade, and its rotation, in the world.

    Shape:
        times_s and relaxed ``(T,)``, ball ``(T, 3)`` -> ``(T, 25, 3)``, ``(T, 3)``, ``(T, 3, 3)``.
    """
    pauses_s = _pauses(swings, times_s[-1])
    channels = stand_ready(rng, player, times_s, relaxed, pauses_s)
    grip = np.zeros_like(times_s) if any(swing.two_handed for _, swing in swings) else None
    for contact_s, swing in swings:
        since_s = times_s - contact_s
        moving = (since_s > swing.start_s) & (since_s < swing.settled_s)
        weight = swing.weight(since_s[moving])[:, None]
        if grip is not None and swing.two_handed:
            grip[moving] = weight[:, 0]
        channels[moving] += weight * (swing.path(since_s[moving]) - channels[moving])
    toes, foot_yaw, centre = walk(player, times_s, plan_steps(rng, player, swings, times_s[-1]))
    gaze = _smooth(np.where(np.isnan(ball), [0.9 if side == 0 else -0.9, 0.0, 1.0], ball))
    pose = replace(_pose(channels, toes, foot_yaw, centre, to_court(gaze, player, side)), grip=grip)
    return into_world(*solve(body_of(player), pose), player, side)


def into_world(
    joints: np.ndarray, blade: np.ndarray, rotation: np.ndarray, player: Player, side: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Move a body and its racket from the court of a right-handed player who faces +x into the world.

    Args:
        joints: The joints.
        blade: Centre of the blade.
        rotation: Its rotation.
        player: The player; a left-handed one is mirrored.
        side: 0 for the near player, 1 for the opponent.

    Shape:
        ``(T, 25, 3)``, ``(T, 3)``, ``(T, 3, 3)`` -> the same.
    """
    if player.left_handed:
        joints = joints[:, MIRRORED]
    axis, normal = (to_court(rotation[..., i], player, side) for i in (0, 2))
    rotation = np.stack([axis, np.cross(normal, axis), normal], -1)
    return to_court(joints, player, side), to_court(blade, player, side), rotation


def embody(
    player: Player, channels: np.ndarray, toes: np.ndarray, foot_yaw: np.ndarray, gaze: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute the body of a right-handed player at the origin who faces +x.

    Args:
        player: The player.
        channels: Channels of the key poses.
        toes: The toes of the left and right foot.
        foot_yaw: Turn of the left and right foot to the left, in radians.
        gaze: The point that the eyes follow.

    Returns:
        The result of :func:`tt_actions.sources.synthetic.body.solve`.

    Shape:
        channels ``(T, 24)``, toes ``(T, 2, 3)``, foot_yaw ``(T, 2)``, gaze ``(T, 3)``.
    """
    origin = np.zeros((len(channels), 2))
    return solve(body_of(player), _pose(channels, toes, foot_yaw, origin, gaze))


def _pauses(swings: Sequence[tuple[float, Swing]], end_s: float) -> list[tuple[float, float]]:
    begins = [0.0, *(contact_s + swing.settled_s for contact_s, swing in swings)]
    ends = [*(contact_s + swing.start_s - 0.2 for contact_s, swing in swings), end_s]
    return [pause for pause in zip(begins, ends, strict=True) if pause[1] - pause[0] > _SHORTEST_PAUSE_S]


def _smooth(points: np.ndarray, num_frames: int = 5) -> np.ndarray:
    half = num_frames // 2
    padded = np.concatenate([points[:1].repeat(half, 0), points, points[-1:].repeat(half, 0)])
    return np.asarray(sum(padded[i : i + len(points)] for i in range(num_frames)) / num_frames)


def _pose(
    channels: np.ndarray, toes: np.ndarray, foot_yaw: np.ndarray, centre: np.ndarray, gaze: np.ndarray
) -> Pose:
    middle = np.concatenate([centre, np.zeros((len(centre), 1))], -1)
    upright = np.zeros(len(centre))
    turned = trunk_rotation(channels[:, CHEST_YAW], upright, upright)
    return Pose(
        blade=channels[:, BLADE] + middle,
        axis=(turned @ channels[:, AXIS, None])[..., 0],
        normal=(turned @ channels[:, NORMAL, None])[..., 0],
        elbow=channels[:, ELBOW],
        free_hand=channels[:, FREE_HAND] + middle,
        hips=channels[:, HIPS] + middle,
        hip_yaw=channels[:, HIP_YAW],
        chest_yaw=channels[:, CHEST_YAW],
        lean=channels[:, LEAN],
        tilt=channels[:, TILT],
        heels=channels[:, HEELS],
        toes=toes,
        foot_yaw=foot_yaw,
        gaze=gaze,
    )
