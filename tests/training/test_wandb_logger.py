"""Tracking on W&B: what offline runs of the command have written, and what does not stop them."""

import json
import os
import subprocess
import sys
import time

import pytest
import yaml
from run_files import PATIENCE_S, rows
from wandb_file import read_run

from tt_actions.main import main
from tt_actions.training.wandb_logger import Tracker, WandbOptions
from tt_actions.video.info import probe

TROUBLES = {
    "offline": {"WANDB_MODE": "offline"},
    "wrong key": {
        "WANDB_API_KEY": "short",
        "WANDB_ENTITY": "us",
        "WANDB_PROJECT": "strokes",
        "WANDB_RUN_GROUP": "spring",
        "WANDB_TAGS": "third,fourth",
        "WANDB_DATA_DIR": "in the way/version_0/wandb",  # where W&B puts tables that wait for their upload
    },
    "in the way": {"WANDB_MODE": "offline", "TT_ACTIONS_RUN_DIR": "in the way/version_0"},
    "disabled": {"WANDB_MODE": "disabled"},
}
MAIN = "import sys; from tt_actions.main import main; main(sys.argv[1:]); print('wandb' in sys.modules)"


@pytest.fixture(scope="module")
def tracked(tiny, make_once):
    """Trainings at once, each with what it printed; the last word is whether it loaded W&B."""
    folder = make_once("tracked", lambda out: train_tracked(tiny, out))
    return {name: (folder / name / "version_0", (folder / f"{name}.txt").read_text()) for name in TROUBLES}


