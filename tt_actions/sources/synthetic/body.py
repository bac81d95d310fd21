"""A body with 25 joints: bone lengths, and the joint positions of a pose.

Everything here is right-handed and faces +x, with y to the left and z up, in metres. The joints are in the
order of NTU RGB+D (Shahroudy et al. 2016, figure 2): 0 hips' middle, 1 spine's middle, 2 neck, 3 head, 4-7
left shoulder, elbow, wrist, hand, 8-11 the right ones, 12-15 left hip, knee, ankle, foot, 16-19 the right
ones, 20 spine between the shoulders, 21 and 22 left finger tips and thumb, 23 and 24 the right ones.
"""

from dataclasses import dataclass

import numpy as np

from tt_actions.sources.synthetic.player import Player

BONES = (
    (0, 1), (1, 20), (20, 2), (2, 3),
    (20, 4), (4, 5), (5, 6), (6, 7), (7, 21), (7, 22),
    (20, 8), (8, 9), (9, 10), (10, 11), (11, 23), (11, 24),
    (0, 12), (12, 13), (13, 14), (14, 15), (0, 16), (16, 17), (17, 18), (18, 19),
)  # fmt: skip
"""The 24 bones as pairs of joints."""

MIRRORED = (0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 16, 17, 18, 19, 12, 13, 14, 15, 20, 23, 24, 21, 22)
"""For every joint, its counterpart on the other side."""

GRIP_M = 0.14
"""Offset from the hand joint to the centre of the blade, in metres."""

_BESIDE_M = 0.09  # between the two hands on a handle
_STRAIGHTEST = 0.985  # share of a limb's length: knees and elbows never lock
_SHARPEST_ELBOW_RAD = np.radians(42)
_WIDEST_WRIST_RAD = np.radians(68)
_ARM_AT_REST = np.array([0.76, -0.24, -0.60])  # from shoulder to wrist, seen from the chest


@dataclass(frozen=True)
class Body:
    """Bone lengths in metres.

    The shares of body height are those of Winter, *Biomechanics and Motor Control of Human Movement*, 2009,
    figure 4.1, with the trunk divided as in NTU RGB+D.

    Args:
        low_spine: From the middle of the hips to the middle of the spine.
        high_spine: From the middle of the spine to the point between the shoulders.
        neck: From the point between the shoulders to the neck.
        head: From the neck to the head.
        shoulder: From the point between the shoulders to a shoulder.
        upper_arm: From shoulder to elbow.
        forearm: From elbow to wrist.
        hand: From wrist to hand.
        finger: From the hand to the finger tips.
        thumb: From the hand to the thumb.
        hip: From the middle of the hips to a hip.
        thigh: From hip to knee.
        shank: From knee to ankle.
        foot: From ankle to toes.
    """

    low_spine: float
    high_spine: float
    neck: float
    head: float
    shoulder: float
    upper_arm: float
    forearm: float
    hand: float
    finger: float
    thumb: float
    hip: float
    thigh: float
    shank: float
    foot: float


def body_of(player: Player) -> Body:
    """Return the bone lengths for a player's height and proportions.

    Args:
        player: The player.
    """
    height, arm, leg = player.height_m, player.arm_scale, player.leg_scale
    return Body(
        low_spine=0.130 * height,
        high_spine=0.150 * height,
        neck=0.050 * height,
        head=0.082 * height,
        shoulder=0.110 * height * player.shoulder_scale,
        upper_arm=0.176 * height * arm,
        forearm=0.148 * height * arm,
        hand=0.046 * height,
        finger=0.055 * height,
        thumb=0.036 * height,
        hip=0.052 * height,
        thigh=0.245 * height * leg,
        shank=0.246 * height * leg,
        foot=0.080 * height,
    )


@dataclass(frozen=True)
class Pose:
    """The target pose of a body at T points in time.

    Args:
        blade: Wanted centre of the blade.
        axis: Wanted direction of the blade's long axis, away from the handle.
        normal: Wanted normal of the forehand side.
        elbow: Direction of the playing elbow while the arm is at rest, seen from the chest.
        free_hand: Wanted position of the other hand.
        hips: Wanted position of the middle of the hips; lowered if a leg would not reach its foot.
        hip_yaw: Turn of the hips to the left, in radians.
        chest_yaw: Turn of the chest to the left, in radians.
        lean: Forward lean of the trunk, in radians.
        tilt: Lean of the trunk to the right, in radians.
        heels: Lift of the left and right heel, in radians.
        toes: Positions of the left and right toes.
        foot_yaw: Turn of the left and right foot to the left, in radians.
        gaze: The point that the eyes follow.
        grip: From the wanted position of the free hand (0) to the handle of the racket, above the playing
            hand (1); None if the free hand never holds it.

    Shape:
        Points and directions ``(T, 3)``, angles and grip ``(T,)``, heels and foot_yaw ``(T, 2)``, toes
        ``(T, 2, 3)``.
    """

    blade: np.ndarray
    axis: np.ndarray
    normal: np.ndarray
    elbow: np.ndarray
    free_hand: np.ndarray
    hips: np.ndarray
    hip_yaw: np.ndarray
    chest_yaw: np.ndarray
    lean: np.ndarray
    tilt: np.ndarray
    heels: np.ndarray
    toes: np.ndarray
    foot_yaw: np.ndarray
    gaze: np.ndarray
    grip: np.ndarray | None = None


