"""Untrimmed recordings: drawn rallies as data, windows to train on, a training from YAML to its report."""

import json
from pathlib import Path

import numpy as np
import pytest
from run_files import content, rows

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.dataset import ClipDataset, collate
from tt_actions.clips.specs import FrameSpec
from tt_actions.clips.strokes import IDLE, STROKES
from tt_actions.clips.timing import StrokeTiming
from tt_actions.evaluation.rally_report import COLUMNS
from tt_actions.main import main
from tt_actions.recognition.loading import load
from tt_actions.sources.synthetic.generate import synthesize

NAMES = [*STROKES, IDLE]
RALLY_EXPERIMENTS = sorted((Path(__file__).parents[2] / "experiments").glob("rally_*.yaml"))


def test_every_player_who_is_seen_is_a_recording_with_their_own_strokes(rallies):
    records = rallies.records()
    assert len({record.path for record in records}) == rallies.rallies
    assert len(records) > rallies.rallies  # some rallies show both players
    for path in {record.path for record in records}:
        with np.load(path.with_suffix(".npz")) as truth:
            player, label = truth["stroke_player"], truth["stroke_label"]
        for number, record in enumerate([record for record in records if record.path == path]):
            assert [stroke.label for stroke in record.strokes] == label[player == number].tolist()
            x0, y0, x1, y1 = record.roi
            assert 0 <= x0 < x1 <= rallies.size[0]
            assert 0 <= y0 < y1 <= rallies.size[1]


def test_players_who_have_met_are_one_group(rallies):
    groups = {record.path: set() for record in rallies.records()}
    for record in rallies.records():
        groups[record.path].add(record.group)
    assert all(len(group) == 1 for group in groups.values())


def test_windows_carry_the_labels_of_their_frames(rallies, cache_dir):
    record = rallies.records()[0]
    with np.load(record.path.with_suffix(".npz")) as truth:
        labels = truth["frame_labels"][::2]  # of 30 frames a second
    spec = FrameSpec(15, (16, 16), roi=None)
    whole = ClipDataset([record], NAMES, FrameCache(cache_dir), spec, 32, "all", training=False)
    assert len(whole) == 1
    np.testing.assert_array_equal(whole[0].frame_labels, labels)

    windows = ClipDataset([record], NAMES, FrameCache(cache_dir), spec, 32, "all", training=True)
    assert len(windows) == 4  # 120 frames
    batch = collate([windows[place, 10 * place + i] for place in range(4) for i in range(3)])
    assert batch.inputs.shape == (12, 32, 3, 16, 16)
    assert batch.is_known.all()
    starts = set()
    frames = whole[0].frames
    for window, told in zip(batch.inputs, batch.frame_labels, strict=True):
        start = next(i for i in range(89) if (frames[i : i + 32] == window).all())
        np.testing.assert_array_equal(told, labels[start : start + 32])
        starts.add(start)
    assert len(starts) > 6


def test_a_training_leaves_a_report_of_every_way_of_finding_strokes(rally_run):
    report = {path.name for path in (rally_run / "report").iterdir()}
    assert report == {
        "index.html",
        "metrics.json",
        "per_class.csv",
        "per_class.md",
        "per_class.tex",
        "model_card.md",
        "data_card.md",
        "segmentation.csv",
        "strokes.csv",
        "confusion_matrix.csv",
        "confusion_matrix.png",
        "timelines.png",
        "curves.png",
    }
    table = rows(rally_run / "report" / "segmentation.csv")
    assert [row["way"] for row in table] == ["argmax", "median", "hmm"]
    assert list(table[0]) == ["way", *COLUMNS]
    metrics = json.loads((rally_run / "report" / "metrics.json").read_text("utf-8"))
    true = [row for row in rows(rally_run / "report" / "strokes.csv") if row["kind"] == "true"]
    assert metrics["segmentation"]["hmm"]["num_true"] == len(true) > 0
    history = rows(rally_run / "metrics.csv")
    assert {"val/accuracy", "val/f1_50", "val/map", "val/edit_score"} <= set(history[-1])


