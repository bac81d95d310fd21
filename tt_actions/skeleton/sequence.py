"""The joint sequence, to which every joint file is converted, and how its numbers are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tt_actions.errors import UnreadableError
from tt_actions.skeleton.layouts import Layout


@dataclass(frozen=True)
class JointSequence:
    """Joints of one person over time.

    In 3D, x, y and z are the Kinect's: y points up, and z away from the camera. A person who faces the camera
    faces -z, with the left side towards -x. In 2D, x points to the right of the image, and y up.

    Args:
        joints: Positions, NaN if unknown.
        layout: Layout of the joints.
        times_s: Time of each frame in seconds, from the first on, or None if the file does not give times.

    Shape:
        joints ``(T, V, C)``, float32; times_s ``(T,)``, float64.
    """

    joints: np.ndarray
    layout: Layout
    times_s: np.ndarray | None = None


LARGEST = 1e9
"""Upper limit of valid coordinates and times, in any unit."""

FLIP_Y = np.array([1, -1], np.float32)
"""Factors that convert image coordinates, with y down, to coordinates with y up."""


def unreadable_error(path: Path, line: int | None, expected: str, got: str) -> UnreadableError:
    """Return the error to raise for a joint file that can't be read.

    Args:
        path: The file.
        line: Number of the line, from 1, or None.
        expected: The expected content.
        got: The actual content.
    """
    location = f"'{path}'" if line is None else f"'{path}', line {line}"
    return UnreadableError(f"{location}: Expected {expected}, but got {got}. Correct or remove the file.")


def read_lines(path: Path) -> list[str]:
    """Read the lines of a text file.

    Args:
        path: The file.

    Raises:
        UnreadableError: If the file can't be read, is empty, or is not text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise unreadable_error(path, None, "text in UTF-8", f"other bytes ({error.reason})") from error
    except OSError as error:
        raise UnreadableError(
            f"Expected a joint file, but '{path}' can't be read ({error.strerror}). Check the path."
        ) from error
    if not text.strip():
        raise unreadable_error(path, None, "a joint file", "an empty file")
    return text.splitlines()


def read_numbers(path: Path, line: int, cells: Sequence[str], num_cells: int) -> list[float]:
    """Parse the numbers of one line.

    Args:
        path: The file, for the message.
        line: Number of the line, from 1, for the message.
        cells: Cells of the line.
        num_cells: Expected number of cells.

    Raises:
        UnreadableError: If the number of cells is different, or a cell is not a number below :data:`LARGEST`.
    """
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError as error:
        text = str(error).removeprefix("could not convert string to float: ")
        raise unreadable_error(path, line, f"{num_cells} numbers", text) from error
    if len(numbers) != num_cells or not (np.abs(numbers) < LARGEST).all():
        raise unreadable_error(
            path, line, f"{num_cells} finite numbers below {LARGEST:g}", f"'{' '.join(cells)[:80]}'"
        )
    return numbers


def most_moving(bodies: np.ndarray) -> np.ndarray:
    """Choose the body that moves most or, if several move equally, the one that is visible most often.

    The player moves more than bystanders.

    Args:
        bodies: Joints of several bodies, NaN if a body is not visible.

    Shape:
        bodies ``(M, T, V, C)`` -> ``(T, V, C)``.
    """
    steps = np.nansum(np.linalg.norm(np.diff(bodies, axis=1), axis=-1), axis=(1, 2))
    num_visible = (~np.isnan(bodies)).sum((1, 2, 3))
    return np.asarray(bodies[np.lexsort((num_visible, steps))[-1]])


def missing_where_zero(joints: np.ndarray) -> np.ndarray:
    """Mark joints exactly at the origin as missing, because recordings write undetected joints that way.

    Args:
        joints: Positions.

    Shape:
        joints ``(..., V, C)`` -> the same, NaN for missing joints.
    """
    return np.asarray(np.where((joints == 0).all(-1, keepdims=True), np.nan, joints))
