import csv
import json
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from joint_match import move

from tt_actions.clips.strokes import Stroke
from tt_actions.errors import UserError
from tt_actions.recognition.analysis import MatchAnalysis, write_analysis
from tt_actions.recognition.stored_analysis import read_analysis

STROKES = (
    Stroke("forehand", 0.123, 0.5, 0.3, 0.75, "left"),
    Stroke("serve", 0.2, 0.9, None, None, "right"),
)


@pytest.fixture
def analysis():
    hands = np.array([np.sin(np.arange(40) / 4), np.full(40, np.nan)])
    found = move(hands, players=("left", "right"), strokes=STROKES, video=Path("/videos/match.mp4"))
    scores = np.random.default_rng(0).dirichlet([1, 1, 1], (2, 40)).astype(np.float32)
    rois = ((0, 0, 100, 200), None)
    return replace(found, probabilities=scores, remarks=("The video is damaged.",), rois=rois)


def test_what_is_read_is_what_was_written(tmp_path, analysis):
    write_analysis(tmp_path / "one", analysis)
    found = read_analysis(tmp_path / "one", analysis.video)
    for name in ("video", "class_names", "players", "strokes", "frame_classes", "remarks", "rois"):
        assert getattr(found, name) == getattr(analysis, name)
    assert found.duration_s == pytest.approx(analysis.duration_s, abs=1e-3)
    np.testing.assert_array_equal(found.times_s, analysis.times_s)
    np.testing.assert_allclose(found.probabilities, analysis.probabilities, atol=1e-3)
    np.testing.assert_allclose(found.motion.poses[..., :2], analysis.motion.poses[..., :2], atol=1 / 16)
    np.testing.assert_allclose(found.motion.poses[..., 2:], analysis.motion.poses[..., 2:], atol=1e-3)
    np.testing.assert_array_equal(found.motion.hand_speed, analysis.motion.hand_speed)
    assert found.motion.least_speed == analysis.motion.least_speed
    write_analysis(tmp_path / "two", found)
    for name in ("strokes.csv", "strokes.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    with np.load(tmp_path / "one/joints.npz") as one, np.load(tmp_path / "two/joints.npz") as two:
        for name in one.files:
            np.testing.assert_array_equal(one[name], two[name])


def test_an_analysis_of_frames_has_no_joints(tmp_path):
    nothing = MatchAnalysis(
        Path("a.mp4"),
        2.0,
        ("serve",),
        ("player",),
        (),
        ("serve", "idle"),
        np.arange(4) / 2,
        np.zeros((1, 4, 2)),
    )
    write_analysis(tmp_path, nothing)
    found = read_analysis(tmp_path)
    assert (found.video, found.motion, found.rois, found.strokes) == (Path("a.mp4"), None, (), ())


def test_strokes_that_a_user_edited_are_taken_as_they_are(tmp_path, analysis):
    write_analysis(tmp_path, analysis)
    rows = ["start_s,end_s,label,player", "1.0,1.2,slice, right", "0.5,0.75,serve,left"]
    (tmp_path / "strokes.csv").write_text("\n".join(rows))
    found = read_analysis(tmp_path)
    assert found.strokes == (
        Stroke("serve", 0.5, 0.75, player="left"),
        Stroke("slice", 1.0, 1.2, player="right"),
    )
    assert found.class_names == ("serve", "forehand", "slice")


@pytest.mark.parametrize("name", ["strokes.csv", "strokes.json", "frames.npz"])
def test_a_missing_file_is_reported(tmp_path, analysis, name):
    write_analysis(tmp_path, analysis)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"^Expected the results .* no file '{name}'.*again\.$"):
        read_analysis(tmp_path)


def test_a_file_or_a_folder_in_place_of_the_other_is_reported(tmp_path, analysis):
    write_analysis(tmp_path, analysis)
    with pytest.raises(FileNotFoundError, match=r"in '.*strokes\.csv', but there is no file 'strokes\.json'"):
        read_analysis(tmp_path / "strokes.csv")
    (tmp_path / "strokes.json").unlink()
    (tmp_path / "strokes.json").mkdir()
    with pytest.raises(OSError, match=r"Expected to read '.*strokes\.json', but got: Is a directory\. Check"):
        read_analysis(tmp_path)


