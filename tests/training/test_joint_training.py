"""Files of joints through the same commands as video."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from run_files import rows

import tt_actions
from tt_actions.clips.manifest import write_manifest
from tt_actions.main import main
from tt_actions.models import STGCN
from tt_actions.recognition.checkpoint import read_checkpoint
from tt_actions.skeleton.layouts import THETIS15
from tt_actions.sources import SyntheticSkeletons, UserJoints
from tt_actions.training.checkpoints import load_network_weights
from tt_actions.video.info import probe

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SHORT = ["--data.preprocessing.num_frames", "8", "--trainer.max_epochs", "1", "--wandb.mode", "disabled"]


@pytest.fixture(scope="module")
def skeletons(tmp_path_factory):
    """Synthetic joints of 10 players, 40 clips."""
    source = SyntheticSkeletons(tmp_path_factory.mktemp("skeletons"), clips=40, players=10, seed=3, halls=4)
    source.prepare()
    return source


@pytest.fixture(scope="module")
def run(skeletons, tmp_path_factory):
    """A run of the graph network, on the skeletons as THETIS has them."""
    folder = tmp_path_factory.mktemp("joint_runs")
    write_manifest(folder / "m.csv", [replace(r, split=None) for r in skeletons.records()])
    source = ["--data.source", "UserJoints", "--data.source.path", str(folder / "m.csv")]
    layout = ["--data.preprocessing.layout", "thetis15", "--data.cache_dir", str(folder / "cache")]
    network = ["--model.network.channels", "[8, 8]", "--runs", str(folder)]
    main(["train", "--config", str(EXPERIMENTS / "stgcn.yaml"), *source, *layout, *network, *SHORT])
    return folder / "stgcn" / "version_0"


def test_a_manifest_of_joints_is_trained_on_tested_and_reported(run):
    metrics = json.loads((run / "report" / "metrics.json").read_text("utf-8"))
    assert metrics["num_clips"] == len(rows(run / "report" / "predictions.csv")) == 8
    groups = {}
    for row in rows(run / "splits.csv"):
        groups.setdefault(row["group"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in groups.values())  # players are apart
    config = OmegaConf.load(run / "config.yaml")
    assert config.data.preprocessing.init_args.layout == "thetis15"
    videos = list((run / "report" / "worst_clips").glob("*.mp4"))
    assert videos
    assert probe(videos[0]).num_frames > 30


def test_the_checkpoint_names_the_stroke_of_a_file(run, skeletons):
    model = tt_actions.load(run / "checkpoints" / "best.ckpt")
    assert model.network.layout is THETIS15
    prediction = model.predict(skeletons.records()[0].path)
    assert prediction.label in ("serve", "forehand", "backhand", "smash")
    assert len(prediction.times_s) == 8
    by_name = {row["name"]: row for row in rows(run / "report" / "predictions.csv")}
    record = next(r for r in skeletons.records() if r.name in by_name)
    assert model.predict(record.path).label == by_name[record.name]["predicted"]


def test_a_hand_in_the_manifest_reaches_the_network(skeletons, tmp_path):
    hands = ("right", "left", None)
    records = [replace(r, split=None, hand=hands[i % 3]) for i, r in enumerate(skeletons.records())]
    write_manifest(tmp_path / "m.csv", records)
    folders = [
        "--runs",
        str(tmp_path),
        "--data.cache_dir",
        str(tmp_path / "cache"),
        "--wandb.mode",
        "disabled",
    ]
    experiment = ["--config", str(EXPERIMENTS / "strokes.yaml"), "--data", str(tmp_path / "m.csv")]
    main(["train", *experiment, *folders])
    run = tmp_path / "strokes" / "version_0"
    model = tt_actions.load(run / "checkpoints" / "best.ckpt")
    by_name = {record.name: record for record in records}
    predicted = {by_name[row["name"]]: row for row in rows(run / "report" / "predictions.csv")}
    assert {record.hand for record in predicted} == set(hands)
    for record, row in predicted.items():
        reported = {name: float(row[f"p_{name}"]) for name in model.class_names}
        assert model.predict(record.path, hand=record.hand).probabilities == pytest.approx(reported, abs=2e-4)
        without = model.predict(record.path).probabilities
        assert (without == pytest.approx(reported, abs=2e-4)) == (record.hand is None)


def test_a_file_of_joints_is_explained_and_its_model_exported(run, skeletons, tmp_path, capsys):
    checkpoint, clip = str(run / "checkpoints" / "best.ckpt"), str(skeletons.records()[0].path)
    main(["explain", "--checkpoint", checkpoint, "--clip", clip, "--out", str(tmp_path / "why")])
    assert {path.name for path in (tmp_path / "why").iterdir()} == {
        "explanation.json",
        "explanation.png",
        "heatmaps.npz",
    }
    out = str(tmp_path / "graph")
    main(["export", "--checkpoint", checkpoint, "--format", "torchscript", "--out", out])
    assert "On 8 held-out clips, 8 get the same class" in capsys.readouterr().out


def test_weights_of_other_classes_are_taken_but_for_the_heads(run):
    best = run / "checkpoints" / "best.ckpt"
    network = STGCN(4, "thetis15", channels=(8, 8))
    heads = {key: value.clone() for key, value in network.state_dict().items() if ".head." in key}
    load_network_weights(network, str(best), ["lob", "drop", "slice", "chop"])
    given = read_checkpoint(best)["state_dict"]
    assert len(heads) == 4  # weight and bias of each stream's
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, heads.get(key, given[f"network.{key}"]))


def test_a_folder_a_class_is_found_with_its_groups(skeletons, tmp_path):
    for record in skeletons.records():
        (tmp_path / str(record.label)).mkdir(exist_ok=True)
        shutil.copy(record.path, tmp_path / str(record.label))
    records = UserJoints(tmp_path, group_pattern="player_[0-9]+").records()
    assert [(r.label, r.group) for r in records] == [
        (r.label, r.group) for r in sorted(skeletons.records(), key=lambda r: (str(r.label), r.path.name))
    ]


def test_check_counts_files_of_joints_and_tells_of_unreadable_ones(skeletons, tmp_path, capsys):
    records = skeletons.records()[:8]
    (tmp_path / "bad.npz").write_bytes(b"not an archive")
    write_manifest(tmp_path / "m.csv", [*records, replace(records[0], path=tmp_path / "bad.npz")])
    with pytest.raises(SystemExit) as end:
        main(["check", str(tmp_path / "m.csv"), "--layout", "ntu25"])
    assert end.value.code == 1
    printed = capsys.readouterr().out
    assert "9 clips in 9 files, 1 of them unreadable." in printed
    assert "bad.npz" in printed


def test_malformed_files_are_all_named_before_training(skeletons, tmp_path):
    records = skeletons.records()[:8]
    (tmp_path / "bad.txt").write_text("1 2 3\n", "utf-8")
    write_manifest(tmp_path / "m.csv", [*records, replace(records[0], path=tmp_path / "bad.txt")])
    words = ["train", "--config", str(EXPERIMENTS / "stgcn.yaml"), "--data.source", "UserJoints"]
    words += ["--data.source.path", str(tmp_path / "m.csv"), "--runs", str(tmp_path / "runs"), *SHORT]
    with pytest.raises(ValueError, match=r"1 of 9 clips can't be read:\n.*bad\.txt', line 1: Exp"):
        main([*words, "--data.cache_dir", str(tmp_path / "cache")])
    assert not (tmp_path / "runs").exists()


def test_experiments_of_joints_are_compared_on_one_split(tmp_path, monkeypatch):
    monkeypatch.chdir(EXPERIMENTS.parent)
    words = ["compare", "--models", "stgcn", "skeleton_lstm", "--quick", "--out", str(tmp_path / "compare")]
    source = ["--data.source.out", str(tmp_path / "skeletons"), "--data.cache_dir", str(tmp_path / "cache")]
    with pytest.raises(SystemExit) as end:
        main([*words, *source, "--trainer.max_epochs", "1", "--data.preprocessing.num_frames", "8"])
    assert end.value.code == 0
    assert {row["model"] for row in rows(tmp_path / "compare" / "table_1.csv")} >= {
        "stgcn",
        "skeleton_lstm",
    }
