"""The command ``completion``: shell completion of commands and options."""

import argparse
import re
import sys
from importlib import import_module
from typing import Literal

import shtab

from tt_actions.command_line import TRUST_HELP, list_options
from tt_actions.main import COMMANDS, summaries


def completion(shell: Literal["bash", "zsh", "fish", "tcsh"]) -> None:
    """Print a script that completes commands and options in your shell.

    Args:
        shell: Your shell. For bash, add the line eval "$(tt-actions completion bash)" to ~/.bashrc.
    """
    sys.stdout.write(shtab.complete(make_parser(), shell) + "\n")


def make_parser() -> argparse.ArgumentParser:
    """Make a parser with all commands and options, from which shtab writes the completion script."""
    parser = argparse.ArgumentParser("tt-actions")
    commands = parser.add_subparsers()
    for command, summary in summaries().items():
        module, _, function = COMMANDS[command].partition(":")
        own = commands.add_parser(command, help=summary, description=summary)
        for option in list_options(getattr(import_module(f"tt_actions.{module}"), function)):
            added = own.add_argument(option.flag, help=_escape(option.help), choices=option.choices or None)
            if option.type is None:
                added.nargs = 0
            elif option.is_file:
                added.complete = shtab.FILE  # type: ignore[attr-defined]
        own.add_argument("--trust", help=TRUST_HELP)
        explain = getattr(import_module(f"tt_actions.{module}"), "explain_options", None)
        if explain:
            for flag, text in read_options(explain(command)).items():
                if flag not in ("--data", "--help"):
                    added = own.add_argument(flag, help=_escape(text))
                    if flag in ("--config", "--ckpt_path", "--runs"):
                        added.complete = shtab.FILE  # type: ignore[attr-defined]
    return parser


def read_options(text: str) -> dict[str, str]:
    r"""Extract the options from a help text, each with the first line of its explanation.

    Args:
        text: The help text.

    >>> read_options("options:\n  -h, --help  Show this.\n  --runs RUNS\n        Folder of runs.\n")
    {'--help': 'Show this.', '--runs': 'Folder of runs.'}
    """
    entry = r"^  (?:-\w[^,\n]*, )?(--[\w.]+)(?![\w.+])(?: [^\n]*?)??(?: {2,}|\n +)([^\n]*)"
    found = re.findall(entry, text, re.MULTILINE)
    return {flag: explanation for flag, explanation in found if not flag.endswith(".help")}


def _escape(text: str) -> str:
    return text.replace("%", "%%")
