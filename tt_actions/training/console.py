"""Printing of single lines during a training."""

from rich.console import Console


def say(line: str, console: Console | None = None) -> None:
    """Print a line without wrapping, markup or highlighting.

    Args:
        line: The line.
        console: Console to print to (default: standard output).
    """
    console = console or Console()
    console.print(line, highlight=False, markup=False, emoji=False, soft_wrap=True)
