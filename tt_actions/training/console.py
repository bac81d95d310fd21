"""What a training prints."""

from rich.console import Console


def say(line: str, console: Console | None = None) -> None:
    """Print a line as it is, however long.

    Args:
        line: The line.
        console: Where to print; standard output if None.
    """
    console = console or Console()
    console.print(line, highlight=False, markup=False, emoji=False, soft_wrap=True)
