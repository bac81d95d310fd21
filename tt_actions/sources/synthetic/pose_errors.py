"""Joints as a pose model finds them in video: exact joints with errors of the kinds and sizes that it makes.

The sizes are those of BlazePose on 600 drawn clips of table tennis, filmed from all sides, whose true joints
are known: see ``benchmarks/measure_pose_errors.py``.
"""

import numpy as np
from scipy.signal import lfilter

from tt_actions.pose.smoothing import smooth
from tt_actions.sources.synthetic.body import BONES, MIRRORED
from tt_actions.sources.synthetic.camera import project, view_of
from tt_actions.sources.synthetic.motion import FPS, PlayerMotion

_CHEST, _LEFT_SHOULDER, _RIGHT_SHOULDER, _LEFT_HAND, _RIGHT_HAND = 20, 4, 8, 7, 11
_LEFT, _RIGHT = [*range(4, 8), *range(12, 16), 21, 22], [*range(8, 12), *range(16, 20), 23, 24]
_ARMS, _LEGS = [*range(5, 8), *range(9, 12), *range(21, 25)], [*range(13, 16), *range(17, 20)]
_CARRIED = {7: 6, 21: 6, 22: 6, 11: 10, 23: 10, 24: 10, 15: 14, 19: 18}
"""Joints that share the error of another joint, beside a small one of their own."""

_SIZES = {
    (0,): ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
    (1, 2, 20): ((0.02, 0.02, 0.06), (0.01, 0.01, 0.05)),
    (3,): ((0.06, 0.05, 0.14), (0.02, 0.03, 0.08)),
    (4, 8): ((0.04, 0.04, 0.09), (0.04, 0.05, 0.08)),
    (5, 9): ((0.02, 0.06, 0.22), (0.05, 0.07, 0.18)),
    (6, 10): ((0.02, 0.02, 0.24), (0.02, 0.02, 0.24)),
    (7, 11, 15, 19, 21, 22, 23, 24): ((0.02, 0.02, 0.05), (0.01, 0.01, 0.03)),
    (12, 16): ((0.03, 0.02, 0.04), (0.01, 0.01, 0.02)),
    (13, 17): ((0.07, 0.04, 0.21), (0.03, 0.03, 0.12)),
    (14, 18): ((0.04, 0.16, 0.22), (0.03, 0.05, 0.14)),
}  # fmt: skip
"""For each joint, the constant and the changing error (across, down, in depth), in trunk lengths."""

_HIDDEN = 0.9  # by how much the errors of the far side grow, seen from the side
_MEMORY = 0.85  # correlation of the changing error between frames
_JITTER = 0.6  # size of its part without memory
_STRENGTH = (1.0, 2.5)  # of the errors of a clip: 1 as of BlazePose, 2 as of the Kinect in THETIS
_DEPTH = (0.5, 1.1)  # share of the movement in depth that is found
_LENGTHS = (0.05, 0.06)  # error of the length of a bone as a logarithm: constant and changing
_SWAPS = {"arms": (_ARMS, 0.02), "legs": (_LEGS, 0.03)}  # share of clips in which left and right are swapped
_SWAP_S = 0.5
_RACKET_M = 0.02  # error across and down
_BLURRED_M_S = (3.0, 12.0)  # speeds from which the racket is lost at times, and always


def find_motion(
    rng: np.random.Generator, motion: PlayerMotion, still: np.ndarray, camera: np.ndarray
) -> dict[str, np.ndarray]:
    """Return what is found of a player and the racket, and the truth, under the names of a clip's file.

    Args:
        rng: Random generator.
        motion: The player's true motion.
        still: Camera matrix without shake.
        camera: Camera matrix of each frame.

    Shape:
        still ``(3, 4)``, camera ``(T, 3, 4)``.
    """
    joints, racket = motion.joints.astype(float), motion.racket_position.astype(float)
    found = find_joints(rng, joints, still)
    hand = _LEFT_HAND if motion.player.left_handed else _RIGHT_HAND
    values = {
        "joints_3d": found,
        "joints_2d": picture_of(found, joints, still, camera),
        "racket_position": find_racket(rng, racket, (found - joints)[:, hand], still),
        "true_joints_3d": joints,
        "true_joints_2d": project(camera, joints)[0],
        "true_racket_position": racket,
    }
    return {name: value.astype(np.float32) for name, value in values.items()}


