"""The manifest of untrimmed recordings: one row per stroke."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tt_actions.clips.manifest import name_line, read_clip, read_number, read_rows
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.strokes import IDLE, Stroke
from tt_actions.errors import UserError
from tt_actions.sources.annotations import spans_around


class _Row(NamedTuple):
    """A line with its stroke, if it has one; a stroke without an end time has only a contact time."""

    line: int
    clip: ClipRecord
    contact_s: float | None
    is_empty: bool


def read_recordings(path: Path, folder: Path, before_s: float, after_s: float) -> list[ClipRecord]:
    """Read untrimmed recordings from a CSV file.

    The columns are those of :func:`tt_actions.clips.manifest.read_manifest`. A row is a stroke with ``label``
    and either ``start_s`` and ``end_s``, or ``contact_s``, or all three. All rows with the same path and
    region are one recording: a complete file without other strokes. A row labelled ``idle`` adds no stroke. A
    row without label and times marks a recording without strokes. The default group is the path.

    Args:
        path: The CSV file.
        folder: Folder to which relative paths refer.
        before_s: Seconds from the start of a stroke to its contact, used if only the contact is given.
        after_s: Seconds from the contact of a stroke to its end, used if only the contact is annotated.

    Returns:
        The recordings, in the order of their first rows.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If the file can't be read.
        ValueError: If the file is empty, a column is unknown or missing, a cell can't be read, or rows of one
            recording contradict each other. The message contains the line numbers.
    """
    recordings: dict[tuple[object, ...], list[_Row]] = defaultdict(list)
    for line, cells in read_rows(path):
        with name_line(path, line):
            row = _read_row(line, folder, cells)
        recordings[row.clip.path, row.clip.roi].append(row)
    return [_join(path, rows, before_s, after_s) for rows in recordings.values()]


def _read_row(line: int, folder: Path, cells: Mapping[str, str]) -> _Row:
    clip = read_clip(folder, {**cells, "contact_s": ""})
    contact_s = read_number("contact_s", cells["contact_s"]) if cells.get("contact_s") else None
    is_timed = any(cells.get(name) for name in ("start_s", "end_s", "contact_s"))
    if is_timed and clip.label is None:
        raise UserError(
            "Expected the `label` of the stroke at this time, but it is empty. Add the label, or remove "
            "the times."
        )
    if contact_s is not None and not 0 <= contact_s < float("inf"):
        raise UserError(f"Expected `contact_s` to be at least 0, but got {contact_s}.")
    is_stroke = clip.label not in (None, IDLE)
    has_start, has_end = bool(cells.get("start_s")), clip.end_s is not None
    if is_stroke and (has_start != has_end or (contact_s is None and not has_start)):
        raise UserError(
            "Expected `start_s` and `end_s` of the stroke, or only `contact_s`, but some of them are missing."
        )
    clip = replace(clip, group=clip.group or cells["path"])
    return _Row(line, clip, contact_s if is_stroke else None, not is_timed and clip.label is None)


def _join(path: Path, rows: Sequence[_Row], before_s: float, after_s: float) -> ClipRecord:
    first = rows[0]
    for row in rows:
        if (row.clip.group, row.clip.split) != (first.clip.group, first.clip.split):
            raise UserError(
                f"'{path}', lines {first.line} and {row.line}: Expected one group and split of the recording "
                f"'{row.clip.path}', but got {first.clip.group}, {first.clip.split} and {row.clip.group}, "
                f"{row.clip.split}."
            )
        if row.is_empty != first.is_empty:
            raise UserError(
                f"'{path}', lines {first.line} and {row.line}: Expected either strokes in the recording "
                f"'{row.clip.path}' or one row without label and times, but got both."
            )
    strokes = _strokes(path, rows, before_s, after_s)
    return replace(first.clip, label=None, start_s=0.0, end_s=None, strokes=strokes)


def _strokes(path: Path, rows: Sequence[_Row], before_s: float, after_s: float) -> tuple[Stroke, ...]:
    contacts_s = sorted({r.contact_s for r in rows if r.contact_s is not None and r.clip.end_s is None})
    spans = dict(zip(contacts_s, spans_around(contacts_s, before_s, after_s), strict=True))
    strokes = []
    for line, clip, contact_s, _ in rows:
        if clip.label is None or clip.label == IDLE:
            continue
        if clip.end_s is None:
            assert contact_s is not None, "guaranteed by _read_row"
            span = spans[contact_s]
        else:
            span = clip.start_s, clip.end_s
        with name_line(path, line):
            strokes.append((Stroke(clip.label, *span, contact_s), line))
    strokes.sort(key=lambda timed: timed[0].start_s)
    for (one, line), (other, other_line) in pairwise(strokes):
        if other.start_s < one.end_s:
            raise UserError(
                f"'{path}', lines {line} and {other_line}: Expected strokes of one player that don't overlap "
                f"each other, but got {one.label} from {one.start_s:g} to {one.end_s:g} s and {other.label} "
                f"from {other.start_s:g} to {other.end_s:g} s. Correct the times, or give each player a "
                "region."
            )
    return tuple(stroke for stroke, _ in strokes)
