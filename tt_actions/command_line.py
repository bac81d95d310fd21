"""Command-line options from plain functions: names and types from the signature, help from the docstring."""

import argparse
import inspect
import os
import re
import sys
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from docstring_parser import DocstringStyle, parse
from jsonargparse import ArgumentParser

from tt_actions.errors import describe_type, describe_unknown

TRUST_HELP = "Allow YAML files and checkpoints to use the classes of this package; may be repeated"

Function = Callable[..., Any]


@dataclass(frozen=True)
class Option:
    """A parameter of a command's function as an option or positional argument of the command line.

    Args:
        name: Name of the parameter.
        flag: Name on the command line: ``--start-s`` for an option, ``data`` for a positional argument.
        type: Type of one value; None for an option without a value.
        help: Help text from the docstring.
        is_required: Whether the option is required.
        several: ``words`` for several values after one flag, ``repeated`` for a flag that may be repeated,
            None for a single value.
    """

    name: str
    flag: str
    type: Any
    help: str
    is_required: bool
    several: str | None = None

    @property
    def is_positional(self) -> bool:
        """Whether it is a positional argument."""
        return not self.flag.startswith("-")

    @property
    def is_file(self) -> bool:
        """Whether its value is the path of a file or a folder."""
        return self.type is Path

    @property
    def choices(self) -> tuple[str, ...]:
        """The allowed values, empty if any value is allowed."""
        return typing.get_args(self.type) if typing.get_origin(self.type) is typing.Literal else ()

    @property
    def key(self) -> str:
        """Its name in the parsed namespace."""
        return self.flag.lstrip("-").replace("-", "_")


def list_options(function: Function) -> list[Option]:
    """List the options and positional arguments of a command's function.

    A parameter without a default that is not keyword-only becomes a positional argument, and so does a
    positional-only parameter with a default, which may then be omitted. All others become options, with
    hyphens for underscores and without the final underscore of ``class_``. A bool becomes an option without a
    value. A ``list[str]`` takes several values; an option with a ``Sequence`` may be repeated.

    Args:
        function: The command's function.

    >>> def draw(out: Path, start_s: float = 0.0, class_: str | None = None) -> None:
    ...     "Draw."
    >>> [option.flag for option in list_options(draw)]
    ['out', '--start-s', '--class']
    """
    explained = {
        param.arg_name.lstrip("*"): " ".join((param.description or "").split()).rstrip(".")
        for param in parse(function.__doc__ or "", DocstringStyle.GOOGLE).params
    }
    options = []
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            continue
        flag = name.rstrip("_").replace("_", "-")
        kind, several = _without_none(parameter.annotation), None
        is_required = parameter.default is parameter.empty
        is_place = is_required or parameter.kind is parameter.POSITIONAL_ONLY
        if not is_place or parameter.kind is parameter.KEYWORD_ONLY:
            flag = f"--{flag}"
        if kind is bool:
            kind = None
        origin = typing.get_origin(kind)
        if origin in (list, Sequence):
            kind, several = typing.get_args(kind)[0], "words" if origin is list else "repeated"
        options.append(Option(name, flag, kind, explained.get(name, ""), is_required, several))
    return options


def _without_none(annotation: Any) -> Any:
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return annotation
    (kind,) = (kind for kind in typing.get_args(annotation) if kind is not types.NoneType)
    return kind


def parse_size(text: str) -> tuple[int, int]:
    """Read the size of an image.

    Args:
        text: Width and height, such as 320x240.

    Raises:
        ArgumentTypeError: If the text has another form.

    >>> parse_size("320x240")
    (320, 240)
    """
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"Expected WxH such as 320x240, but got '{text}'.")
    return int(width), int(height)


def parse_roi(text: str) -> tuple[int, ...]:
    """Read a region of an image.

    Args:
        text: Left, top, right and bottom of the region in pixels.

    Raises:
        ArgumentTypeError: If the text has another form.

    >>> parse_roi("0,0,852,410")
    (0, 0, 852, 410)
    """
    corners = text.split(",")
    if len(corners) != 4 or not all(corner.strip().isdecimal() for corner in corners):
        raise argparse.ArgumentTypeError(f"Expected x0,y0,x1,y1 such as 0,0,852,410, but got '{text}'.")
    return tuple(map(int, corners))


def parse_names(text: str) -> tuple[str, ...]:
    """Read a list of names.

    Args:
        text: The names, separated by commas.

    Raises:
        ArgumentTypeError: If a name is empty.

    >>> parse_names("left, right")
    ('left', 'right')
    """
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"Expected names such as left,right, but got '{text}'.")
    return names


TUPLES: dict[Any, tuple[Callable[[str], Any], str]] = {
    tuple[int, int]: (parse_size, "WxH"),
    tuple[int, int, int, int]: (parse_roi, "X0,Y0,X1,Y1"),
    tuple[str, ...]: (parse_names, "NAME,NAME"),
}
"""For each tuple type, the function that reads it from the command line, and its form in the help."""


