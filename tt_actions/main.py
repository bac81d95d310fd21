"""The ``tt-actions`` command: it imports a command's module only when the command runs."""

import ast
import os
import sys
import traceback
import warnings
from importlib import import_module
from pathlib import Path

from tt_actions.errors import UserError

COMMANDS = {
    "train": "training.command:train",
    "fit": "training.command:fit",
    "validate": "training.command:validate",
    "test": "training.command:test",
    "predict": "evaluation.predict_command:predict",
    "explain": "evaluation.command:explain",
    "analyze": "match.command:analyze",
    "live": "match.live.command:live",
    "coach": "coach.command:coach",
    "label": "label.command:label",
    "export": "export.command:export",
    "compare": "studies.command:compare",
    "sweep": "studies.command:sweep",
    "names": "studies.command:names",
    "pose": "pose.command:pose",
    "synth": "sources.synthetic.command:synth",
    "check": "sources.command:check",
    "completion": "completion:completion",
}
"""The function of each command; its signature and docstring define the options of the command.

Its module imports what is slow, such as torch, only when the command runs: help and errors come at once.
"""

ISSUES = "https://github.com/tt-actions/tt_actions/issues"

TRACEBACK_VARIABLE = "TT_ACTIONS_TRACEBACK"
"""Environment variable that shows the traceback even of a user's mistake."""


SPINS = ("GOMP_SPINCOUNT", "1000")
"""Environment variable for how often a thread of torch asks whether the others are done before it sleeps.

By default, it asks for milliseconds. On a busy machine, it thereby keeps the threads that it waits for from
running: an epoch of ``cnn_lstm`` on two cores took 8 s alone, 21 s beside one busy process and 33 s beside
two. With this value, it takes 7, 14 and 16 s. It must be set before torch is imported.
"""


def main(args: list[str] | None = None) -> None:
    """Run a command.

    Args:
        args: The command and its options. None reads them from the command line of the process. In that
            case a mistake of the user ends the process with a message of one line, and a bug with its
            traceback.

    Raises:
        UserError: If an option or the data are invalid.
        OSError: If a file is missing or can't be written.
        FloatingPointError: If the loss of a training is not finite.
    """
    if args is not None:
        _run(args)
        return
    warnings.formatwarning = _one_line
    os.environ.setdefault(*SPINS)
    try:
        _run(sys.argv[1:])
    except (UserError, OSError, FloatingPointError) as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped.\n")
        sys.exit(130)
    except Exception as error:
        traceback.print_exc()
        message = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".:")
        sys.exit(f"error: This is a bug: {message}. Please report it with the traceback above: {ISSUES}")


def _one_line(message: Warning | str, category: type[Warning], *_: object, **__: object) -> str:
    """Format a warning in one line, without the line of code that raised it."""
    return f"{'warning' if issubclass(category, UserWarning) else category.__name__}: {message}\n"


def _run(args: list[str]) -> None:
    command, words = (args[0], args[1:]) if args else ("--help", [])
    if command in COMMANDS:
        from tt_actions.command_line import call, take_trust

        words = take_trust(words)
        module, _, function = COMMANDS[command].partition(":")
        code = call(command, getattr(import_module(f"tt_actions.{module}"), function), words)
        if isinstance(code, int):
            sys.exit(code)
    elif command in ("-h", "--help"):
        sys.stdout.write(
            f"{_usage()}\n`tt-actions COMMAND --help` explains the options of a command.\n"
            "With any command, `--trust PACKAGE` allows YAML files and checkpoints to use its classes.\n"
        )
    else:
        sys.exit(f"{_usage()}\nerror: Expected one of these commands, but got '{command}'.")


def _usage() -> str:
    lines = [f"  {command:<12}{summary}" for command, summary in summaries().items()]
    return "\n".join(["usage: tt-actions COMMAND [OPTIONS]", "", "commands:", *lines, ""])


def summaries() -> dict[str, str]:
    """Return a summary of each command: the first line of its docstring, read without importing it."""
    found = {}
    for command, place in COMMANDS.items():
        module, _, function = place.partition(":")
        path = Path(__file__).parent.joinpath(*module.split(".")).with_suffix(".py")
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name == function:
                found[command] = (ast.get_docstring(node) or "").partition("\n")[0].rstrip(".")
    return found


if __name__ == "__main__":
    main()
