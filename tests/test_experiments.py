import json
import math
from collections import defaultdict
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from run_files import rows

import tt_actions
from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.splits import read_split_clips
from tt_actions.evaluation.clip_scores import CLASS_COLUMNS
from tt_actions.main import main
from tt_actions.recognition.loading import load
from tt_actions.sources.synthetic.generate import synthesize

EVERY = sorted((Path(__file__).parents[1] / "experiments").glob("*.yaml"))
APART = ("rally_", "depth_", "silhouette_")  # with data of their own, or slow: see the tests of these
EXPERIMENTS = [path for path in EVERY if not path.stem.startswith(APART)]
SHORT = ["--data.preprocessing.num_frames", "4", "--data.batch_size", "4", "--trainer.max_epochs", "2"]
SHORT += ["--trainer.limit_train_batches", "2", "--trainer.enable_model_summary", "false"]
KINDS = ("cnn_lstm", "clips", "stgcn", "strokes")
"""Frames and joints, learnt by gradient and without."""

STROKES = ["serve", "forehand", "backhand", "smash"]


def strict_json(path):
    def refuse(constant):
        raise ValueError(f"{constant} is not JSON")

    return json.loads(path.read_text("utf-8"), parse_constant=refuse)


@pytest.fixture(scope="session")
def skeletons(make_once):
    """The manifest of the same 24 clips as joints."""
    folder = make_once("skeletons", lambda out: synthesize(out, 24, 6, num_workers=1, pictures=False))
    return folder / "manifest.csv"


@pytest.fixture(scope="session")
def train_once(strokes, skeletons, cache_dir, make_once):
    """Train an experiment on the small set, once for all tests; the run directory."""

    def train(path):
        of_joints = "layout" in OmegaConf.load(path).data.preprocessing
        kind, clips = ("UserJoints", skeletons) if of_joints else ("UserClips", strokes)
        words = ["train", "--config", str(path), "--data.source", kind, "--data.source.path", str(clips)]
        words += ["--data.cache_dir", str(cache_dir), *SHORT, "--runs"]
        runs = make_once(f"experiment_{path.stem}", lambda runs: main([*words, str(runs)]))
        return runs / path.stem / "version_0"

    return train


@pytest.fixture(params=EXPERIMENTS, ids=lambda path: path.stem)
def run(request, train_once):
    """The run directory that each experiment leaves on the small set."""
    return train_once(request.param)


@pytest.fixture(params=KINDS)
def run_of_kind(request, train_once):
    """The run directory of one experiment of each kind."""
    return train_once(EVERY[0].with_name(f"{request.param}.yaml"))


