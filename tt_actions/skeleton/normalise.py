"""Normalisation of joints: fills gaps, resamples, removes the effects of camera position and body size."""

import numpy as np

from tt_actions.skeleton.layouts import PATHS, Layout, middle


def fill_gaps(joints: np.ndarray, longest: int) -> np.ndarray:
    """Fill in missing positions, separately for each joint.

    Gaps of up to ``longest`` frames are interpolated linearly. In longer gaps, a joint keeps its last
    position, because the movement in between is unknown. Before its first known position, a joint has that
    position.

    Args:
        joints: Positions, NaN if missing.
        longest: Longest gap to interpolate, in frames.

    Returns:
        The positions; NaN only for joints that are never visible.

    Shape:
        joints ``(T, V, C)`` -> the same.

    >>> x = np.array([np.nan, 1, np.nan, 3, np.nan, np.nan, 9]).reshape(7, 1, 1)
    >>> fill_gaps(x, 1).ravel().tolist()
    [1.0, 1.0, 2.0, 3.0, 3.0, 3.0, 9.0]
    """
    filled = joints.copy()
    frames = np.arange(len(joints))
    is_missing = np.isnan(joints).any(-1)
    for joint in np.flatnonzero(is_missing.any(0) & ~is_missing.all(0)):
        missing = is_missing[:, joint]
        visible = frames[~missing]
        index = np.searchsorted(visible, frames, side="right") - 1
        before = visible[np.maximum(index, 0)]
        after = visible[np.minimum(index + 1, len(visible) - 1)]
        is_short = (after - before - 1 <= longest) & (after > before)
        for axis in range(joints.shape[2]):
            values = joints[:, joint, axis]
            interpolated = np.interp(frames, visible, values[visible])
            filled[missing, joint, axis] = np.where(is_short, interpolated, values[before])[missing]
    return filled


def resample(joints: np.ndarray, times_s: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Resample joints to a frame rate by linear interpolation.

    Args:
        joints: Positions.
        times_s: Time of each frame in seconds.
        fps: Frames per second of the result.

    Returns:
        Positions and times, from the first time on.

    Shape:
        joints ``(T, V, C)``, times_s ``(T,)`` -> ``(S, V, C)``, ``(S,)``.

    >>> x, times_s = resample(np.array([0.0, 4.0, 8.0]).reshape(3, 1, 1), np.array([0, 0.5, 1]), 4)
    >>> x.ravel().tolist(), times_s.tolist()
    ([0.0, 2.0, 4.0, 6.0, 8.0], [0.0, 0.25, 0.5, 0.75, 1.0])
    """
    num = int((times_s[-1] - times_s[0]) * fps + 1e-6) + 1
    wanted_s = times_s[0] + np.arange(num) / fps
    flat = joints.reshape(len(joints), -1)
    moved = np.stack([np.interp(wanted_s, times_s, column) for column in flat.T], 1)
    return moved.reshape(num, *joints.shape[1:]).astype(joints.dtype), wanted_s


def place_unseen(joints: np.ndarray, layout: Layout) -> np.ndarray:
    """Place joints that are never visible at the position of their parent, as bones of length zero.

    Args:
        joints: Positions, NaN for joints that are never visible.
        layout: Layout of the joints.

    Shape:
        joints ``(T, V, C)`` -> the same, without NaN.
    """
    placed = joints.copy()
    for joint in layout.outwards:
        missing = np.isnan(placed[:, joint]).any(-1)
        if missing.any():
            is_root = joint == layout.root
            substitute = np.nanmean(joints, axis=1) if is_root else placed[:, layout.parent_indices[joint]]
            placed[missing, joint] = substitute[missing]
    return placed


def centre_of(joints: np.ndarray, layout: Layout) -> np.ndarray:
    """Return the midpoint of the hips or, for a trajectory, its position.

    Args:
        joints: Positions.
        layout: Layout of the joints.

    Shape:
        joints ``(T, V, C)`` -> ``(T, C)``.
    """
    return joints[:, 0] if layout in PATHS else middle(joints, layout, layout.hips)


def trunk_length(joints: np.ndarray, layout: Layout) -> float:
    """Return the median distance between the midpoints of hips and shoulders, the unit of length.

    Args:
        joints: Positions.
        layout: Layout of the joints.

    Shape:
        joints ``(T, V, C)``.
    """
    trunk = middle(joints, layout, layout.shoulders) - middle(joints, layout, layout.hips)
    return float(np.median(np.linalg.norm(trunk, axis=-1)))


def face_camera(joints: np.ndarray, layout: Layout, frames: np.ndarray | None = None) -> np.ndarray:
    """Rotate a body about the vertical axis so that, averaged over the clip, its left side points to -x.

    Args:
        joints: 3D positions, y up.
        layout: Layout of the joints.
        frames: Frames over which to average, or None for all.

    Returns:
        The rotated positions; unchanged if left and right coincide.

    Shape:
        joints ``(T, V, 3)`` -> the same; frames ``(T,)``, bool.
    """
    across = sum(
        joints[:, layout.index(left)] - joints[:, layout.index(right)]
        for left, right in (layout.hips, layout.shoulders)
    )
    x, _, z = np.asarray(across)[slice(None) if frames is None else frames].mean(0)
    length = np.hypot(x, z)
    if length < 1e-6:
        return joints
    cos, sin = -x / length, -z / length  # of the angle from -x to the left side
    rotation = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], joints.dtype)
    return np.asarray(joints @ rotation.T)
