"""The parser of an experiment's options, and what it says of a wrong one."""

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
    """Tells what is wrong and where the options are explained, but does not list them all before it."""

    def print_usage(self, file: Any = None) -> None:
        """Print nothing: every error would begin with some eighty lines.

        Args:
            file: Where to.
        """

    def format_help(self, formatter: Any = None) -> str:
        """Return the help, without the file of data options: ``--data`` names the user's own clips.

        Args:
            formatter: Passed on.
        """
        for action in self._actions:
            if "--data" in action.option_strings:
                action.help = SUPPRESS
        return super().format_help(formatter)

    def parse_string(self, content: str, *args: Any, **kwargs: Any) -> Namespace:
        """Parse YAML, in which classes may have the paths that they had in earlier versions.

        Args:
            content: The YAML.
            *args: Passed on.
            **kwargs: Passed on.
        """
        content = re.sub(r"(?<=class_path: )[\w.]+", lambda found: with_current_paths(found[0]), content)
        parsed: Namespace = super().parse_string(content, *args, **kwargs)
        return parsed

    def parse_object(self, obj: Any, *args: Any, **kwargs: Any) -> Namespace:
        """Parse plain values, in which classes may have the paths that they had in earlier versions.

        Args:
            obj: The values.
            *args: Passed on.
            **kwargs: Passed on.
        """
        parsed: Namespace = super().parse_object(
            with_current_paths(obj) if isinstance(obj, dict) else obj, *args, **kwargs
        )
        return parsed

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """End with what is wrong.

        Args:
            message: What is wrong.
            ex: What was raised.
        """
        super().error(meant(message), ex)


def make_data(settings: Mapping[str, Any]) -> ClipDataModule:
    """Make the data of a training, which know its clips and their splits.

    Args:
        settings: The configuration of the training, as plain types.

    Raises:
        KeyError: If it has no ``data``.
        SystemExit: If an option of the data is refused.
    """
    parser = QuietParser()
    parser.add_lightning_class_args(ClipDataModule, "data")
    data = parser.instantiate_classes(parser.parse_object({"data": settings["data"]})).data
    assert isinstance(data, ClipDataModule)
    return data


@contextmanager
def refused_by_library(option: str) -> Iterator[None]:
    """Make what a library's class says of its arguments, which options gave, a mistake of the user's.

    Args:
        option: What the options name.

    Raises:
        UserError: If the block raises a ValueError or a TypeError.
    """
    try:
        yield
    except (ValueError, TypeError) as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise UserError(
            f"Expected arguments that `{option}` takes, but got: {said}. Correct them."
        ) from error


def meant(message: str) -> str:
    r"""Tell of a value that fits none of our classes what is wrong by the class that was meant.

    Args:
        message: What jsonargparse says: all classes, what is wrong by each, and the value.

    >>> said = ["Subtypes: [<class 'tt_actions.A'>, <class 'tt_actions.B'>]", "Errors:"]
    >>> said += ["  - A does not correspond to a subclass of B", "  - Expected c.", "Given value: x"]
    >>> meant("\n".join(said))
    'Expected c.'
    """
    refused = refused_import(message)
    if refused is not None:
        return refused
    reasons = re.split(r"^ *- ", message.split("Given value", maxsplit=1)[0], flags=re.MULTILINE)[1:]
    own = [reason.strip() for reason in reasons if "does not correspond to a subclass" not in reason]
    return "\n".join(own) if own and "Subtypes: [<class 'tt_actions." in message else message
