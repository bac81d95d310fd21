import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import tt_actions
from tt_actions.clips.manifest import read_manifest, write_manifest
from tt_actions.main import main
from tt_actions.models import CNNLSTM
from tt_actions.recognition.checkpoint import read_checkpoint
from tt_actions.recognition.loading import load
from tt_actions.training.checkpoints import load_network_weights


@pytest.fixture
def checkpoint(trained):
    return trained / "checkpoints" / "best.ckpt"


def predict(model, record):
    return model.predict(record.path, roi=record.roi).probabilities


def test_the_file_alone_is_enough(checkpoint, tmp_path, monkeypatch, strokes):
    moved = tmp_path / "elsewhere" / "model.ckpt"
    moved.parent.mkdir()
    moved.write_bytes(checkpoint.read_bytes())
    monkeypatch.chdir(moved.parent)
    model = tt_actions.load("model.ckpt")
    assert not model.network.training
    assert model.class_names == ("serve", "forehand", "backhand", "smash")
    assert (model.preprocessing.fps, model.preprocessing.size, model.preprocessing.num_frames) == (
        10,
        (16, 16),
        4,
    )
    assert model.network.cnn.layers[0].out_channels == 4
    record = read_manifest(strokes)[0]
    assert predict(model, record) == predict(load(checkpoint), record)


@pytest.mark.parametrize("name", ["best", "last"])
def test_it_holds_the_trained_weights_and_plain_types_alone(trained, name):
    path = trained / "checkpoints" / f"{name}.ckpt"
    stored = torch.load(path, weights_only=True)["state_dict"]
    loaded = {f"network.{key}": weight for key, weight in load(path).network.state_dict().items()}
    assert stored.keys() == loaded.keys()
    assert all(torch.equal(stored[key], loaded[key]) for key in stored)