def test_the_checkpoint_tells_how_long_strokes_last_in_the_training_set(rally_run, rallies):
    timing = StrokeTiming.from_plain(content(rally_run, "best")["timing"])
    train = {row["name"] for row in rows(rally_run / "splits.csv") if row["split"] == "train"}
    strokes = [s for record in rallies.records() if record.name in train for s in record.strokes]
    assert timing.class_names == tuple(NAMES)
    assert timing.fps == 10
    forehands = [s for s in strokes if s.label == "forehand"]
    assert timing.frames[1] == pytest.approx(10 * sum(s.end_s - s.start_s for s in forehands), rel=0.1)
    contact = np.mean([(s.contact_s - s.start_s) / (s.end_s - s.start_s) for s in forehands])
    assert timing.contact[1] == pytest.approx(contact)
    loaded = load(rally_run / "checkpoints" / "best.ckpt")
    assert loaded.timing.to_plain() == timing.to_plain()


def test_a_checkpoint_is_measured_again_alike(rally_run, tmp_path):
    checkpoint = ["--ckpt_path", str(rally_run / "checkpoints" / "best.ckpt")]
    main(["test", "--config", str(rally_run / "config.yaml"), *checkpoint, "--runs", str(tmp_path)])
    report = tmp_path / "rally_cnn_lstm" / "version_0" / "report"
    for name in ("segmentation.csv", "strokes.csv", "confusion_matrix.csv"):
        assert rows(report / name) == rows(rally_run / "report" / name)


@pytest.mark.parametrize("path", RALLY_EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_on_rallies_trains_and_may_begin_with_the_weights_of_the_cnn_lstm(
    path, tiny_rally, rally_run, tmp_path
):
    begin = ["--model.init_from", str(rally_run / "checkpoints" / "best.ckpt")]
    main(["train", "--config", str(path), *tiny_rally, *begin, "--runs", str(tmp_path)])
    run = tmp_path / path.stem / "version_0"
    ways = [row["way"] for row in rows(run / "report" / "segmentation.csv")]
    assert ways == ["argmax", "median", "hmm", *(["crf"] if path.stem == "rally_crf" else [])]
    assert load(run / "checkpoints" / "best.ckpt").timing is not None


def test_recordings_are_not_predicted_but_analysed(rally_run, rallies):
    checkpoint = ["--checkpoint", str(rally_run / "checkpoints" / "best.ckpt")]
    with pytest.raises(ValueError, match="tt-actions analyze"):
        main(["predict", str(rallies.out), *checkpoint])


def test_recordings_can_not_be_drawn_by_class(rally_run, tmp_path):
    with pytest.raises(ValueError, match="class_weights"):
        main(
            [
                "fit",
                "--config",
                str(rally_run / "config.yaml"),
                "--data.balanced=true",
                "--runs",
                str(tmp_path),
            ]
        )


@pytest.mark.parametrize(
    ("experiment", "options", "message"),
    [
        ("rally_cnn_lstm", ["--model.frame_loss=0"], "Expected `model.frame_loss` to be above 0"),
        (
            "rally_crf",
            ["--model.label_smoothing=0.1"],
            "Expected neither `class_weights` nor `label_smoothing`",
        ),
    ],
)
def test_what_would_learn_nothing_of_recordings_is_refused(
    experiment, options, message, tiny_rally, tmp_path
):
    path = next(path for path in RALLY_EXPERIMENTS if path.stem == experiment)
    with pytest.raises(ValueError, match=message):
        main(["fit", "--config", str(path), *tiny_rally, *options, "--runs", str(tmp_path)])
    assert not list(tmp_path.iterdir())


def test_the_set_is_that_of_the_command_line(rallies, tmp_path):
    synthesize(tmp_path, 0, 40, rallies.seed, rallies.size, num_rallies=1, rally_s=8.0)
    own = (tmp_path / "rallies" / "rally_000.mp4").read_bytes()
    assert own == (rallies.out / "rallies" / "rally_000.mp4").read_bytes()
