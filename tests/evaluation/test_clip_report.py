"""Reports: numbers against scikit-learn and by hand, and files read back."""

import csv
import dataclasses
import hashlib
import io
import json
import math
import subprocess
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import sklearn.metrics
import torch
from rich.console import Console

import tt_actions.evaluation.clip_report
from tt_actions.clips.strokes import STROKES
from tt_actions.evaluation.clip_metrics import FrameAgreement, TemporalConsistency
from tt_actions.evaluation.clip_report import print_report, write_report
from tt_actions.evaluation.clip_scores import measure
from tt_actions.evaluation.predictions import Predictions, write_predictions
from tt_actions.evaluation.provenance import provenance
from tt_actions.evaluation.published import PUBLISHED, published_results


def by_hand() -> Predictions:
    """Class a has clips 0 and 1, b has clip 2, and c has none; clip 1 is predicted as b."""
    return Predictions(
        class_names=("a", "b", "c"),
        names=("0.mp4", "1, second.mp4", "2.mp4"),
        labels=np.array([0, 0, 1]),
        probabilities=np.array([[0.7, 0.2, 0.1], [0.05, 0.9, 0.05], [0.25, 0.5, 0.25]]),
        frame_classes=(np.array([0, 0, 1, 0, 0]), np.array([1, 1, 1, 2]), np.array([1])),
        loss=0.5,
    )


def at_random(class_names: tuple[str, ...], num_clips: int, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(class_names), num_clips)
    probabilities = rng.dirichlet(np.ones(len(class_names)), num_clips)
    probabilities[np.arange(num_clips), labels] += 0.3
    return Predictions(
        class_names,
        tuple(f"{clip}.mp4" for clip in range(num_clips)),
        labels,
        probabilities / 1.3,
        tuple(rng.integers(0, len(class_names), rng.integers(1, 40)) for _ in range(num_clips)),
        0.5,
    )


def write_history(path: Path) -> Path:
    path.write_text("epoch,step,train/loss,val/loss\n0,3,,2.5\n0,3,2.0,\n1,7,,1.5\n1,7,1.0,\n")
    return path


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def test_numbers_counted_by_hand() -> None:
    metrics = measure(by_hand())
    # a: pairs 2/4 and 2/3, frames of the clip's class 4/5 and 3/4; b: one frame, so no pair
    assert metrics["per_class"]["a"] == {
        "accuracy": 0.5,
        "accuracy_low": 0.0,
        "accuracy_high": 1.0,
        "temporal_consistency": pytest.approx((2 / 4 + 2 / 3) / 2),
        "frame_agreement": pytest.approx((4 / 5 + 3 / 4) / 2),
        "average_precision": pytest.approx((1 + 2 / 3) / 2, abs=1e-6),
        "roc_auc": 0.5,
        "support": 2,
    }
    assert metrics["per_class"]["b"] == {
        "accuracy": 1.0,
        "accuracy_low": pytest.approx(0.025),  # one clip, right
        "accuracy_high": 1.0,
        "temporal_consistency": None,
        "frame_agreement": 1.0,
        "average_precision": 0.5,
        "roc_auc": 0.5,
        "support": 1,
    }
    assert metrics["per_class"]["c"] == {
        "accuracy": None,
        "accuracy_low": None,
        "accuracy_high": None,
        "temporal_consistency": None,
        "frame_agreement": None,
        "average_precision": None,
        "roc_auc": None,
        "support": 0,
    }
    assert metrics["accuracy"] == pytest.approx(2 / 3)
    assert metrics["precision"] == pytest.approx((1 + 1 / 2) / 2)
    assert metrics["recall"] == pytest.approx((1 / 2 + 1) / 2)
    assert metrics["f1"] == pytest.approx(2 / 3, abs=1e-6)
    assert metrics["temporal_consistency"] == pytest.approx(7 / 12)
    assert metrics["frame_agreement"] == pytest.approx((0.775 + 1) / 2)
    assert metrics["num_clips"] == 3
    assert (metrics["accuracy_low"], metrics["accuracy_high"]) == (0.0, 1.0)
    assert (metrics["interval_by"], metrics["num_groups"]) == ("clips", None)


