"""Notebooks: each runs, with nothing given and on what a user points it at, and is stored without outputs."""

import io
import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from rich.console import Console
from run_files import PATIENCE_S

from tt_actions.evaluation.style import write_figure
from tt_actions.evaluation.tables import Table
from tt_actions.studies.comparison import compare_runs
from tt_actions.studies.comparison_report import write_comparison
from tt_actions.studies.effects_figure import Factor, Level, effects_figure
from tt_actions.studies.finished_run import read_finished_run

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
NUM_PICTURES = {"ablation": 3, "confusion_matrix": 8, "dataset_tour": 7}


def read(path):
    return nbformat.read(path, as_version=4)


def run(name, **given):
    """Run a notebook as it is, and again in the same process with other values in the cell for them.

    The process has loaded PyTorch then, which takes as long as the rest; no name of the first time is left.
    """
    path = next(path for path in NOTEBOOKS if path.stem == name)
    notebook, again = read(path), read(path)
    lines = "\n".join(f"{key} = {str(value)!r}" for key, value in given.items())
    again.cells[2:2] = [nbformat.v4.new_code_cell(lines)]
    again.cells[:0] = [nbformat.v4.new_code_cell("%reset -f")]
    for number, cell in enumerate(again.cells):
        cell["id"] = f"again-{number}"
    first = len(notebook.cells)
    notebook.cells += again.cells
    place = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=PATIENCE_S, kernel_name="python3", resources=place).execute()
    halves = notebook.cells[:first], notebook.cells[first:]
    return [[output for cell in cells for output in cell.get("outputs", [])] for cells in halves]


def pictures(outputs):
    return [output for output in outputs if "image/png" in output.get("data", {})]


def printed(outputs):
    """All text; what stands on stderr is a warning, and fails."""
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    shown = [output.get("data", {}) for output in outputs]
    texts = [data.get("text/markdown", data.get("text/plain", "")) for data in shown]
    return "\n".join([*texts, *(output.get("text", "") for output in outputs)])


def test_there_is_a_notebook_for_each_question():
    assert {path.stem for path in NOTEBOOKS} == set(NUM_PICTURES)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_begins_with_what_it_shows_and_holds_no_outputs(path):
    notebook = read(path)
    nbformat.validate(notebook)
    first, given, *_ = notebook.cells
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
    names = [line.partition(" = ")[0] for line in given.source.splitlines()]
    assert all(f"`{name}`" in first.source for name in names)
    assert "None" in first.source
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    parameters, *rest = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert parameters.metadata == {}  # users edit it
    folded = {"jupyter": {"source_hidden": True}, "tags": ["hide-input"]}  # for JupyterLab and for nbconvert
    assert all(cell.metadata == folded for cell in rest)
    pictures = re.findall(r"!\[.+\]\((.+)\)", first.source)
    assert len(pictures) == (path.stem != "ablation")
    assert all((path.parent / picture).is_file() for picture in pictures)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert set(notebook.metadata.language_info) == {"name"}  # no version that changes with each who runs it


@pytest.fixture(autouse=True)
def nothing_else_is_written(tmp_path_factory, monkeypatch):
    """What a notebook makes lies in the temporary folder."""
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("made")))
    before = {path: path.stat().st_mtime_ns for path in NOTEBOOKS[0].parent.rglob("*")}
    yield
    assert {path: path.stat().st_mtime_ns for path in NOTEBOOKS[0].parent.rglob("*")} == before


def test_confusion_matrix_shows_a_training_of_its_own_and_the_run_that_is_given(trained):
    own, outputs = run("confusion_matrix", RUN=trained)
    assert len(pictures(own)) == len(pictures(outputs)) == NUM_PICTURES["confusion_matrix"]
    assert "Ignore the numbers" in printed(own)
    text = printed(outputs)
    assert re.search(
        rf"CNNLSTM of {re.escape(str(trained))}: accuracy [\d.]+ \[.*\] on 4 clips of 1 group", text
    )
    assert "In brackets: 95 % interval, bootstrap over clips." in text
    assert "Ignore the numbers" not in text


def test_dataset_tour_shows_drawn_clips_and_those_that_are_given(strokes, tmp_path):
    """A folder of clips, without groups, regions and joints."""
    for video in strokes.parent.glob("clips/*/*.mp4"):
        link = tmp_path / video.parent.name / video.name
        link.parent.mkdir(exist_ok=True)
        os.link(video, link)
    own, outputs = run("dataset_tour", DATA=tmp_path)
    assert len(pictures(own)) == NUM_PICTURES["dataset_tour"]
    assert "Ignore the numbers" not in printed(own)
    assert len(pictures(outputs)) == NUM_PICTURES["dataset_tour"] - 1
    assert " has no joints." in printed(outputs)


def test_ablation_shows_trainings_of_its_own_and_the_results_that_are_given(trained, tmp_path):
    numbers = compare_runs({"tiny": {0: read_finished_run(trained)}})
    comparison = tmp_path / "compare"
    write_comparison(comparison, {**numbers, "quick": False, "failed": []}, Console(file=io.StringIO()))
    sweep = tmp_path / "sweep"
    Table("Sweep of one", ["trial", "value"], [["0", "0.5"]], [{"trial": 0}], [], []).write(sweep / "trials")
    levels = [Level(label, [[0.5]], [0.5], [None]) for label in ("on", "off")]
    write_figure(sweep / "effects.png", effects_figure([Factor("factor", levels)], ["value"], "one", ""))
    own, outputs = run("ablation", COMPARISON=comparison, SWEEP=sweep)
    assert len(pictures(own)) == len(pictures(outputs)) == NUM_PICTURES["ablation"]
    assert "Ignore the numbers" in printed(own)
    text = printed(outputs)
    assert "| tiny | " in text
    assert "Sweep of one" in text
    assert "Ignore the numbers" not in text
