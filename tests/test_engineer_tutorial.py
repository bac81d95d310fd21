"""The engineer's tutorial, followed word for word: files saved as it says, and its commands run."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from run_files import PATIENCE_S

from tt_actions.sources.synthetic.generate import synthesize

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "tutorials" / "engineer.md").read_text("utf-8")
SAVED = re.compile(
    r"[Ss]ave (?:the model|its experiment|this one) as `([\w/.]+)`:\n\n```\w+\n(.*?)^```", re.M | re.S
)
ADDED = re.compile(r"to the end of `([\w/.]+)`:\n\n```yaml\n(.*?)^```", re.M | re.S)
COMMANDS = re.findall(r"^(PYTHONPATH=club .*)$", TEXT, re.M)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder outside the project, with the files that the tutorial has the reader save."""
    folder = tmp_path_factory.mktemp("reader")
    for path, content in SAVED.findall(TEXT):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(content, "utf-8")
    return folder


def run(folder, command):
    """Run a command of the tutorial with this Python, for one epoch; return what it prints."""
    path, _, words = command.removeprefix("PYTHONPATH=").partition(" .venv/bin/tt-actions ")
    code = "import sys; sys.path.remove(''); from tt_actions.main import main; main()"  # as installed
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([path, str(ROOT)]), "WANDB_MODE": "disabled"}
    short = ["--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"]
    words = [sys.executable, "-c", code, *words.split(), *short]
    end = subprocess.run(
        words, cwd=folder, env=environment, text=True, capture_output=True, timeout=PATIENCE_S, check=False
    )
    assert end.returncode == 0, end.stderr
    return end.stdout


def test_the_tutorial_says_what_to_save_and_to_run(folder):
    names = ("my_package.py", "band_gru.yaml", "archive_source.py", "my_metrics.py")
    assert all((folder / "club" / name).is_file() for name in names)
    assert len(COMMANDS) == 3


def test_a_model_outside_the_project_trains_at_the_first_try(folder):
    assert "report: runs/band_gru/version_0/report" in run(folder, COMMANDS[0])


def test_a_source_outside_the_project_trains_at_the_first_try(folder):
    synthesize(folder / "drawn", 24, 6, size=(160, 120), num_workers=1)
    with (folder / "drawn" / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    archive = folder / "archive"
    archive.mkdir()
    table = [["video", "stroke", "from", "to", "player"]]
    for row in rows:
        video = (folder / "drawn" / row["path"]).rename(archive / Path(row["path"]).name)
        table.append([video.name, row["label"], "0.0", "1.5", row["group"]])
    (archive / "strokes.csv").write_text("\n".join(map(",".join, table)) + "\n")
    assert "report: runs/band_gru/version_" in run(folder, COMMANDS[1])


def test_a_metric_outside_the_project_is_reported_at_the_first_try(folder):
    ((path, lines),) = ADDED.findall(TEXT)
    with (folder / path).open("a") as file:
        file.write(lines)
    page = folder / re.findall(r"report: (\S+)", run(folder, COMMANDS[2]))[-1]
    report = page.parent / "metrics.json"
    values = json.loads(report.read_text())["metrics"]
    assert set(values) == {"cohen_kappa", "top_three", "top_two"}
    assert np.isfinite(list(values.values())).all()