class CommandParser(ArgumentParser):
    """The parser of a command that is a plain function.

    Args:
        name: The command.
        function: Its function: see :func:`list_options`. If it takes ``*words``, they receive the options
            that the parser does not know; a function ``explain_options`` in its module explains these.
            ``FORMER_FLAGS`` in its module names options of earlier versions whose value is now an argument
            without a name.
    """

    def __init__(self, name: str, function: Function) -> None:
        module = sys.modules[function.__module__]
        self.explain_more = getattr(module, "explain_options", None)
        self.former_flags: Sequence[str] = getattr(module, "FORMER_FLAGS", ())
        self.command = name
        parameters = inspect.signature(function).parameters.values()
        rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)
        documented = parse(function.__doc__ or "", DocstringStyle.GOOGLE).params
        super().__init__(
            f"tt-actions {name}",
            description=(inspect.getdoc(function) or "").partition("\n")[0],
            epilog=next((p.description for p in documented if p.arg_name.lstrip("*") == rest), None),
            formatter_class=argparse.HelpFormatter,
            allow_abbrev=False,
        )
        self.takes_more = rest is not None
        self.options = list_options(function)
        for option in self.options:
            self._add(option)
        self.add_argument("--trust", metavar="PACKAGE", default=argparse.SUPPRESS, help=TRUST_HELP)

    def _add(self, option: Option) -> None:
        settings: dict[str, Any] = {"help": option.help.replace("%", "%%")}
        if option.type is None:
            settings["action"] = "store_true"
        else:
            read, metavar = TUPLES.get(option.type, (option.type, None))
            settings["type"] = _once(read) if metavar else read
            if metavar and not option.is_positional:
                settings["metavar"] = metavar
            if option.several:
                several = {"nargs": "+" if option.is_required or not option.is_positional else "*"}
                settings |= {"action": "append"} if option.several == "repeated" else several
        if not option.is_positional:
            settings |= {"required": True} if option.is_required else {"default": argparse.SUPPRESS}
        self.add_argument(option.flag, **settings)

    def format_help(self, formatter: Any = None) -> str:
        """Return the help, followed by the module's explanation of further options, if it has one.

        Args:
            formatter: Formatter of the help.
        """
        own = super().format_help(formatter)
        return own if self.explain_more is None else f"{own}\n{self.explain_more(self.command)}"

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """End the process with an error message of one line.

        Args:
            message: The message of the parser.
            ex: The exception behind it, if any.
        """
        del ex
        flags = {option.key: option.flag for option in self.options}
        line = re.sub(
            r'Parser key "(\w+)"(?: element \d+)?:\s*Expected an? (.+?)\. Got value: (.*)',
            lambda found: (
                f"Expected `{flags[found[1]]}` to be {describe_type(found[2])}, but got '{found[3]}'."
            ),
            " ".join(message.split()),
        )
        if found := re.fullmatch("the following arguments are required: (.*)", line):
            missing = ", ".join(f"`{flags[key]}`" for key in found[1].split(", "))
            line = f"Expected {missing}, but got none."
        if found := re.fullmatch("unrecognized arguments: (.*)", line):
            line = describe_unknown(found[1], [*flags.values(), "--help", "--trust"])
        ending = "" if line.endswith((".", "?")) else "."
        self.exit(2, f"error: {line}{ending} `{self.prog} --help` explains the options.\n")

    def split(self, words: Sequence[str]) -> tuple[list[str], list[str]]:
        """Separate the words of this parser's options from those of further options.

        Args:
            words: The words of the command line.

        Returns:
            The words for this parser, and the remaining words.
        """
        known = {option.flag: option for option in self.options}
        own: list[str] = []
        rest: list[str] = []
        places = sum(option.is_positional for option in self.options)
        left = list(words)
        while left:
            word = left.pop(0)
            option = known.get(word.partition("=")[0])
            if option is not None or word in ("-h", "--help"):
                own.append(word)
                if option and option.type is not None and "=" not in word:
                    most = len(left) if option.several == "words" else 1
                    while left and most and not left[0].startswith("--"):
                        own.append(left.pop(0))
                        most -= 1
            elif places and not word.startswith("-"):
                own.append(word)
                places -= 1
            else:
                rest.append(word)
        return own, rest

    def _without_former(self, words: Sequence[str]) -> list[str]:
        """Leave out the names of options of earlier versions, but not their values."""
        kept = []
        for word in words:
            flag, is_joined, value = word.partition("=")
            if flag not in self.former_flags:
                kept.append(word)
            elif is_joined:
                kept.append(value)
        return kept

    def read(self, words: Sequence[str]) -> tuple[list[Any], dict[str, Any]]:
        """Parse a command line into the positional and keyword arguments of the function.

        Args:
            words: The words of the command line.
        """
        words = self._without_former(words)
        own, rest = self.split(words) if self.takes_more else (list(words), [])
        parsed = self.parse_args(own)
        given = {option.name: parsed[option.key] for option in self.options if option.key in parsed}
        places = [given.pop(option.name) for option in self.options if option.is_positional]
        return [*places, *rest], given


def _once(read: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Make a reader that leaves values unchanged if they are already read.

    jsonargparse checks a value by reading it again.
    """
    return lambda given: read(given) if isinstance(given, str) else given


def take_trust(words: Sequence[str]) -> list[str]:
    """Trust the packages given with ``--trust``, also in child processes, and return the remaining words.

    Args:
        words: The words after the command.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--trust", action="append", default=[])
    known, rest = parser.parse_known_args(words)
    if known.trust:
        from tt_actions.class_paths import TRUST_VARIABLE, trust

        trust(known.trust)
        before = filter(None, [os.environ.get(TRUST_VARIABLE)])
        os.environ[TRUST_VARIABLE] = ",".join([*before, *known.trust])
    return rest


def call(name: str, function: Function, words: Sequence[str]) -> Any:
    """Run a command.

    Args:
        name: The command.
        function: Its function.
        words: The words after the command.

    Returns:
        What the function returns.
    """
    places, options = CommandParser(name, function).read(words)
    return function(*places, **options)
