"""Warnings about damaged videos, collected for a report."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from tt_actions.video.decoder import VideoWarning


@contextmanager
def collect_damage(*known: str) -> Iterator[list[str]]:
    """Collect the warnings about a damaged video, and show each new one once when the block ends.

    Args:
        *known: Messages that were shown before.

    Yields:
        The new messages, complete when the block has ended.
    """
    messages: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", VideoWarning)
        yield messages
    for warning in caught:
        message = str(warning.message)
        if not issubclass(warning.category, VideoWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        elif message not in (*known, *messages):
            messages.append(message)
            warnings.warn(message, VideoWarning, stacklevel=3)
