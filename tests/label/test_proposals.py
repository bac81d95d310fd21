from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from marked import film, make_match

from tt_actions.clips.strokes import Stroke
from tt_actions.errors import UserError, VideoError
from tt_actions.label.marks import Mark, Name
from tt_actions.label.proposals import by_uncertainty, margin_of, propose, unmarked
from tt_actions.recognition.analysis import write_analysis
from tt_actions.recognition.stored_analysis import read_analysis
from tt_actions.recognition.unnamed import REMARK

STROKES = (
    Stroke("serve", 1.0, 2.0, 1.5, 0.6, "anna"),
    Stroke("smash", 1.5, 2.5, None, 0.9, "bert"),
    Stroke("forehand", 4.0, 5.0, 4.5, 0.5, "anna"),
)


@pytest.fixture
def match(tmp_path):
    """Strokes of two players, whose classes are certain to different degrees."""
    scores = np.zeros((2, 100, 5), np.float32)
    scores[..., 4] = 1
    scores[0, 10:20] = [0.6, 0.2, 0.1, 0.1, 0]
    scores[1, 15:25] = [0.1, 0, 0, 0.9, 0]
    scores[0, 40:50] = [0, 0.25, 0.2, 0.05, 0.5]  # half of it is idle, which is no class of a stroke
    return make_match(tmp_path / "match.mp4", STROKES, ("anna", "bert"), probabilities=scores)


def test_each_stroke_becomes_a_proposed_mark(match):
    sheet = propose(match)
    assert sheet.marks == {
        1: Mark(1, "anna", 1.0, 2.0, 1.5),
        2: Mark(2, "bert", 1.5, 2.5),
        3: Mark(3, "anna", 4.0, 5.0, 4.5),
    }
    assert [(name.label, name.confidence) for name in sheet.names.values()] == [
        ("serve", 0.6),
        ("smash", 0.9),
        ("forehand", 0.5),
    ]
    assert [name.margin for name in sheet.names.values()] == pytest.approx([0.4, 0.8, 0.1])
    assert (sheet.next_id, sheet.rois, sheet.revision) == (4, ((0, 0, 32, 32), (0, 0, 64, 32)), 0)


def test_a_stroke_that_ends_after_the_video_is_proposed_until_its_end(tmp_path):
    late = Stroke("serve", 9.0, 10.3, 10.1, 0.6, "anna")
    sheet = propose(make_match(tmp_path / "match.mp4", [late]))
    assert sheet.marks == {1: Mark(1, "anna", 9.0, 10.0, 10.0)}


def test_proposals_are_the_same_from_the_files_of_the_analysis(match, tmp_path):
    write_analysis(tmp_path / "out", match)
    stored, direct = propose(read_analysis(tmp_path / "out", match.video)), propose(match)
    assert (stored.marks, stored.rois, stored.players) == (direct.marks, direct.rois, direct.players)
    for number, name in direct.names.items():
        assert stored.names[number].margin == pytest.approx(name.margin, abs=2e-3)


def test_the_most_uncertain_comes_first_and_before_it_what_no_model_has_seen(match):
    sheet = propose(match)
    assert by_uncertainty(sheet) == [3, 1, 2]
    added = replace(sheet, marks=MappingProxyType({**sheet.marks, 9: Mark(9, "anna", 7.0, 8.0)}))
    assert by_uncertainty(added) == [9, 3, 1, 2]
    accepted = {**added.marks, 3: replace(added.marks[3], status="accepted", label="lob")}
    rejected = {**accepted, 1: replace(added.marks[1], status="rejected")}
    assert by_uncertainty(replace(added, marks=MappingProxyType(rejected))) == [9, 2]


def test_without_confidence_the_groups_take_turns():
    groups = "aabaacb"
    marks = {n: Mark(n, "anna", float(n), n + 0.5) for n in range(1, 8)}
    names = {n: Name(group) for n, group in enumerate(groups, 1)}
    sheet = replace(propose_nothing(), marks=MappingProxyType(marks), names=MappingProxyType(names))
    assert by_uncertainty(sheet) == [1, 3, 6, 2, 7, 4, 5]


def propose_nothing():
    from tt_actions.label.sheet import Sheet

    return Sheet(Path("a.mp4"), 10.0, ("anna",), (None,), ())


def test_unnamed_strokes_have_no_margin(tmp_path):
    stroke = Stroke("swing", 1.0, 2.0, player="anna")
    sheet = propose(make_match(tmp_path / "a.mp4", [stroke], class_names=("swing",)))
    assert sheet.names == {1: Name("swing", None, None)}


def test_letters_of_groups_are_names_but_no_classes(tmp_path):
    stroke = Stroke("A", 1.0, 2.0, player="anna")
    sheet = propose(make_match(tmp_path / "a.mp4", [stroke], class_names=("A",), remarks=(REMARK,)))
    assert (sheet.class_names, sheet.names) == ((), {1: Name("A", None, None)})


def test_a_confident_stroke_without_probabilities_counts_by_its_confidence(tmp_path):
    stroke = Stroke("serve", 1.0, 2.0, confidence=0.7, player="anna")
    assert propose(make_match(tmp_path / "a.mp4", [stroke])).names[1].margin == 0.7


def test_players_without_known_regions_share_the_frame(match):
    assert propose(replace(match, rois=())).rois == ((0, 0, 32, 32), (32, 0, 64, 32))


def test_a_video_can_be_marked_without_an_analysis(tmp_path):
    analysis = unmarked(film(tmp_path / "a.mp4", 3.0), ["anna", "bert"])
    sheet = propose(analysis)
    assert (sheet.duration_s, sheet.players, sheet.marks) == (3.0, ("anna", "bert"), {})
    assert sheet.rois == ((0, 0, 32, 32), (32, 0, 64, 32))
    with pytest.raises(VideoError):
        unmarked(tmp_path / "none.mp4")


def test_a_video_whose_name_no_manifest_can_hold_is_refused(match):
    with pytest.raises(UserError, match=r"written as UTF-8.*Rename"):
        propose(replace(match, video=Path("a\udcff.mp4")))


def test_the_margin_is_the_lead_of_the_first_class():
    assert margin_of(np.array([0.125, 0.5, 0.375])) == 0.125
