"""A match of drawn players, analysed without a model on the command line."""

import json

import numpy as np
import pytest
from run_files import rows

from tt_actions.errors import UserError
from tt_actions.main import main
from tt_actions.match.results_folder import RESULT_FILES
from tt_actions.recognition.stroke_names import REMARK as NAMES_REMARK
from tt_actions.recognition.unnamed import REMARK
from tt_actions.video.info import probe


@pytest.fixture(scope="module")
def results(make_once, joint_film):
    """The result folder of the video, without a checkpoint."""

    def analyse(folder):
        with pytest.raises(SystemExit) as end:
            main(["analyze", str(joint_film / "match.mp4"), "--out", str(folder / "out")])
        assert end.value.code == 0

    return make_once("unnamed_results", analyse) / "out"


def test_strokes_are_found_at_their_time_and_have_letters(results, joint_film):
    clips = sorted((joint_film / "drawn").rglob("*.mp4"), key=lambda path: path.name.split("_")[1])
    ends_s = np.cumsum([probe(clip).duration_s for clip in clips])
    contacts_s = [float(row["contact_s"]) for row in rows(results / "strokes.csv")]
    played = np.searchsorted(ends_s, contacts_s).tolist()
    assert set(played) == {0, 1, 2, 3}
    assert len(played) <= 5
    assert {row["label"] for row in rows(results / "strokes.csv")} <= set("ABCDEFGH")
    assert {row["confidence"] for row in rows(results / "strokes.csv")} == {""}
    assert {path.name for path in results.iterdir()} == set(RESULT_FILES)


def test_the_page_says_why_the_strokes_have_no_names(results, open_page):
    page = open_page(results)
    assert REMARK in page.inner_text("body")
    page.focus("#scroller")
    page.keyboard.press("ArrowRight")
    assert page.locator("#pictures img").count() == 3
    assert "Confidence is the model's own estimate" not in page.inner_text("body")


def test_a_second_run_finds_the_results_there(results, joint_film, capsys):
    before = (results / "strokes.csv").stat().st_mtime_ns
    with pytest.raises(SystemExit):
        main(["analyze", str(joint_film / "match.mp4"), "--out", str(results)])
    assert "already analysed" in capsys.readouterr().out
    assert (results / "strokes.csv").stat().st_mtime_ns == before


@pytest.mark.parametrize("option", [("--crop", "motion"), ("--engine", "onnx")])
def test_options_of_a_model_need_one(joint_film, tmp_path, option):
    with pytest.raises(UserError, match=f"Expected `checkpoint` beside `{option[0][2:]}`, but got none"):
        main(["analyze", str(joint_film / "match.mp4"), "--out", str(tmp_path / "out"), *option])
    assert not (tmp_path / "out").exists()


def test_a_sport_names_the_strokes_with_a_remark(joint_film, tmp_path):
    words = [str(joint_film / "match.mp4"), "--out", str(tmp_path / "out"), "--no-video"]
    with pytest.raises(SystemExit) as end:
        main(["analyze", *words, "--sport", "table_tennis"])
    assert end.value.code == 0
    document = json.loads((tmp_path / "out" / "strokes.json").read_text("utf-8"))
    assert document["remarks"][0] == NAMES_REMARK
    assert set(document["class_names"]) == {"serve", "forehand", "backhand", "smash"}
    assert len(document["strokes"]) >= 3
    assert all(0 < stroke["confidence"] <= 1 for stroke in document["strokes"])


def test_a_sport_and_a_checkpoint_are_too_much(joint_film, joint_checkpoint, tmp_path):
    words = [str(joint_film / "match.mp4"), "--checkpoint", str(joint_checkpoint), "--sport", "tennis"]
    with pytest.raises(UserError, match="Expected either `checkpoint` or `sport`, but got both"):
        main(["analyze", *words, "--out", str(tmp_path / "out")])


def test_a_sport_needs_joints_in_space(joint_film, tmp_path):
    (tmp_path / "pose.onnx").touch()
    words = [str(joint_film / "match.mp4"), "--sport", "tennis", "--pose", f"onnx:{tmp_path / 'pose.onnx'}"]
    with pytest.raises(UserError, match=r"Expected `pose` blazepose with `sport`, .* Omit one of them"):
        main(["analyze", *words, "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
