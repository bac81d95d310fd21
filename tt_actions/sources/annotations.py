"""Shared code for files that annotate untrimmed video."""

import re
from collections.abc import Collection, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tt_actions.clips.strokes import Stroke
from tt_actions.errors import UserError

_MAX_BYTES = 16 * 2**20
"""A hundred times the size of the largest known annotation file."""


class Annotation(NamedTuple):
    """The annotations of one video.

    Args:
        strokes: The strokes of each player in order, by the name of the player, or None for a single player.
        unknown: The labels that are not understood, each with its frame numbers.
    """

    strokes: dict[str | None, list[Stroke]]
    unknown: dict[str, list[int]]


def read_file(path: Path) -> bytes:
    """Read a complete annotation file.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If the file can't be read.
        ValueError: If the file is far too large for annotations.
    """
    if not path.is_file():
        raise FileNotFoundError(f"Expected an annotation file, but there is no file '{path}'.")
    if (size := path.stat().st_size) > _MAX_BYTES:
        raise UserError(
            f"Expected an annotation file of at most {_MAX_BYTES} bytes, but '{path}' has {size}. "
            "Use one file per video."
        )
    try:
        return path.read_bytes()
    except PermissionError as error:
        raise OSError(
            f"Expected '{path}' to be readable, but got: {error.strerror}. Check the permissions."
        ) from error


def find_words(label: str, vocabulary: Collection[str]) -> list[str]:
    """Split a label at spaces, hyphens and underscores into lower-case singular words.

    Args:
        label: The label as the annotator wrote it.
        vocabulary: Words to recognise, also in the plural; other words stay as they are.

    >>> find_words("Left-Forehand_Loops neutrl", ("left", "forehand", "loop", "neutral"))
    ['left', 'forehand', 'loop', 'neutrl']
    """
    words = [word for word in re.split(r"[\s_-]+", label.lower()) if word]
    plurals = {f"{word}{ending}": word for word in vocabulary for ending in ("s", "es")}
    return [word if word in vocabulary else plurals.get(word, word) for word in words]


def coarse_class(words: Collection[str]) -> str:
    """Return the basic stroke, one of four, to which a finer stroke name belongs.

    Args:
        words: The words of the finer name, one of which is ``forehand`` or ``backhand``.

    >>> coarse_class(["serve", "forehand", "loop"]), coarse_class(["offensive", "backhand", "hit"])
    ('serve', 'backhand')
    """
    return next(name for name in ("serve", "smash", "forehand", "backhand") if name in words)


def spans_around(contacts_s: Sequence[float], before_s: float, after_s: float) -> list[tuple[float, float]]:
    """Add start and end times to the strokes of one player that are known only by their contacts.

    Two strokes that are too close for this share the time between their contacts in the same proportion.

    Args:
        contacts_s: Times at which racket and ball meet, in order and without duplicates.
        before_s: Seconds from the start of a stroke to its contact.
        after_s: Seconds from the contact of a stroke to its end; positive.

    >>> spans_around([0.5, 2.5, 3.5], before_s=1.5, after_s=0.5)
    [(0.0, 1.0), (1.0, 2.75), (2.75, 4.0)]
    """
    share = after_s / (before_s + after_s)
    cuts_s = [one + (other - one) * share for one, other in pairwise(contacts_s)]
    return [
        (max(contact_s - before_s, earliest_s), min(contact_s + after_s, latest_s))
        for contact_s, earliest_s, latest_s in zip(
            contacts_s, [0.0, *cuts_s], [*cuts_s, float("inf")], strict=False
        )
    ]
