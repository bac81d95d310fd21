"""Reading and writing the manifest, a CSV file that lists clips."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from tt_actions.clips.records import ClipRecord, Hand, Split
from tt_actions.clips.stroke_table import find_places, is_stroke_table
from tt_actions.errors import UserError
from tt_actions.files import write_atomically
from tt_actions.video.types import Roi

COLUMNS = (
    "path",
    "label",
    "start_s",
    "end_s",
    "x0",
    "y0",
    "x1",
    "y1",
    "group",
    "split",
    "hand",
    "contact_s",
    "player",
)


def read_manifest(path: Path) -> list[ClipRecord]:
    """Read the clips listed in a CSV file.

    The columns are ``path,label,start_s,end_s,x0,y0,x1,y1,group,split,hand,contact_s,player`` in any order.
    Only ``path`` is required; ``confidence`` is ignored. An empty cell means none, and relative paths start
    at the manifest's folder. The ``strokes.csv`` of an analysis is a manifest too: the files beside it tell
    the video and the regions.

    Args:
        path: The CSV file.

    Returns:
        One record per row, in the order of the file.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If the file can't be read.
        ValueError: If the file is empty, a column is unknown or missing, or a cell can't be parsed; the
            message gives the line number.
    """
    records = []
    for line, cells in read_rows(path):
        with name_line(path, line):
            records.append(read_clip(path.parent, cells))
    return records


def read_rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Read the rows of a manifest, or of the strokes of an analysis, as text.

    Args:
        path: The CSV file.

    Returns:
        For each row, the line number and the stripped cells by column.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If the file can't be read.
        ValueError: If the file is empty or not a CSV file, or a column is unknown or missing.
    """
    try:
        if not path.is_file():
            raise FileNotFoundError(
                f"Expected a manifest CSV, but there is no file '{path}'. Check the path."
            )
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            _check_columns(path, reader.fieldnames or ())
            rows = [(reader.line_num, _strip(path, reader.line_num, row)) for row in reader]
        if is_stroke_table(reader.fieldnames or ()):
            rows = _place_strokes(path, rows)
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"Expected '{path}' to be a CSV file in UTF-8, but got: {error}.") from error
    except PermissionError as error:
        raise OSError(
            f"Expected '{path}' to be readable, but got: {error.strerror}. Check the permissions."
        ) from error
    if not rows:
        raise UserError(f"Expected at least one clip in '{path}', but it has no rows. Add a row per clip.")
    return rows


@contextmanager
def name_line(path: Path, line: int) -> Iterator[None]:
    """Prefix errors that the block raises with the manifest's path and the line number.

    Args:
        path: The manifest.
        line: Number of the line.

    Raises:
        ValueError: If the block raises one.
    """
    try:
        yield
    except UserError as error:
        raise UserError(f"'{path}', line {line}: {error}") from error


def _check_columns(path: Path, names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in (*COLUMNS, "confidence")]  # which nothing needs
    if is_stroke_table(names) and len(set(names)) == len(names):
        return
    if "path" not in names or unknown or len(set(names)) < len(names):
        raise UserError(
            f"Expected the first line of '{path}' to contain `path` and, optionally, other columns out of "
            f"{','.join(COLUMNS)}, each at most once, but got {','.join(names) or 'nothing'}."
        )


def _place_strokes(path: Path, rows: list[tuple[int, dict[str, str]]]) -> list[tuple[int, dict[str, str]]]:
    """Add the video and the region of the player to the strokes of an analysis."""
    places, placed = find_places(path), []
    for line, row in rows:
        with name_line(path, line):
            placed.append((line, places.complete(row)))
    return placed


def _strip(path: Path, line: int, row: dict[str | None, str]) -> dict[str, str]:
    with name_line(path, line):
        if None in row or None in row.values():
            raise UserError("Expected as many cells as there are columns in the first line.")
    return {str(name): value.strip() for name, value in row.items()}


