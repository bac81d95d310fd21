"""What is said when a model of frames finds nothing, or doubts what it finds."""

import html

import numpy as np
import pytest
import torch
from brightness import PLAYED, SIZE, Brightness, film, recognizer

from tt_actions.clips.strokes import STROKES
from tt_actions.clips.typical import TypicalClip
from tt_actions.main import main
from tt_actions.models import CNNLSTM
from tt_actions.recognition.pipeline import analyze_video
from tt_actions.video.encoder import write_video


class SureOfSmash(CNNLSTM):
    """Classifies every clip as a smash, with a given probability."""

    def __init__(self, probability):
        super().__init__(4)
        self.probability = probability

    def clip_log_probability(self, logits, lengths):
        del lengths
        others = [(1 - self.probability) / 3] * 3
        return torch.tensor([*others, self.probability]).log().expand(len(logits), 4)


def of_clips(probability, motion):
    """A model of clips, trained on clips with some motion."""
    model = recognizer(SureOfSmash(probability), STROKES)
    model.typical_clip = TypicalClip(1.0, motion)
    return model


@pytest.fixture
def noise(tmp_path):
    """Six seconds in which every pixel changes."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 120, (120, SIZE[0] // 8, SIZE[1] // 8, 3), dtype=np.uint8)
    write_video(tmp_path / "noise.mp4", coarse.repeat(8, 1).repeat(8, 2), 20, crf=5)
    return tmp_path / "noise.mp4"


@pytest.mark.parametrize(
    ("probability", "motion", "reason", "advice"),
    [
        (0.9, 200.0, "too little moves. The liveliest moment has ", "`--roi`"),
        (0.3, 20.0, "no class is clear. The clearest moment reaches 30 %, and a stroke needs 38 %", "label`"),
    ],
)
def test_a_model_of_clips_says_which_gate_was_shut(noise, probability, motion, reason, advice):
    analysis = analyze_video(of_clips(probability, motion), noise)
    assert not analysis.strokes
    (remark,) = analysis.remarks
    assert remark.startswith(f"No stroke is found: {reason}")
    assert advice in remark


def test_a_picture_that_stands_still_is_named(tmp_path):
    (remark,) = analyze_video(of_clips(0.9, 20.0), film(tmp_path / "still.mp4", [])).remarks
    assert remark.startswith("No stroke is found: the picture stands still. Check")


def test_a_picture_that_moves_as_a_whole_is_doubted_by_player(noise):
    analysis = analyze_video(of_clips(0.9, 1.0), noise, ["ana", "bo"])
    assert {stroke.player for stroke in analysis.strokes} == {"ana", "bo"}
    assert [remark.partition(" moves ")[0] for remark in analysis.remarks[-2:]] == [
        "The picture of ana",
        "The picture of bo",
    ]
    assert "times as much as in the training clips" in analysis.remarks[-1]


def test_a_model_that_learnt_idle_time_says_how_near_it_was(tmp_path):
    (remark,) = analyze_video(recognizer(Brightness()), film(tmp_path / "idle.mp4", [])).remarks
    assert remark.startswith(
        "No stroke is found: the model takes the whole video for the time between strokes"
    )
    assert "with a probability of 0 %" in remark
    assert "`tt-actions label`" in remark


def test_nothing_is_said_of_a_video_that_suits_the_model(tmp_path):
    assert analyze_video(recognizer(Brightness()), film(tmp_path / "match.mp4", PLAYED)).remarks == ()


def test_an_unsure_model_is_doubted(noise):
    analysis = analyze_video(of_clips(0.45, 20.0), noise)
    assert analysis.strokes
    assert any(
        remark.startswith("The model is unsure: the median confidence of the strokes is")
        for remark in analysis.remarks
    )


def test_the_terminal_and_the_page_say_why_nothing_is_found(trained, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    video = film(tmp_path / "still.mp4", [])
    words = [str(video), "--checkpoint", str(trained / "checkpoints" / "best.ckpt"), "--no-video"]
    with pytest.raises(SystemExit) as end:
        main(["analyze", *words, "--players", "ana,bo", "--out", str(tmp_path / "out")])
    assert end.value.code == 0
    page = html.unescape((tmp_path / "out" / "report.html").read_text("utf-8"))
    said = capsys.readouterr().out
    for player in ("ana", "bo"):
        reason = f"No stroke of {player} is found: the picture stands still. Check that the video shows play"
        assert reason in said
        assert reason in page
