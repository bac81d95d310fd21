"""The 33 landmarks of MediaPipe's BlazePose as people save them, and how they become joints."""

from pathlib import Path

import numpy as np

from tt_actions.errors import UnreadableError
from tt_actions.skeleton.layouts import BLAZEPOSE33, BLAZEPOSE33_2D, Layout
from tt_actions.skeleton.sequence import (
    FLIP_Y,
    LARGEST,
    JointSequence,
    missing_where_zero,
    unreadable_error,
)

NUM_LANDMARKS = 33
WIDTHS = tuple(NUM_LANDMARKS * num for num in (3, 4, 5))
"""Numbers of values in a frame: x, y, z and, optionally, visibility and presence of each landmark."""

TO_CAMERA = np.array([-1, -1, 1], np.float32)
"""Factors that convert x to the right, y down, z away from the camera to those of a joint sequence."""

_CENTRED = 0.05  # metres between the midpoint of the hips and the origin, at most, in world landmarks
_MOST = 0.9  # part of the frames for which that must hold
_PIXELS = 2.0  # a coordinate of this size is in pixels; landmarks outside the picture are below 0 or above 1
_MIN_DEPTH = 0.02  # spread of z relative to that of y, below which z is not in pixels


def find_landmarks(values: np.ndarray) -> np.ndarray | None:
    """Return the landmarks in an array of one of the shapes in which people save them, None for others.

    Args:
        values: x and y, or x, y and z, or these with visibility and presence, for each frame and landmark;
            or a row of 99, 132 or 165 values for each frame.

    Shape:
        values ``(T, 33, 2 to 5)`` or ``(T, 99, 132 or 165)`` -> ``(T, 33, C)``.
    """
    if values.ndim == 2 and values.shape[1] in WIDTHS:
        return values.reshape(len(values), NUM_LANDMARKS, values.shape[1] // NUM_LANDMARKS)
    is_split = values.ndim == 3 and values.shape[1] == NUM_LANDMARKS and 2 <= values.shape[2] <= 5
    return values if is_split else None


def to_joints(
    path: Path, landmarks: np.ndarray, layout: Layout, times_s: np.ndarray | None = None
) -> JointSequence:
    """Convert landmarks to joints in space, or in the image, as a layout needs them.

    World landmarks are in metres, with the origin between the hips; they become joints in space. Image
    landmarks are in pixels, or from 0 to 1 of the picture; they become joints in the image. Those in pixels
    also become joints in space if z is in pixels too. Those from 0 to 1 do not, because x and y have
    different scales. Landmarks with all coordinates 0, or one of them NaN, are missing. Visibility is not
    used, because BlazePose estimates hidden landmarks too.

    Args:
        path: The file, for messages.
        landmarks: x to the right, y down and, if given, z away from the camera; further values are ignored.
        layout: Wanted layout. It selects ``blazepose33`` or ``blazepose33_2d`` for the result.
        times_s: Time of each frame in seconds, or None.

    Shape:
        landmarks ``(T, 33, C)``, times_s ``(T,)``.

    Raises:
        UnreadableError: If there is no frame, a value is too large, or the landmarks are of the other kind.
    """
    if not len(landmarks):
        raise unreadable_error(path, None, "landmarks of at least one frame", "none")
    if (np.abs(landmarks) >= LARGEST).any():
        raise unreadable_error(path, None, f"landmarks below {LARGEST:g}", "other values")
    positions = missing_where_zero(landmarks[..., :3].astype(np.float32))
    positions[np.isnan(positions).any(-1)] = np.nan
    if layout.num_coordinates == 2:
        if _is_world(positions):
            raise _wrong_kind(path, layout, "landmarks in the image", "world landmarks", "`pose_landmarks`")
        return JointSequence(positions[..., :2] * FLIP_Y, BLAZEPOSE33_2D, times_s)
    _check_space(path, positions, layout)
    return JointSequence(positions * TO_CAMERA, BLAZEPOSE33, times_s)


def _check_space(path: Path, positions: np.ndarray, layout: Layout) -> None:
    """Check that x, y and z are all given, in the same unit."""
    world, wanted = "`pose_world_landmarks`", "world landmarks in metres"
    if positions.shape[-1] < 3:
        raise _wrong_kind(path, layout, wanted, "landmarks without z", world)
    if np.isnan(positions).all() or _is_world(positions):
        return
    if np.nanmedian(np.abs(positions[..., :2])) < _PIXELS:
        raise _wrong_kind(path, layout, wanted, "fractions of the picture's width and height", world)
    if np.nanstd(positions[..., 2]) < _MIN_DEPTH * np.nanstd(positions[..., 1]):
        raise _wrong_kind(path, layout, wanted, "x and y in pixels and z in another unit", world)


def _is_world(positions: np.ndarray) -> bool:
    """Return whether the hips are at the origin, as in world landmarks."""
    hips = positions[:, [BLAZEPOSE33.index(hip) for hip in BLAZEPOSE33.hips]].mean(1)
    distance = np.abs(hips[~np.isnan(hips).any(-1)]).max(-1)
    return len(distance) > 0 and float((distance < _CENTRED).mean()) >= _MOST


def _wrong_kind(path: Path, layout: Layout, expected: str, got: str, attribute: str) -> UnreadableError:
    other = "2D" if layout.num_coordinates == 3 else "3D"
    return UnreadableError(
        f"'{path}': Expected {expected} for `layout` {layout.name}, but got {got}. "
        f"Save MediaPipe's {attribute}, or use a {other} layout."
    )
