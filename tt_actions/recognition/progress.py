"""A progress bar in a terminal or a notebook."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def is_watched() -> bool:
    """Return whether somebody sees the standard error output: in a terminal, or in a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


@contextmanager
def show_progress(what: str, total: float, unit: str) -> Iterator[Callable[[float], object]]:
    """Show a progress bar while the block runs, if somebody sees it; it disappears afterwards.

    Args:
        what: What is done, in a few words.
        total: Amount of the whole work.
        unit: What the work is counted in.

    Yields:
        A function that takes the amount that is done.
    """
    if not is_watched():
        yield lambda done: None  # noqa: ARG005 - nobody sees it
        return
    from tqdm import tqdm  # text in notebooks too: its widgets need another package

    with tqdm(desc=what, total=total, unit=unit, leave=False, bar_format=_FORMAT) as bar:
        yield lambda done: bar.update(min(done, total) - bar.n)


_FORMAT = "{desc}: {percentage:3.0f} %|{bar}| {n:.0f}/{total:.0f} {unit}, {remaining} left"
