import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from run_files import PATIENCE_S, rows, train

from tt_actions.training.run_directory import (
    RunCSVLogger,
    WholeCheckpoints,
    create_run_dir,
    resumable_checkpoint,
)

MAKE_RUN_DIRS = """
import sys, time
from pathlib import Path
from tt_actions.training.run_directory import create_run_dir
runs = Path(sys.argv[1])
(runs / sys.argv[2]).touch()
while len(list(runs.iterdir())) < 2:
    time.sleep(0.001)
print(*(create_run_dir(runs, "race") for _ in range(100)), sep="\\n")
"""


def test_processes_that_start_at_once_get_different_directories(tmp_path):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MAKE_RUN_DIRS, tmp_path, f"ready {i}"], stdout=subprocess.PIPE, text=True
        )
        for i in range(2)
    ]
    made = [process.communicate(timeout=PATIENCE_S)[0].split() for process in processes]
    assert all(len(names) == 100 for names in made)
    assert len({name for names in made for name in names}) == 200
    assert {path.name for path in (tmp_path / "race").iterdir()} == {f"version_{i}" for i in range(200)}


def test_a_run_directory_is_the_next_free_one(tmp_path):
    assert [create_run_dir(tmp_path / "runs", "x").name for _ in range(2)] == ["version_0", "version_1"]
    assert create_run_dir(tmp_path / "runs", "y") == tmp_path / "runs" / "y" / "version_0"


def test_the_other_processes_of_a_run_share_its_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("TT_ACTIONS_RUN_DIR", str(tmp_path / "given"))
    assert create_run_dir(tmp_path, "x") == tmp_path / "given"
    assert create_run_dir(tmp_path, "x") == tmp_path / "given"
    assert list(tmp_path.iterdir()) == [tmp_path / "given"]
    (tmp_path / "given" / "config.yaml").touch()
    with pytest.raises(ValueError, match=r"given' contains a run\. Choose another, or resume this run"):
        create_run_dir(tmp_path, "x")


def test_a_folder_that_can_not_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"for the run in '.*file/x', but got: Not a directory.*`--runs`"):
        create_run_dir(tmp_path / "file", "x")


@pytest.mark.parametrize("missing", ["config.yaml", "checkpoints/last.ckpt"])
def test_what_is_no_run_is_not_resumed(tmp_path, missing):
    (tmp_path / "checkpoints").mkdir()
    for name in ("config.yaml", "checkpoints/last.ckpt"):
        (tmp_path / name).touch()
    assert resumable_checkpoint(tmp_path) == tmp_path / "checkpoints" / "last.ckpt"
    (tmp_path / missing).unlink()
    with pytest.raises(FileNotFoundError, match=rf"runs/cnn_lstm/version_0, but there is no '.*{missing}'"):
        resumable_checkpoint(tmp_path)


def test_rows_after_the_resumed_step_are_dropped(tmp_path):
    first = RunCSVLogger(tmp_path)
    for step in range(4):
        first.log_metrics({"loss": 1.0 + step, "epoch": step // 2}, step)
    first.log_metrics({"accuracy": 0.5}, 3)
    first.save()
    resumed = RunCSVLogger(tmp_path, resume_step=2)
    resumed.log_metrics({"loss": 9.0, "rate": 0.1}, 2)
    resumed.save()
    kept = [(row["step"], row["loss"], row["epoch"], row["rate"]) for row in rows(tmp_path / "metrics.csv")]
    assert kept == [("0", "1.0", "0", ""), ("1", "2.0", "0", ""), ("2", "9.0", "", "0.1")]


@pytest.mark.parametrize(
    "damage", ["1,3,", "1,3,0.", "1,x,0.5\r\n", ",,0.5\r\n", "1,3,0.5,7\r\n", "\0\0\0", "\xff\r\n"]
)
def test_a_damaged_row_does_not_break_a_resume(tmp_path, damage):
    good = "epoch,step,loss\r\n0,1,2.0\r\n"
    (tmp_path / "metrics.csv").write_bytes((good + damage).encode("latin-1"))
    resumed = RunCSVLogger(tmp_path, resume_step=4)
    resumed.log_metrics({"loss": 1.0, "epoch": 1}, 4)
    resumed.save()
    assert [row["loss"] for row in rows(tmp_path / "metrics.csv")] == ["2.0", "1.0"]


def test_a_metrics_file_that_can_not_be_written_is_named_with_what_to_do(tmp_path):
    logger = RunCSVLogger(tmp_path)
    logger.log_metrics({"loss": 1.0}, 0)
    (tmp_path / "metrics.csv").symlink_to("/dev/full")
    message = rf"metrics\.csv', but got: No space left.*\. Free some space and resume: .*--resume {tmp_path}`"
    with pytest.raises(OSError, match=message):
        logger.save()


def test_a_new_run_starts_new_metrics(tmp_path):
    logger = RunCSVLogger(tmp_path)
    logger.log_metrics({"loss": 1.0}, 0)
    logger.save()
    assert rows(tmp_path / "metrics.csv") == [{"loss": "1.0", "step": "0"}]


def test_a_checkpoint_takes_the_place_of_the_last_one_whole(monkeypatch, tmp_path):
    other_disk = Path("/dev/shm")
    if not other_disk.is_dir() or other_disk.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system at /dev/shm")
    monkeypatch.setattr(tempfile, "tempdir", str(other_disk))
    path, reader = tmp_path / "checkpoints" / "last.ckpt", tmp_path / "reader"
    WholeCheckpoints().save_checkpoint({"step": 1}, path)
    os.link(path, reader)  # a reader that has the file open sees what this name shows
    before = reader.read_bytes()
    WholeCheckpoints().save_checkpoint({"step": 2}, path)
    assert reader.read_bytes() == before != path.read_bytes()
    assert list(path.parent.iterdir()) == [path]


def test_a_checkpoint_that_does_not_fit_on_the_disk_leaves_the_last_one(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "checkpoints" / "last.ckpt"
    WholeCheckpoints().save_checkpoint({"step": 1}, path)
    before, limit = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))
    try:
        with pytest.raises(OSError, match=r"Expected to write '.*last\.ckpt', but got: File too large"):
            WholeCheckpoints().save_checkpoint({"weight": torch.zeros(100_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_figures_for_papers_are_written_on_request(trained, tiny, tmp_path):
    best = ["--ckpt_path", str(trained / "checkpoints" / "best.ckpt")]
    run = train(tiny, tmp_path, *best, "--figures", "pdf,svg", command="test")
    assert (run / "report" / "confusion_matrix.pdf").read_bytes().startswith(b"%PDF-")
    for suffix in (".png", ".pdf", ".svg"):
        assert {path.stem for path in (run / "report").glob(f"*{suffix}")} == {
            "confusion_matrix",
            "pr_curves",
            "roc_curves",
        }
    assert not [*(trained / "report").glob("*.pdf")]
