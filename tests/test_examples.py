"""Every script of examples/ runs, as a user runs it: in a process of its own, on small drawn data."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tt_actions
from tt_actions.clips.manifest import read_manifest
from tt_actions.sources.synthetic.generate import synthesize

EXAMPLES = Path(__file__).parents[1] / "examples"
SMALL = ["--data.preprocessing.num_frames", "4", "--data.preprocessing.size", "[16, 16]"]
SMALL += ["--data.batch_size", "4"]
SMALL += ["--trainer.limit_train_batches", "2", "--trainer.max_epochs", "1"]


def run(script, *words, folder):
    """Return what an example prints."""
    end = subprocess.run(
        [sys.executable, str(EXAMPLES / script), *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert end.returncode == 0, end.stderr
    return end.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("examples")


@pytest.fixture(scope="module")
def own_checkpoint(folder, strokes, cache_dir):
    """What train_own_model.py leaves."""
    data = ["--data.source", "UserClips", "--data.source.path", strokes, "--data.cache_dir", cache_dir]
    run("train_own_model.py", *data, *SMALL, folder=folder)
    return folder / "runs" / "own_model" / "version_0" / "checkpoints" / "best.ckpt"


def test_a_model_outside_the_package_is_trained_and_loaded(own_checkpoint, monkeypatch, strokes):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    with pytest.raises(ValueError, match="train_own_model"):
        tt_actions.load(own_checkpoint)
    model = tt_actions.load(own_checkpoint, trust_packages=["train_own_model"])
    record = read_manifest(strokes)[0]
    assert model.predict(record.path, roi=record.roi).label in model.class_names


@pytest.fixture
def checkpoint(trained):
    """What the other examples load."""
    return trained / "checkpoints" / "best.ckpt"


def test_clips_are_named(folder, checkpoint, strokes):
    clips = sorted(strokes.parent.rglob("*.mp4"))[:2]
    lines = run("predict_clips.py", checkpoint, *clips, "--roi", 0, 0, 80, 120, folder=folder).splitlines()
    assert [line.split(": ")[0] for line in lines] == [str(clip) for clip in clips]


def test_the_strokes_of_a_match_are_printed(folder, checkpoint, tmp_path):
    synthesize(tmp_path, 0, 2, size=(160, 120), num_rallies=1, rally_s=4.0, num_workers=1)
    video = next(tmp_path.rglob("*.mp4"))
    analysis = tt_actions.load(checkpoint).analyze(video, players=["left", "right"])
    lines = run("analyze_match.py", checkpoint, video, "left", "right", folder=folder).splitlines()
    assert len([line for line in lines if " s  " in line]) == len(analysis.strokes)