@pytest.mark.parametrize("name", ["strokes.csv", "strokes.json", "frames.npz", "joints.npz"])
@pytest.mark.parametrize("kept", [0, 1, 30, 200, 1000])
def test_a_file_that_is_cut_off_is_reported_or_read(tmp_path, analysis, name, kept):
    write_analysis(tmp_path, analysis)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[:kept])
    if kept >= len(content):
        assert len(read_analysis(tmp_path).strokes) == 2
    else:
        with pytest.raises(UserError, match=rf"^Expected '.*{name}' as `analyze`.*but got: .*again\.$"):
            read_analysis(tmp_path)


def change_json(folder, **changes):
    path = folder / "strokes.json"
    facts = json.loads(path.read_text("utf-8"))
    facts |= changes
    path.write_text(json.dumps({name: value for name, value in facts.items() if value is not ...}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rois": ...}, "no 'rois'"),
        ({"rois": [None]}, "Expected `rois` of 2 players"),
        ({"rois": None}, "`rois` null, which is no list"),
        ({"rois": [[0, 0, 100], None]}, "Expected `roi` to be four whole numbers"),
        ({"rois": [[0, 0, 0, 200], None]}, "0 <= x0 < x1"),
        ({"rois": [[0, 0, float("nan"), 200], None]}, "four whole numbers"),
        ({"rois": ["0,0,100,200", None]}, 'a region "0,0,100,200", which is no list'),
        ({"duration_s": 0}, "`duration_s` 0, which is no positive number"),
        ({"duration_s": None}, "`duration_s` null, which is no positive number"),
        ({"duration_s": float("nan")}, "`duration_s` NaN, which is no positive number"),
        ({"duration_s": 10**400}, "too large"),
        ({"duration_s": "10"}, '`duration_s` "10", which is no positive number'),
        ({"players": ["left"]}, "the players left, right, but strokes.json has left"),
        ({"players": ["right", "left"]}, "the players left, right, but strokes.json has right, left"),
        ({"players": None}, "`players` null, which is no list of texts"),
        ({"players": "left"}, '`players` "left", which is no list of texts'),
        ({"players": [1, 2]}, r"`players` \[1, 2\], which is no list of texts"),
        ({"players": []}, "`players` without a name"),
        ({"players": ["left", "left"]}, "`players` left, left"),
        ({"class_names": None}, "`class_names` null, which is no list of texts"),
        ({"remarks": {}}, "`remarks` {}, which is no list of texts"),
        ({"video": None}, "`video` null, which is no name"),
    ],
)
def test_facts_that_do_not_fit_are_refused(tmp_path, analysis, changes, message):
    write_analysis(tmp_path, analysis)
    change_json(tmp_path, **changes)
    check_refusal(tmp_path, message)


def check_refusal(folder, message):
    """One line names the file, and says what came and what to do."""
    with pytest.raises(UserError, match=message) as refused:
        read_analysis(folder)
    assert "\n" not in str(refused.value)
    assert re.fullmatch(
        r"Expected '.*' as `analyze` of this version writes it, but got: .*\. Restore the file, or remove "
        r"the folder and analyse the match again\.",
        str(refused.value),
    )


@pytest.mark.parametrize("text", ["[" * 100_000, "null", "[]", '{"players": ', "\x00", '"' + "a" * 99])
def test_json_of_another_kind_is_refused(tmp_path, analysis, text):
    write_analysis(tmp_path, analysis)
    (tmp_path / "strokes.json").write_text(text)
    check_refusal(tmp_path, r"strokes\.json")