def solve(body: Body, pose: Pose) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute the joints and the racket of a pose, keeping all bone lengths.

    Args:
        body: Bone lengths.
        pose: Target pose; targets out of reach are approached as closely as the limbs allow.

    Returns:
        Joints, the blade's centre, and its rotation (columns: long axis, across, forehand normal).

    Shape:
        ``(T, 25, 3)``, ``(T, 3)``, ``(T, 3, 3)``.
    """
    joints = np.empty((len(pose.blade), 25, 3))
    _place_legs(body, pose, joints)
    chest = _place_trunk(body, pose, joints)
    position, rotation = _place_playing_arm(body, pose, chest, joints)
    _place_free_arm(body, pose, chest, joints, position - (GRIP_M - _BESIDE_M) * rotation[..., 0])
    return joints, position, rotation


def _place_legs(body: Body, pose: Pose, joints: np.ndarray) -> None:
    forward = np.stack([np.cos(pose.foot_yaw), np.sin(pose.foot_yaw), np.zeros_like(pose.foot_yaw)], -1)
    rise = (
        0.40 + pose.heels[..., None]
    )  # angle between the floor and the line from toes to ankle, including that of a flat foot
    ankles = pose.toes + body.foot * (np.sin(rise) * [0, 0, 1] - np.cos(rise) * forward)

    turn = trunk_rotation(pose.hip_yaw, 0.35 * pose.lean, 0.5 * pose.tilt)
    sides = body.hip * np.array([[-0.05, 0.96, -0.275], [-0.05, -0.96, -0.275]])
    hips = pose.hips[:, None] + sides @ turn.swapaxes(-1, -2)
    reach = _STRAIGHTEST * (body.thigh + body.shank)
    apart = np.minimum(np.linalg.norm((hips - ankles)[..., :2], axis=-1), 0.95 * reach)
    highest = ankles[..., 2] + np.sqrt(reach**2 - apart**2)
    drop = np.maximum(0, hips[..., 2] - highest).max(1)
    hips[..., 2] -= drop[:, None]

    knees, ankles = bend(hips, ankles, body.thigh, body.shank, forward + 0.2 * _unit(sides * [0, 1, 0]))
    joints[:, 0] = pose.hips - drop[:, None] * [0, 0, 1]
    joints[:, [12, 16]], joints[:, [13, 17]], joints[:, [14, 18]] = hips, knees, ankles
    joints[:, [15, 19]] = pose.toes


def _place_trunk(body: Body, pose: Pose, joints: np.ndarray) -> np.ndarray:
    chest = trunk_rotation(pose.chest_yaw, pose.lean, pose.tilt)
    up = chest[..., 2]
    low = _unit(up + trunk_rotation(pose.hip_yaw, 0.35 * pose.lean, 0.5 * pose.tilt)[..., 2])
    joints[:, 1] = joints[:, 0] + body.low_spine * low
    joints[:, 20] = joints[:, 1] + body.high_spine * up
    joints[:, 2] = joints[:, 20] + body.neck * up
    to_gaze = _unit(pose.gaze - joints[:, 2])
    joints[:, 3] = joints[:, 2] + body.head * _unit(0.5 * up + [0, 0, 0.5] + 0.35 * to_gaze)
    sides = body.shoulder * np.array([[0.0, 0.98, -0.2], [0.0, -0.98, -0.2]])
    joints[:, [4, 8]] = joints[:, None, 20] + sides @ chest.swapaxes(-1, -2)
    return chest


def _place_playing_arm(
    body: Body, pose: Pose, chest: np.ndarray, joints: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    shoulder = joints[:, 8]
    rest = chest @ _ARM_AT_REST
    pole = (chest @ pose.elbow[..., None])[..., 0]
    axis = _unit(pose.axis)
    along = _unit(axis + _unit(pose.blade - shoulder))
    for _ in range(2):  # the wrist's position and the forearm's direction depend on each other
        wrist = pose.blade - GRIP_M * axis - body.hand * along
        aside = _carry(pole, rest, _unit(wrist - shoulder))
        elbow, wrist = bend(shoulder, wrist, body.upper_arm, body.forearm, aside, _SHARPEST_ELBOW_RAD)
        forearm = _unit(wrist - elbow)
        axis = _within(_unit(pose.axis), forearm, _WIDEST_WRIST_RAD)
        along = _unit(axis + forearm)
    hand = wrist + body.hand * along
    across = _unit(np.cross(pose.normal, axis))
    rotation = np.stack([axis, across, np.cross(axis, across)], -1)
    joints[:, 9], joints[:, 10], joints[:, 11] = elbow, wrist, hand
    joints[:, 23] = hand + body.finger * (rotation @ [0.6, 0.0, 0.8])
    joints[:, 24] = hand + body.thumb * (rotation @ [0.8, 0.0, -0.6])
    return hand + GRIP_M * axis, rotation


def _place_free_arm(
    body: Body, pose: Pose, chest: np.ndarray, joints: np.ndarray, handle: np.ndarray
) -> None:
    shoulder, target = joints[:, 4], pose.free_hand
    if pose.grip is not None:
        target = target + pose.grip[:, None] * (handle - target)
    along = _unit(target - shoulder)
    rest, pole = chest @ (_ARM_AT_REST * [1, -1, 1]), chest @ [-0.2, 0.55, -0.8]
    for _ in range(2):
        wrist = target - body.hand * along
        aside = _carry(pole, rest, _unit(wrist - shoulder))
        elbow, wrist = bend(shoulder, wrist, body.upper_arm, body.forearm, aside, _SHARPEST_ELBOW_RAD)
        along = _unit(wrist - elbow)
    hand = wrist + body.hand * along
    across = _unit(np.cross(along, [0.0, 0.0, 1.0]) + 1e-6)
    joints[:, 5], joints[:, 6], joints[:, 7] = elbow, wrist, hand
    joints[:, 21] = hand + body.finger * along
    joints[:, 22] = hand + body.thumb * (0.6 * along + 0.8 * across)


def bend(
    root: np.ndarray,
    target: np.ndarray,
    upper: float,
    lower: float,
    pole: np.ndarray,
    sharpest_rad: float = 0.3,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the middle joint and the end of a two-bone limb (law of cosines).

    Args:
        root: Shoulder or hip.
        target: Wanted end of the limb.
        upper: Length of the first bone in metres.
        lower: Length of the second bone in metres.
        pole: Direction in which the middle joint points.
        sharpest_rad: Smallest angle between the two bones.

    Returns:
        The middle joint, and the end: the target, or the nearest reachable point.

    Shape:
        ``(..., 3)`` each.
    """
    offset = target - root
    distance = np.linalg.norm(offset, axis=-1, keepdims=True)
    along = offset / np.maximum(distance, 1e-6)
    nearest = np.sqrt(upper**2 + lower**2 - 2 * upper * lower * np.cos(sharpest_rad))
    distance = np.clip(distance, nearest, _STRAIGHTEST * (upper + lower))
    foot = (upper**2 - lower**2 + distance**2) / (2 * distance)
    aside = _unit(pole - (pole * along).sum(-1, keepdims=True) * along)
    middle = root + foot * along + np.sqrt(np.maximum(upper**2 - foot**2, 0)) * aside
    return middle, root + distance * along


