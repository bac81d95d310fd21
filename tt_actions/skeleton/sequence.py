"""What every file of joints becomes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tt_actions.errors import UnreadableError
from tt_actions.skeleton.layouts import Layout


@dataclass(frozen=True)
class JointSequence:
    """Joints of one person over time.

    In 3D, x, y and z are the Kinect's: y points up, and z away from the camera, so that who faces the camera
    faces -z with the left side towards -x. In 2D, x points to the right of the picture and y up.

    Args:
        joints: Places, NaN where not known.
        layout: What the joints are.
        times_s: When each frame is, from the first on, or None where the file does not say.

    Shape:
        joints ``(T, V, C)``, float32; times_s ``(T,)``, float64.
    """

    joints: np.ndarray
    layout: Layout
    times_s: np.ndarray | None = None


LARGEST = 1e9
"""No place is so far away, and no time so late, in whatever unit."""

UPWARDS = np.array([1, -1], np.float32)
"""What turns a picture's places, y down, so that y points up."""


def refuse(path: Path, line: int | None, expected: str, got: str) -> UnreadableError:
    """Return what to raise for a file that can't be read.

    Args:
        path: The file.
        line: Number of the line, from 1, or None.
        expected: What was expected.
        got: What stands there.
    """
    where = f"'{path}'" if line is None else f"'{path}', line {line}"
    return UnreadableError(f"{where}: Expected {expected}, but got {got}. Correct the file or leave it out.")


def read_lines(path: Path) -> list[str]:
    """Read a text file.

    Args:
        path: The file.

    Raises:
        UnreadableError: If it can't be read, or is empty or no text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(path, None, "text in UTF-8", f"other bytes ({error.reason})") from error
    except OSError as error:
        raise UnreadableError(
            f"Expected a file of joints, but '{path}' can't be read ({error.strerror}). Check the path."
        ) from error
    if not text.strip():
        raise refuse(path, None, "a file of joints", "an empty one")
    return text.splitlines()


def read_numbers(path: Path, line: int, cells: Sequence[str], num_cells: int) -> list[float]:
    """Read the numbers of one line.

    Args:
        path: The file.
        line: Number of the line, from 1.
        cells: Its cells.
        num_cells: How many there should be.

    Raises:
        UnreadableError: If there are more or fewer, or one is no number, or none below :data:`LARGEST`.
    """
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError as error:
        text = str(error).removeprefix("could not convert string to float: ")
        raise refuse(path, line, f"{num_cells} numbers", text) from error
    if len(numbers) != num_cells or not (np.abs(numbers) < LARGEST).all():
        raise refuse(path, line, f"{num_cells} finite numbers below {LARGEST:g}", f"'{' '.join(cells)[:80]}'")
    return numbers


def most_moving(bodies: np.ndarray) -> np.ndarray:
    """Choose the body that moves most, the player, not who stands by; of those that stand who is seen most.

    Args:
        bodies: Joints of several bodies, NaN where a body is not seen.

    Shape:
        bodies ``(M, T, V, C)`` -> ``(T, V, C)``.
    """
    steps = np.nansum(np.linalg.norm(np.diff(bodies, axis=1), axis=-1), axis=(1, 2))
    seen = (~np.isnan(bodies)).sum((1, 2, 3))
    return np.asarray(bodies[np.lexsort((seen, steps))[-1]])


def missing_where_zero(joints: np.ndarray) -> np.ndarray:
    """Mark joints that lie exactly at the origin, which is how recordings tell that they were not found.

    Args:
        joints: Places.

    Shape:
        joints ``(..., V, C)`` -> the same, NaN where nothing was found.
    """
    return np.asarray(np.where((joints == 0).all(-1, keepdims=True), np.nan, joints))
