"""CSV files with the landmarks of MediaPipe, whose columns people name in many ways."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tt_actions.skeleton.keypoint_files import split_lines
from tt_actions.skeleton.landmarks import NUM_LANDMARKS, WIDTHS, to_joints
from tt_actions.skeleton.layouts import BLAZEPOSE33, COCO17, Layout
from tt_actions.skeleton.sequence import JointSequence, read_lines, read_numbers, unreadable_error

_ORDER = (
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear "
    "right_ear mouth_left mouth_right left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_pinky right_pinky left_index right_index left_thumb right_thumb left_hip right_hip "
    "left_knee right_knee left_ankle right_ankle left_heel right_heel left_foot_index right_foot_index"
)
_NAMES = _ORDER.split()
"""MediaPipe's own names."""

_BY_NAME = {
    name.replace("_", ""): i for names in (BLAZEPOSE33.joints, _NAMES) for i, name in enumerate(names)
}
_COCO = {_BY_NAME[joint.replace("_", "")] for joint in COCO17.joints}
_PREFIXES = {"landmark", "landmarks", "lm", "pose", "world", "keypoint", "kp", "joint", "point"}
_MISSING = ("", "nan", "none", "null")
_TIMES = {
    **dict.fromkeys(("time", "timestamp", "time_s", "timestamp_s"), 1.0),
    **dict.fromkeys(("time_ms", "timestamp_ms"), 0.001),
}
"""Names of columns of times, and their units in seconds."""


def is_landmark_table(path: Path) -> bool:
    """Return whether a file exists and begins like a table of landmarks.

    Args:
        path: The file.
    """
    if not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        try:
            rows = ([cell.strip() for cell in cells] for cells in csv.reader(file))
            first = next(filter(_is_row, rows), [])
        except csv.Error:
            return False
    return _find_unnamed(first) is not None or _has_landmarks(first)


def read_landmark_table(path: Path, layout: Layout) -> JointSequence:
    """Read a file with one row of landmarks per frame, with or without a header.

    Without a header, or with one that only counts the columns, a row has 99, 132 or 165 numbers: x, y and z
    of each landmark and, optionally, visibility and presence. A header contains names such as ``x1`` (from 0
    or 1), ``landmark_0_x``, ``NOSE_X`` or ``left_eye_inner_x``, in any order. Columns ``time``, ``time_s``
    and ``timestamp`` contain seconds, ``time_ms`` and ``timestamp_ms`` milliseconds. Other columns are
    ignored. A landmark is missing if a cell is empty or NaN.

    Args:
        path: The file.
        layout: Wanted layout: see :func:`tt_actions.skeleton.landmarks.to_joints`.

    Raises:
        UnreadableError: If the file is not such a table, times don't increase, or the landmarks don't fit the
            layout.
    """
    rows = [(line, cells) for line, cells in split_lines(path, read_lines(path)) if _is_row(cells)]
    line, first = rows[0]
    names, columns = _find_unnamed(first) or (first, _find_named(path, line, first))
    rows = rows[1:] if names else rows
    if not rows:
        raise unreadable_error(path, line, "a row for each frame after the header", "none")
    width = len(names) or len(columns)
    table = np.empty((len(rows), len(columns)))
    for i, (line, cells) in enumerate(rows):
        if len(cells) < width or any(cells[width:]):
            raise unreadable_error(path, line, f"{width} cells as in the first line", f"{len(cells)}")
        values = [cells[column] for column in columns]
        missing = [cell.lower() in _MISSING for cell in values]
        known = ["0" if gap else cell for cell, gap in zip(values, missing, strict=True)]
        table[i] = np.where(missing, np.nan, read_numbers(path, line, known, len(known)))
    landmarks = table.reshape(len(table), NUM_LANDMARKS, -1)
    return to_joints(path, landmarks, layout, _read_times(path, names, rows))


def _is_row(cells: Sequence[str]) -> bool:
    """Return whether a line is a row of the table: a frame without landmarks is one, a blank line is not."""
    return len(cells) > 1 or any(cells)


