"""The parser of an experiment's options, and its error messages."""

import inspect
import re
from argparse import SUPPRESS, Action, ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NoReturn

from jsonargparse import Namespace
from pytorch_lightning.cli import LightningArgumentParser

import tt_actions.models
import tt_actions.sources
from tt_actions.class_paths import allow_in_experiments, trust_installed, with_current_paths
from tt_actions.clips.datamodule import ClipDataModule
from tt_actions.errors import UserError, describe_unknown
from tt_actions.training.option_errors import in_one_line, relevant_error

allow_in_experiments(tt_actions.models, tt_actions.sources)
trust_installed()

CLASSES = tuple(
    name
    for module in (tt_actions.models, tt_actions.sources)
    for name, member in vars(module).items()
    if isinstance(member, type)
)
"""Names of the classes that experiments give without their module."""


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
        parsed: Namespace = super().parse_string(with_current_paths(content), *args, **kwargs)
        return parsed

    def parse_path(self, path: Any, *args: Any, **kwargs: Any) -> Namespace:
        """Parse a YAML file.

        Args:
            path: The file.
            *args: Passed to the parent class.
            **kwargs: Passed to the parent class.

        Raises:
            UserError: If the file is no text.
        """
        try:
            parsed: Namespace = super().parse_path(path, *args, **kwargs)
        except UnicodeDecodeError as error:
            raise UserError(
                f"Expected '{path}' to be YAML, but it is not text. Pass an experiment."
            ) from error
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
        line = in_one_line(message, CLASSES)
        if "are required" in line and "model.network" in line:
            line = "Expected `--config`, the YAML file of an experiment, such as experiments/cnn_lstm.yaml"
        if found := re.fullmatch("unrecognized arguments: (.*)", line):
            line = describe_unknown(found[1], self._flags())
        if not self.exit_on_error:
            super().error(line, ex)
        command = self.prog.split()[-1] if " " in self.prog else "train"
        ending = "" if line.endswith("?") else "."
        self.exit(2, f"error: {line}{ending} `tt-actions {command} --help` explains the options.\n")

    def _flags(self) -> list[str]:
        """List the options of the parser and of its subcommands."""
        commands = [parser for action in self._actions for parser in _parsers_of(action)]
        return [
            flag for one in (self, *commands) for action in one._actions for flag in action.option_strings
        ]


def _parsers_of(action: Action) -> list[ArgumentParser]:
    return list(action.choices.values()) if isinstance(action.choices, dict) else []


def make_data(settings: Mapping[str, Any]) -> ClipDataModule:
    """Create the data module of a training, which provides its clips and their splits.

    Args:
        settings: The configuration of the training, as plain types.

    Raises:
        KeyError: If the configuration has no ``data``.
        ArgumentError: If an option of the data is invalid.
        UserError: If a part of the data refuses its options.
    """
    parser = QuietParser(exit_on_error=False)
    parser.add_lightning_class_args(ClipDataModule, "data")
    with errors_of_options():
        data = parser.instantiate_classes(parser.parse_object({"data": settings["data"]})).data
    assert isinstance(data, ClipDataModule)
    return data


def check_classes(config: Any) -> None:
    """Raise an error if a parsed configuration would call a function where a class is meant.

    Args:
        config: The configuration, or a part of it.

    Raises:
        UserError: If it names a function.
    """
    if isinstance(config, Namespace | dict):
        values = vars(config) if isinstance(config, Namespace) else config
        name = values.get("class_path")
        if isinstance(name, str) and not _is_class(name):
            raise UserError(f"Expected the path of a class, but got `{name}`, which is none. Use a class.")
        for value in values.values():
            check_classes(value)
    elif isinstance(config, list | tuple):
        for value in config:
            check_classes(value)
    elif inspect.isroutine(config):
        raise UserError(f"Expected a class, but got the function `{config.__name__}`. Use a class.")


def _is_class(path: str) -> bool:
    module, _, name = path.rpartition(".")
    try:
        return isinstance(getattr(import_module(module), name), type)
    except (ImportError, AttributeError):
        return False


@contextmanager
def errors_of_options() -> Iterator[None]:
    """Show an error of an option that takes several kinds of classes, which jsonargparse wraps, as it was.

    Raises:
        UserError: If the block raises such an error.
    """
    try:
        yield
    except ValueError as error:
        if "Does not validate against any of the Union subtypes" not in str(error):
            raise
        raise UserError(" ".join(relevant_error(str(error)).split())) from error


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
