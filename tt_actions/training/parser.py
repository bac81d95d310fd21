"""The parser of an experiment's options, and its error messages."""

import re
from argparse import SUPPRESS
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from jsonargparse import Namespace
from pytorch_lightning.cli import LightningArgumentParser

from tt_actions.class_paths import refused_import, with_current_paths
from tt_actions.clips.datamodule import ClipDataModule
from tt_actions.errors import UserError


class QuietParser(LightningArgumentParser):
    """Parser whose errors show the problem and where to find help, but not the list of all options."""

    def print_usage(self, file: Any = None) -> None:
        """Print nothing: otherwise every error would begin with some eighty lines.

        Args:
            file: Not used.
        """

    def format_help(self, formatter: Any = None) -> str:
        """Return the help without Lightning's ``--data``, since here ``--data`` passes the user's own clips.

        Args:
            formatter: Formatter of the help.
        """
        for action in self._actions:
            if "--data" in action.option_strings:
                action.help = SUPPRESS
        return super().format_help(formatter)

    def parse_string(self, content: str, *args: Any, **kwargs: Any) -> Namespace:
        """Parse YAML; class paths of earlier versions are accepted.

        Args:
            content: The YAML.
            *args: Passed to the parent class.
            **kwargs: Passed to the parent class.
        """
        content = re.sub(r"(?<=class_path: )[\w.]+", lambda found: with_current_paths(found[0]), content)
        parsed: Namespace = super().parse_string(content, *args, **kwargs)
        return parsed

    def parse_object(self, obj: Any, *args: Any, **kwargs: Any) -> Namespace:
        """Parse plain values; class paths of earlier versions are accepted.

        Args:
            obj: The values.
            *args: Passed to the parent class.
            **kwargs: Passed to the parent class.
        """
        parsed: Namespace = super().parse_object(
            with_current_paths(obj) if isinstance(obj, dict) else obj, *args, **kwargs
        )
        return parsed

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """End the process with an error message.

        Args:
            message: The message.
            ex: The exception behind it, if any.
        """
        super().error(relevant_error(message), ex)


def make_data(settings: Mapping[str, Any]) -> ClipDataModule:
    """Create the data module of a training, which provides its clips and their splits.

    Args:
        settings: The configuration of the training, as plain types.

    Raises:
        KeyError: If the configuration has no ``data``.
        SystemExit: If an option of the data is invalid.
    """
    parser = QuietParser()
    parser.add_lightning_class_args(ClipDataModule, "data")
    data = parser.instantiate_classes(parser.parse_object({"data": settings["data"]})).data
    assert isinstance(data, ClipDataModule)
    return data


@contextmanager
def refused_by_library(option: str) -> Iterator[None]:
    """Convert errors of a library class about its arguments into a UserError, since they come from options.

    Args:
        option: The option that sets the arguments.

    Raises:
        UserError: If the block raises a ValueError or a TypeError.
    """
    try:
        yield
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise UserError(
            f"Expected valid arguments for `{option}`, but got an error: {reason}. Correct the arguments."
        ) from error


def relevant_error(message: str) -> str:
    r"""Reduce jsonargparse's message about a class option to the errors of the class that the user chose.

    Args:
        message: jsonargparse's message: all classes, the error with each of them, and the value.

    >>> lines = ["Subtypes: [<class 'tt_actions.A'>, <class 'tt_actions.B'>]", "Errors:"]
    >>> lines += ["  - A does not correspond to a subclass of B", "  - Expected c.", "Given value: x"]
    >>> relevant_error("\n".join(lines))
    'Expected c.'
    """
    refused = refused_import(message)
    if refused is not None:
        return refused
    reasons = re.split(r"^ *- ", message.split("Given value", maxsplit=1)[0], flags=re.MULTILINE)[1:]
    own = [reason.strip() for reason in reasons if "does not correspond to a subclass" not in reason]
    return "\n".join(own) if own and "Subtypes: [<class 'tt_actions." in message else message
