"""Image keypoints in CSV files, in the formats of programs that use MoveNet and COCO models."""

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tt_actions.skeleton.layouts import COCO17, MOVENET13, Layout
from tt_actions.skeleton.sequence import (
    FLIP_Y,
    JointSequence,
    missing_where_zero,
    read_lines,
    read_numbers,
    unreadable_error,
)

_SCORES = ("score", "confidence", "conf")
_CLASSES = ("shot", "label", "class")
_MIN_SCORE = 0.05
_EXPECTED = "34, 51, 99, 132 or 165 numbers, or names such as nose_x"


def read_csv(path: Path) -> JointSequence:
    """Read a file with one row of keypoints per frame, with or without a header.

    A header contains ``<joint>_x`` and ``<joint>_y`` in any order and, optionally, ``<joint>_score`` or
    ``<joint>_confidence``. The joints are the 13 of MoveNet without eyes and ears, or all 17 of COCO. Columns
    ``shot``, ``label`` and ``class`` are ignored. Without a header, a row has 34 numbers, x and y of COCO's
    17 joints, or 51 numbers, x, y and confidence. Joints at (0, 0), or with a low confidence, count as
    missing. Units are those of the file; y points down, as in images.

    Args:
        path: The file.

    Raises:
        UnreadableError: If the file is not such a table.
    """
    lines = (text.rstrip(", \t") for text in read_lines(path))
    rows = [(line, cells) for line, cells in split_lines(path, lines) if any(cells)]
    if not rows:
        raise unreadable_error(path, 1, _EXPECTED, "nothing but commas")
    has_names = any(cell.endswith(("_x", "_y")) for cell in rows[0][1])
    if not has_names:
        num_cells = len(rows[0][1])
        if num_cells not in (2 * 17, 3 * 17):
            raise unreadable_error(path, rows[0][0], _EXPECTED, f"{num_cells} cells")
        table = np.array([read_numbers(path, line, cells, num_cells) for line, cells in rows], np.float32)
        return _sequence(table.reshape(len(table), 17, -1), COCO17)
    if len(rows) == 1:
        raise unreadable_error(path, rows[0][0], "a row for each frame after the header", "none")
    return _read_named(path, rows[0][1], rows[1:])


def _read_named(path: Path, names: list[str], rows: list[tuple[int, list[str]]]) -> JointSequence:
    layout = COCO17 if "left_eye_x" in names else MOVENET13
    columns: dict[str, int] = {}
    for column, name in enumerate(names):
        joint, _, part = name.rpartition("_")
        known = (joint in layout.joints and part in ("x", "y", *_SCORES)) or name in _CLASSES
        key = f"{joint}_score" if part in _SCORES else name
        if not known or key in columns:
            raise unreadable_error(
                path, 1, f"columns of {', '.join(layout.joints[:3])} and so on, each once", f"'{name}'"
            )
        columns[key] = column
    parts = ["x", "y"]
    if any(key.endswith("_score") for key in columns):
        parts.append("score")
    wanted = [f"{joint}_{part}" for joint in layout.joints for part in parts]
    if missing := [key for key in wanted if key not in columns]:
        raise unreadable_error(path, 1, f"a column {missing[0]}", f"{len(names)} others")
    table = []
    for line, cells in rows:
        if len(cells) != len(names):
            raise unreadable_error(path, line, f"{len(names)} cells as in the first line", f"{len(cells)}")
        table.append(read_numbers(path, line, [cells[columns[key]] for key in wanted], len(wanted)))
    return _sequence(np.array(table, np.float32).reshape(len(table), -1, len(parts)), layout)


def _sequence(table: np.ndarray, layout: Layout) -> JointSequence:
    """Return the joints of a table of x, y and, if given, score: ``(T, V, 2 or 3)``."""
    joints = missing_where_zero(table[..., :2])
    if table.shape[-1] > 2:
        joints = np.where(table[..., 2:] < _MIN_SCORE, np.nan, joints)
    return JointSequence(joints * FLIP_Y, layout)


def split_lines(path: Path, lines: Iterable[str]) -> list[tuple[int, list[str]]]:
    """Split lines into cells.

    Args:
        path: The file, for the message.
        lines: Lines of cells with commas between them.

    Returns:
        For each row, the number of its last line, from 1, and its cells without surrounding spaces.

    Raises:
        UnreadableError: If a cell is too long, because a quote is not closed.
    """
    reader = csv.reader(lines)
    try:
        return [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise unreadable_error(
            path, reader.line_num, "cells with commas between them", f"an error: {error}"
        ) from error