def trunk_rotation(yaw: np.ndarray, lean: np.ndarray, tilt: np.ndarray) -> np.ndarray:
    """Rotate about the spine by ``yaw``, then lean the spine to the right and forward.

    Args:
        yaw: Turn to the left, in radians.
        lean: Lean forward, in radians.
        tilt: Lean to the right, in radians.

    Shape:
        ``(T,)`` each -> ``(T, 3, 3)``.
    """
    (cy, sy), (cl, sl), (ct, st) = ((np.cos(angle), np.sin(angle)) for angle in (yaw, lean, tilt))
    # Ry(lean) Rx(tilt) Rz(yaw), written out
    rows = [
        [cl * cy + sl * st * sy, -cl * sy + sl * st * cy, sl * ct],
        [ct * sy, ct * cy, -st],
        [-sl * cy + cl * st * sy, sl * sy + cl * st * cy, cl * ct],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def _carry(pole: np.ndarray, rest: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Rotate the elbow's direction with the arm by the smallest rotation from rest; it never flips."""
    pole = pole - (pole * rest).sum(-1, keepdims=True) * rest
    onto = (pole * along).sum(-1, keepdims=True) / (1.02 + (rest * along).sum(-1, keepdims=True))
    return np.asarray(pole - onto * (rest + along))


def _within(direction: np.ndarray, centre: np.ndarray, widest_rad: float) -> np.ndarray:
    cosine = (direction * centre).sum(-1, keepdims=True)
    aside = _unit(direction - cosine * centre)
    widest = np.cos(widest_rad) * centre + np.sin(widest_rad) * aside
    return np.where(cosine < np.cos(widest_rad), widest, direction)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.sqrt((vectors * vectors).sum(-1, keepdims=True))
    return np.asarray(vectors / np.maximum(length, 1e-9))
