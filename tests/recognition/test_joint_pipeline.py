import numpy as np
import pytest

import tt_actions
from tt_actions.clips.strokes import IDLE
from tt_actions.errors import UserError
from tt_actions.main import main
from tt_actions.pose.video import WORLD
from tt_actions.recognition.analysis import write_analysis
from tt_actions.recognition.swing_reader import split_scenes
from tt_actions.video.encoder import write_video
from tt_actions.video.frames import read_frames


@pytest.fixture(scope="module")
def model(posed_run):
    return tt_actions.load(posed_run / "checkpoints" / "best.ckpt")


@pytest.fixture(scope="module")
def analysis(model, match):
    return model.analyze(match[0])


@pytest.fixture(scope="module")
def short(match, tmp_path_factory):
    """The first two clips of the match: finding the joints takes time for every image."""
    path = tmp_path_factory.mktemp("short") / "short.mp4"
    write_video(path, read_frames(match[0], end_s=float(match[2][1])).values, fps=30)
    return path


def test_the_strokes_of_a_match_are_found_and_named(analysis, match):
    _, labels, ends_s = match
    played = [np.searchsorted(ends_s, stroke.contact_s, "right") for stroke in analysis.strokes]
    right = {clip for clip, s in zip(played, analysis.strokes, strict=True) if s.label == labels[clip]}
    assert len(right) >= 0.8 * len(labels)
    assert len(analysis.strokes) <= 1.3 * len(labels)
    assert analysis.duration_s == pytest.approx(ends_s[-1])
    for clip, stroke in zip(played, analysis.strokes, strict=True):  # nothing reaches across a cut
        assert stroke.end_s <= ends_s[clip] + 0.05
        assert stroke.start_s >= (ends_s[clip - 1] if clip else 0) - 0.05


def test_the_probabilities_of_the_images_agree_with_the_strokes(model, analysis):
    assert analysis.frame_classes == (*model.class_names, IDLE)
    assert analysis.probabilities.sum(-1) == pytest.approx(1)
    likely = analysis.probabilities[0].argmax(1)
    for stroke in analysis.strokes:
        at_contact = likely[np.searchsorted(analysis.times_s, stroke.contact_s)]
        assert analysis.frame_classes[at_contact] == stroke.label


def test_joints_and_speeds_are_part_of_the_result(analysis, tmp_path):
    poses, speed = analysis.motion.poses, analysis.motion.hand_speed
    assert poses.shape == (1, len(analysis.times_s), 33, 6)
    assert np.isnan(poses[0, ..., WORLD]).any((1, 2)) == pytest.approx(np.isnan(speed[0]), abs=0.1)
    for stroke in analysis.strokes:
        around = np.abs(analysis.times_s - stroke.contact_s) < 0.2
        assert speed[0][around].max() == pytest.approx(
            speed[0][np.searchsorted(analysis.times_s, stroke.contact_s)], rel=0.1
        )
    write_analysis(tmp_path, analysis)
    assert (tmp_path / "strokes.csv").read_text().count("\n") == len(analysis.strokes) + 1


def test_players_are_analysed_together_and_one_who_is_not_there_is_remarked_on(model, short):
    whole = (0, 0, 320, 240)
    both = model.analyze(short, players=["one", "none"], rois=[whole, (0, 0, 40, 30)])
    assert {stroke.player for stroke in both.strokes} == {"one"}
    assert both.motion.poses.shape[0] == 2
    assert all(remark.startswith("The model is unsure") for remark in both.remarks[1:])
    assert both.remarks[0].startswith("none is not found in the video, and so none of their strokes")


def test_a_model_that_knows_no_swings_says_so(posed_run, match):
    model = tt_actions.load(posed_run / "checkpoints" / "best.ckpt")
    model.typical_swing = None
    with pytest.raises(UserError, match="knows the speed of their swings"):
        model.analyze(match[0])


def test_the_command_writes_the_results(posed_run, short, tmp_path, capsys):
    checkpoint = str(posed_run / "checkpoints" / "best.ckpt")
    words = ["--checkpoint", checkpoint, "--out", str(tmp_path / "out"), "--no-video"]
    with pytest.raises(SystemExit) as end:
        main(["analyze", str(short), *words])
    assert end.value.code == 0
    assert "strokes" in capsys.readouterr().out
    assert (tmp_path / "out" / "report.html").is_file()


def test_scenes_end_at_cuts_and_where_the_player_is_lost_for_long():
    is_found = np.ones(20, bool)
    is_found[[3, 9, 10, 11, 12]] = False
    scenes = split_scenes(is_found, np.arange(20) == 15, longest_gap=2)
    assert scenes == [slice(0, 9), slice(13, 15), slice(15, 20)]
    assert split_scenes(np.zeros(5, bool), np.zeros(5, bool), 2) == []
