"""Tables for the screen and as Markdown, CSV and LaTeX."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rich.table
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.text import Text

from tt_actions.evaluation.latex import latex_table
from tt_actions.files import write_atomically, write_rows


def screen_table(title: str, headings: list[str]) -> rich.table.Table:
    """Create a table for the screen, with names in the first column and numbers in the others.

    Args:
        title: Title above the table.
        headings: Headings of the columns of numbers.
    """
    table = rich.table.Table(
        box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False, title=title, title_justify="left"
    )
    table.add_column("", overflow="fold", vertical="bottom")
    for heading in headings:
        widest = max(map(len, heading.split()), default=0)
        table.add_column(heading, justify="right", vertical="bottom", overflow="fold", min_width=widest)
    return table


@dataclass(frozen=True)
class Table:
    """A table with a note on how it was produced.

    Args:
        title: Title of the table.
        headings: Headings of the columns.
        rows: The cells as readers see them; the first cell of a row is its name.
        records: The same rows as plain numbers: column name to value, with None for unknown.
        notes: Sentences below the table that explain the columns.
        made_by: Sentences below the notes that say how the table was produced.
        bold: Row and column of each cell in bold: see :func:`best_cells`.
    """

    title: str
    headings: list[str]
    rows: list[list[str]]
    records: list[dict[str, Any]]
    notes: list[str]
    made_by: list[str]
    bold: frozenset[tuple[int, int]] = frozenset()

    def markdown(self) -> str:
        r"""Return the table as Markdown.

        >>> print(Table("T", ["model", "accuracy"], [["a|b", "0.5"]], [], [], ["By test."]).markdown())
        **T**
        <BLANKLINE>
        | model | accuracy |
        | --- | ---: |
        | a\|b | 0.5 |
        <BLANKLINE>
        By test.
        <BLANKLINE>
        """
        cells = [[_in_bold(cell, at in self.bold) for at, cell in row] for row in self._placed()]
        rules = ["---", *["---:"] * (len(self.headings) - 1)]
        lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]
        head = ["| " + " | ".join(row) + " |" for row in (self.headings, rules)]
        return "\n".join(
            [f"**{self.title}**", "", *head, *lines, "", *_paragraphs([*self.notes, *self.made_by])]
        )

    def _placed(self) -> list[list[tuple[tuple[int, int], str]]]:
        """Return the rows, each cell with its row and column."""
        return [[((i, j), cell) for j, cell in enumerate(row)] for i, row in enumerate(self.rows)]

    def latex(self) -> str:
        """Return the table as LaTeX: see :func:`tt_actions.evaluation.latex.latex_table`."""
        return latex_table(self.title, self.headings, self.rows, [*self.notes, *self.made_by], self.bold)

    def write(self, path: Path, advice: str = "and run the command again") -> None:
        """Write the table as ``.md``, ``.csv`` (plain numbers, with the production note) and ``.tex``.

        Args:
            path: Path of the files, without a suffix.
            advice: What to do besides checking space and permissions if a file can't be written.
        """
        for suffix, text in ((".md", self.markdown()), (".tex", self.latex())):
            with write_atomically(path.with_suffix(suffix), advice) as temporary:
                temporary.write_text(text, "utf-8")
        made_by = {"made_by": " ".join(self.made_by)} if self.made_by else {}
        records = [{**record, **made_by} for record in self.records]
        rows = [list(record.values()) for record in records]
        write_rows(path.with_suffix(".csv"), list(records[0]), rows, advice)

    def show(self, console: Console) -> None:
        """Print the table without the note on how it was produced.

        Intervals are below their values, and published rows are dimmed.

        Args:
            console: Console to print to.
        """
        table = screen_table(self.title, [heading.replace(" ", "\n") for heading in self.headings[1:]])
        for (_, name), *cells in self._placed():
            style = "dim" if "published" in name else None
            parts = [(cell.partition(" ["), "bold" if at in self.bold else "") for at, cell in cells]
            table.add_row(Text(name), *(Text(value, bold) for (value, _, _), bold in parts), style=style)
            if any(bracket for (_, bracket, _), _ in parts):
                intervals = (Text((bracket + rest).strip()) for (_, bracket, rest), _ in parts)
                table.add_row("", *intervals, style=style)
        console.print(table)
        for note in self.notes:
            console.print(Text(note, style="dim"))
        console.print()


def best_cells(
    values: Sequence[Sequence[float | None]], lower_is_better: Sequence[int] = (), digits: int = 3
) -> frozenset[tuple[int, int]]:
    """Return row and column of the best value of each column, to the digits that are shown.

    A column has no best value if fewer than two rows have one, or if all are equal.

    Args:
        values: The values of each row, without its name, which is column 0; None for a missing value.
        lower_is_better: The columns of which the lowest value is best.
        digits: Number of decimals that are compared.

    >>> sorted(best_cells([[0.9001, 3.0], [0.9004, 1.0], [0.2, None]], lower_is_better=[2]))
    [(0, 1), (1, 1), (1, 2)]
    """
    best = set()
    for column, numbers in enumerate(zip(*values, strict=True), 1):
        known = {row: round(number, digits) for row, number in enumerate(numbers) if number is not None}
        if len(set(known.values())) > 1:
            extreme = min(known.values()) if column in lower_is_better else max(known.values())
            best |= {(row, column) for row, number in known.items() if number == extreme}
    return frozenset(best)


def _in_bold(cell: str, is_bold: bool) -> str:
    return f"**{cell}**" if is_bold else cell


def _paragraphs(notes: list[str]) -> list[str]:
    return [line for note in notes for line in (note, "")]
