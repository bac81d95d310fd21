"""Keypoints of pictures in CSV files, as programs around MoveNet and COCO models write them."""

import csv
from pathlib import Path

import numpy as np

from tt_actions.skeleton.layouts import COCO17, MOVENET13, Layout
from tt_actions.skeleton.sequence import (
    UPWARDS,
    JointSequence,
    missing_where_zero,
    read_lines,
    read_numbers,
    refuse,
)

_SCORES = ("score", "confidence", "conf")
_CLASSES = ("shot", "label", "class")
_LEAST_SCORE = 0.05


def read_csv(path: Path) -> JointSequence:
    """Read a row a frame, with or without a first line of names.

    With names they are ``<joint>_x`` and ``<joint>_y`` in any order, with ``<joint>_score`` or
    ``<joint>_confidence`` where there is one, of the 13 joints of MoveNet without eyes and ears or of all 17
    of COCO; a column ``shot``, ``label`` or ``class`` is left out. Without names there are 34 numbers, x and
    y of COCO's 17, or 51, each with its confidence. Joints at (0, 0), or hardly sure, are missing. Units are
    the file's own; y points down, as in pictures.

    Args:
        path: The file.

    Raises:
        UnreadableError: If the file is no such table.
    """
    lines = csv.reader(text.rstrip(", \t") for text in read_lines(path))
    rows = [(i, [cell.strip() for cell in cells]) for i, cells in enumerate(lines, 1)]
    rows = [(line, cells) for line, cells in rows if any(cells)]
    if not rows:
        raise refuse(path, 1, "34 or 51 numbers, or names such as nose_x", "nothing but commas")
    has_names = any(cell.endswith(("_x", "_y")) for cell in rows[0][1])
    if not has_names:
        num_cells = len(rows[0][1])
        if num_cells not in (2 * 17, 3 * 17):
            raise refuse(path, rows[0][0], "34 or 51 numbers, or names such as nose_x", f"{num_cells} cells")
        table = np.array([read_numbers(path, line, cells, num_cells) for line, cells in rows], np.float32)
        return _sequence(table.reshape(len(table), 17, -1), COCO17)
    if len(rows) == 1:
        raise refuse(path, rows[0][0], "a row for each frame after the names", "none")
    return _read_named(path, rows[0][1], rows[1:])


def _read_named(path: Path, names: list[str], rows: list[tuple[int, list[str]]]) -> JointSequence:
    layout = COCO17 if "left_eye_x" in names else MOVENET13
    places: dict[str, int] = {}
    for column, name in enumerate(names):
        joint, _, part = name.rpartition("_")
        known = (joint in layout.joints and part in ("x", "y", *_SCORES)) or name in _CLASSES
        key = f"{joint}_score" if part in _SCORES else name
        if not known or key in places:
            raise refuse(
                path, 1, f"columns of {', '.join(layout.joints[:3])} and so on, each once", f"'{name}'"
            )
        places[key] = column
    parts = ["x", "y"]
    if any(key.endswith("_score") for key in places):
        parts.append("score")
    wanted = [f"{joint}_{part}" for joint in layout.joints for part in parts]
    if lacking := [key for key in wanted if key not in places]:
        raise refuse(path, 1, f"a column {lacking[0]}", f"{len(names)} others")
    table = []
    for line, cells in rows:
        if len(cells) != len(names):
            raise refuse(path, line, f"{len(names)} cells as in the first line", f"{len(cells)}")
        table.append(read_numbers(path, line, [cells[places[key]] for key in wanted], len(wanted)))
    return _sequence(np.array(table, np.float32).reshape(len(table), -1, len(parts)), layout)


def _sequence(table: np.ndarray, layout: Layout) -> JointSequence:
    """Join x, y and, where given, a score of each joint: ``(T, V, 2 or 3)``."""
    joints = missing_where_zero(table[..., :2])
    if table.shape[-1] > 2:
        joints = np.where(table[..., 2:] < _LEAST_SCORE, np.nan, joints)
    return JointSequence(joints * UPWARDS, layout)
