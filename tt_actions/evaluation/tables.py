"""Tables for the screen and as Markdown, CSV and LaTeX."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rich.table
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.text import Text

from tt_actions.files import write_atomically, write_rows

_LATEX = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
)


def _latex(text: str) -> str:
    r"""Escape text for LaTeX; double hyphens stay as they are, as in command-line options.

    >>> print(_latex("--lr < 50%"))
    -{}-lr \textless{} 50\%
    """
    return re.sub("-(?=-)", "-{}", text.translate(_LATEX))


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
    """

    title: str
    headings: list[str]
    rows: list[list[str]]
    records: list[dict[str, Any]]
    notes: list[str]
    made_by: list[str]

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
        rules = ["---", *["---:"] * (len(self.headings) - 1)]
        lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in self.rows]
        head = ["| " + " | ".join(row) + " |" for row in (self.headings, rules)]
        return "\n".join(
            [f"**{self.title}**", "", *head, *lines, "", *_paragraphs([*self.notes, *self.made_by])]
        )

    def latex(self) -> str:
        r"""Return the table as LaTeX that needs no package.

        >>> print(Table("T", ["model", "F1"], [["cnn_lstm", "0.5 ± 0.1"]], [], ["50 %."], []).latex())
        \begin{table}
        \centering
        \caption{T}
        \begin{tabular}{lr}
        \hline
        model & F1 \\
        \hline
        cnn\_lstm & 0.5 $\pm$ 0.1 \\
        \hline
        \end{tabular}
        \par\footnotesize
        50 \%.
        \end{table}
        <BLANKLINE>
        """
        head, *body = (" & ".join(_latex(cell) for cell in row) for row in (self.headings, *self.rows))
        lines = [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_latex(self.title)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(self.headings) - 1)}}}",
            r"\hline",
            rf"{head} \\",
            r"\hline",
            *(rf"{row} \\" for row in body),
            r"\hline",
            r"\end{tabular}",
            r"\par\footnotesize",
            *(_latex(note) for note in (*self.notes, *self.made_by)),
            r"\end{table}",
        ]
        return "\n".join([*lines, ""])

    def write(self, path: Path) -> None:
        """Write the table as ``.md``, ``.csv`` (plain numbers, with the production note) and ``.tex``.

        Args:
            path: Path of the files, without a suffix.
        """
        for suffix, text in ((".md", self.markdown()), (".tex", self.latex())):
            with write_atomically(path.with_suffix(suffix)) as temporary:
                temporary.write_text(text, "utf-8")
        rows = [[*record.values(), " ".join(self.made_by)] for record in self.records]
        write_rows(path.with_suffix(".csv"), [*self.records[0], "made_by"], rows)

    def show(self, console: Console) -> None:
        """Print the table without the note on how it was produced.

        Intervals are below their values, and published rows are dimmed.

        Args:
            console: Console to print to.
        """
        table = screen_table(self.title, [heading.replace(" ", "\n") for heading in self.headings[1:]])
        for name, *cells in self.rows:
            style = "dim" if "published" in name else None
            parts = [cell.partition(" [") for cell in cells]
            table.add_row(Text(name), *(Text(value) for value, _, _ in parts), style=style)
            if any(bracket for _, bracket, _ in parts):
                table.add_row(
                    "", *(Text((bracket + rest).strip()) for _, bracket, rest in parts), style=style
                )
        console.print(table)
        for note in self.notes:
            console.print(Text(note, style="dim"))
        console.print()


def _paragraphs(notes: list[str]) -> list[str]:
    return [line for note in notes for line in (note, "")]
