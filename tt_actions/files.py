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

from filelock import AcquireReturnProxy, FileLock, Timeout
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


def lock_folder(
    folder: Path, in_use: str, *, wait: bool = False, beside: bool = False
) -> AcquireReturnProxy[FileLock]:
    """Let one process at a time work in a folder: others wait for it, or are refused.

    The end of the process, which may be by a kill, releases the lock too.

    Args:
        folder: The folder, which exists; of ``beside`` the one that it lies in does.
        in_use: What to say where another process holds the lock: a line to print before waiting, or the
            error's first sentence.
        wait: Whether to wait for the lock.
        beside: Whether the lock lies beside the folder, which can then be replaced while it is held.

    Returns:
        The lock: use it as a context, or keep it and release its ``lock`` when the work is over.

    Raises:
        ValueError: If another process holds the lock, and ``wait`` is False.
        OSError: If the lock can't be written.
    """
    lock = FileLock(folder.parent / f".{folder.name}.lock" if beside else folder / ".lock")
    try:
        return lock.acquire(blocking=False)
    except Timeout as error:
        if not wait:
            raise UserError(f"{in_use} Wait for its end, or stop it first.") from error
    if is_first_process():
        Console(stderr=True, markup=False, highlight=False, soft_wrap=True).print(in_use)
    return lock.acquire()


def is_first_process() -> bool:
    """Return whether this is the only process of its run or the first of several."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)  # Lightning sets it where it is loaded