def train_tracked(tiny, folder):
    (folder / "in the way" / "version_0" / "report").mkdir(parents=True)
    (folder / "in the way" / "version_0" / "wandb").touch()  # a file, where W&B wants a folder
    (folder / "in the way" / "version_0" / "report" / "worst_clips").touch()  # and the videos too
    own = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    own["WANDB_DATA_DIR"] = str(folder / "staged")
    processes = {}
    for name, environment in TROUBLES.items():
        options = ["--runs", folder, "--experiment", name, "--trainer.max_epochs", "2"]
        options += ["--trainer.log_every_n_steps", "4"]
        if "WANDB_TAGS" not in environment:
            options += ["--wandb.tags", "[first, second]", "--wandb.entity", "me"]
        processes[name] = subprocess.Popen(
            [sys.executable, "-c", MAIN, "train", *tiny, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=own | environment,
            cwd=folder,
        )
    try:
        printed = {name: process.communicate(timeout=PATIENCE_S)[0] for name, process in processes.items()}
    finally:
        for process in processes.values():
            process.kill()
    assert not any(process.returncode for process in processes.values()), printed
    for name, text in printed.items():
        (folder / f"{name}.txt").write_text(text)


@pytest.fixture(scope="module")
def written(tracked):
    """What the undisturbed training has written for W&B."""
    return read_run(tracked["offline"][0])


def predictions_of(run):
    return (run / "report" / "predictions.csv").read_text()


def test_what_is_given_goes_before_the_environment_and_that_before_the_default(monkeypatch):
    for name in ("WANDB_PROJECT", "WANDB_ENTITY", "WANDB_RUN_GROUP"):
        monkeypatch.delenv(name, raising=False)
    options = WandbOptions()
    assert (options.project, options.entity, options.group) == ("tt_actions", None, None)
    monkeypatch.setenv("WANDB_PROJECT", "strokes")
    monkeypatch.setenv("WANDB_ENTITY", "us")
    monkeypatch.setenv("WANDB_RUN_GROUP", "spring")
    options = WandbOptions()
    assert (options.project, options.entity, options.group) == ("strokes", "us", "spring")
    options = WandbOptions(project="own", entity="me", group="autumn")
    assert (options.project, options.entity, options.group) == ("own", "me", "autumn")


def test_tracking_is_off_where_it_is_disabled(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert WandbOptions().is_disabled
    assert not WandbOptions(mode="offline").is_disabled
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert not WandbOptions().is_disabled
    assert WandbOptions(mode="disabled").is_disabled
    assert WandbOptions().resolved_mode() == "offline"


def test_a_run_without_tracking_does_not_even_load_wandb(tracked):
    (run, printed), (tracked_run, tracked_printed) = tracked["disabled"], tracked["offline"]
    assert (printed.split()[-1], tracked_printed.split()[-1]) == ("False", "True")
    assert not (run / "wandb").exists()
    assert predictions_of(run) == predictions_of(tracked_run)


def test_a_run_carries_its_config_tags_group_and_command(tracked, written):
    run, printed = tracked["offline"]
    assert "W&B" not in printed
    assert (written.entity, written.project) == ("me", "tt_actions")
    assert (written.group, written.job_type) == ("offline", "train")
    assert (written.name, written.tags) == ("offline/version_0", ["first", "second"])
    assert written.exit_code == 0
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert written.config["trainer"] == config["trainer"]
    assert written.config["model"]["optimizer"] == config["model"]["optimizer"]
    assert written.config["model"]["class_names"] == ["serve", "forehand", "backhand", "smash"]
    assert {*config} <= {*written.config}


def test_a_run_carries_every_epochs_metrics_by_class_too(written):
    for stage, times in {"val": 2, "test": 1}.items():
        for name in ("loss", "accuracy", "class_accuracy/serve", "temporal_consistency/smash"):
            assert len(written.logged(f"{stage}/{name}")) == times
    assert len(written.logged("train/loss")) == 2


def test_a_run_carries_gradient_norms(written):
    assert written.logged("grad_norm/cnn")
    norms = [row for row in written.history if "train/grad_norm" in row]
    assert [row["trainer/global_step"] for row in norms] == [0, 4, 8]


@pytest.fixture(scope="module")
def files(tracked):
    """Where the undisturbed run keeps its media."""
    [folder] = (tracked["offline"][0] / "wandb").glob("offline-run-*/files")
    return folder


def table(files, said):
    """The rows of a table, as W&B has written it."""
    content = json.loads((files / said["path"]).read_text())
    return [dict(zip(content["columns"], row, strict=True)) for row in content["data"]]


def test_a_run_carries_the_figures_of_the_report(tracked, written, files):
    report = tracked["offline"][0] / "report"
    metrics = json.loads((report / "metrics.json").read_text())
    for name in ("accuracy", "f1", "f1_low", "num_clips"):
        assert written.summary[f"report/{name}"] == metrics[name]
    [by_class] = written.logged("report/per_class")
    assert {row.pop("class"): row for row in table(files, by_class)} == metrics["per_class"]
    for name in ("confusion_matrix", "curves", "pr_curves", "roc_curves"):
        [image] = written.logged(f"report/{name}")
        assert (files / image["path"]).read_bytes() == (report / f"{name}.png").read_bytes()


def test_a_run_carries_the_confusion_matrix_and_the_curves_as_charts(tracked, written, files):
    report = tracked["offline"][0] / "report"
    [said] = written.logged("report/confusion_table")
    counts = {(row["Actual"], row["Predicted"]): row["nPredictions"] for row in table(files, said)}
    for row in rows(report / "confusion_matrix.csv"):
        label = row.pop("label")
        assert {name: counts[label, name] for name in row} == {name: int(n) for name, n in row.items()}
    for kind, names in {
        "pr": ("recall", "precision"),
        "roc": ("false_positive_rate", "true_positive_rate"),
    }.items():
        [said] = written.logged(f"report/{kind}_curve_table")
        drawn = [(row["class"], *(row[name] for name in names)) for row in table(files, said)]
        points = rows(report / f"{kind}_curves.csv")
        assert drawn == [(row["class"], *(float(row[name]) for name in names)) for row in points]
        assert f"report/{kind}_curve" in str(written.config["_wandb"])  # the chart on that table


def test_a_run_carries_the_page_of_its_report(tracked, written, files):
    [said] = written.logged("report/page")
    page = files / said["path"]
    assert page.read_bytes() == (tracked["offline"][0] / "report" / "index.html").read_bytes()


def test_the_best_checkpoint_is_an_artifact_and_its_epoch_in_the_summary(tracked, written):
    run, _ = tracked["offline"]
    losses = [float(row["val/loss"]) for row in rows(run / "metrics.csv") if row["val/loss"]]
    best = losses.index(min(losses)) + 1
    assert written.summary["best_epoch"] == best
    assert written.summary["val/loss"] == {"min": pytest.approx(min(losses))}
    [artifact] = [one for one in written.artifacts.values() if one.type == "model"]
    [entry] = artifact.manifest.contents
    assert entry.path == "best.ckpt"
    assert entry.local_path == str(run / "checkpoints" / "best.ckpt")
    assert "best" in artifact.aliases
    assert json.loads(artifact.metadata) == {"epoch": best, "score": pytest.approx(min(losses))}


def test_a_run_carries_the_worst_clips(tracked, written, files):
    run, _ = tracked["offline"]
    [said] = written.logged("report/worst_clips")
    listed = table(files, said)
    chances = [row["p_true"] for row in listed]
    assert chances == sorted(chances)
    assert len(chances) == 4
    [videos] = written.logged("report/worst_videos")
    assert videos["count"] == len(videos["captions"]) == 4
    for row, video, caption in zip(listed, videos["videos"], videos["captions"], strict=True):
        assert probe(files / video["path"]).codec == "h264"
        assert caption.startswith(f"true: {row['label']} {row['p_true']:.2f}, predicted: {row['predicted']}")
        assert row["name"] in caption
    shown = {(files / video["path"]).read_bytes() for video in videos["videos"]}
    assert shown == {path.read_bytes() for path in (run / "report" / "worst_clips").iterdir()}


def test_the_report_is_an_artifact_that_refers_to_its_files(tracked, written):
    report = tracked["offline"][0] / "report"
    [artifact] = [one for one in written.artifacts.values() if one.type == "report"]
    held = {entry.path: entry for entry in artifact.manifest.contents}
    assert set(held) == {str(path.relative_to(report)) for path in report.rglob("*") if path.is_file()}
    assert {path: entry.local_path for path, entry in held.items()} == {
        path: str(report / path) for path in held
    }
    assert sum(entry.size for entry in held.values()) < 2e6


def test_entity_project_group_and_tags_may_come_from_the_environment(tracked):
    written = read_run(tracked["wrong key"][0])
    assert (written.entity, written.project, written.group) == ("us", "strokes", "spring")
    assert written.tags == ["third", "fourth"]


def test_a_run_that_fails_is_marked_so(tiny, tmp_path):
    with pytest.raises(FloatingPointError):
        main(["fit", *tiny, "--runs", str(tmp_path), "--wandb.mode=offline", "--model.optimizer.lr=1e30"])
    assert read_run(tmp_path / "tiny" / "version_0").exit_code == 1


def test_trainings_of_one_process_are_runs_of_their_own(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    options = WandbOptions(mode="offline", entity="me")
    first, second = (Tracker(options, tmp_path / name, name, "train", {}) for name in ("a", "b"))
    first.log_metrics({"loss": 1.0}, 0)
    second.log_metrics({"loss": 2.0}, 0)
    second.finish(0)
    first.finish(0)
    assert [read_run(tmp_path / name).logged("loss") for name in ("a", "b")] == [[1], [2]]


def test_a_tracker_that_fails_says_so_once_and_is_off(tmp_path):
    tracker = Tracker(WandbOptions(mode="offline"), tmp_path, "x", "train", {})
    runs = []
    tracker.attempt(runs.append)
    with pytest.warns(UserWarning, match=r"disabled for the rest of the run \(ZeroDivisionError"):
        tracker.attempt(lambda _: 1 / 0)
    tracker.log_metrics({"loss": 1.0}, 0)
    tracker.attempt(runs.append)
    assert len(runs) == 1
    runs[0].finish()


def test_without_a_server_it_is_tracked_offline(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    began_s = time.monotonic()
    tracker = Tracker(WandbOptions(mode="online"), tmp_path, "x", "train", {})
    with pytest.warns(UserWarning, match="W&B can't be reached"):
        tracker.log_metrics({"loss": 1.0}, 0)
    tracker.finish(0)
    assert read_run(tmp_path).logged("loss") == [1]
    assert time.monotonic() - began_s < 22


def test_a_run_that_can_not_log_in_is_tracked_offline(tracked):
    (run, printed), (undisturbed, _) = tracked["wrong key"], tracked["offline"]
    assert printed.count("W&B can't be reached") == 1
    assert "Traceback" not in printed
    assert len(list((run / "wandb").glob("offline-run-*/run-*.wandb"))) == 1
    assert predictions_of(run) == predictions_of(undisturbed)
    seconds = [
        json.loads((path / "report" / "metrics.json").read_text())["provenance"]["seconds"]
        for path in (run, undisturbed)
    ]
    assert seconds[0] < 2 * seconds[1] + 22  # a busy machine may slow the one and not the other


def test_a_run_whose_folders_can_not_be_written_is_not_tracked_and_goes_on(tracked):
    (run, printed), (undisturbed, _) = tracked["in the way"], tracked["offline"]
    assert printed.count("W&B failed and is disabled for the rest of the run") == 1
    assert printed.count("Skipping the video of the test clip") == 4
    assert "Traceback" not in printed
    assert predictions_of(run) == predictions_of(undisturbed)


def test_a_report_that_can_not_be_tracked_is_written_all_the_same(tracked):
    (run, printed), (undisturbed, _) = tracked["wrong key"], tracked["offline"]
    assert printed.count("W&B failed and is disabled for the rest of the run") == 1
    assert "report: " in printed
    for path in (undisturbed / "report").rglob("*.csv"):
        assert (run / "report" / path.relative_to(undisturbed / "report")).read_text() == path.read_text()