def find_joints(
    rng: np.random.Generator, joints: np.ndarray, still: np.ndarray, strength: float | None = None
) -> np.ndarray:
    """Return joints as a pose model finds them from one camera.

    Depth is far less certain than the position in the picture, and movement in depth appears too small.
    Errors are partly constant, partly slow, partly jitter. They are larger on the side that the body hides.
    Bones keep their length approximately. Now and then, left and right arms or legs are swapped for a while.
    The result is smoothed over time. The errors are from one to two and a half times as large as those of
    BlazePose on clear video.

    Args:
        rng: Random generator.
        joints: True joints in NTU RGB+D order, in metres.
        still: Camera matrix.
        strength: Size of the errors relative to those of BlazePose, or None for a random one.

    Shape:
        joints ``(T, 25, 3)``, still ``(3, 4)`` -> ``(T, 25, 3)``.
    """
    view = view_of(still)
    seen = joints @ view.T  # across, down, in depth
    hips = seen[:, :1]
    body = _swap(rng, seen - hips)
    found = body.copy()
    mean = body[..., 2].mean(0)
    found[..., 2] = mean + rng.uniform(*_DEPTH) * (body[..., 2] - mean)
    if strength is None:
        strength = np.exp(rng.uniform(*np.log(_STRENGTH)))
    trunk_m = np.median(np.linalg.norm(body[:, _CHEST], axis=-1))
    found += trunk_m * strength * _errors(rng, body)
    return np.asarray((smooth(_with_lengths(rng, found, body, strength)) + hips) @ view)


def picture_of(found: np.ndarray, joints: np.ndarray, still: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Project found joints, whose errors in depth don't show in the picture.

    Args:
        found: Joints of :func:`find_joints`.
        joints: The true joints.
        still: Camera matrix without shake.
        camera: Camera matrix of each frame.

    Shape:
        found and joints ``(T, 25, 3)``, still ``(3, 4)``, camera ``(T, 3, 4)`` -> ``(T, 25, 2)``, pixels.
    """
    view = view_of(still)
    error = (found - joints) @ view.T * [1, 1, 0]
    return np.asarray(project(camera, joints + error @ view)[0])


def find_racket(
    rng: np.random.Generator, racket: np.ndarray, hand_error: np.ndarray, still: np.ndarray
) -> np.ndarray:
    """Return the path of a racket as found in video: often lost while it is fast, and as deep as the hand.

    Args:
        rng: Random generator.
        racket: True positions, in metres.
        hand_error: Error of the hand that holds it.
        still: Camera matrix.

    Shape:
        racket and hand_error ``(T, 3)``, still ``(3, 4)`` -> ``(T, 3)``, NaN while it is lost.
    """
    view = view_of(still)
    error = _drift(rng, racket[:, None])[:, 0] * [_RACKET_M, _RACKET_M, 0] + hand_error @ view.T * [0, 0, 1]
    speed = np.linalg.norm(np.gradient(racket, axis=0), axis=-1) * FPS
    slow, fast = _BLURRED_M_S
    is_lost = rng.random(len(racket)) < (speed - slow) / (fast - slow)
    is_lost[:: len(racket) - 1] = False
    return np.asarray(np.where(is_lost[:, None], np.nan, racket + error @ view))


def _swap(rng: np.random.Generator, body: np.ndarray) -> np.ndarray:
    body, mirrored = body.copy(), body[:, MIRRORED]
    for joints, share in _SWAPS.values():
        lasts = 1 + int(rng.exponential(_SWAP_S * FPS))
        start = rng.integers(1 - lasts, len(body))
        if rng.random() < share:
            frames = slice(max(start, 0), start + lasts)
            body[frames, joints] = mirrored[frames, joints]
    return body


def _errors(rng: np.random.Generator, body: np.ndarray) -> np.ndarray:
    """Draw errors ``(T, 25, 3)`` in trunk lengths."""
    constant, changing = np.zeros((2, body.shape[1], 3))
    for joints, (first, second) in _SIZES.items():
        constant[list(joints)], changing[list(joints)] = first, second
    error = constant * rng.normal(0, 1, constant.shape) + changing * _drift(rng, body)
    for joint, other in _CARRIED.items():
        error[:, joint] += error[:, other]
    across = (body[:, _LEFT_SHOULDER] - body[:, _RIGHT_SHOULDER]).mean(0)
    sideways = across[2] / np.linalg.norm(across)  # 1 if the left side is the far one
    error[:, _LEFT if sideways > 0 else _RIGHT, :2] *= 1 + _HIDDEN * sideways**2
    return np.asarray(error)


def _drift(rng: np.random.Generator, like: np.ndarray) -> np.ndarray:
    """Draw signals with memory from frame to frame, and add jitter."""
    fresh = rng.normal(0, np.sqrt(1 - _MEMORY**2), like.shape)
    start = _MEMORY * rng.normal(0, 1, (1, *like.shape[1:]))
    slow, _ = lfilter([1], [1, -_MEMORY], fresh, axis=0, zi=start)
    return np.asarray(slow + _JITTER * rng.normal(0, 1, like.shape))


def _with_lengths(
    rng: np.random.Generator, found: np.ndarray, body: np.ndarray, strength: float
) -> np.ndarray:
    """Give the bones approximately their true lengths, from the hips outwards."""
    constant, changing = _LENGTHS
    change = strength * (
        constant * rng.normal(0, 1, len(BONES)) + changing * _drift(rng, body[:, : len(BONES), 0])
    )
    placed = found.copy()
    for (parent, joint), factor in zip(BONES, np.exp(change).T, strict=True):
        bone = found[:, joint] - found[:, parent]
        length = factor * np.linalg.norm(body[:, joint] - body[:, parent], axis=-1)
        placed[:, joint] = placed[:, parent] + bone * (length / np.linalg.norm(bone, axis=-1))[:, None]
    return placed
