import csv
import json
import shutil
from dataclasses import replace

import pytest

from tt_actions.clips.manifest import read_manifest, write_manifest
from tt_actions.errors import UserError
from tt_actions.main import main

NAMES = ("name", "label", "predicted")


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def ask(trained, capsys, monkeypatch, tmp_path):
    """Predicts with a trained model; returns the exit code and what is printed."""

    def predict(*words, width=120):
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as end:
            main(["predict", *map(str, words), "--checkpoint", str(trained / "checkpoints" / "best.ckpt")])
        return end.value.code, capsys.readouterr().out

    return predict


@pytest.fixture
def one(strokes):
    return read_manifest(strokes)[0]


def region(record):
    return ",".join(map(str, record.roi))


def test_a_clip_is_named_and_nothing_is_left_behind(ask, one, tmp_path):
    code, said = ask(one.path, "--roi", region(one))
    assert code == 0
    assert one.path.name in said
    assert "Accuracy" not in said
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_gives_what_the_report_of_the_training_says(ask, trained, strokes, tmp_path):
    reported = {row["name"]: row for row in rows(trained / "report" / "predictions.csv")}
    code, said = ask(strokes, "--out", tmp_path / "out")
    found = {row["name"]: row for row in rows(tmp_path / "out" / "predictions.csv")}
    assert code == 0
    assert len(found) == 24
    for name, expected in reported.items():
        assert list(found[name]) == list(expected)
        assert [found[name][key] for key in NAMES] == [expected[key] for key in NAMES]
        numbers = [[float(row[key]) for key in row if key not in NAMES] for row in (found[name], expected)]
        assert numbers[0] == pytest.approx(numbers[1], abs=1e-5)
    document = json.loads((tmp_path / "out" / "predictions.json").read_text("utf-8"))
    right = [row["label"] == row["predicted"] for row in found.values()]
    assert document["accuracy"] == pytest.approx(sum(right) / 24)
    assert f"Accuracy: {sum(right) / 24:.3f} on 24 clips (95 % interval " in said
    num_used = 24 - len(reported)
    assert f"{num_used} of these clips trained the model or selected it, so expect less on new ones." in said
    assert document["num_used_in_training"] == num_used
    low, high = document["accuracy_interval"]
    assert low < document["accuracy"] < high
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"predictions.csv", "predictions.json"}


def test_the_folders_of_clips_that_are_named_as_classes_are_labels(ask, strokes, tmp_path):
    [first, second] = read_manifest(strokes)[:2]
    for folder, record in (("serve", first), ("monday", second)):
        (tmp_path / "mine" / folder).mkdir(parents=True)
        shutil.copy(record.path, tmp_path / "mine" / folder / "a.mp4")
    code, said = ask(tmp_path / "mine", "--roi", region(first), "--out", tmp_path / "out")
    assert code == 0
    found = rows(tmp_path / "out" / "predictions.csv")
    labels = {row["name"].rpartition("mine/")[2].partition("/")[0]: row["label"] for row in found}
    assert labels == {"serve": "serve", "monday": ""}
    assert "on 1 clip (95 %" in said
    assert "serve/a.mp4" in said


def test_a_clip_that_cannot_be_read_is_reported_and_the_others_are_named(ask, one, tmp_path):
    (tmp_path / "mine").mkdir()
    shutil.copy(one.path, tmp_path / "mine" / "good.mp4")
    (tmp_path / "mine" / "bad.mp4").write_bytes(b"no video")
    code, said = ask(tmp_path / "mine", "--roi", region(one), "--out", tmp_path / "out")
    assert code == 1
    assert "failed: bad.mp4: Expected" in said
    assert "1 of 2 clips classified." in said
    assert len(rows(tmp_path / "out" / "predictions.csv")) == 1
    [failure] = json.loads((tmp_path / "out" / "predictions.json").read_text("utf-8"))["failures"]
    assert failure["path"].endswith("bad.mp4")


def test_a_single_clip_that_cannot_be_read_is_an_error(trained, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    words = ["predict", str(tmp_path / "bad.mp4"), "--checkpoint", str(trained / "checkpoints" / "best.ckpt")]
    with pytest.raises(UserError, match=r"bad\.mp4"):
        main([*words, "--roi", "0,0,40,40"])


def test_times_of_a_manifest_stand_in_the_table_and_unknown_labels_do_not_count(ask, one, tmp_path):
    part = replace(one, start_s=0.25, end_s=1.0, label="lob", split=None)
    write_manifest(tmp_path / "clips.csv", [part, replace(one, split=None)])
    code, said = ask(tmp_path / "clips.csv")
    assert code == 0
    assert "0.25-1.00" in said
    assert "on 1 clip (95 %" in said
    assert "no class lob" in said


def test_names_are_whole_on_a_narrow_terminal(ask, strokes):
    said = ask(strokes, width=60)[1]
    assert "…" not in said
    assert max(map(len, said.splitlines()[:20])) <= 60


def test_a_folder_that_cannot_be_written_is_refused_before_work(trained, one, tmp_path):
    (tmp_path / "file").write_text("")
    words = ["predict", str(one.path), "--checkpoint", str(trained / "checkpoints" / "best.ckpt")]
    with pytest.raises(ValueError, match="is a file"):
        main([*words, "--out", str(tmp_path / "file")])
    with pytest.raises(OSError, match=r"Expected to write '.*/file/out'"):
        main([*words, "--out", str(tmp_path / "file" / "out")])


def test_an_empty_folder_is_refused_and_the_new_folder_of_results_is_removed(trained, tmp_path):
    (tmp_path / "empty").mkdir()
    words = ["predict", str(tmp_path / "empty"), "--checkpoint", str(trained / "checkpoints" / "best.ckpt")]
    with pytest.raises(UserError, match=r"Expected clips \(\.mp4, .*found none"):
        main([*words, "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