def change_arrays(path, **changes):
    with np.load(path) as arrays:
        content = dict(arrays) | changes
    np.savez(path, **{name: value for name, value in content.items() if value is not ...})


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("frames.npz", {"times_s": np.full(40, np.nan)}, "no ascending times"),
        ("frames.npz", {"times_s": np.arange(40.0)[::-1]}, "no ascending times"),
        ("frames.npz", {"times_s": np.zeros((40, 1))}, "no ascending times"),
        ("frames.npz", {"times_s": np.array(["soon"] * 40)}, "could not convert"),
        ("frames.npz", {"times_s": ...}, "times_s"),
        ("frames.npz", {"probabilities": np.zeros((2, 39, 3))}, r"shape \(2, 39, 3\) for 2 players, 40 fr"),
        ("frames.npz", {"probabilities": np.full((2, 40, 3), np.nan)}, "that are no numbers"),
        ("frames.npz", {"players": np.array(["anna", "bert"])}, "the players anna, bert, but"),
        ("joints.npz", {"times_s": np.arange(40) / 25}, "at other times than frames.npz has"),
        ("joints.npz", {"players": np.array(["right", "left"])}, "the players right, left, but"),
        ("joints.npz", {"points": np.zeros((2, 40, 17, 2))}, "dimension"),
        ("joints.npz", {"points": np.full((2, 40, 33, 2), np.inf)}, "joints at infinity"),
        ("joints.npz", {"world": np.zeros((2, 40, 33, 2))}, r"bodies of the shape \(33, 5\)"),
        ("joints.npz", {"is_new_scene": np.full(40, "no")}, "neither true nor false"),
        ("joints.npz", {"least_speed": np.nan}, "`least_speed` nan"),
        ("joints.npz", {"least_speed": ...}, "least_speed"),
        ("joints.npz", {"hand_speed": np.full((2, 40), "fast")}, "could not convert"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, analysis, name, changes, message):
    write_analysis(tmp_path, analysis)
    change_arrays(tmp_path / name, **changes)
    check_refusal(tmp_path, rf"{name}.*{message}")


@pytest.mark.parametrize("name", ["strokes.csv", "strokes.json", "frames.npz", "joints.npz"])
def test_a_file_with_damaged_bytes_is_refused_or_read(tmp_path, analysis, name):
    write_analysis(tmp_path, analysis)
    content = (tmp_path / name).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(content)
        for place in rng.integers(len(content), size=3):
            damaged[place] = rng.integers(256)
        (tmp_path / name).write_bytes(damaged)
        with suppress(UserError, OSError):
            read_analysis(tmp_path)


@pytest.mark.parametrize("confidence", ["nan", "1.5", "-0.1", "high"])
def test_a_confidence_that_is_none_is_refused(tmp_path, analysis, confidence):
    write_analysis(tmp_path, analysis)
    row = f"start_s,end_s,label,player,confidence\n0.5,0.75,serve,left,{confidence}\n"
    (tmp_path / "strokes.csv").write_text(row)
    check_refusal(tmp_path, r"strokes\.csv.*line 2: ")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,2,serve", "line 4: a stroke 'serve' of the player ''"),
        ("1,soon,serve,left", "line 4: could not convert"),
        ("2,1,serve,left", "line 4: Expected a stroke with"),
        ("1,2,,left", "line 4: a stroke ''"),
        ("nan,2,serve,left", "line 4: Expected a stroke with"),
        ("1,99,serve,left", "line 4: a stroke from 1 to 99 s; the video has 1.333 s"),
        ("1.4,1.5,serve,left", r"line 4: a stroke from 1\.4 to 1\.5 s; the video has 1.333 s"),
        ("1", "line 4: "),
    ],
)
def test_a_wrong_line_of_strokes_is_named(tmp_path, analysis, row, message):
    write_analysis(tmp_path, analysis)
    with (tmp_path / "strokes.csv").open(newline="") as file:
        cells = [[r["start_s"], r["end_s"], r["label"], r["player"]] for r in csv.DictReader(file)]
    lines = ["start_s,end_s,label,player", *map(",".join, cells), row]
    (tmp_path / "strokes.csv").write_text("\n".join(lines))
    with pytest.raises(UserError, match=message):
        read_analysis(tmp_path)


def test_joints_of_another_match_are_refused(tmp_path, analysis):
    write_analysis(tmp_path, analysis)
    write_analysis(tmp_path / "other", move(np.zeros((1, 9))))
    (tmp_path / "other/joints.npz").replace(tmp_path / "joints.npz")
    with pytest.raises(UserError, match=r"joints\.npz.*joints of .1, 9. players and images"):
        read_analysis(tmp_path)
