"""Ball trajectories: 3D ones in CSV files, and the ball's positions in the frames of OpenTTGames."""

import json
from pathlib import Path

import numpy as np

from tt_actions.skeleton.layouts import BALL, BALL2D
from tt_actions.skeleton.sequence import LARGEST, JointSequence, read_lines, read_numbers, unreadable_error

HEADER = ("Timestamp", "X", "Y", "Z")
OPENTTGAMES_FPS = 120.0


def read_path(path: Path) -> JointSequence:
    """Read a 3D ball trajectory: rows ``Timestamp,X,Y,Z`` in seconds and metres, z up.

    Args:
        path: The CSV file.

    Raises:
        UnreadableError: If the file is not such a table, or its times don't increase.
    """
    rows = [(i, text.split(",")) for i, text in enumerate(read_lines(path), 1) if text.strip()]
    if tuple(cell.strip() for cell in rows[0][1]) != HEADER or len(rows) == 1:
        raise unreadable_error(
            path, 1, f"{','.join(HEADER)} and a row for each position", f"'{','.join(rows[0][1])[:80]}'"
        )
    table = []
    for line, cells in rows[1:]:
        table.append(read_numbers(path, line, cells, len(HEADER)))
        if len(table) > 1 and table[-1][0] <= table[-2][0]:
            raise unreadable_error(path, line, "a later time than in the previous row", cells[0])
    values = np.array(table)
    signs = np.array([1, 1, -1], np.float32)  # y up, right-handed
    positions = values[:, None, [1, 3, 2]].astype(np.float32) * signs
    return JointSequence(positions, BALL, values[:, 0] - values[0, 0])


def is_path(path: Path) -> bool:
    """Return whether a file exists and begins with the header of a 3D ball trajectory.

    Args:
        path: The file.
    """
    if not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return tuple(cell.strip() for cell in file.readline().split(",")) == HEADER


def read_ball_markup(path: Path) -> JointSequence:
    """Read the ``ball_markup.json`` of OpenTTGames: the ball's pixel in each frame, -1 if it is not visible.

    Frame numbers are those of the video, which has 120 frames per second. Times count from its first frame.

    Args:
        path: The JSON file.

    Raises:
        UnreadableError: If the file has another format.
    """
    try:
        content = json.loads("\n".join(read_lines(path)))
        marked = {int(frame): (float(pixel["x"]), float(pixel["y"])) for frame, pixel in content.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise unreadable_error(
            path, None, 'frames such as {"14": {"x": 506, "y": 523}}', f"something else ({error})"
        ) from error
    if not marked or min(marked) < 0 or max(marked) > 10_000_000:
        got = f"{min(marked)} to {max(marked)}" if marked else "no frame"
        raise unreadable_error(path, None, "frame numbers from 0 to 10000000", got)
    if not (np.abs(list(marked.values())) < LARGEST).all():
        raise unreadable_error(path, None, f"pixels below {LARGEST:g}", "other values")
    joints = np.full((max(marked) + 1, 1, 2), np.nan, np.float32)
    for frame, (x, y) in marked.items():
        if min(x, y) >= 0:
            joints[frame, 0] = x, -y
    return JointSequence(joints, BALL2D, np.arange(len(joints)) / OPENTTGAMES_FPS)