def test_numbers_agree_with_the_metrics_of_the_training() -> None:
    predictions = at_random(STROKES, 30)
    lengths = torch.tensor([len(frames) for frames in predictions.frame_classes])
    frames = [torch.from_numpy(frames) for frames in predictions.frame_classes]
    logits = torch.nn.functional.one_hot(torch.nn.utils.rnn.pad_sequence(frames, batch_first=True), 4)
    target, predicted = torch.from_numpy(predictions.labels), torch.from_numpy(predictions.predicted)
    consistency, agreement = TemporalConsistency(4), FrameAgreement(4)
    consistency.update(logits, lengths, target)
    agreement.update(predicted, target, logits, lengths)
    per_class = measure(predictions)["per_class"].values()
    assert [row["temporal_consistency"] for row in per_class] == pytest.approx(consistency.compute().tolist())
    assert [row["frame_agreement"] for row in per_class] == pytest.approx(agreement.compute().tolist())


@pytest.mark.parametrize(("num_classes", "num_clips"), [(2, 1), (2, 50), (4, 115), (12, 20)])
def test_numbers_agree_with_scikit_learn(num_classes: int, num_clips: int) -> None:
    predictions = at_random(tuple(f"c{i}" for i in range(num_classes)), num_clips)
    metrics = measure(predictions)
    truth, predicted = predictions.labels, predictions.probabilities.argmax(1)
    precision, recall, f1, _ = sklearn.metrics.precision_recall_fscore_support(
        truth, predicted, average="macro", zero_division=0
    )
    assert metrics["accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(truth, predicted))
    assert [metrics[key] for key in ("precision", "recall", "f1")] == pytest.approx(
        [precision, recall, f1], abs=1e-6
    )
    matrix = sklearn.metrics.confusion_matrix(truth, predicted, labels=range(num_classes))
    assert np.array_equal(predictions.confusion, matrix)
    for row, name in zip(matrix, metrics["per_class"], strict=True):
        index = predictions.class_names.index(name)
        expected = pytest.approx(row[index] / row.sum()) if row.sum() else None
        assert metrics["per_class"][name]["accuracy"] == expected


def test_all_predictions_of_one_class() -> None:
    predictions = Predictions(
        STROKES,
        tuple("0123"),
        np.arange(4),
        np.tile([0.7, 0.1, 0.1, 0.1], (4, 1)),
        (np.zeros(9, int),) * 4,
        1.2,
    )
    metrics = measure(predictions)
    assert metrics["accuracy"] == 0.25
    assert metrics["precision"] == pytest.approx(1 / 16)
    assert [row["accuracy"] for row in metrics["per_class"].values()] == [1, 0, 0, 0]
    assert metrics["temporal_consistency"] == metrics["frame_agreement"] == 1


def test_no_clips_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one clip, but got none"):
        Predictions(STROKES, (), np.empty(0, int), np.empty((0, 4)), (), math.nan)


def test_report_folder_holds_what_the_run_directory_promises(tmp_path: Path) -> None:
    history = write_history(tmp_path / "metrics.csv")
    folder = tmp_path / "runs" / "report"
    metrics = write_report(folder, by_hand(), {"seed": 3, "seconds": math.inf}, history)
    tables = {"metrics.json", "predictions.csv", "per_class.csv", "confusion_matrix.csv"}
    tables |= {"pr_curves.csv", "roc_curves.csv", "per_class.md", "per_class.tex"}
    figures = {"confusion_matrix.png", "curves.png", "pr_curves.png", "roc_curves.png"}
    assert {path.name for path in folder.iterdir()} == tables | figures
    read = json.loads((folder / "metrics.json").read_text("utf-8"), parse_constant=refuse_constant)
    assert read == metrics == {**measure(by_hand()), "provenance": {"seed": 3, "seconds": None}}

    rows = read_rows(folder / "predictions.csv")
    assert list(rows[0]) == ["name", "label", "predicted", "p_a", "p_b", "p_c", "temporal_consistency"]
    assert list(rows[1].values())[:6] == ["1, second.mp4", "a", "b", "0.05", "0.9", "0.05"]
    assert [row["temporal_consistency"] for row in rows] == ["0.5", str(2 / 3), ""]
    assert read_rows(folder / "per_class.csv")[2] == {
        "class": "c", "accuracy": "", "accuracy_low": "", "accuracy_high": "",
        "temporal_consistency": "", "frame_agreement": "",
        "average_precision": "", "roc_auc": "", "precision": "", "recall": "", "f1": "", "support": "0",
    }  # fmt: skip
    assert (folder / "confusion_matrix.csv").read_text() == "label,a,b,c\na,1,1,0\nb,0,1,0\nc,0,0,0\n"
    assert read_rows(folder / "pr_curves.csv")[:3] == [
        {"class": "a", "threshold": "", "recall": "0.0", "precision": "1.0"},
        {"class": "a", "threshold": "0.7", "recall": "0.5", "precision": "1.0"},
        {"class": "a", "threshold": "0.25", "recall": "0.5", "precision": "0.5"},
    ]
    for name in figures:
        assert plt.imread(folder / name).std() > 0.01


def test_report_replaces_an_older_one_and_needs_no_training(tmp_path: Path) -> None:
    write_report(tmp_path, at_random(STROKES, 9), {}, None)
    write_report(tmp_path, by_hand(), {}, None)
    assert len(read_rows(tmp_path / "predictions.csv")) == 3
    assert not (tmp_path / "curves.png").exists()


def test_class_names_need_no_latin_letters_and_no_font_of_their_own(tmp_path: Path) -> None:
    write_report(tmp_path, at_random(("发球", "フォアハンド", "백핸드"), 9), {}, None)  # warnings are errors
    assert plt.imread(tmp_path / "confusion_matrix.png").std() > 0.01


def test_a_report_that_can_not_be_written_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "report").touch()
    with pytest.raises(
        OSError, match=r"report/predictions\.csv', but got: .*Check the path .* test the check"
    ):
        write_predictions(tmp_path / "report" / "predictions.csv", by_hand())


