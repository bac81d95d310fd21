"""LaTeX of tables: its structure, with hostile names too, and what a real LaTeX says about it."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from tt_actions.evaluation.class_table import class_table
from tt_actions.evaluation.latex import PACKAGES
from tt_actions.evaluation.tables import Table, best_cells

HOSTILE = ["*", "[1pt]", "50 % & more_of $x$ #1 ~^ \\end{table}", "{", "}", "two\nlines", "--", "a" * 90]
ENGINES = ("pdflatex", "lualatex", "xelatex", "tectonic")
ENGINE = next(filter(None, map(shutil.which, ENGINES)), None)


def hostile_table():
    """A class of every name, a wrapped column, a wide row and notes with code and long paths."""
    wide = ["0.943 ± 0.009 [0.910, 0.960]"] * 4
    rows = [[name, *wide, "failed: " + "long words " * 9] for name in HOSTILE]
    note = "Made by `train --lr 1e-3_x` from /a/" + "very_long_folder/" * 12 + "clips.csv; 95 %."
    headings = ["model & class", "accuracy", "precision", "recall", "F1", "state"]
    return Table("Table 7: all_names {of} 50 %", headings, rows, [], [note], [note], frozenset({(1, 2)}))


def models_table():
    """A table as a comparison makes it."""
    rows = [[f"model_{n}", *["0.943 ± 0.009 [0.910, 0.960]"] * 4] for n in range(5)]
    return Table("Table 1: models", ["model", "a", "b", "c", "d"], rows, [], ["A note."], [])


def run_table():
    matrix = np.random.default_rng(0).integers(0, 9, (4, 4))
    return class_table(matrix, ["serve", "forehand_flick", "back%hand", "smash"], {"seed": 0})


def cells(line):
    """Cells of a row, of which each must stand in balanced braces."""
    assert re.search(r" \\\\(\[2pt\])?$", line)
    parts = re.split(r"(?<!\\)&", line.removesuffix("[2pt]").removesuffix(r"\\"))
    for part in parts:
        bare = re.sub(r"\\[{}]", "", part)
        assert bare.count("{") == bare.count("}")
    return parts


@pytest.mark.parametrize(
    "table", [hostile_table(), models_table(), run_table()], ids=["hostile", "models", "run"]
)
def test_a_table_has_one_caption_one_label_three_rules_and_whole_rows(table):
    text = table.latex()
    for command in (r"\caption{", r"\label{tab:", r"\toprule", r"\midrule", r"\bottomrule", r"\begin{table}"):
        assert text.count(command) == 1, command
    assert r"\hline" not in text
    assert f"\\usepackage{{{','.join(PACKAGES)}}}" in text
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")].splitlines()
    rows = [line for line in body if line not in (r"\toprule", r"\midrule")]
    assert {len(cells(line)) for line in rows} == {len(table.headings)}
    assert not any(re.match(r"\s*[\[*]", line) for line in rows), (
        "LaTeX takes these for options of the row before"
    )
    begun, ended = (re.findall(rf"\\{word}{{(\w+)}}", text) for word in ("begin", "end"))
    assert sorted(begun) == sorted(ended)
    assert set(begun) == {"minipage", "table", "tabular"}


def test_special_characters_are_escaped_and_the_number_is_left_to_latex():
    text = hostile_table().latex()
    assert r"\caption{All\_names \{of\} 50 \%}" in text
    assert r"\label{tab:all-names-of-50}" in text
    assert (
        r"50 \% \& more\_of \$x\$ \#1 \textasciitilde{}\textasciicircum{} \textbackslash{}end\{table\} &"
        in text
    )
    assert r"\texttt{train -{}-lr 1e-3\_" in text
    assert "two lines & " in text


def test_an_interval_stands_below_its_value_and_long_cells_are_wrapped():
    lines = hostile_table().latex().splitlines()
    row = next(line for line in lines if line.startswith("{[}1pt]"))
    name, first, best, *_ = cells(row)
    assert name == "{[}1pt] "
    below = r"\\\scriptsize {[}0.910, 0.960]\end{tabular} "
    assert first == r" \begin{tabular}[t]{@{}r@{}}0.943 $\pm$ 0.009" + below
    assert best == r" \begin{tabular}[t]{@{}r@{}}\textbf{0.943 $\pm$ 0.009}" + below
    (columns,) = (line for line in lines if line.startswith(r"\begin{tabular}{"))
    assert columns.count("p{0.35") == 2
    assert "a" * 8 + r"\allowbreak{}" + "a" * 8 in hostile_table().latex()
    assert columns.count("r") == 4 + columns.count("tabular") + columns.count("array") * 2 + 2 * 2


def test_a_heading_is_not_wider_than_its_column():
    rows = [["cnn", "1 : 2", "0.943 [0.910, 0.960]"]]
    text = Table("T", ["model", "only one correct", "clips/s of all"], rows, [], [], []).latex()
    assert r"model & \begin{tabular}[b]{@{}r@{}}only one\\correct\end{tabular} & clips/s of all \\" in text


def test_the_best_are_in_bold_in_markdown_and_latex_and_ties_share_it():
    best = best_cells([[0.9, 5.0], [0.90004, 7.0], [0.1, None]], lower_is_better=[2])
    rows = [["a", "0.900", "5"], ["b", "0.900", "7"], ["c", "0.100", "-"]]
    table = Table("T", ["model", "score", "cost"], rows, [], [], [], best)
    assert "| a | **0.900** | **5** |\n| b | **0.900** | 7 |\n| c | 0.100 | - |" in table.markdown()
    assert "a & \\textbf{0.900} & \\textbf{5} \\\\\nb & \\textbf{0.900} & 7 \\\\\n" in table.latex()
    assert best_cells([[0.5], [0.5]]) == best_cells([[0.5]]) == best_cells([]) == frozenset()


@pytest.mark.skipif(ENGINE is None, reason="no LaTeX is installed")
def test_latex_compiles_every_table_within_its_column(tmp_path):
    """In two columns, the narrowest that papers have."""
    tables = [hostile_table(), models_table(), run_table()]
    for number, table in enumerate(tables):
        (tmp_path / f"{number}.tex").write_text(table.latex(), "utf-8")
    packages = f"\\usepackage[T1]{{fontenc}}\\usepackage{{{','.join(PACKAGES)}}}"
    inputs = "\n".join(f"\\input{{{number}.tex}}" for number in range(len(tables)))
    document = (
        f"\\documentclass[twocolumn]{{article}}{packages}\\begin{{document}}\n{inputs}\n\\end{{document}}"
    )
    (tmp_path / "all.tex").write_text(document, "utf-8")
    options = ["--keep-logs"] if "tectonic" in ENGINE else ["-interaction=nonstopmode", "-halt-on-error"]
    done = subprocess.run([ENGINE, *options, "all.tex"], cwd=tmp_path, capture_output=True, check=False)
    log = (tmp_path / "all.log").read_text("utf-8", "replace")
    assert done.returncode == 0, log[-3000:]
    assert r"Overfull \hbox" not in log
    assert (tmp_path / "all.pdf").stat().st_size > 1000
