from dataclasses import replace

import pytest

from tt_actions.errors import UserError
from tt_actions.label.marks import (
    Mark,
    accept,
    apply_change,
    find_mark,
    hold,
    invert,
    merge,
    move,
    reject,
    relabel,
    split,
)

MARK = Mark(3, "anna", 1.0, 2.0, 1.5)
OTHER = Mark(4, "anna", 2.5, 3.0, 2.75, "smash", "accepted", "left")


def test_a_mark_is_accepted_with_the_class_that_a_person_gave_chose_before_or_else_the_proposed_one():
    chosen = replace(MARK, label="lob")
    assert accept(MARK, " serve ", "smash") == {3: Mark(3, "anna", 1.0, 2.0, 1.5, "serve", "accepted")}
    assert accept(chosen, None, "smash")[3].label == "lob"
    assert accept(MARK, None, "smash")[3].label == "smash"
    with pytest.raises(UserError, match=r"Expected a `label` to accept mark 3, .* Choose a class"):
        accept(MARK, None)


@pytest.mark.parametrize("label", ["", "  ", "idle", "a\nb", "\ud800", "a\0"])
def test_what_is_no_class_name_is_refused(label):
    with pytest.raises(UserError, match="Expected `label` to be a class name in one line"):
        relabel(MARK, label)


def test_a_class_may_have_any_name():
    assert relabel(MARK, "拧拉 / chiquita (short)")[3].label == "拧拉 / chiquita (short)"
    assert relabel(OTHER, "lob") == {4: replace(OTHER, label="lob")}


def test_a_rejected_mark_can_be_accepted_again():
    rejected = reject(OTHER)[4]
    assert rejected == replace(OTHER, status="rejected")
    assert accept(rejected, None) == {4: OTHER}


def test_a_mark_is_divided_and_the_contact_stays_where_it_is():
    assert split(MARK, 1.75, 9) == {3: Mark(3, "anna", 1.0, 1.75, 1.5), 9: Mark(9, "anna", 1.75, 2.0)}
    assert split(MARK, 1.25, 9) == {3: Mark(3, "anna", 1.0, 1.25), 9: Mark(9, "anna", 1.25, 2.0, 1.5)}
    assert [part.label for part in split(OTHER, 2.6, 9).values()] == ["smash", "smash"]
    for time_s in (1.0, 2.0, 5.0):
        with pytest.raises(UserError, match="Expected `time_s` between 1 and 2 s, where mark 3 is"):
            split(MARK, time_s, 9)


def test_merged_marks_know_what_the_accepted_one_knows():
    joined = Mark(3, "anna", 1.0, 3.0, 2.75, "smash", "accepted", "left")
    assert merge(MARK, OTHER) == {3: joined, 4: None}
    assert merge(OTHER, MARK) == {4: replace(joined, id=4), 3: None}
    rejected = reject(OTHER)[4]
    assert merge(MARK, rejected)[3] == Mark(3, "anna", 1.0, 3.0, 1.5, "smash", "proposed", "left")


@pytest.mark.parametrize("other", [MARK, replace(OTHER, player="bert")])
def test_only_two_marks_of_one_player_are_merged(other):
    with pytest.raises(UserError, match="Expected two marks of one player"):
        merge(MARK, other)


def test_marks_are_moved_within_the_video():
    assert move(MARK, {"start_s": 0.5, "end_s": 4.0}, 4.0) == {3: Mark(3, "anna", 0.5, 4.0, 1.5)}
    assert move(MARK, {"contact_s": None}, 4.0) == {3: Mark(3, "anna", 1.0, 2.0)}
    with pytest.raises(UserError, match=r"within the 4 s of the video, but got 4\.5 s"):
        move(MARK, {"end_s": 4.5}, 4.0)
    for times_s in ({"start_s": 1.6}, {"end_s": 1.4}, {"start_s": -1.0}, {"contact_s": 3.0}):
        with pytest.raises(UserError, match="0 <= start <= contact <= end"):
            move(MARK, times_s, 4.0)


def test_the_hand_is_left_right_or_unknown():
    assert hold(MARK, "left")[3].hand == "left"
    assert hold(OTHER, None)[4].hand is None
    with pytest.raises(UserError, match="mark 3' to be left or right"):
        hold(MARK, "both")


def test_a_change_and_its_inverse():
    marks = {3: MARK, 4: OTHER}
    change = merge(MARK, OTHER)
    after = apply_change(marks, change)
    assert list(after) == [3]
    assert apply_change(after, invert(marks, change)) == marks
    assert find_mark(marks, 4) is OTHER
    with pytest.raises(UserError, match="one of 2 marks, but got 5"):
        find_mark(marks, 5)