def read_clip(folder: Path, cells: Mapping[str, str]) -> ClipRecord:
    """Read one row of a manifest.

    Args:
        folder: Folder at which relative paths start.
        cells: The row's cells by column.

    Raises:
        ValueError: If a cell can't be parsed.
    """
    if not cells["path"]:
        raise UserError("Expected `path` to be a video file, but the cell is empty.")
    corners = [_read_pixel(name, cells[name]) for name in ("x0", "y0", "x1", "y1") if cells.get(name)]
    if len(corners) not in (0, 4):
        raise UserError(
            "Expected all of `x0`, `y0`, `x1` and `y1` or none, but some are empty. Fill in all or none."
        )
    return ClipRecord(
        path=folder / cells["path"],
        label=cells.get("label") or None,
        start_s=read_number("start_s", cells.get("start_s") or "0"),
        end_s=read_number("end_s", cells["end_s"]) if cells.get("end_s") else None,
        roi=cast(Roi, tuple(corners)) if corners else None,
        group=cells.get("group") or None,
        split=cast(Split, cells.get("split") or None),
        hand=cast(Hand, cells.get("hand") or None),
        contact_s=read_number("contact_s", cells["contact_s"]) if cells.get("contact_s") else None,
        player=cells.get("player") or None,
    )


def read_number(column: str, cell: str) -> float:
    """Parse a cell that contains a number.

    Args:
        column: Name of the column, for the message.
        cell: Text of the cell.

    Raises:
        ValueError: If it is not a number with a decimal point.
    """
    try:
        return float(cell)
    except ValueError as error:
        raise UserError(
            f"Expected `{column}` to be a number with a decimal point, but got '{cell}'."
        ) from error


def _read_pixel(column: str, cell: str) -> int:
    number = read_number(column, cell)
    if not number.is_integer():  # pandas writes 12 as 12.0 in a column with empty cells
        raise UserError(f"Expected `{column}` to be a whole number of pixels, but got '{cell}'.")
    return int(number)


def write_manifest(path: Path, records: Iterable[ClipRecord]) -> None:
    """Write clips as a manifest that :func:`read_manifest` can read.

    Paths of videos below the manifest's folder are relative to it; other paths are absolute.

    Args:
        path: The CSV file to write. Its folder is created if it doesn't exist.
        records: The clips, of one stroke each.

    Raises:
        OSError: If the file can't be written.
    """
    with write_atomically(path) as temporary:
        temporary.write_bytes(format_manifest(path.parent, records))


def format_manifest(folder: Path, records: Iterable[ClipRecord]) -> bytes:
    """Return the content of a manifest: see :func:`write_manifest`.

    Args:
        folder: Folder of the manifest.
        records: The clips, of one stroke each.
    """
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    for record in records:
        assert record.strokes is None, "a manifest row can't contain strokes"
        rows.writerow(_cells(folder.absolute(), record))
    return text.getvalue().encode()


def _cells(folder: Path, record: ClipRecord) -> list[object]:
    """Return the cells of a row, one for each of :data:`COLUMNS`; the csv module writes None as empty."""
    video = record.path.absolute()
    return [
        _protect((video.relative_to(folder) if video.is_relative_to(folder) else video).as_posix()),
        record.label,
        repr(record.start_s) if record.start_s else "",
        "" if record.end_s is None else repr(record.end_s),
        *(record.roi or ("",) * 4),
        record.group,
        record.split,
        record.hand,
        None if record.contact_s is None else repr(record.contact_s),
        record.player,
    ]


def _protect(path: str) -> str:
    """Return the same path in a form whose first and last character are no spaces, which readers strip.

    >>> _protect("a.mp4"), _protect(" b.mp4"), _protect("c.mp4 ")
    ('a.mp4', './ b.mp4', 'c.mp4 /.')
    """
    path = f"./{path}" if path != path.lstrip() else path
    return f"{path}/." if path != path.rstrip() else path
