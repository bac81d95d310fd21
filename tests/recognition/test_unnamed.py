"""Strokes found without a model: on drawn clips, joined to a match."""

import numpy as np
import pytest

from tt_actions.clips.strokes import IDLE
from tt_actions.errors import UserError
from tt_actions.recognition.loading import load
from tt_actions.recognition.pipeline import analyze_video
from tt_actions.recognition.swings import Swing
from tt_actions.recognition.unnamed import REMARK, drop_preparations, plays_left
from tt_actions.skeleton.layouts import NTU25
from tt_actions.video.encoder import write_video
from tt_actions.video.types import Timed


@pytest.fixture(scope="module")
def analysis(match):
    return analyze_video(None, match[0])


def test_the_strokes_of_a_match_are_found(analysis, match):
    _, labels, ends_s = match
    played = [int(np.searchsorted(ends_s, stroke.contact_s, "right")) for stroke in analysis.strokes]
    assert len(set(played)) >= 0.8 * len(labels)
    assert len(played) <= 1.3 * len(labels)
    for clip, stroke in zip(played, analysis.strokes, strict=True):  # nothing reaches across a cut
        assert stroke.end_s <= ends_s[clip] + 0.05
        assert stroke.start_s >= (ends_s[clip - 1] if clip else 0) - 0.05


def test_strokes_have_letters_and_a_remark_and_no_confidence(analysis):
    assert analysis.class_names == tuple("ABCDEFGH"[: len(analysis.class_names)])
    assert analysis.frame_classes == (*analysis.class_names, IDLE)
    assert {stroke.confidence for stroke in analysis.strokes} == {None}
    assert analysis.probabilities.sum(-1) == pytest.approx(1)
    assert analysis.remarks == (REMARK,)
    assert analysis.motion.poses.shape == (1, len(analysis.times_s), 33, 6)


def test_without_a_player_there_is_no_stroke(tmp_path):
    write_video(tmp_path / "empty.mp4", np.full((20, 120, 160, 3), 90, np.uint8), fps=30)
    analysis = analyze_video(None, tmp_path / "empty.mp4")
    assert (analysis.strokes, analysis.class_names) == ((), ())
    assert analysis.remarks[0].startswith("The player is not found in the video")


def test_a_pose_model_that_is_missing_is_refused(match):
    with pytest.raises(UserError, match=r"Expected the pose model 'none\.onnx'"):
        analyze_video(None, match[0], pose="onnx:none.onnx")


def test_options_that_would_have_no_effect_are_refused(match, posed_run):
    with pytest.raises(UserError, match="Expected no `crop` without a model"):
        analyze_video(None, match[0], crop="motion")
    with pytest.raises(UserError, match="Expected no `pose` with a model"):
        analyze_video(load(posed_run / "checkpoints" / "best.ckpt"), match[0], pose="blazepose")


@pytest.mark.parametrize(("speed", "num_kept"), [(5.9, 1), (6.1, 2)])
def test_a_preparation_is_slower_than_three_fifths_of_its_stroke(speed, num_kept):
    speeds = Timed(np.array([0, speed, 0, 10.0, 0]), np.array([0, 1, 1.5, 2, 3]))
    swings = [Swing(0.2, 1.0, 1.8), Swing(1.2, 2.0, 2.8)]
    assert drop_preparations(swings, speeds) == swings[-num_kept:]
    later = [swings[0], Swing(1.4, 2.21, 3.0)]
    far = Timed(speeds.values, np.array([0, 1, 1.5, 2.21, 3]))
    assert drop_preparations(later, far) == later


def test_the_hand_that_is_faster_in_most_strokes_plays():
    right = np.zeros((30, 25, 3))
    right[:, NTU25.index("right_hand"), 0] = np.arange(30) / 10
    left = np.zeros((30, 25, 3))
    left[:, NTU25.index("left_hand"), 0] = np.arange(30) / 10
    assert not plays_left([], NTU25, 30)
    assert not plays_left([right, left], NTU25, 30)
    assert plays_left([left, left, right], NTU25, 30)