def _find_unnamed(cells: list[str]) -> tuple[list[str], list[int]] | None:
    """Find the landmarks of a table without names from its first row.

    Returns:
        The row if it only counts the columns, as pandas writes it, or nothing if it is the first frame, and
        the indices of the columns of landmarks; None for other tables.
    """
    for width in WIDTHS:
        start = len(cells) - width
        if start in (0, 1) and cells[start:] == [str(i) for i in range(width)] and not any(cells[:start]):
            return cells, list(range(start, len(cells)))
        if start in (0, 1) and all(map(_is_number, cells)) and not any(cells[width:]):
            return [], list(range(width))
    return None


def _is_number(cell: str) -> bool:
    try:
        float("0" if cell.lower() in _MISSING else cell)
    except ValueError:
        return False
    return True


def _has_landmarks(names: Sequence[str]) -> bool:
    """Return whether names of columns are those of landmarks rather than of COCO's keypoints.

    >>> _has_landmarks(["x1", "y1", "z1", "v1"]), _has_landmarks(["LEFT_HEEL_X"]), _has_landmarks(["nose_x"])
    (True, True, False)
    """
    coordinates = filter(None, map(_parse, names))
    return any(axis == "z" or is_number or key not in _COCO for key, is_number, axis in coordinates)


def _find_named(path: Path, line: int, names: list[str]) -> list[int]:
    """Return the indices of the columns of x, y and, if there is one, z of each landmark."""
    found = {column: parts for column, name in enumerate(names) if (parts := _parse(name)) is not None}
    numbers = sorted({key for key, is_number, _ in found.values() if is_number})
    first = numbers[0] if numbers else 0
    if numbers and (first > 1 or numbers != list(range(first, first + NUM_LANDMARKS))):
        got = f"{len(numbers)} from {numbers[0]} to {numbers[-1]}"
        raise unreadable_error(path, line, f"{NUM_LANDMARKS} landmarks, numbered from 0 or 1", got)
    columns: dict[tuple[int, str], int] = {}
    for column, (key, is_number, axis) in found.items():
        place = (key - first if is_number else key, axis)
        if place in columns:
            got = f"'{names[columns[place]]}' and '{names[column]}'"
            raise unreadable_error(path, line, "each coordinate once", got)
        columns[place] = column
    axes = "xyz" if any(axis == "z" for _, axis in columns) else "xy"
    for key, axis in (wanted := [(key, axis) for key in range(NUM_LANDMARKS) for axis in axes]):
        if (key, axis) not in columns:
            name = f"{axis}{key + first}" if numbers else f"{_NAMES[key]}_{axis}"
            raise unreadable_error(path, line, f"a column {name}", f"{len(names)} others")
    return [columns[place] for place in wanted]


def _parse(name: str) -> tuple[int, bool, str] | None:
    """Return the landmark of a column, whether its name contains a number, and x, y or z.

    >>> _parse("landmark_07_x"), _parse("LEFT_FOOT_INDEX.Z"), _parse("leftEyeInnerY"), _parse("frame")
    ((7, True, 'x'), (31, False, 'z'), (1, False, 'y'), None)
    """
    words = re.findall("[a-z]+|[0-9]+", re.sub("(?<=[a-z])(?=[A-Z])", " ", name).lower())
    words = [word for word in words if word not in _PREFIXES]
    for axis, rest in ((words[-1], words[:-1]), (words[0], words[1:])) if words else ():
        if axis in ("x", "y", "z"):
            if len(rest) == 1 and rest[0].isdecimal() and len(rest[0]) < 9:
                return int(rest[0]), True, axis
            if (key := _BY_NAME.get("".join(rest))) is not None:
                return key, False, axis
    return None


def _read_times(path: Path, names: list[str], rows: list[tuple[int, list[str]]]) -> np.ndarray | None:
    """Return the times in seconds from the first frame on, or None if there is no column of times."""
    keys = [re.sub(r"\W+", "_", name.lower()) for name in names]
    column = next((column for column, key in enumerate(keys) if key in _TIMES), None)
    if column is None:
        return None
    times: list[float] = []
    for line, cells in rows:
        expected = f"a number in column {names[column]}, larger than in the row before"
        if cells[column].lower() in _MISSING or not _is_number(cells[column]):
            raise unreadable_error(path, line, expected, f"'{cells[column]}'")
        times += read_numbers(path, line, [cells[column]], 1)
        if len(times) > 1 and times[-1] <= times[-2]:
            raise unreadable_error(path, line, expected, f"{cells[column]} after {times[-2]:g}")
    return (np.array(times) - times[0]) * _TIMES[keys[column]]
