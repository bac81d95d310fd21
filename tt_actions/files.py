"""Files that are whole or absent."""

import csv
import errno
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from lightning_utilities.core.rank_zero import rank_zero_only
from rich.console import Console

from tt_actions.errors import UserError


@contextmanager
def write_atomically(path: Path, advice: str = "and run it again") -> Iterator[Path]:
    """Give a temporary path beside ``path`` that takes its name once the block ends without an error.

    A reader sees the old file or the new one, never a part; of several writers the last wins.

    Args:
        path: The final name; its folder is made where it is absent.
        advice: What helps besides space or permissions, where the file can't be written.

    Yields:
        An existing empty file of the same suffix to write to.

    Raises:
        OSError: If it can't be written.
    """
    with explain_failure(path, advice):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def explain_failure(path: Path, advice: str) -> Iterator[None]:
    """Name the file that can't be written, and what to do.

    Args:
        path: The file.
        advice: What helps besides space or permissions.

    Raises:
        OSError: If the block raises one.
    """
    try:
        yield
    except OSError as error:
        is_full = error.errno in (None, errno.ENOSPC, errno.EDQUOT)  # numpy names no number
        remedy = "Free some space" if is_full else "Check the path and its permissions"
        raise OSError(
            f"Expected to write '{path}', but got: {error.strerror or error}. {remedy} {advice}."
        ) from error


def write_rows(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]], advice: str = "and run it again"
) -> None:
    """Write a CSV, whole or not at all.

    Args:
        path: The file; its folder is made where it is absent.
        header: Names of the columns.
        rows: The cells; None is an empty one.
        advice: What helps besides space or permissions, where the file can't be written.

    Raises:
        OSError: If it can't be written.
    """
    with (
        write_atomically(path, advice) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_json(path: Path, content: Any, advice: str = "and run it again") -> None:
    """Write a JSON file, whole or not at all.

    Args:
        path: The file; its folder is made where it is absent.
        content: Dictionaries, lists and plain values; numbers are finite.
        advice: What helps besides space or permissions, where the file can't be written.

    Raises:
        OSError: If it can't be written.
    """
    with write_atomically(path, advice) as temporary:
        temporary.write_text(
            json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n", "utf-8"
        )


def finite_or_none(value: Any) -> Any:
    """Put None for nan and infinity, which JSON has not.

    Args:
        value: A number, or a dictionary of such.

    >>> finite_or_none({"loss": float("nan"), "clips": 3})
    {'loss': None, 'clips': 3}
    """
    if isinstance(value, dict):
        return {key: finite_or_none(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content.

    Args:
        path: The file.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def lock_folder(folder: Path, expected: str) -> FileLock:
    """Keep other processes from working in a folder.

    Args:
        folder: The folder.
        expected: What to say was expected, and what came, where another process works there.

    Returns:
        The lock, to be released when the work is over; the end of the process releases it too.

    Raises:
        ValueError: If another process holds it.
    """
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(f"Expected {expected}. Wait for its end, or stop it first.") from error
    return lock


def is_first_process() -> bool:
    """Return whether this is the only process of its run or the first of several."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)  # Lightning sets it where it is loaded


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one process at a time work in a folder; the others wait for its end, which may be by a kill.

    Args:
        folder: The folder, which exists.

    Raises:
        OSError: If the lock can't be written.
    """
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if is_first_process():
            line = f"Waiting for another process that writes to '{folder}'."
            Console(stderr=True, markup=False, highlight=False, soft_wrap=True).print(line)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
