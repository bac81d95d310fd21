import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_actions.errors import UserError
from tt_actions.label.actions import perform
from tt_actions.label.book import Book, apply_event, change_event, step_event, video_event
from tt_actions.label.marks import Mark, Name
from tt_actions.label.sheet import Sheet

BLANK = Sheet(
    Path("match.mp4"),
    10.0,
    ("anna", "bert"),
    ((0, 0, 10, 10), None),
    ("serve",),
    marks={1: Mark(1, "anna", 1.0, 2.0), 2: Mark(2, "bert", 1.5, 2.5, 2.0)},
    names={1: Name("serve", 0.75, 0.5), 2: Name("serve")},
    next_id=3,
)
times = st.integers(0, 40).map(lambda quarter: quarter / 4)
marks = st.integers(1, 8)
labels = st.sampled_from(["serve", "lob", "smash"])


def action(kind, **values):
    return st.fixed_dictionaries({"kind": st.just(kind), **values})


actions = st.one_of(
    action("accept", mark=marks),
    action("accept", mark=marks, label=labels),
    action("reject", mark=marks),
    action("label", mark=marks, label=labels),
    action("move", mark=marks, start_s=times),
    action("move", mark=marks, contact_s=st.none() | times, end_s=times),
    action("split", mark=marks, time_s=times),
    action("merge", mark=marks, other=marks),
    action(
        "add", player=st.sampled_from(["anna", "bert"]), start_s=times, end_s=times, label=labels | st.none()
    ),
    action("player", mark=marks, player=st.sampled_from(["anna", "bert"])),
    action("hand", mark=marks, hand=st.sampled_from(["left", "right", None])),
    action("undo"),
    action("redo"),
)


def events_of(sheet, words):
    """The events of the actions that can be done, and every sheet on the way."""
    book, events, sheets = Book((sheet,)), [], [sheet]
    for word in words:
        try:
            steps = word["kind"] in ("undo", "redo")
            event = step_event(0, word["kind"]) if steps else change_event(0, perform(book.sheets[0], word))
            if not steps and not event["marks"]:
                continue
            book = apply_event(book, event, Path())
        except UserError:
            continue
        events.append(event)
        sheets.append(book.sheets[0])
    return events, sheets


def content(sheet):
    """All that a person sees."""
    return dict(sheet.marks), dict(sheet.names)


@settings(max_examples=150, deadline=None)
@given(st.lists(actions, max_size=25))
def test_undo_and_redo_are_exact_inverses(words):
    _, sheets = events_of(BLANK, words)
    last = sheets[-1]
    back = last
    on_the_way = [content(back)]
    while back.past:
        assert back.undo().redo() == replace_revision(back, back.revision + 2)
        back = back.undo()
        on_the_way.append(content(back))
    assert content(back) == content(BLANK)
    while len(back.past) < len(last.past):
        assert content(back) == on_the_way.pop()
        back = back.redo()
    assert content(back) == content(last)


def replace_revision(sheet, revision):
    fields = {name: getattr(sheet, name) for name in sheet.__dataclass_fields__}
    return Sheet(**{**fields, "revision": revision, "decided": revision})


@settings(max_examples=100, deadline=None)
@given(st.lists(actions, max_size=25))
def test_marks_stay_valid_and_numbers_are_never_used_twice(words):
    _, sheets = events_of(BLANK, words)
    seen = {}
    for before, after in pairwise(sheets):
        assert after.revision == before.revision + 1
        new = after.marks.keys() - before.marks.keys()
        assert all(number >= before.next_id or number in seen for number in new)
        seen.update(before.marks)
        for number, mark in after.marks.items():
            assert (mark.id, mark.end_s <= 10, mark.player in BLANK.players) == (number, True, True)


@settings(max_examples=100, deadline=None)
@given(st.lists(actions, max_size=25))
def test_a_sheet_is_recovered_from_its_events_as_text(words):
    events, sheets = events_of(BLANK, words)
    book = Book()
    for event in [video_event(BLANK, Path()), *events]:
        book = apply_event(book, json.loads(json.dumps(event)), Path().absolute())
    fields = {name for name in BLANK.__dataclass_fields__ if name != "video"}
    assert {n: getattr(book.sheets[0], n) for n in fields} == {n: getattr(sheets[-1], n) for n in fields}
    assert book.sheets[0].video == Path().absolute() / "match.mp4"


def test_what_was_undone_is_forgotten_after_another_change():
    one = BLANK.change(perform(BLANK, {"kind": "reject", "mark": 1}))
    two = one.undo()
    three = two.change(perform(two, {"kind": "reject", "mark": 2}))
    assert (one.past, three.future) == (({1: BLANK.marks[1]},), ())
    with pytest.raises(UserError, match="redo, but there is none"):
        three.redo()
    with pytest.raises(UserError, match="undo, but there is none"):
        BLANK.undo()


def test_new_names_are_not_undone():
    sheet = BLANK.change(perform(BLANK, {"kind": "reject", "mark": 1})).rename({2: Name("lob", 0.5, 0.25)})
    assert sheet.undo().names == {1: BLANK.names[1], 2: Name("lob", 0.5, 0.25)}
    assert sheet.undo().marks == BLANK.marks
    assert sheet.revision == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({}, "Expected `kind` to be one of accept, reject, label, .* redo, but got None"),
        ({"kind": ["accept"]}, "Expected `kind`"),
        ({"kind": "accept"}, "Expected `mark` for the action 'accept', but got nothing"),
        ({"kind": "accept", "mark": 1, "lable": "a"}, "only `label` and `mark` for .* but got `lable`"),
        ({"kind": "accept", "mark": True}, "`mark` to be the number of a mark, but got True"),
        ({"kind": "accept", "mark": 9}, "one of 2 marks, but got 9"),
        ({"kind": "accept", "mark": 1, "label": 3}, "`label` to be a text, but got 3"),
        ({"kind": "label", "mark": 1, "label": None}, "class name"),
        ({"kind": "move", "mark": 1, "end_s": "3"}, "`end_s` to be a time in seconds, but got '3'"),
        ({"kind": "move", "mark": 1, "end_s": float("nan")}, "`end_s` to be a time"),
        ({"kind": "move", "mark": 1, "end_s": 10**400}, "`end_s` to be a time"),
        ({"kind": "move", "mark": 1, "start_s": None}, "`start_s` to be a time"),
        ({"kind": "add", "player": "carl", "start_s": 1, "end_s": 2}, "one of anna, bert, but got 'carl'"),
        ({"kind": "add", "player": "anna", "start_s": 9, "end_s": 11}, "within the 10 s"),
        ({"kind": "hand", "mark": 1, "hand": "both"}, "left or right"),
        ({"kind": "merge", "mark": 1, "other": 2}, "two marks of one player"),
    ],
)
def test_a_wrong_action_is_refused_with_a_reason(words, message):
    with pytest.raises(UserError, match=message):
        perform(BLANK, words)


def test_an_action_that_changes_nothing_is_no_change():
    assert perform(BLANK, {"kind": "player", "mark": 1, "player": "anna"}) == {}
    assert perform(BLANK, {"kind": "move", "mark": 1}) == {}


def test_an_added_mark_is_accepted_if_it_has_a_class():
    words = {"kind": "add", "player": "bert", "start_s": 3, "end_s": 4, "contact_s": 3.5}
    assert perform(BLANK, {**words, "label": "lob"}) == {3: Mark(3, "bert", 3.0, 4.0, 3.5, "lob", "accepted")}
    assert perform(BLANK, {**words, "label": None}) == {3: Mark(3, "bert", 3.0, 4.0, 3.5)}
