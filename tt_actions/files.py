"""Atomic file writing, folder locks and file digests."""

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

_RUN_AGAIN = "and run the command again"


@contextmanager
def write_atomically(path: Path, advice: str = _RUN_AGAIN) -> Iterator[Path]:
    """Yield a temporary path next to ``path``, and rename it to ``path`` if the block ends without an error.

    A reader sees the old file or the new one, never a part of it. If there are several writers, the last
    one wins.

    Args:
        path: The final name. Its folder is created if it doesn't exist.
        advice: End of the error's last sentence: what to do besides freeing space or setting permissions.

    Yields:
        An existing empty file to write to, with the suffix of ``path``.

    Raises:
        OSError: If the file can't be written.
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
    """Add the file's name and advice to an error that is raised while the block writes a file.

    Args:
        path: The file.
        advice: End of the error's last sentence: what to do besides freeing space or setting permissions.

    Raises:
        OSError: If the block raises one.
    """
    try:
        yield
    except OSError as error:
        is_full = error.errno in (None, errno.ENOSPC, errno.EDQUOT)  # NumPy's has no errno
        remedy = "Free some space" if is_full else "Check the path and its permissions"
        raise OSError(
            f"Expected to write '{path}', but got: {error.strerror or error}. {remedy} {advice}."
        ) from error


def check_writable(folder: Path | None) -> None:
    """Raise an error if no file can be written to a folder, before the work whose results it is for.

    Nothing is created.

    Args:
        folder: The folder, which need not exist; with None, nothing is checked.

    Raises:
        UserError: If it is a file.
        OSError: If the folder, or the nearest one above it that exists, can't be written to.
    """
    if folder is not None:
        if folder.exists() and not folder.is_dir():
            raise UserError(
                f"Expected a folder to write to, but '{folder}' is a file. Choose another folder."
            )
        nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        with explain_failure(folder, "or choose another folder"):
            tempfile.TemporaryFile(dir=nearest).close()


def write_rows(
    path: Path,
    header: Sequence[str],
    rows: Iterable[Sequence[Any]],
    advice: str = _RUN_AGAIN,
) -> None:
    """Write a CSV file atomically.

    Args:
        path: The file. Its folder is created if it doesn't exist.
        header: Names of the columns.
        rows: The cells; None becomes an empty cell.
        advice: What the error suggests if the file can't be written: see :func:`write_atomically`.

    Raises:
        OSError: If the file can't be written.
    """
    with (
        write_atomically(path, advice) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_json(path: Path, content: Any, advice: str = _RUN_AGAIN) -> None:
    """Write a JSON file atomically.

    Args:
        path: The file. Its folder is created if it doesn't exist.
        content: Dictionaries, lists and plain values. Numbers must be finite.
        advice: What the error suggests if the file can't be written: see :func:`write_atomically`.

    Raises:
        OSError: If the file can't be written.
    """
    with write_atomically(path, advice) as temporary:
        temporary.write_text(
            json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n", "utf-8"
        )


def finite_or_none(value: Any) -> Any:
    """Replace nan and infinity, which JSON can't represent, by None.

    Args:
        value: A number, or a dictionary of numbers.

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
    """Lock a folder, so that only one process at a time works in it; others wait or get an error.

    The lock is also released when its process ends or is killed.

    Args:
        folder: The folder. It must exist; with ``beside``, only its parent folder must exist.
        in_use: What to print if another process holds the lock: a line before waiting, or the error's first
            sentence.
        wait: Whether to wait for the lock.
        beside: Whether to put the lock file next to the folder instead of in it. The folder can then be
            replaced while it is locked.

    Returns:
        The lock. Use it as a context manager, or keep it and release its ``lock`` when the work is done.

    Raises:
        ValueError: If another process holds the lock, and ``wait`` is False.
        OSError: If the lock can't be written.
    """
    path = folder.parent / f".{folder.name}.lock" if beside else folder / ".lock"
    path.touch()  # filelock would wait for a file that can't be made
    lock = FileLock(path, thread_local=False)  # another thread may release it
    try:
        return lock.acquire(blocking=False)
    except Timeout as error:
        if not wait:
            raise UserError(f"{in_use} Wait until it ends, or stop it.") from error
    if is_first_process():
        Console(stderr=True, markup=False, highlight=False, soft_wrap=True).print(in_use)
    return lock.acquire()


def is_first_process() -> bool:
    """Return whether this is the only process of its run, or the first of several."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)  # Lightning sets the rank once it is imported
