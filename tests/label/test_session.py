import json
import re
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from marked import CLASSES, draw_match, film, flatten, make_match, project

from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.strokes import Stroke
from tt_actions.errors import UserError
from tt_actions.label.proposals import unmarked
from tt_actions.label.session import LabelSession, StaleRevisionError
from tt_actions.recognition.unnamed import REMARK
from tt_actions.video.encoder import write_video

NUM = 20
LABELS = [CLASSES[number % 4] for number in range(NUM)]
STROKES = (
    Stroke("serve", 1.0, 2.0, 1.5, 0.6, "anna"),
    Stroke("smash", 1.5, 2.5, None, 0.9, "bert"),
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return draw_match(tmp_path_factory.mktemp("match") / "match.mp4", LABELS)


@pytest.fixture
def analysis(tmp_path):
    return make_match(tmp_path / "match.mp4", STROKES, ("anna", "bert"))


@pytest.fixture
def open_session(tmp_path):
    """Opens sessions on one file of marks; at the end, they are closed."""
    sessions = []

    def open_(*analyses):
        sessions.append(LabelSession(tmp_path / "marks.csv", analyses))
        return sessions[-1]

    yield open_
    for session in sessions:
        session.close()


def do(session, *actions, video=0):
    """Apply actions one after the other, and return the last state."""
    for action in actions:
        state = session.apply(video, action, session.state(video)["revision"])
    return state


def test_the_state_has_what_a_page_needs(open_session, analysis):
    session = open_session(analysis)
    assert session.videos == (analysis.video,)
    state = session.state(0)
    assert state == {
        "revision": 0,
        "name": "match.mp4",
        "duration_s": 10.0,
        "fps": 10.0,
        "class_names": list(CLASSES),
        "players": ["anna", "bert"],
        "marks": [
            {
                "id": 1,
                "player": "anna",
                "start_s": 1.0,
                "contact_s": 1.5,
                "end_s": 2.0,
                "label": None,
                "proposed_label": "serve",
                "confidence": 0.6,
                "status": "proposed",
                "hand": None,
            },
            {
                "id": 2,
                "player": "bert",
                "start_s": 1.5,
                "contact_s": None,
                "end_s": 2.5,
                "label": None,
                "proposed_label": "smash",
                "confidence": 0.9,
                "status": "proposed",
                "hand": None,
            },
        ],
        "order": [1, 2],
        "can_undo": False,
        "can_redo": False,
        "learning": {
            "history": [],
            "num_by_class": {},
            "wanted_class": None,
            "message": "The joints of the players are not known, so nothing is learnt from the marks.",
        },
    }
    assert json.loads(json.dumps(state, allow_nan=False)) == state


def test_every_action_changes_the_state_and_is_undone_and_redone(open_session, analysis):
    session = open_session(analysis)
    actions = [
        {"kind": "accept", "mark": 1},
        {"kind": "label", "mark": 1, "label": "drop shot"},
        {"kind": "reject", "mark": 2},
        {"kind": "move", "mark": 1, "start_s": 0.5, "contact_s": 1.25, "end_s": 2.5},
        {"kind": "split", "mark": 1, "time_s": 1.5},
        {"kind": "merge", "mark": 1, "other": 3},
        {"kind": "add", "player": "bert", "start_s": 5, "contact_s": 5.5, "end_s": 6, "label": "lob"},
        {"kind": "player", "mark": 4, "player": "anna"},
        {"kind": "hand", "mark": 4, "hand": "left"},
    ]
    states = [session.state(0), *(do(session, action) for action in actions)]
    final = states[-1]
    assert [(m["id"], m["label"], m["status"]) for m in final["marks"]] == [
        (1, "drop shot", "accepted"),
        (2, None, "rejected"),
        (4, "lob", "accepted"),
    ]
    assert final["class_names"] == [*CLASSES, "drop shot", "lob"]
    assert (final["order"], final["can_undo"], final["can_redo"]) == ([], True, False)
    assert final["learning"]["num_by_class"] == {"drop shot": 1, "lob": 1}
    for before in states[-2::-1]:
        state = do(session, {"kind": "undo"})
        assert (state["marks"], state["order"]) == (before["marks"], before["order"])
    assert (state["can_undo"], state["can_redo"], state["class_names"]) == (False, True, list(CLASSES))
    for after in states[1:]:
        state = do(session, {"kind": "redo"})
        assert (state["marks"], state["order"]) == (after["marks"], after["order"])
    for kind in ("redo", "undo"):
        if kind == "undo":
            do(session, *[{"kind": "undo"}] * 9)
        with pytest.raises(UserError, match=f"Expected a change to {kind}, but there is none"):
            do(session, {"kind": kind})


def test_two_windows_do_not_overwrite_each_other(open_session, analysis):
    session = open_session(analysis)
    first = session.apply(0, {"kind": "accept", "mark": 1}, 0)
    with pytest.raises(
        StaleRevisionError, match="on revision 1 of the marks, but got 0: they were changed in"
    ):
        session.apply(0, {"kind": "reject", "mark": 1}, 0)
    assert session.state(0) == first
    session.apply(0, {"kind": "reject", "mark": 1}, first["revision"])


def test_an_action_that_is_refused_or_changes_nothing_leaves_the_revision(open_session, analysis):
    session = open_session(analysis)
    with pytest.raises(UserError, match="Expected `kind`"):
        session.apply(0, {"kind": "explode"}, 0)
    assert session.apply(0, {"kind": "hand", "mark": 1, "hand": None}, 0)["revision"] == 0
    for action in (None, [], "undo"):
        with pytest.raises(UserError, match="Expected `kind`"):
            session.apply(0, action, 0)
    for video in (-1, 1, None, "0"):
        with pytest.raises(UserError, match=f"Expected `video` from 0 to 0, but got {video!r}"):
            session.state(video)


def test_one_goes_on_where_one_stopped_with_more_videos(open_session, analysis, tmp_path):
    session = open_session(analysis)
    before = do(session, {"kind": "accept", "mark": 1, "label": "lob"}, {"kind": "reject", "mark": 2})
    session.close()
    other = make_match(tmp_path / "other.mp4", [Stroke("smash", 3.0, 4.0, player="anna")])
    again = open_session(other, replace(analysis, strokes=()))
    assert again.state(1) == before
    state = do(again, {"kind": "accept", "mark": 1, "label": "lob"}, video=0)
    assert state["learning"]["num_by_class"] == {"lob": 2}
    assert do(again, {"kind": "undo"}, video=1)["can_redo"] is True
    again.close()
    assert [(row.path.name, row.label, row.player) for row in read_manifest(tmp_path / "marks.csv")] == [
        ("match.mp4", "lob", "anna"),
        ("other.mp4", "lob", "anna"),
    ]
    alone = open_session(other)  # the marks of the video that is not opened stay
    do(alone, {"kind": "hand", "mark": 1, "hand": "left"})
    assert [row.hand for row in read_manifest(tmp_path / "marks.csv")] == [None, "left"]
    assert alone.state(0)["class_names"] == [*CLASSES, "lob"]


NAMES = (
    " a.mp4",
    "a .mp4 ",
    "a,b.mp4",
    "'a' \"b\".mp4",
    "a\nb.mp4",
    "#1 100%.mp4",
    "\u7403 \u0161\u0430.mp4",
)


def test_marks_of_videos_with_odd_names_are_found_again(open_session, tmp_path):
    matches = [make_match(tmp_path / "a.mp4", STROKES[:1]) for _ in NAMES]
    matches = [replace(match, video=tmp_path / name) for match, name in zip(matches, NAMES, strict=True)]
    for match in matches:
        shutil.copy(tmp_path / "a.mp4", match.video)
    session = open_session(*matches)
    for number in range(len(NAMES)):
        do(session, {"kind": "accept", "mark": 1, "label": "lob"}, video=number)
    session.close()
    assert [row.path for row in read_manifest(tmp_path / "marks.csv")] == [tmp_path / name for name in NAMES]
    again = open_session(*matches)
    assert [again.state(number)["marks"][0]["label"] for number in range(len(NAMES))] == ["lob"] * len(NAMES)


def test_a_moved_or_renamed_video_keeps_its_marks(open_session, analysis, tmp_path):
    session = open_session(analysis)
    before = do(session, {"kind": "accept", "mark": 1, "label": "lob"})
    session.close()
    (tmp_path / "far").mkdir()
    new = analysis.video.rename(tmp_path / "far" / "final.mp4")
    line = f"'{new}' is the video that was marked as '{analysis.video}'; its marks in "
    for is_new in (True, False):  # it is known from then on
        session = open_session(replace(analysis, video=new))
        assert [remark.startswith(line) for remark in session.remarks] == [True] * is_new
        assert session.state(0) == {**before, "name": "final.mp4"}
        assert [row.path for row in read_manifest(tmp_path / "marks.csv")] == [new]
        session.close()
    assert do(open_session(replace(analysis, video=new)), {"kind": "undo"})["order"] == [1, 2]


def test_a_copy_of_a_video_has_marks_of_its_own(open_session, analysis, tmp_path):
    session = open_session(analysis)
    do(session, {"kind": "accept", "mark": 1, "label": "lob"})
    session.close()
    copy = Path(shutil.copy(analysis.video, tmp_path / "copy.mp4"))
    session = open_session(replace(analysis, video=copy))
    assert session.remarks == []
    assert session.state(0)["order"] == [1, 2]


def test_another_video_in_place_of_a_marked_one_is_reported(open_session, analysis, tmp_path):
    session = open_session(analysis)
    do(session, {"kind": "reject", "mark": 1})
    session.close()
    (tmp_path / "far").mkdir()
    analysis.video.unlink()
    other = make_match(tmp_path / "far" / "match.mp4", STROKES, ("anna", "bert"), duration_s=9.9)
    with pytest.raises(UserError, match=r"no such file, and '.*far/match.mp4' has the same name and length"):
        open_session(other)
    longer = make_match(tmp_path / "far" / "match.mp4", STROKES, ("anna", "bert"), duration_s=12)
    assert open_session(longer).remarks == []  # it has nothing to do with the marked one


def test_another_video_of_the_same_name_place_and_length_is_reported(open_session, analysis):
    session = open_session(analysis)
    do(session, {"kind": "reject", "mark": 1})
    session.close()
    write_video(analysis.video, np.full((100, 32, 64, 3), 20, np.uint8), fps=10)
    session = open_session(replace(analysis, strokes=STROKES[1:]))
    (remark,) = session.remarks
    assert "match.mp4' has another content than when its marks" in remark
    assert len(session.state(0)["marks"]) == 2


def test_a_log_of_an_earlier_version_finds_a_moved_video_by_name_and_length(open_session, analysis, tmp_path):
    session = open_session(analysis)
    do(session, {"kind": "accept", "mark": 1, "label": "lob"})
    session.close()
    log = tmp_path / "marks.csv.log"
    log.write_text(re.sub(r'"content":"\w+",', "", log.read_text()))
    (tmp_path / "far").mkdir()
    new = analysis.video.rename(tmp_path / "far" / "match.mp4")
    assert open_session(replace(analysis, video=new)).state(0)["marks"][0]["label"] == "lob"


def test_a_second_session_on_the_same_marks_is_refused(open_session, analysis):
    open_session(analysis)
    with pytest.raises(UserError, match="but another one does"):
        open_session(analysis)


def test_a_list_of_videos_that_makes_no_sense_is_refused(open_session, analysis):
    with pytest.raises(UserError, match=r"each only once, but got '.*match\.mp4' twice"):
        open_session(analysis, analysis)
    with pytest.raises(UserError, match="but got none"):
        open_session()
    open_session(analysis)  # nothing is locked


def test_a_session_without_joints_says_why_it_learns_nothing(open_session, tmp_path):
    session = open_session(unmarked(film(tmp_path / "a.mp4", 4.0)))
    state = do(session, {"kind": "add", "player": "player", "start_s": 1, "end_s": 2, "label": "lob"})
    assert state["class_names"] == ["lob"]
    with pytest.raises(UserError, match=r"Expected the joints .* Analyse the video with a model of joints"):
        session.train()


def test_marks_teach_the_names_of_the_others(open_session, drawn):
    session = open_session(drawn)
    assert session.state(0)["marks"][0]["proposed_label"] == "swing"
    assert session.state(0)["learning"]["message"] == "Mark some strokes of each class, then train."
    with pytest.raises(UserError, match=r"at least 4 accepted marks .* but got 0 of 0"):
        session.train()
    do(session, *({"kind": "accept", "mark": n + 1, "label": LABELS[n]} for n in range(12)))
    do(session, {"kind": "reject", "mark": 13})
    learning = session.train()
    state = session.state(0)
    assert state["learning"] == learning
    assert learning["history"][0]["num_marks"] == 12
    assert learning["num_by_class"] == dict.fromkeys(sorted(CLASSES), 3)
    assert learning["wanted_class"] == min(CLASSES)
    assert learning["message"].startswith("Learnt from 12 marks. A model of all others names")
    assert re.search(r"names \d+% of them correctly \(95 % interval: \d+% to \d+%\)\.", learning["message"])
    assert "Next, mark more strokes of backhand: 3 so far" in learning["message"]
    others = state["marks"][13:]
    right = [mark["proposed_label"] == label for mark, label in zip(others, LABELS[13:], strict=True)]
    assert np.mean(right) >= 0.7
    assert all(mark["label"] is None and 0 < mark["confidence"] < 1 for mark in others)
    assert state["revision"] == 14  # the names are a change too
    with pytest.raises(StaleRevisionError):
        session.apply(0, {"kind": "accept", "mark": 14}, 13)
    assert do(session, {"kind": "accept", "mark": 14})["marks"][13]["label"] == others[0]["proposed_label"]
    session.close()
    again = open_session(drawn)
    found = again.state(0)
    assert found["marks"][14:] == state["marks"][14:]
    assert found["learning"]["history"] == learning["history"]
    assert found["learning"]["message"].startswith("The last training was on 12 marks")


def test_joints_in_the_image_only_teach_too(open_session, drawn):
    """Those of a user's own pose model, which knows no depth."""
    session = open_session(flatten(drawn))
    do(session, *({"kind": "accept", "mark": n + 1, "label": LABELS[n]} for n in range(12)))
    assert session.train()["history"][0]["num_marks"] == 12
    others = session.state(0)["marks"][12:]
    right = [mark["proposed_label"] == label for mark, label in zip(others, LABELS[12:], strict=True)]
    assert np.mean(right) >= 0.7


def test_joints_with_and_without_depth_teach_together(open_session, drawn, tmp_path):
    other = flatten(draw_match(tmp_path / "other.mp4", LABELS[:8], players=range(50, 58)))
    session = open_session(project(drawn), other)
    do(session, *({"kind": "accept", "mark": n + 1, "label": LABELS[n]} for n in range(12)))
    do(session, {"kind": "accept", "mark": 1, "label": LABELS[0]}, video=1)
    assert session.train()["history"][0]["num_marks"] == 13
    assert {mark["proposed_label"] for mark in session.state(1)["marks"][1:]} <= set(CLASSES)


def test_the_order_after_a_training_begins_with_the_most_uncertain(open_session, drawn):
    session = open_session(drawn)
    do(session, *({"kind": "accept", "mark": n + 1, "label": LABELS[n]} for n in range(8)))
    session.train()
    state = session.state(0)
    confidences = {mark["id"]: mark["confidence"] for mark in state["marks"]}
    assert sorted(state["order"]) == list(range(9, NUM + 1))
    first, last = confidences[state["order"][0]], confidences[state["order"][-1]]
    assert first < last == pytest.approx(max(confidences[n] for n in state["order"]), abs=0.1)


def test_all_videos_teach_together_and_a_mark_without_joints_is_counted(open_session, drawn, tmp_path):
    other = draw_match(tmp_path / "other.mp4", LABELS[:4], players=range(50, 54))
    session = open_session(drawn, other)
    do(session, *({"kind": "accept", "mark": n + 1, "label": LABELS[n]} for n in range(12)))
    do(session, {"kind": "accept", "mark": 1, "label": LABELS[0]}, video=1)
    do(session, {"kind": "add", "player": "anna", "start_s": 0, "end_s": 0.05, "label": "lob"}, video=1)
    learning = session.train()
    assert learning["history"][-1]["num_marks"] == 13
    assert "Of 1 more marks the joints are unknown." in learning["message"]
    assert session.state(1)["marks"][-1]["proposed_label"] in CLASSES


def test_one_can_mark_while_it_learns(open_session, drawn):
    session = open_session(drawn)
    do(session, *({"kind": "accept", "mark": n + 1, "label": LABELS[n]} for n in range(12)))
    thread = threading.Thread(target=session.train)
    thread.start()
    revision = session.state(0)["revision"]
    for number in range(13, NUM + 1):  # also when it has just named them
        revision = session.apply(0, {"kind": "reject", "mark": number}, revision)["revision"]
        time.sleep(0.01)
    thread.join()
    state = session.state(0)
    assert sum(mark["status"] == "rejected" for mark in state["marks"]) == NUM - 12
    assert len(state["learning"]["history"]) == 1
    assert state["revision"] == NUM + 1


@pytest.mark.parametrize(
    "action",
    [
        {"kind": "accept", "mark": 14, "label": "lob"},
        {"kind": "reject", "mark": 14},
        {"kind": "label", "mark": 1, "label": "lob"},
        {"kind": "hand", "mark": 14, "hand": "left"},
        {"kind": "undo"},
    ],
    ids=lambda action: action["kind"],
)
def test_an_action_from_before_a_training_counts(open_session, drawn, action):
    session = open_session(drawn)
    before = do(session, *({"kind": "accept", "mark": n + 1, "label": LABELS[n]} for n in range(12)))
    session.train()
    expected = do(session, action)["marks"]
    do(session, {"kind": "redo" if action["kind"] == "undo" else "undo"})
    session.train()
    now = session.state(0)["revision"]
    assert session.apply(0, action, now - 1)["marks"] == expected
    with pytest.raises(StaleRevisionError):  # but not one from before another decision
        session.apply(0, action, before["revision"])


@pytest.mark.parametrize(
    "action", [{"kind": "accept", "mark": 14}, {"kind": "group", "group": "swing", "label": "lob"}]
)
def test_an_action_on_names_from_before_a_training_does_not_count(open_session, drawn, action):
    session = open_session(drawn)
    before = do(session, *({"kind": "accept", "mark": n + 1, "label": LABELS[n]} for n in range(12)))
    session.train()
    with pytest.raises(StaleRevisionError, match="by a training"):
        session.apply(0, action, before["revision"])


def test_it_learns_two_hundred_marks_in_a_few_seconds(open_session, drawn):
    session = open_session(drawn)
    rng = np.random.default_rng(0)
    times = [(s.start_s, s.end_s, label) for s, label in zip(drawn.strokes, LABELS, strict=True)]
    for number in range(200):
        start_s, end_s, label = times[number % NUM]
        shift_s = float(rng.uniform(0, 0.1))
        times_s = {"start_s": start_s + shift_s, "end_s": end_s}
        do(session, {"kind": "add", "player": "anna", "label": label, **times_s})
    session.train()
    begin = time.perf_counter()
    assert session.train()["history"][-1]["num_marks"] == 200
    assert time.perf_counter() - begin < 20  # about two seconds on a free core


def test_a_group_is_named_at_once_and_stays_to_be_checked(open_session, tmp_path):
    strokes = [Stroke(letter, 2.0 * i, 2.0 * i + 1, player="anna") for i, letter in enumerate("ABAA")]
    session = open_session(
        make_match(tmp_path / "match.mp4", strokes, class_names=("A", "B"), remarks=(REMARK,))
    )
    assert session.state(0)["class_names"] == []
    do(session, {"kind": "reject", "mark": 4})
    state = do(session, {"kind": "group", "group": "A", "label": "forehand"})
    marks = [(1, "forehand", "proposed"), (2, None, "proposed"), (3, "forehand", "proposed")]
    assert [(m["id"], m["label"], m["status"]) for m in state["marks"]] == [*marks, (4, None, "rejected")]
    assert state["class_names"] == ["forehand"]
    state = do(
        session, {"kind": "accept", "mark": 1}, {"kind": "group", "group": "forehand", "label": "push"}
    )
    assert [m["label"] for m in state["marks"]] == ["forehand", None, "push", None]
    state = do(session, *[{"kind": "undo"}] * 3)
    assert [m["label"] for m in state["marks"]] == [None] * 4
    with pytest.raises(UserError, match="Expected `group` to be the name of a stroke to check, but got 'C'"):
        do(session, {"kind": "group", "group": "C", "label": "forehand"})


def test_a_training_renames_a_named_group(open_session, drawn):
    session = open_session(drawn)
    numbers = [mark["id"] for mark in session.state(0)["marks"]]
    do(session, {"kind": "group", "group": "swing", "label": "serve"})
    marked = list(zip(numbers, LABELS, strict=True))[: len(numbers) // 2]
    do(session, *({"kind": "accept", "mark": number, "label": label} for number, label in marked))
    session.train()
    left = [mark for mark in session.state(0)["marks"] if mark["status"] == "proposed"]
    assert left
    assert all(mark["label"] is None and mark["confidence"] is not None for mark in left)


def test_a_new_analysis_brings_new_proposals_until_something_is_decided(open_session, analysis, tmp_path):
    first = open_session(analysis)
    assert first.state(0)["players"] == ["anna", "bert"]
    first.close()
    later = (Stroke("lob", 3.0, 4.0, 3.5, 0.8, "carl"),)
    other = make_match(tmp_path / "match.mp4", later, ("carl",), ("lob",), duration_s=8.0)
    for _ in range(2):
        session = open_session(other)
        state = session.state(0)
        assert [(m["id"], m["start_s"], m["proposed_label"]) for m in state["marks"]] == [(1, 3.0, "lob")]
        assert (state["players"], state["duration_s"], session.remarks) == (["carl"], 8.0, [])
        session.close()
    session = open_session(other)
    do(session, {"kind": "accept", "mark": 1}, {"kind": "undo"})
    session.close()
    session = open_session(replace(other, strokes=()))
    assert len(session.state(0)["marks"]) == 1
    (remark,) = session.remarks
    assert "stay those of the analysis with which you began" in remark
    session.close()
    assert open_session(other).remarks == []  # the same analysis as before


def test_other_players_or_another_length_are_refused(open_session, analysis, tmp_path):
    session = open_session(analysis)
    do(session, {"kind": "reject", "mark": 1})
    session.close()
    with pytest.raises(UserError, match=r"players anna, bert, but got 10\.0 s and the players anna, carl"):
        open_session(make_match(tmp_path / "match.mp4", STROKES[:1], ("anna", "carl")))
    with pytest.raises(UserError, match=r"10\.0 s and the players anna, bert, but got 4\.0 s"):
        open_session(make_match(tmp_path / "match.mp4", STROKES[:1], ("anna", "bert"), duration_s=4.0))


def test_a_manifest_that_another_program_changes_is_not_overwritten(open_session, analysis, tmp_path):
    session = open_session(analysis)
    do(session, {"kind": "accept", "mark": 1, "label": "serve"})
    changed = (tmp_path / "marks.csv").read_text() + "extra.mp4" + "," * 12 + "\n"
    (tmp_path / "marks.csv").write_text(changed)
    with pytest.raises(UserError, match="it was changed since"):
        do(session, {"kind": "accept", "mark": 2, "label": "smash"})
    assert (tmp_path / "marks.csv").read_text() == changed
    (tmp_path / "marks.csv").unlink()
    do(session, {"kind": "hand", "mark": 2, "hand": "left"})
    assert (tmp_path / "marks.csv").read_text().count("match.mp4") == 2  # nothing was lost
