"""Errors that the user can correct: the command line prints them in one line, other errors as bugs."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """An input can't be used: the message says what was expected, what was given, and how to fix it."""


class UnreadableError(UserError):
    """A clip's file, or the requested part of it, can't be used."""


class VideoError(UnreadableError):
    """A video file, or the requested part of it, can't be used."""


def describe_unknown(words: str, known: Iterable[str]) -> str:
    """Return an error message about words that a command does not know, with the option that may be meant.

    Args:
        words: The words, separated by spaces.
        known: The options of the command.

    >>> describe_unknown("--chekpoint best.ckpt", ["--checkpoint", "--out"])
    'Expected an option that exists, but got `--chekpoint`. Did you mean `--checkpoint`?'
    >>> describe_unknown("more", ["--checkpoint"])
    "Expected only options, but got 'more'"
    """
    word = words.split(maxsplit=1)[0].partition("=")[0]
    if not word.startswith("-"):
        return f"Expected only options, but got '{words}'"
    nearest = difflib.get_close_matches(word, known, n=1, cutoff=0.7)
    meant = f". Did you mean `{nearest[0]}`?" if nearest else ""
    return f"Expected an option that exists, but got `{word}`{meant}"
