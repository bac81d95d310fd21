"""An append-only file of events, of which none is lost when the process is killed or the disk is full."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tt_actions.errors import UserError

Event = Mapping[str, Any]


class Journal:
    """A file with one JSON object a line; a line is on the disk before :meth:`append` returns.

    A last line that was cut off, because the process was killed while writing it, is removed.

    Args:
        path: The file; it is created if it doesn't exist.

    Attributes:
        events: The events in the file when it was opened.

    Raises:
        UserError: If the file can't be written, or a line of it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            is_new = not path.exists()
            self._file = path.open("x+b" if is_new else "r+b", buffering=0)
            if is_new:
                _sync_folder(path.parent)
            content = path.read_bytes()
        except OSError as error:
            raise self._explain(error) from error
        self._size = content.rfind(b"\n") + 1
        try:
            self.events = [self._read(*line) for line in enumerate(content[: self._size].splitlines(), 1)]
        except UserError:
            self.close()
            raise

    def _read(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            raise UserError(
                f"Expected '{self.path}' as it was written, but line {number} is damaged. Restore the file "
                "from a backup, or move it and its manifest away to begin anew."
            )
        return event

    def append(self, event: Event) -> None:
        """Add an event.

        Args:
            event: The event, of plain types.

        Raises:
            UserError: If it can't be written, or the file is not at its place any more; it then is as before.
        """
        self._check_place()
        line = json.dumps(event, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        try:
            self._file.truncate(self._size)  # removes what a failed write may have left
            self._file.seek(self._size)
            written = 0
            while written < len(line):
                written += self._file.write(line[written:])
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._explain(error) from error
        self._size += len(line)

    def _check_place(self) -> None:
        """Raise an error if the file is not at its place any more: what is written to it would be lost."""
        try:
            is_there = os.path.samestat(self.path.stat(), os.fstat(self._file.fileno()))
        except OSError:
            is_there = False
        if not is_there:
            raise UserError(
                f"Expected '{self.path}' where it was, but it was moved, removed or replaced. Put it back, "
                "and repeat the last step; everything before it is in that file."
            )

    def _explain(self, error: OSError) -> UserError:
        return UserError(
            f"Expected to write '{self.path}', but got: {error.strerror or error}. Free some space or check "
            "the permissions, and repeat the last step; everything before it is saved."
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _sync_folder(folder: Path) -> None:
    """Make sure that a new file is in its folder after a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
