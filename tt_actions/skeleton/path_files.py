"""Paths of a ball: trajectories in space as CSV, and the ball's places in the pictures of OpenTTGames."""

import json
from pathlib import Path

import numpy as np

from tt_actions.skeleton.layouts import BALL, BALL2D
from tt_actions.skeleton.sequence import LARGEST, JointSequence, read_lines, read_numbers, refuse

HEADER = ("Timestamp", "X", "Y", "Z")
OPENTTGAMES_FPS = 120.0


def read_path(path: Path) -> JointSequence:
    """Read a ball's path in space: rows ``Timestamp,X,Y,Z`` in seconds and metres, z up.

    Args:
        path: The CSV file.

    Raises:
        UnreadableError: If it is no such table, or its times don't rise.
    """
    rows = [(i, text.split(",")) for i, text in enumerate(read_lines(path), 1) if text.strip()]
    if tuple(cell.strip() for cell in rows[0][1]) != HEADER or len(rows) == 1:
        raise refuse(path, 1, f"{','.join(HEADER)} and rows of them", f"'{','.join(rows[0][1])[:80]}'")
    table = []
    for line, cells in rows[1:]:
        table.append(read_numbers(path, line, cells, len(HEADER)))
        if len(table) > 1 and table[-1][0] <= table[-2][0]:
            raise refuse(path, line, "a later time than in the row before", cells[0])
    values = np.array(table)
    places = values[:, None, [1, 3, 2]].astype(np.float32) * np.array(
        [1, 1, -1], np.float32
    )  # y up, right-handed
    return JointSequence(places, BALL, values[:, 0] - values[0, 0])


def is_path(path: Path) -> bool:
    """Whether a file begins with the header of a ball's path; a file that is not there does not.

    Args:
        path: The file.
    """
    if not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return tuple(cell.strip() for cell in file.readline().split(",")) == HEADER


def read_ball_markup(path: Path) -> JointSequence:
    """Read the ``ball_markup.json`` of OpenTTGames: the ball's pixel in each frame, -1 where it is not seen.

    Frames are those of the video, at 120 a second; times count from its first.

    Args:
        path: The JSON file.

    Raises:
        UnreadableError: If it is no such file.
    """
    try:
        content = json.loads("\n".join(read_lines(path)))
        marked = {int(frame): (float(place["x"]), float(place["y"])) for frame, place in content.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise refuse(
            path, None, 'frames such as {"14": {"x": 506, "y": 523}}', f"something else ({error})"
        ) from error
    if not marked or min(marked) < 0 or max(marked) > 10_000_000:
        raise refuse(path, None, "frames of a video, from 0", f"{len(marked)} of them")
    if not (np.abs(list(marked.values())) < LARGEST).all():
        raise refuse(path, None, f"pixels below {LARGEST:g}", "others")
    joints = np.full((max(marked) + 1, 1, 2), np.nan, np.float32)
    for frame, (x, y) in marked.items():
        if min(x, y) >= 0:
            joints[frame, 0] = x, -y
    return JointSequence(joints, BALL2D, np.arange(len(joints)) / OPENTTGAMES_FPS)
