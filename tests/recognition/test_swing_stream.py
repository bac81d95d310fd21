"""Swings of joints that come one by one, against drawn contacts and the analysis of the whole."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from bodies import landmarks, recognizer

from tt_actions.clips.strokes import NO_STROKE
from tt_actions.errors import UserError
from tt_actions.recognition.joint_pipeline import StrokeReader
from tt_actions.recognition.swing_stream import SwingStream

SWINGS = [(1.5, "lift"), (3.6, "chop"), (5.2, "chop"), (7.7, "lift")]
SCENE = np.zeros(1000, bool)


@pytest.fixture(scope="module")
def reader():
    return StrokeReader(recognizer(), Path("drawn"), 30)


def follow(reader, times_s, poses, is_new_scene=SCENE, wait_s=0.4):
    """The strokes, each with the time at which it became known; at the end of the video, infinity."""
    stream = SwingStream(reader, wait_s)
    rows = zip(times_s, poses, is_new_scene[: len(times_s)], strict=True)
    found = [(time_s, each) for time_s, *row in rows for each in stream.push(time_s, *row)]
    found += [(np.inf, each) for each in stream.finish()]
    return [(known_s, each.stroke) for known_s, each in found]


@pytest.mark.parametrize("wait_s", [0.2, 0.4])
@pytest.mark.parametrize("fps", [15, 22, 30])
def test_each_swing_is_known_and_named_so_long_after_contact(reader, fps, wait_s):
    times_s = np.arange(9 * fps) / fps
    found = follow(reader, times_s, landmarks(times_s, SWINGS), wait_s=wait_s)
    assert [stroke.label for _, stroke in found] == [label for _, label in SWINGS]
    assert [stroke.contact_s for _, stroke in found] == pytest.approx([s for s, _ in SWINGS], abs=0.07)
    for known_s, stroke in found:
        assert wait_s - 1e-6 <= known_s - stroke.contact_s <= wait_s + 1 / fps + 0.04
        assert stroke.end_s <= known_s + 1 / 30 + 1e-6  # no later joints than were seen
        assert stroke.contact_s - stroke.start_s > 0.5
    assert all(a.end_s <= b.start_s + 1e-6 for (_, a), (_, b) in pairwise(found))


def test_the_strokes_are_those_of_the_whole(reader):
    times_s = np.arange(270) / 30
    poses = landmarks(times_s, SWINGS)
    whole = reader.read(poses, times_s, SCENE[:270]).strokes
    found = [stroke for _, stroke in follow(reader, times_s, poses)]
    assert [stroke.label for stroke in found] == [stroke.label for stroke in whole]
    assert [stroke.contact_s for stroke in found] == pytest.approx([stroke.contact_s for stroke in whole])


def test_swings_that_are_no_strokes_are_left_out():
    reader = StrokeReader(recognizer(("lift", NO_STROKE)), Path("drawn"), 30)
    times_s = np.arange(270) / 30
    poses = landmarks(times_s, SWINGS)
    lifts = [contact_s for contact_s, label in SWINGS if label == "lift"]
    whole = reader.read(poses, times_s, SCENE[:270])
    assert [stroke.contact_s for stroke in whole.strokes] == pytest.approx(lifts, abs=0.07)
    assert whole.num_others == len(SWINGS) - len(lifts)
    assert reader.class_names == ("lift",)
    assert all(each.scores.shape == (1,) for each in whole.scored)
    found = [stroke for _, stroke in follow(reader, times_s, poses)]
    assert [stroke.contact_s for stroke in found] == pytest.approx(lifts, abs=0.07)


def test_a_stroke_right_after_another_movement_is_found():
    reader = StrokeReader(recognizer(("lift", NO_STROKE)), Path("drawn"), 30)
    times_s = np.arange(180) / 30
    before, after = landmarks(times_s, [(2.0, "chop", 0.7)]), landmarks(times_s, [(2.6, "lift")])
    poses = np.where((times_s < 2.3)[:, None, None], before, after)
    found = [stroke.contact_s for _, stroke in follow(reader, times_s, poses)]
    assert found == pytest.approx([2.6], abs=0.07)


def test_a_cut_ends_the_scene_and_forgets_it(reader):
    times_s = np.arange(150) / 30
    poses = landmarks(times_s, [(2.0, "chop"), (2.6, "lift")])  # too near for one scene
    cut = np.arange(150) == 66
    before, after = landmarks(times_s, [(2.0, "chop")]), landmarks(times_s, [(2.6, "lift")])
    poses[:66], poses[66:] = before[:66], after[66:]
    (known_s, first), (_, second) = follow(reader, times_s, poses, cut)
    assert (first.label, second.label) == ("chop", "lift")
    assert known_s == pytest.approx(2.2)  # at the cut, before the wait is over
    assert first.end_s <= 2.2 + 1e-6 <= second.start_s + 2e-6


def test_a_player_who_is_lost_ends_the_scene(reader):
    times_s = np.arange(150) / 30
    poses = landmarks(times_s, [(2.0, "chop")])
    poses[65:] = np.nan
    ((known_s, stroke),) = follow(reader, times_s, poses)
    assert stroke.label == "chop"
    assert known_s == pytest.approx(2.4, abs=0.04)  # as always: nobody has to be seen for it
    poses = landmarks(times_s, [(2.0, "chop")])
    poses[70:74] = np.nan  # a short gap is bridged
    assert len(follow(reader, times_s, poses)) == 1


def test_of_two_peaks_within_the_wait_the_faster_counts(reader):
    times_s = np.arange(150) / 30
    found = follow(reader, times_s, landmarks(times_s, [(2.0, "lift", 0.7), (2.3, "lift", 1.3)]))
    assert [stroke.contact_s for _, stroke in found] == pytest.approx([2.3], abs=0.07)


def test_a_wait_in_which_no_peak_is_known_is_refused(reader):
    with pytest.raises(UserError, match=r"`lag` of at least 6 frames, 0.2 s.*, but got 3"):
        SwingStream(reader, 0.1)