def test_predictions_of_clips_without_labels_are_written(tmp_path: Path) -> None:
    predictions = dataclasses.replace(by_hand(), labels=np.array([-1, -1, -1]))
    write_predictions(tmp_path / "report" / "predictions.csv", predictions)
    rows = read_rows(tmp_path / "report" / "predictions.csv")
    assert [(row["label"], row["predicted"]) for row in rows] == [("", "a"), ("", "b"), ("", "b")]


def test_loss_that_is_not_finite_is_null(tmp_path: Path) -> None:
    one = Predictions(("a", "b"), ("x",), np.array([1]), np.array([[0.5, 0.5]]), (np.array([0]),), math.nan)
    metrics = write_report(tmp_path, one, {}, None)
    text = (tmp_path / "metrics.json").read_text("utf-8")
    assert metrics["loss"] is None
    assert json.loads(text, parse_constant=refuse_constant) == metrics


def printed(metrics: dict[str, Any], width: int = 80, asked: bool | None = None, name: str = "own") -> str:
    console = Console(file=io.StringIO(), width=width)
    print_report(metrics, published_results(name, metrics["per_class"], asked), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


OVERALL_WORDS = ("accuracy", "precision", "recall", "F1")


def cells(text: str) -> dict[str, list[str]]:
    """The words of the first line that starts with each word."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    return {row[0]: row[1:] for row in reversed(rows)}


def test_cnn_lstm_on_four_strokes_is_printed_beside_the_published_figures() -> None:
    text = printed(measure(at_random(STROKES, 115)), name="cnn_lstm")
    assert max(map(len, text.splitlines())) <= 80
    assert "published (private data)" in text
    lines = cells(text)
    assert [lines[name][-1] for name in OVERALL_WORDS] == ["0.923", "0.918", "0.925", "0.921"]
    assert lines["backhand"][-2:] == ["0.920", "0.884"]
    assert set(PUBLISHED["cnn_lstm"]["per_class"]) == set(STROKES)


def test_other_models_are_printed_beside_published_figures_on_request_alone() -> None:
    metrics = measure(at_random(STROKES, 115))
    assert "published" not in printed(metrics, name="stgcn")
    assert "published" not in printed(metrics, name="cnn_lstm", asked=False)
    assert cells(printed(metrics, name="stgcn", asked=True))["accuracy"][-1] == "0.923"
    assert cells(printed(metrics, name="cnn", asked=True))["accuracy"][-1] == "0.875"
    others = measure(by_hand())
    assert "published" not in printed(others, name="cnn_lstm")
    text = printed(others, name="cnn_lstm", asked=True)
    assert cells(text)["accuracy"][-1] == "0.923"
    assert cells(text)["a"][-2:] == ["-", "-"]  # no such stroke was published


def test_an_accuracy_is_printed_with_its_interval_its_clips_and_what_it_is_over() -> None:
    text = printed(measure(by_hand()))
    assert "Test on 3 clips" in text
    lines = cells(text)
    assert lines["accuracy"] == ["0.667", "[0.00,", "1.00]"]
    assert lines["F1"] == ["0.667", "[0.00,", "1.00]"]
    assert lines["temporal"][:2] == ["consistency", "0.583"]
    words = " ".join(text.split())
    assert "95 % interval, bootstrap over clips" in words
    assert "the same players may be in the training set and in the test set" in words
    grouped = dataclasses.replace(at_random(STROKES, 40), groups=tuple(f"p{i % 12}" for i in range(40)))
    text = printed(measure(grouped))
    assert "Test on 40 clips of 12 groups" in text
    assert "bootstrap over the 12 groups." in text
    assert "same players" not in text


def test_results_without_intervals_are_printed_as_they_are() -> None:
    metrics = measure(by_hand())  # as an earlier version wrote them
    for row in (metrics, *metrics["per_class"].values()):
        for key in [key for key in row if key.endswith(("_low", "_high"))] + ["interval_by", "num_groups"]:
            row.pop(key, None)
    assert "[" not in printed(metrics)


def test_other_classes_are_printed_alone_and_unknowns_as_dashes() -> None:
    text = printed(measure(by_hand()))
    assert "published" not in text
    lines = cells(text)
    assert [lines[name][0] for name in OVERALL_WORDS] == ["0.667", "0.750", "0.750", "0.667"]
    assert (lines["temporal"][1], lines["frame"][1]) == ("0.583", f"{(0.775 + 1) / 2:.3f}")
    assert lines["a"] == ["0.500", "0.583", "0.775", "2"]
    assert lines["c"] == ["-", "-", "-", "0"]


def test_printed_class_names_are_whole_and_taken_literally() -> None:
    text = printed(measure(at_random(("flick [red]", "long " * 30), 4)))
    assert "flick [red]" in text
    assert text.count("long") == 30
    assert max(map(len, text.splitlines())) <= 80


def test_provenance_names_config_versions_and_commit() -> None:
    made = provenance("a: 1\n", seed=7, seconds=12.34, processor_seconds=23.45)
    assert made["config_hash"] == hashlib.sha256(b"a: 1\n").hexdigest()
    assert (made["seed"], made["seconds"], made["processor_seconds"]) == (7, 12.3, 23.4)
    assert made["versions"]["torch"] == torch.__version__
    assert 50 < made["peak_memory_mb"] < 100_000
    assert json.loads(json.dumps(made)) == made


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    command = ["git", *identity, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_commit_is_that_of_the_checkout_and_says_if_files_changed(tmp_path: Path) -> None:
    git(tmp_path, "init")
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "first")
    git(tmp_path, "tag", "-a", "v1", "-m", "v1")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert tt_actions.evaluation.provenance._commit(tmp_path) == head
    (tmp_path / "file").write_text("2")
    assert tt_actions.evaluation.provenance._commit(tmp_path) == f"{head}-dirty"
    (tmp_path / "installed").mkdir()
    assert tt_actions.evaluation.provenance._commit(tmp_path / "installed") is None


def test_commit_is_unknown_where_git_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").write_text("gitdir: /nowhere\n")
    assert tt_actions.evaluation.provenance._commit(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert tt_actions.evaluation.provenance._commit(tmp_path) is None


def test_figures_leave_pyplot_alone(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    write_report(tmp_path, by_hand(), {}, write_history(tmp_path / "metrics.csv"))
    assert plt.get_fignums() == []
    assert dict(mpl.rcParams) == before
