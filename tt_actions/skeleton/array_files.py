"""Joints in NumPy files: arrays (C, T, V, M), MediaPipe's landmarks, and files of the synthetic source."""

import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tt_actions.errors import UnreadableError
from tt_actions.skeleton.landmarks import find_landmarks, to_joints
from tt_actions.skeleton.layouts import BALL, BLAZEPOSE33, NTU25, PATHS, RACKET, Layout
from tt_actions.skeleton.sequence import (
    FLIP_Y,
    LARGEST,
    JointSequence,
    missing_where_zero,
    most_moving,
    unreadable_error,
)

_TO_CAMERA = np.array([[0, -1, 0], [0, 0, 1], [-1, 0, 0]], np.float32)
"""Maps a world with z up, where a player faces +x, to one with y up, where the player faces the camera."""


def read_npy(path: Path, layout: Layout) -> JointSequence:
    """Read an array of coordinates, frames, joints and, optionally, bodies; or landmarks of MediaPipe.

    If there are several bodies, the one that moves most is used. If there is one coordinate more than the
    layout has, the last one is a confidence. Joints at the origin, or with a low confidence, count as
    missing. In image coordinates, y points down.

    Args:
        path: The file, an array ``(C, T, V)`` or ``(C, T, V, M)``, or landmarks in a shape that
            :func:`tt_actions.skeleton.landmarks.find_landmarks` lists.
        layout: Layout of the joints. Landmarks have their own: see
            :func:`tt_actions.skeleton.landmarks.to_joints`.

    Raises:
        UnreadableError: If the file contains no such array, or Python objects, which could run code.
    """
    values = _load(path)
    if isinstance(values, Mapping):
        raise unreadable_error(path, None, "one array", "several in an archive")
    if values.dtype.kind not in _NUMBERS:
        raise unreadable_error(path, None, "an array of numbers", f"one of {values.dtype}")
    num, num_joints = layout.num_coordinates, len(layout.joints)
    shape = values.shape
    if layout not in PATHS and (landmarks := find_landmarks(values)) is not None:
        return to_joints(path, landmarks, layout)
    fits = values.ndim in (3, 4) and shape[0] in (num, num + 1) and shape[1] >= 1 and shape[2] == num_joints
    if not fits or (values.ndim == 4 and shape[3] < 1):
        expected = f"an array ({num}, T, {num_joints}[, M]) with `layout` {layout.name}"
        other = "" if layout in PATHS else ", or MediaPipe's landmarks (T, 33, 3 to 5)"
        raise unreadable_error(path, None, expected + other, f"{shape}")
    bodies = np.moveaxis(values if values.ndim == 4 else values[..., None], (3, 0), (0, 3))  # (M, T, V, C)
    bodies = bodies.astype(np.float64)
    if not (np.abs(bodies) < LARGEST).all():
        raise unreadable_error(path, None, f"finite numbers below {LARGEST:g}", "other values")
    positions = missing_where_zero(bodies[..., :num].astype(np.float32))
    if shape[0] > num:
        positions = np.where(bodies[..., num:] < 0.05, np.nan, positions)
    if num == 2:
        positions = positions * FLIP_Y
    return JointSequence(most_moving(positions), layout)


def read_npz(path: Path, layout: Layout) -> JointSequence:
    """Read the player's joints (in the layout of NTU RGB+D), the racket or the ball of a synthetic clip.

    Files with MediaPipe's landmarks are read too.

    Args:
        path: The file. It contains ``joints_3d`` (T, 25, 3), ``racket_position`` and ``ball`` (T, 3) in
            metres with z up, ``joints_2d`` (T, 25, 2) in pixels, and ``fps``; or world landmarks ``p3``
            (T, 33, 3), image landmarks ``p2`` (T, 33, 2), and ``fps``.
        layout: Layout that selects one of these.

    Raises:
        UnreadableError: If the file does not contain the array of the layout and ``fps``.
    """
    values = _load(path)
    num = layout.num_coordinates
    path_names = {RACKET: "racket_position", BALL: "ball"}
    name, own = path_names.get(layout, f"joints_{num}d"), layout if layout in path_names else NTU25
    writer = "`tt-actions synth` writes them"
    if layout not in PATHS and isinstance(values, Mapping) and not values.keys().isdisjoint(("p2", "p3")):
        name, own, writer = f"p{num}", BLAZEPOSE33, "files with MediaPipe's landmarks contain them"
    if not isinstance(values, Mapping) or name not in values or "fps" not in values:
        raise unreadable_error(path, None, f"`{name}` and `fps`, as {writer}", "other contents")
    if any(values[key].dtype.kind not in _NUMBERS for key in (name, "fps")) or values["fps"].size != 1:
        raise unreadable_error(path, None, f"numbers in `{name}` and one `fps`", "other values")
    joints, fps = np.asarray(values[name], np.float64), float(values["fps"].item())
    joints = joints[:, None] if layout in path_names and joints.ndim == 2 else joints
    if joints.ndim != 3 or joints.shape[1:] != (len(own.joints), num) or not len(joints):
        raise unreadable_error(
            path, None, f"`{name}` of shape (T, {len(own.joints)}, {num})", f"{joints.shape}"
        )
    if (np.abs(joints) >= LARGEST).any() or not 0 < fps < LARGEST:
        raise unreadable_error(
            path,
            None,
            f"`{name}` below {LARGEST:g} and a positive `fps`",
            f"other values, with {fps} frames per second",
        )
    times_s = np.arange(len(joints)) / fps
    if own is BLAZEPOSE33:
        return to_joints(path, joints, layout, times_s)
    turned = joints.astype(np.float32) @ _TO_CAMERA.T if num == 3 else joints.astype(np.float32) * FLIP_Y
    return JointSequence(turned, own, times_s)


def _load(path: Path) -> np.ndarray | dict[str, np.ndarray]:
    """Load an array or an archive of arrays, but no Python objects, which could run code."""
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if not isinstance(loaded, np.lib.npyio.NpzFile):
                return np.asarray(loaded)
            wanted = [name for name in loaded.files if name in _WANTED]
            return {name: loaded[name] for name in wanted}
    except FileNotFoundError as error:
        raise UnreadableError(
            f"Expected a joint file, but there is no file '{path}'. Check the path."
        ) from error
    except _DAMAGED as error:
        reason = "Python objects" if "allow_pickle" in str(error) else f"something else ({error})"
        raise UnreadableError(
            f"'{path}': Expected an array of numbers, but got {reason}. Save it again with `numpy.save`."
        ) from error


_DAMAGED = (
    *(OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, tokenize.TokenError, SyntaxError),
    *(MemoryError, NotImplementedError, RuntimeError, TypeError),
)
"""Errors that NumPy raises for damaged files and for files of other formats."""

_NUMBERS = "fiu"
_WANTED = ("joints_3d", "joints_2d", "racket_position", "ball", "p2", "p3", "fps")
