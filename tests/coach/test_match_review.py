"""The strokes of a player in a match, from drawn joints: what is judged, what is skipped and what recurs."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn_motions import draw, see_landmarks, write

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.strokes import Stroke
from tt_actions.coach.coaches import OwnCoaches, ReferenceCoaches
from tt_actions.coach.match_command import choose_strokes, list_strokes
from tt_actions.coach.match_page import describe_outcomes, write_match_page
from tt_actions.coach.match_review import judge_match
from tt_actions.coach.match_tables import write_match_tables
from tt_actions.coach.reference_clips import ClipReader, list_references
from tt_actions.coach.references import FewReferencesError
from tt_actions.errors import UserError
from tt_actions.recognition.analysis import MatchAnalysis, PlayerMotion
from tt_actions.skeleton.layouts import NTU25
from tt_actions.sources.synthetic.motion import FPS

RIGHT_HANDED = [n for n in range(100, 140) if not draw("forehand", n).players[0].player.left_handed]
FAULTLESS, FAULTY = RIGHT_HANDED[:4], RIGHT_HANDED[4:7]
LOST, CUT = len(FAULTLESS) + len(FAULTY), len(FAULTLESS) + len(FAULTY) + 1


def make_match(motions, labels, folder):
    """An analysis of a match of these motions, one after the other, with a cut before each."""
    seen = [see_landmarks(motion, folder) for motion in motions]
    starts_s = np.cumsum([0, *(len(own.values) / FPS for own in seen)]).tolist()
    strokes = [
        Stroke(label, start_s, end_s, start_s + motion.strokes[0].contact_s, 0.9, "anna")
        for motion, label, start_s, end_s in zip(motions, labels, starts_s[:-1], starts_s[1:], strict=True)
    ]
    poses = np.concatenate([own.values for own in seen])[None]
    first = [round(start_s * FPS) for start_s in starts_s]
    num = poses.shape[1]
    is_new_scene = np.isin(np.arange(num), first)
    motion = PlayerMotion(poses, np.ones((1, num), np.float32), is_new_scene, 2.0)
    names = tuple(sorted({*labels}))
    frames = np.zeros((1, num, len(names)), np.float32)
    times_s = np.arange(num) / FPS
    video = Path("a <b> & c.mp4")
    args = (video, starts_s[-1], names, ("anna",), tuple(strokes), names, times_s, frames)
    return MatchAnalysis(*args, motion=motion)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    return ClipReader(JointPreprocessing("ntu25"), FrameCache(tmp_path_factory.mktemp("cache")), FPS)


@pytest.fixture(scope="module")
def match(tmp_path_factory):
    """Faultless forehands, some with the feet too close, one in which the player is lost, one cut off, and
    a smash."""
    motions = [draw("forehand", number) for number in FAULTLESS]
    motions += [draw("forehand", number, "narrow_stance", "large") for number in FAULTY]
    motions += [draw("forehand", number) for number in RIGHT_HANDED[7:9]] + [draw("smash", RIGHT_HANDED[9])]
    labels = ["forehand"] * (len(motions) - 1) + ["smash"]
    analysis = make_match(motions, labels, tmp_path_factory.mktemp("match"))
    lost, cut = analysis.strokes[LOST].contact_s, analysis.strokes[CUT].contact_s
    analysis.motion.poses[0, np.abs(analysis.times_s - lost) < 0.15] = np.nan
    analysis.motion.is_new_scene[np.searchsorted(analysis.times_s, cut - 0.05)] = True
    return analysis


@pytest.fixture(scope="module")
def coaches(tmp_path_factory, reader):
    folder = tmp_path_factory.mktemp("references")
    (folder / "forehand").mkdir()
    for number in range(30):
        write(folder / "forehand" / f"p{number}.npz", draw("forehand", number))
    return ReferenceCoaches(reader, *list_references(folder), ["forehand", "smash"], Path(__file__))


@pytest.fixture(scope="module")
def review(match, coaches):
    return judge_match(match, match.strokes, NTU25, lambda _: coaches)


def test_every_stroke_has_an_outcome(match, review):
    outcomes = [one.outcome for one in review.strokes]
    assert [one.stroke for one in review.strokes] == list(match.strokes)
    assert outcomes[LOST] == outcomes[CUT] == "skipped"
    assert f"in '{match.name} at 0:17', but no hand moves fast" in review.strokes[LOST].reason
    assert outcomes[-1] == "no references"
    assert outcomes[:4].count("nothing to correct") >= 3
    assert sum(review.count().values()) == len(match.strokes)
    assert review.count("smash") == dict.fromkeys(review.count(), 0) | {"no references": 1}
    assert "2 are skipped: cut off, or" in " ".join(describe_outcomes(review))


def test_a_stroke_is_judged_at_its_time_in_the_match(review):
    for one in review.strokes:
        if one.review is not None:
            stroke = one.review.stroke
            assert stroke.start_s + stroke.phases.contact / 120 == pytest.approx(one.contact_s, abs=0.2)


def test_what_several_strokes_share_recurs(review):
    first = review.recurring()[0]
    assert (first.label, first.kind) == ("forehand", "stance-")
    assert {review.strokes.index(one) for one in first.strokes} >= {4, 5, 6}
    counts = review.count("forehand")
    assert first.num_judged == counts["to correct"] + counts["nothing to correct"]
    assert first.finding.strength == max(
        f.strength for one in first.strokes for f in one.findings if f.kind == "stance-"
    )
    assert first.finding in first.worst.findings
    assert first.finding.advice == "Place the feet further apart"
    assert all(len(each.strokes) >= 2 for each in review.recurring())


def test_the_hand_that_plays_most_strokes_is_a_guess_that_is_told(match, coaches, review):
    assert review.hand == "right"
    assert any("That the right hand plays is a guess" in remark for remark in review.remarks)
    known = judge_match(match, match.strokes, NTU25, lambda _: coaches, "right")
    assert known.remarks == ()
    assert [one.outcome for one in known.strokes] == [one.outcome for one in review.strokes]
    other = judge_match(match, match.strokes, NTU25, lambda _: coaches, "left")
    assert other.count()["skipped"] + other.count()["unlike"] > 2 + review.count()["unlike"]


def test_tables_have_a_row_for_each_stroke_and_finding(review, tmp_path):
    write_match_tables(tmp_path, review)
    with (tmp_path / "findings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    told = json.loads((tmp_path / "findings.json").read_text())
    assert len(rows) == sum(max(1, len(one.findings)) for one in review.strokes)
    assert {int(row["stroke"]) for row in rows} == set(range(1, len(review.strokes) + 1))
    assert [row["finding"] for row in rows if row["finding"]] == [
        finding.sentence for one in review.strokes for finding in one.findings
    ]
    assert told["outcomes"] == review.count()
    assert told["recurring"][0]["kind"] == "stance-"
    assert told["recurring"][0]["num_strokes"] == len(review.recurring()[0].strokes)
    assert told["strokes"][LOST]["reason"] == review.strokes[LOST].reason
    assert told["references"] == review.references


def test_the_page_says_what_recurs_and_links_to_each_stroke(review, tmp_path, open_page):
    (best, *_) = choose_strokes(review)
    dot = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
    pictures = {best: dict.fromkeys(("backswing", "contact", "follow_through"), dot)}
    write_match_page(tmp_path, tmp_path.parent / "a <b> & c.mp4", review, pictures)
    page = open_page(tmp_path / "coach.html")
    assert page.inner_text("h1") == "a <b> & c.mp4: anna"
    first = page.inner_text("ol.findings li >> nth=0")
    num, judged = len(review.recurring()[0].strokes), review.recurring()[0].num_judged
    assert f"Place the feet further apart: {num} of {judged} strokes of class forehand" in first
    assert page.locator("article").count() == len(review.strokes)
    assert page.locator("article img").count() == 3
    assert page.locator("rect").count() == len(review.strokes)
    assert review.references["forehand"] in page.inner_text("main")
    assert "Not enough references of this class." in page.inner_text("main")
    inside = page.eval_on_selector_all("a[href^='#']", "all => all.map(a => a.getAttribute('href'))")
    assert inside
    assert all(page.locator(target).count() == 1 for target in inside)
    into = page.get_attribute("article >> nth=2 >> a", "href")
    assert into == f"../a%20%3Cb%3E%20%26%20c.mp4#t={review.strokes[2].contact_s - 1:.1f}"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_strokes_with_findings_get_pictures_after_the_closest_one(review):
    chosen = choose_strokes(review)
    scores = [one.review.score for one in review.strokes if one.outcome == "nothing to correct"]
    assert chosen[0].review.score == max(scores)
    assert set(chosen[1:]) == {one for one in review.strokes if one.findings}


def test_own_typical_strokes_are_references_but_never_of_themselves(tmp_path):
    motions = [draw("forehand", number) for number in RIGHT_HANDED[:9]]
    motions.append(draw("forehand", RIGHT_HANDED[9], "narrow_stance", "large"))
    match = make_match(motions, ["forehand"] * 10, tmp_path)
    opened = []

    def open_coaches(seen):
        opened.append(OwnCoaches(seen, "anna"))
        return opened[-1]

    review = judge_match(match, match.strokes, NTU25, open_coaches, "right")
    own = opened[-1]
    for one in review.strokes:
        compared = own.find(one.stroke).references.strokes
        assert len(compared) in (7, 8)
        near = [
            each
            for each in compared
            if match.duration_s and one.stroke.start_s <= each.start_s < one.stroke.end_s
        ]
        assert near == []
    assert {len(own.find(s).references.strokes) for s in match.strokes} == {7, 8}
    assert review.references["forehand"].startswith(
        "Compared with 8 strokes of class forehand of this match, the most typical of 10."
    )
    few = replace(match, strokes=match.strokes[:6])
    with pytest.raises(FewReferencesError, match=r"at least 7 complete strokes .* but got forehand 6\."):
        judge_match(few, few.strokes, NTU25, open_coaches, "right")


def test_a_match_without_strokes_gives_the_reasons(match):
    assert len(list_strokes(match, "smash")) == 1
    assert list_strokes(match, None) == list(match.strokes)
    num = len(match.strokes) - 1
    with pytest.raises(
        UserError, match=rf"class lob by 'anna' .* found only forehand {num}, smash 1\. Pass ano"
    ):
        list_strokes(match, "lob")
    nothing = replace(match, strokes=(), remarks=("anna is not found.", "No hand made a swing."))
    with pytest.raises(UserError, match=r"none\. Check .*\n  anna is not found\.\n  No hand made a swing\.$"):
        list_strokes(nothing, "lob")


def test_too_few_references_of_every_class_are_an_error(reader, tmp_path):
    (tmp_path / "forehand").mkdir()
    write(tmp_path / "forehand" / "one.npz", draw("forehand", 1))
    with pytest.raises(FewReferencesError, match="at least 6 different reference strokes of 'forehand'"):
        ReferenceCoaches(reader, *list_references(tmp_path), ["forehand", "smash"], Path(__file__))
