"""LaTeX source of tables for papers."""

import re
import textwrap
from collections.abc import Collection, Sequence

PACKAGES = ("booktabs", "array", "graphicx")
"""Packages that every table needs; all of them are in every LaTeX installation."""

_WRAPPED_LENGTH = 24
"""Longest cell, in characters, of a column that is not wrapped."""

_SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "…": r"\ldots{}"}
    | {"[": "{[}", "*": "{*}"}  # after the end of a row, LaTeX reads these as options
)


def escape(text: str) -> str:
    r"""Escape text for LaTeX; double hyphens stay as they are, as in command-line options.

    Args:
        text: The text.

    >>> print(escape("--lr < 50%, [0.1 ± 0.2]"))
    -{}-lr \textless{} 50\%, {[}0.1 $\pm$ 0.2]
    """
    return re.sub("-(?=-)", "-{}", " ".join(text.split()).translate(_SPECIAL))


def label_of(title: str) -> str:
    """Return the label of a table, by which the text of a paper refers to it.

    Args:
        title: Title of the table.

    >>> label_of("Table 1: models"), label_of("Results by class")
    ('tab:models', 'tab:results-by-class')
    """
    return "tab:" + "-".join(re.findall(r"\w+", _caption(title).lower().replace("_", " ")))


def latex_table(
    title: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    notes: Sequence[str],
    bold: Collection[tuple[int, int]] = (),
) -> str:
    r"""Return a table as a float that is never wider than its column.

    The rules are those of ``booktabs``. An interval in brackets gets a line of its own below its value. A
    column with long cells is wrapped, and so is a heading that is wider than its column. A table that is
    still too wide is shrunk.

    Args:
        title: Title of the table, which becomes its caption and its label. LaTeX numbers it itself.
        headings: Headings of the columns.
        rows: The cells; the first cell of a row is its name.
        notes: Sentences below the table.
        bold: Row and column of each cell in bold.

    >>> print(latex_table("Table 1: models", ["model", "F1"], [["cnn_lstm", "0.5 [0.4, 0.6]"]], ["50 %."]))
    % Needs \usepackage{booktabs,array,graphicx}
    \begin{table}
    \centering
    \caption{Models}
    \label{tab:models}
    \smallskip
    \small
    \setlength{\tabcolsep}{4pt}
    \sbox0{%
    \begin{tabular}{@{}lr@{}}
    \toprule
    model & F1 \\
    \midrule
    cnn\_lstm & \begin{tabular}[t]{@{}r@{}}0.5\\\scriptsize {[}0.4, 0.6]\end{tabular} \\[2pt]
    \bottomrule
    \end{tabular}}%
    \ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi
    <BLANKLINE>
    \smallskip
    \begin{minipage}{\linewidth}
    \footnotesize\sloppy
    50 \%.
    \end{minipage}
    \end{table}
    <BLANKLINE>
    """
    body = [_row(row, {column for at, column in bold if at == number}) for number, row in enumerate(rows)]
    lines = [
        rf"% Needs \usepackage{{{','.join(PACKAGES)}}}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(_caption(title))}}}",
        rf"\label{{{label_of(title)}}}",
        r"\smallskip",
        r"\small",
        r"\setlength{\tabcolsep}{4pt}",
        r"\sbox0{%",
        rf"\begin{{tabular}}{{@{{}}{_columns(headings, rows)}@{{}}}}",
        r"\toprule",
        _headings(headings, rows),
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}}%",
        r"\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi",
        *_notes(notes),
        r"\end{table}",
    ]
    return "\n".join([*lines, ""])


def _caption(title: str) -> str:
    """Return a title without its number, which LaTeX adds, and with a capital letter."""
    text = re.sub(r"^Table \d+: ", "", title)
    return text[:1].upper() + text[1:]


def _columns(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the columns: names on the left, numbers on the right, and long texts wrapped."""
    columns = []
    for number in range(len(headings)):
        cells = [headings[number], *(part for row in rows for part in _parts(row[number]))]
        if max(map(len, cells)) > _WRAPPED_LENGTH:
            columns.append(r">{\raggedright\arraybackslash}p{0.35\linewidth}")
        else:
            columns.append("r" if number else "l")
    return "".join(columns)


def _headings(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the row of headings, each of them on as many lines as its column is narrow."""
    shown = []
    for number, heading in enumerate(headings):
        cells = [part for row in rows for part in _parts(row[number])]
        width = max(map(len, [*cells, *heading.split(), "only one"]))
        lines = [escape(line) for line in textwrap.wrap(heading, width)]
        shown.append(_stack(lines, "l" if number == 0 else "r", "b") if len(lines) > 1 else escape(heading))
    return rf"{' & '.join(shown)} \\"


def _parts(cell: str) -> list[str]:
    """Divide a cell into its value and, if it has one, its interval.

    >>> _parts("0.5 ± 0.1 [0.4, 0.6]"), _parts("a [b]")
    (['0.5 ± 0.1', '[0.4, 0.6]'], ['a [b]'])
    """
    found = re.fullmatch(r"([\d.].*) (\[[-\d., ]+\])", cell)
    return [*found.groups()] if found else [cell]


def _row(cells: Sequence[str], bold: Collection[int] = ()) -> str:
    gap = "[2pt]" if any(len(_parts(cell)) > 1 for cell in cells) else ""
    shown = " & ".join(_cell(cell, number in bold) for number, cell in enumerate(cells))
    return rf"{shown} \\{gap}"


def _cell(cell: str, is_bold: bool) -> str:
    """Return a cell in LaTeX, with its interval below it, whatever the height of the row."""
    value, *interval = _parts(cell)
    shown = rf"\textbf{{{_breakable(value)}}}" if is_bold else _breakable(value)
    if not interval:
        return shown
    return _stack([shown, rf"\scriptsize {escape(interval[0])}"], "r", "t")


def _stack(lines: Sequence[str], align: str, place: str) -> str:
    """Return lines above each other, of which the top (t) or bottom one (b) stands on the line of the row."""
    body = r"\\".join(lines)
    return rf"\begin{{tabular}}[{place}]{{@{{}}{align}@{{}}}}{body}\end{{tabular}}"


def _breakable(cell: str) -> str:
    """Escape a cell, and allow a line break after every eighth letter of a very long word."""
    words = [
        [word[i : i + 8] for i in range(0, len(word), 8)] if len(word) > _WRAPPED_LENGTH else [word]
        for word in cell.split()
    ]
    return " ".join(r"\allowbreak{}".join(map(escape, parts)) for parts in words)


def _notes(notes: Sequence[str]) -> list[str]:
    if not notes:
        return []
    lines = [r"\begin{minipage}{\linewidth}", r"\footnotesize\sloppy", *map(_note, notes), r"\end{minipage}"]
    return ["", r"\smallskip", *lines]


def _note(note: str) -> str:
    r"""Escape a sentence below a table: code becomes monospaced, and long names may be broken.

    >>> print(_note("Made by `train --lr 1` from data/quick_set."))
    Made by \texttt{train -{}-lr 1} from data/\allowbreak{}quick\_\allowbreak{}set.
    """
    code = re.sub(r"`([^`]*)`", r"\\texttt{\1}", escape(note))
    return re.sub(r"(/|\\_|=|,(?=\S)|\.(?=[A-Za-z]))", r"\1\\allowbreak{}", code)
