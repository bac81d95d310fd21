"""Errors that the user can correct: the command line prints them in one line, other errors as bugs."""

import ast
import difflib
from collections.abc import Sequence


class UserError(ValueError):
    """An input can't be used: the message says what was expected, what was given, and how to fix it."""


class UnreadableError(UserError):
    """A clip's file, or the requested part of it, can't be used."""


class VideoError(UnreadableError):
    """A video file, or the requested part of it, can't be used."""


def describe_unknown(words: str, known: Sequence[str]) -> str:
    """Return an error message about words that a command does not know, with the option that may be meant.

    Args:
        words: The words, separated by spaces.
        known: The options of the command.

    >>> describe_unknown("--chekpoint best.ckpt", ["--checkpoint", "--out"])
    'Expected an option that exists, but got `--chekpoint`. Did you mean `--checkpoint`?'
    >>> describe_unknown("more", ["--checkpoint"])
    "Expected only options, but got 'more'"
    >>> describe_unknown("--seed=2", ["--data", "--seed_everything"])
    'Expected an option that exists, but got `--seed`. Did you mean `--seed_everything`?'
    """
    word = words.split(maxsplit=1)[0].partition("=")[0]
    if not word.startswith("-"):
        return f"Expected only options, but got '{words}'"
    begun = [flag for flag in known if len(word) > 3 and flag.startswith(word)]
    nearest = begun or difflib.get_close_matches(word, known, n=1, cutoff=0.7)
    meant = f". Did you mean `{nearest[0]}`?" if nearest else ""
    return f"Expected an option that exists, but got `{word}`{meant}"


def describe_unknown_of(owner: str, key: str, option: str, known: Sequence[str]) -> str:
    """Describe an option that a class does not have, with the nearest one that it has, or all of them.

    Args:
        owner: Name of the class.
        key: The options' common beginning.
        option: The unknown name after it.
        known: The names that exist.

    >>> describe_unknown_of("LSTM", "model.network", "hiden", ["hidden", "grid"])
    'Expected an option that `LSTM` has, but got `model.network.hiden`. Did you mean `model.network.hidden`?'
    """
    line = f"Expected an option that `{owner}` has, but got `{key}.{option}`"
    if nearest := difflib.get_close_matches(option, known, n=1, cutoff=0.7):
        return f"{line}. Did you mean `{key}.{nearest[0]}`?"
    return f"{line}. It has {', '.join(known) or 'none'}"


def describe_type(kind: str) -> str:
    """Describe the type of an option in plain words.

    Args:
        kind: The type as jsonargparse writes it, such as ``<class 'float'>``.

    >>> describe_type("<class 'float'>"), describe_type("typing.Literal['left', 'right']")
    ('a number', 'left or right')
    >>> describe_type("tuple with 4 elements")
    'a list of 4 values'
    """
    if kind.startswith("typing.Literal"):
        *others, last = dict.fromkeys(map(str, ast.literal_eval(kind.removeprefix("typing.Literal"))))
        return f"{', '.join(others)} or {last}" if others else last
    if kind.startswith("tuple with"):
        return f"a list of {kind.split()[2]} values"
    name = kind.removeprefix("<class '").removesuffix("'>").rpartition(".")[2]
    names = {"float": "a number", "int": "a whole number", "bool": "true or false", "str": "a text"}
    names |= {"tuple": "a list", "Tensor": "a tensor", "Path": "a path"}
    return names.get(name, f"a {name}")