def test_there_are_experiments():
    assert {"cnn_lstm", "clips"} <= {path.stem for path in EXPERIMENTS}


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_an_experiment_begins_with_its_question_and_has_the_name_of_its_file(path):
    lines = path.read_text("utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert "?" in lines[0]
    assert not any(line.startswith("experiment:") for line in lines)


def test_a_training_leaves_the_whole_run_directory(run):
    assert (run / "config.yaml").is_file()
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    report = {path.name for path in (run / "report").iterdir()}
    has_curves = load(run / "checkpoints" / "best.ckpt").network.learns_by_gradient
    assert report == {
        "index.html",
        "metrics.json",
        "predictions.csv",
        "per_class.csv",
        "per_class.md",
        "per_class.tex",
        "model_card.md",
        "data_card.md",
        "confusion_matrix.csv",
        "confusion_matrix.png",
        "pr_curves.csv",
        "pr_curves.png",
        "roc_curves.csv",
        "roc_curves.png",
        "worst_clips",
        *["curves.png"] * has_curves,
    }


def test_the_report_agrees_with_its_predictions(run):
    metrics = strict_json(run / "report" / "metrics.json")
    predictions = rows(run / "report" / "predictions.csv")
    split = {row["name"]: row for row in rows(run / "splits.csv")}
    assert {row["name"] for row in predictions} == {n for n, row in split.items() if row["split"] == "test"}
    assert len(predictions) == metrics["num_clips"]
    columns = ["name", "label", "predicted", *(f"p_{c}" for c in STROKES), "temporal_consistency"]
    assert list(predictions[0]) == columns
    for row in predictions:
        probabilities = {c: float(row[f"p_{c}"]) for c in STROKES}
        assert row["label"] == split[row["name"]]["label"]
        assert row["predicted"] == max(probabilities, key=probabilities.get)
        assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
    right = [row["label"] == row["predicted"] for row in predictions]
    assert metrics["accuracy"] == pytest.approx(sum(right) / len(right))
    keys = {"accuracy", "precision", "recall", "f1", "temporal_consistency", "frame_agreement", "loss"}
    intervals = {f"{key}_{end}" for key in keys - {"loss"} for end in ("low", "high")}
    intervals |= {"interval_by", "num_groups"}
    assert set(metrics) == keys | intervals | {"num_clips", "per_class", "provenance"}
    assert metrics["accuracy_low"] <= metrics["accuracy"] <= metrics["accuracy_high"]
    assert all(math.isfinite(metrics[key]) for key in keys)
    assert list(metrics["per_class"]) == STROKES
    for row in metrics["per_class"].values():
        assert set(row) == set(CLASS_COLUMNS)
    assert set(metrics["provenance"]) >= {"config_hash", "seed", "versions", "commit", "seconds"}
    assert [row["class"] for row in rows(run / "report" / "per_class.csv")] == STROKES
    assert [row["label"] for row in rows(run / "report" / "confusion_matrix.csv")] == STROKES


def test_metrics_are_logged_for_every_epoch(run):
    history = rows(run / "metrics.csv")
    assert {row["epoch"] for row in history if row["train/loss"]} == {"0", "1"}
    validated = [row for row in history if row.get("val/loss")]
    if not validates(run):
        assert not validated
        return
    assert [row["epoch"] for row in validated] == ["0", "1"]
    per_class = {f"val/temporal_consistency/{c}" for c in STROKES} | {
        f"val/class_accuracy/{c}" for c in STROKES
    }
    assert set(validated[0]) >= {"val/accuracy", "val/f1", "train/accuracy", *per_class}


def validates(run):
    return OmegaConf.load(run / "config.yaml").data.val_share > 0


def test_no_group_stands_in_two_splits(run):
    places = defaultdict(set)
    for row in rows(run / "splits.csv"):
        assert row["group"]
        places[row["group"]].add(row["split"])
    assert all(len(splits) == 1 for splits in places.values())
    assert set.union(*places.values()) == {"train", "test"} | ({"val"} if validates(run) else set())


def test_the_checkpoint_alone_predicts_what_is_reported(run):
    model = tt_actions.load(run / "checkpoints" / "best.ckpt")
    reported = rows(run / "report" / "predictions.csv")[0]
    [clip] = [clip for clip in read_split_clips(run / "splits.csv") if clip.name == reported["name"]]
    predicted = model.predict(clip.path, roi=clip.roi)
    expected = {stroke: float(reported[f"p_{stroke}"]) for stroke in STROKES}
    assert predicted.probabilities == pytest.approx(expected, abs=2e-4)


def test_the_saved_config_and_checkpoint_give_the_same_predictions_again(run_of_kind, tmp_path):
    run = run_of_kind
    checkpoint = run / "checkpoints" / "best.ckpt"
    config = ["--config", str(run / "config.yaml"), "--runs", str(tmp_path)]
    main(["test", *config, "--ckpt_path", str(checkpoint)])
    report = tmp_path / run.parent.name / "version_0" / "report"
    assert rows(report / "predictions.csv") == rows(run / "report" / "predictions.csv")
    assert (report / "metrics.json").is_file()


def test_a_saved_config_repeats_the_run(run_of_kind, tmp_path):
    run = run_of_kind
    main(["fit", "--config", str(run / "config.yaml"), "--runs", str(tmp_path)])
    again = tmp_path / run.parent.name / "version_0"
    fitted = [row for row in rows(run / "metrics.csv") if not row.get("test/loss")]
    again_rows = rows(again / "metrics.csv")
    assert [{k: row[k] for k in again_rows[0]} for row in fitted] == again_rows
    assert not (again / "report").exists()


def test_the_synthetic_source_is_set_from_the_command_line(strokes, cache_dir, tmp_path):
    source = {"out": strokes.parent, "clips": 24, "players": 6, "seed": 0, "size": [160, 120]}
    options = [word for key, value in source.items() for word in (f"--data.source.{key}", str(value))]
    folders = ["--data.cache_dir", str(cache_dir), "--runs", str(tmp_path)]
    config = Path(__file__).parents[1] / "experiments" / "cnn_lstm.yaml"
    main(["fit", "--config", str(config), *options, *folders, *SHORT])
    names = {row["name"] for row in rows(tmp_path / "cnn_lstm" / "version_0" / "splits.csv")}
    assert names == {record.name for record in read_manifest(strokes)}