def test_another_process_predicts_the_same(checkpoint, strokes, tmp_path):
    record = read_manifest(strokes)[3]
    script = (
        "import sys, tt_actions; _, path, video, *roi = sys.argv\n"
        "print(tt_actions.load(path).predict(video, roi=tuple(map(int, roi))).probabilities)"
    )
    end = subprocess.run(
        [sys.executable, "-c", script, checkpoint, record.path, *map(str, record.roi)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert end.stdout.strip() == str(predict(load(checkpoint), record))
    assert not end.stderr


class Payload:
    def __init__(self, victim):
        self.victim = victim

    def __reduce__(self):
        return os.mkdir, (str(self.victim),)


def test_a_file_that_would_run_code_is_refused_and_does_not_run(checkpoint, tiny, tmp_path):
    victim, path = tmp_path / "ran", tmp_path / "evil.ckpt"
    content = torch.load(checkpoint, weights_only=True)
    torch.save(content | {"payload": Payload(victim)}, path)
    with pytest.raises(ValueError, match=r"Expected '.*evil\.ckpt' to be a tt_actions checkpoint"):
        load(path)
    with pytest.raises(ValueError, match=r"evil\.ckpt"):
        main(["test", *tiny, "--ckpt_path", str(path), "--runs", str(tmp_path / "runs")])
    assert not victim.exists()
    torch.load(path, weights_only=False)
    assert victim.exists()  # it would have


SAVED = {
    "foreign weights": {"state_dict": {"weight": torch.zeros(2)}},
    "a list": [1, 2],
    "no weights": {"hyper_parameters": {"class_names": ["a", "b"]}},
    "no names": {"state_dict": {}, "hyper_parameters": {"class_names": 4}},
}


def write(path, how, good):
    if how == "empty":
        path.touch()
    elif how == "text":
        path.write_text("not a checkpoint")
    elif how == "pickle":
        path.write_bytes(pickle.dumps({"a": 1}, protocol=2))
    elif how == "video":
        path.write_bytes(b"\x00\x00\x00\x20ftypisom" * 100)
    elif how in SAVED:
        torch.save(SAVED[how], path)
    elif how == "lost weights":
        content = torch.load(good, weights_only=True)
        del content["state_dict"]["network.cnn.layers.0.weight"]
        torch.save(content, path)
    elif how == "lost arguments":
        content = torch.load(good, weights_only=True)
        content["hyper_parameters"] = {"class_names": content["hyper_parameters"]["class_names"]}
        torch.save(content, path)


@pytest.mark.parametrize("names", [[1, 2, 3, 4], ["serve", "serve", "backhand", "smash"], ["a", "b"]])
def test_names_that_are_no_names_are_refused(checkpoint, tmp_path, names):
    content = torch.load(checkpoint, weights_only=True)
    content["hyper_parameters"]["class_names"] = names
    torch.save(content, tmp_path / "odd.ckpt")
    with pytest.raises(tt_actions.UserError, match=r"^Expected `class_names` .* This is what '.*odd.ckpt'"):
        tt_actions.load(tmp_path / "odd.ckpt")


@pytest.mark.parametrize("roi", ["0,0,8,8", (0, 0, 8), (0, 0, 8.5, 8)])
def test_a_region_that_is_none_is_refused(checkpoint, strokes, roi):
    with pytest.raises(tt_actions.UserError, match=r"^Expected `roi` to be four whole numbers"):
        tt_actions.load(checkpoint).predict(next(strokes.parent.rglob("*.mp4")), roi=roi)


@pytest.mark.parametrize(
    ("hand", "message"), [("Left", "to be left or right"), ("left", "Expected no `hand`")]
)
def test_a_hand_that_makes_no_sense_is_refused(checkpoint, strokes, hand, message):
    with pytest.raises(tt_actions.UserError, match=message):
        tt_actions.load(checkpoint).predict(next(strokes.parent.rglob("*.mp4")), hand=hand)


def test_other_clips_can_be_tested(trained, checkpoint, tiny, strokes, tmp_path):
    tested = (trained / "report" / "predictions.csv").read_text()
    few = [replace(r, split="test") for r in read_manifest(strokes) if r.path.name in tested][:3]
    write_manifest(tmp_path / "few.csv", few)
    runs = ["--runs", str(tmp_path / "runs"), "--experiment", "few"]
    few_csv = ["--data", str(tmp_path / "few.csv"), "--data.cache_dir", str(tmp_path / "cache")]
    main(["test", *tiny[:2], "--ckpt_path", str(checkpoint), *few_csv, *runs])
    predicted = tmp_path / "runs" / "few" / "version_0" / "report" / "predictions.csv"
    assert len(predicted.read_text().splitlines()) == 4


@pytest.mark.parametrize(
    "how",
    [
        "empty",
        "text",
        "pickle",
        "video",
        "foreign weights",
        "a list",
        "no weights",
        "no names",
        "lost weights",
        "lost arguments",
    ],
)
def test_what_is_no_checkpoint_of_ours_is_refused_by_name(checkpoint, tmp_path, how):
    path = tmp_path / "wrong.ckpt"
    write(path, how, checkpoint)
    with pytest.raises(ValueError, match=r"Expected '.*wrong\.ckpt' to be a tt_actions checkpoint") as error:
        load(path)
    assert "arbitrary code" not in str(error.value)  # torch tells how to load it all the same


@pytest.mark.parametrize("part", [0.0001, 0.1, 0.5, 0.9, 0.9999])
def test_a_file_that_is_cut_short_is_refused_by_name(checkpoint, tmp_path, part):
    path = tmp_path / "short.ckpt"
    content = checkpoint.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(ValueError, match=r"Expected '.*short\.ckpt' to be a tt_actions checkpoint"):
        load(path)


@pytest.mark.parametrize("read", [load, read_checkpoint])
@pytest.mark.parametrize("path", ["nowhere.ckpt", "."])
def test_a_missing_file_is_refused_by_name(read, path):
    with pytest.raises(FileNotFoundError, match=f"there is no file '{path}'"):
        read(Path(path))


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "hello", ""])
def test_a_file_of_something_else_is_refused_by_name(tmp_path, content):
    path = tmp_path / "junk.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"junk\.csv"):
        read_checkpoint(path)


def test_what_belongs_to_the_classes_is_not_taken_over_for_others(tmp_path):
    options = {"channels": [4, 4, 4], "feature_size": 8, "hidden_size": 8, "average": "learned"}
    torch.manual_seed(0)
    trained, network = CNNLSTM(4, **options), CNNLSTM(2, **options)
    torch.nn.init.ones_(trained.average.score.weight)
    path = tmp_path / "four.ckpt"
    state = {f"network.{name}": weight for name, weight in trained.state_dict().items()}
    torch.save({"state_dict": state, "hyper_parameters": {"class_names": list("abcd")}}, path)
    load_network_weights(network, str(path), ["a", "b"])
    assert torch.equal(network.lstm.weight_hh, trained.lstm.weight_hh)
    assert not network.average.score.weight.any()
    same = CNNLSTM(4, **options)
    load_network_weights(same, str(path), list("abcd"))
    assert same.average.score.weight.all()
