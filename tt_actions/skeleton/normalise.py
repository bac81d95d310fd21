"""Joints without what is no movement: gaps, the place of the camera, the size of the body."""

import numpy as np

from tt_actions.skeleton.layouts import PATHS, Layout, middle


def fill_gaps(joints: np.ndarray, longest: int) -> np.ndarray:
    """Fill in what is missing, joint by joint.

    A gap of up to ``longest`` frames is bridged in a straight line; a longer one holds the last place, since
    nobody knows the way between. Before its first place a joint stands there.

    Args:
        joints: Places, NaN where missing.
        longest: Number of frames.

    Returns:
        The places; of a joint that is never seen NaN still.

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
        seen = frames[~missing]
        before = np.searchsorted(seen, frames, side="right") - 1
        held = seen[np.maximum(before, 0)]
        after = seen[np.minimum(before + 1, len(seen) - 1)]
        is_short = (after - held - 1 <= longest) & (after > held)
        for axis in range(joints.shape[2]):
            places = joints[:, joint, axis]
            bridged = np.interp(frames, seen, places[seen])
            filled[missing, joint, axis] = np.where(is_short, bridged, places[held])[missing]
    return filled


def place_unseen(joints: np.ndarray, layout: Layout) -> np.ndarray:
    """Put joints that are never seen where the joint is that they hang on, as bones of no length.

    Args:
        joints: Places, NaN for joints that are never seen.
        layout: What the joints are.

    Shape:
        joints ``(T, V, C)`` -> the same, without NaN.
    """
    placed = joints.copy()
    for joint in layout.outwards:
        missing = np.isnan(placed[:, joint]).any(-1)
        if missing.any():
            is_root = joint == layout.root
            instead = np.nanmean(joints, axis=1) if is_root else placed[:, layout.parent_indices[joint]]
            placed[missing, joint] = instead[missing]
    return placed


def centre_of(joints: np.ndarray, layout: Layout) -> np.ndarray:
    """Return the middle of the hips, or of a path its place.

    Args:
        joints: Places.
        layout: What the joints are.

    Shape:
        joints ``(T, V, C)`` -> ``(T, C)``.
    """
    return joints[:, 0] if layout in PATHS else middle(joints, layout, layout.hips)


def trunk_length(joints: np.ndarray, layout: Layout) -> float:
    """Return the median distance from the hips' middle to that of the shoulders: what sizes are told in.

    Args:
        joints: Places.
        layout: What the joints are.

    Shape:
        joints ``(T, V, C)``.
    """
    trunk = middle(joints, layout, layout.shoulders) - middle(joints, layout, layout.hips)
    return float(np.median(np.linalg.norm(trunk, axis=-1)))


def face_camera(joints: np.ndarray, layout: Layout, frames: np.ndarray | None = None) -> np.ndarray:
    """Turn a body about the vertical so that, on the whole of the clip, its left is towards -x.

    Args:
        joints: Places in space, y up.
        layout: What the joints are.
        frames: Which frames count, or None for all.

    Returns:
        The places, turned; as they are where left and right fall together.

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
    cos, sin = -x / length, -z / length  # of the angle from -x to where the left side is
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], joints.dtype)
    return np.asarray(joints @ turn.T)
