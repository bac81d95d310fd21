"""Where the marks of a video are that has another name now."""

import pytest
from marked import film, make_match

from tt_actions.clips.strokes import Stroke
from tt_actions.label.moved import find_marks
from tt_actions.label.session import LabelSession


@pytest.fixture
def labels(tmp_path):
    """A folder with the marks of two videos in one manifest."""
    (tmp_path / "labels").mkdir()
    strokes = [Stroke("serve", 1.0, 2.0, player="anna")]
    matches = [
        make_match(tmp_path / f"{name}.mp4", strokes, duration_s=5.0 + i) for i, name in enumerate("ab")
    ]
    LabelSession(tmp_path / "labels/a.csv", matches).close()
    return tmp_path / "labels"


def test_marks_are_found_by_the_path_of_any_of_their_videos(labels, tmp_path):
    assert find_marks(labels, tmp_path / "b.mp4") == labels / "a.csv"
    assert find_marks(labels, film(tmp_path / "c.mp4", 4.0)) is None
    assert find_marks(tmp_path / "none", tmp_path / "b.mp4") is None


def test_marks_of_a_renamed_video_are_found_by_its_content(labels, tmp_path):
    new = (tmp_path / "b.mp4").rename(tmp_path / "new.mp4")
    assert find_marks(labels, new) == labels / "a.csv"
    assert find_marks(labels, film(tmp_path / "c.mp4", 4.0)) is None


def test_a_renamed_video_is_found_by_the_content_of_its_last_analysis(labels, tmp_path):
    shorter = make_match(tmp_path / "b.mp4", [Stroke("serve", 1.5, 2.0, player="anna")], duration_s=4.0)
    LabelSession(labels / "a.csv", [shorter]).close()  # nothing was marked yet
    new = (tmp_path / "b.mp4").rename(tmp_path / "new.mp4")
    assert find_marks(labels, new) == labels / "a.csv"


def test_a_folder_with_the_name_of_a_log_is_none(labels, tmp_path):
    (labels / "a.csv.log").rename(labels / "c.csv.log")
    (labels / "a.csv.log").mkdir()  # the analysis of a.csv.log.mp4
    assert find_marks(labels, tmp_path / "b.mp4") == labels / "c.csv"


def test_a_damaged_log_is_named(labels, tmp_path):
    (labels / "a.csv.log").write_bytes(b'{"format":1}\n{"kind":"video"\n{"kind":"moved","video":7}\n\xff\n')
    with pytest.warns(UserWarning, match=r"A video in the log '.*a\.csv\.log' can't be read"):
        assert find_marks(labels, tmp_path / "b.mp4") is None
