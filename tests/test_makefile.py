import os
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def make(*words):
    """Return the exit code of a dry run, and its last line."""
    command = ["make", "-n", "--no-print-directory", *words]  # which another make would have it print
    plain = {name: value for name, value in os.environ.items() if name not in ("ARGS", "MAKEFLAGS")}
    end = subprocess.run(command, cwd=ROOT, env=plain, capture_output=True, text=True, check=False)
    return end.returncode, (end.stderr or end.stdout).splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ([], "--config experiments/cnn_lstm.yaml"),
        (
            ["EXP=clips", "DATA=my clips"],
            "--config experiments/clips.yaml --data 'my clips'",
        ),
        (
            ["EXP=rally_cnn_lstm", "DATA=markup"],
            "--config experiments/rally_cnn_lstm.yaml --data markup",
        ),
        (
            ["EXP=stgcn", "DATA=m.csv", "LAYOUT=kinect20"],
            "--config experiments/stgcn.yaml --data m.csv --layout kinect20",
        ),
        (["RESUME=runs/x/version_0"], "--resume runs/x/version_0"),
        (
            ["RESUME=runs/x/version_0", "DATA=moved", "ARGS=--trainer.max_epochs 9"],
            "--resume runs/x/version_0 --data moved --trainer.max_epochs 9",
        ),
    ],
)
def test_train_hands_on_what_it_is_given(words, options):
    code, line = make("train", *words)
    assert code == 0
    assert shlex.split(line) == [".venv/bin/tt-actions", "train", *shlex.split(options)]


def test_an_unknown_experiment_is_reported_with_the_known_ones():
    code, line = make("train", "EXP=clp")
    assert code == 2
    assert all(path.stem in line for path in (ROOT / "experiments").glob("*.yaml"))
    assert "but got 'clp'" in line
    assert make("lint", "EXP=clp")[0] == 0


def test_an_experiment_and_a_run_to_resume_are_not_taken_together():
    code, line = make("train", "EXP=clips", "RESUME=runs/x/version_0")
    assert code == 2
    assert "Expected either `EXP` or `RESUME`, but got both." in line


def test_sweep_hands_on_what_it_is_given():
    code, line = make(
        "sweep", "SWEEP=tune", "STORAGE=sqlite:///a b.db", "DATA=my clips", "ARGS=--seed_everything 1"
    )
    assert code == 0
    given = "--storage 'sqlite:///a b.db' --data 'my clips' --seed_everything 1"
    assert shlex.split(line) == [".venv/bin/tt-actions", "sweep", "tune", *shlex.split(given)]


def test_analyze_hands_on_what_it_is_given():
    code, line = make("analyze", "VIDEO=my match.mp4", "CKPT=a b.ckpt", "ARGS=--players left,right")
    assert code == 0
    given = "'my match.mp4' --checkpoint 'a b.ckpt' --players left,right"
    assert shlex.split(line) == [".venv/bin/tt-actions", "analyze", *shlex.split(given)]
    code, line = make("analyze", "VIDEO=match.mp4")
    assert shlex.split(line) == [".venv/bin/tt-actions", "analyze", "match.mp4"]


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["VIDEO=my match.mp4"], "'my match.mp4'"),
        (["VIDEO=my match.mp4", "CKPT=a b.ckpt"], "'my match.mp4' --checkpoint 'a b.ckpt'"),
        (["FROM=runs/my match", "ARGS=--out marks.csv"], "--from 'runs/my match' --out marks.csv"),
    ],
)
def test_label_hands_on_what_it_is_given(words, options):
    code, line = make("label", *words)
    assert code == 0
    assert shlex.split(line) == [".venv/bin/tt-actions", "label", *shlex.split(options)]
    assert make("label")[0] == 2
