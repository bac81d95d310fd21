"""Processes beside each other: which one speaks, and which one may write. Does not load torch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from lightning_utilities.core.rank_zero import rank_zero_only
from rich.console import Console


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
