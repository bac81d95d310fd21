"""Durations and transitions of strokes, compared with counts by hand."""

import io

import numpy as np
import pytest
import torch

from tt_actions.clips.strokes import IDLE, STROKES, Stroke, frame_labels
from tt_actions.clips.timing import StrokeTiming, count_timing, default_timing

NAMES = ("forehand", "smash", IDLE)


def sequence(strokes, num_frames, fps=10):
    return frame_labels(strokes, np.arange(num_frames) / fps, NAMES, IDLE), strokes


def equal(one, other):
    np.testing.assert_equal(one.to_plain(), other.to_plain())


def test_counts_match_those_by_hand():
    first = [Stroke("forehand", 0.2, 0.5, 0.3), Stroke("forehand", 0.7, 1.2, 1.0), Stroke("smash", 1.2, 1.6)]
    second = [Stroke("smash", 0.0, 0.4, 0.1), Stroke("forehand", 0.6, 1.0)]
    timing = count_timing([sequence(first, 20), sequence(second, 10)], NAMES, 10)
    # idle 2, forehand 3, idle 2, forehand 5, smash 4, idle 4; smash 4, idle 2, forehand 4
    assert timing.frames.tolist() == [12, 8, 10]
    assert timing.initial.tolist() == [0, 1, 1]
    assert timing.transitions.tolist() == [[0, 1, 1], [0, 0, 2], [3, 0, 0]]
    assert timing.min_frames.tolist() == [3, 4, 2]
    assert timing.mean_frames.tolist() == [4, 4, 2]  # of complete segments
    np.testing.assert_allclose(timing.contact, [(1 / 3 + 3 / 5) / 2, 1 / 4, np.nan])


def test_touching_strokes_of_one_class_are_two_segments():
    timing = count_timing(
        [sequence([Stroke("smash", 0.1, 0.4), Stroke("smash", 0.4, 0.9), Stroke("smash", 1.1, 1.4)], 20)],
        NAMES,
        10,
    )
    assert timing.transitions[1].tolist() == [0, 1, 2]
    assert timing.mean_frames[1] == pytest.approx((3 + 5 + 3) / 3)


def test_a_stroke_between_two_frames_does_not_cut_idle_time():
    timing = count_timing([sequence([Stroke("smash", 0.41, 0.45), Stroke("smash", 1.0, 1.3)], 20)], NAMES, 10)
    assert timing.transitions.tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0]]


def test_frames_of_unknown_class_cut_segments_and_are_not_counted():
    labels = np.array([2, 2, 0, 0, 0, -100, -100, 0, 0, 2, 2, 1])
    timing = count_timing([(labels, [])], NAMES, 10)
    assert timing.frames.tolist() == [5, 1, 4]
    assert timing.transitions.tolist() == [[0, 0, 1], [0, 0, 0], [1, 1, 0]]
    assert timing.mean_frames[2] == 2
    default = default_timing(NAMES, 10)
    assert timing.mean_frames[0] == default.mean_frames[0]  # no forehand is complete
    assert timing.min_frames[1] == default.min_frames[1]


def test_a_few_short_segments_do_not_determine_the_minimum():
    lengths = [1, *[8] * 99]
    labels = np.concatenate([np.r_[[2] * 3, [0] * length] for length in lengths] + [np.array([2])])
    timing = count_timing([(labels, [])], NAMES, 10)
    assert timing.min_frames.tolist() == [8, 3, 3]


def test_without_sequences_lengths_are_the_defaults():
    timing = count_timing([(np.zeros(0, np.int64), [])], NAMES, 10)
    assert not timing.frames.any()
    assert timing.min_frames.tolist() == default_timing(NAMES, 10).min_frames.tolist()


def test_a_timing_is_restored_from_plain_types():
    timing = count_timing([sequence([Stroke("forehand", 0.2, 0.5, 0.3)], 20)], NAMES, 10)
    file = io.BytesIO()
    torch.save(timing.to_plain(), file)
    file.seek(0)
    equal(StrokeTiming.from_plain(torch.load(file, weights_only=True)), timing)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("frames", [1, 2]),
        ("frames", [1, 2, -1]),
        ("initial", [1, 2, float("nan")]),
        ("transitions", [[0, 1], [1, 0]]),
        ("min_frames", [0, 1, 1]),
        ("mean_frames", [1, 1, 1]),
        ("contact", [0.5, 1.5, None]),
        ("contact", [0.5]),
        ("fps", 0),
        ("class_names", ["a", "a", "b"]),
        ("class_names", ["a"]),
    ],
)
def test_an_impossible_timing_is_refused(field, value):
    plain = default_timing(NAMES, 10).to_plain()
    with pytest.raises(ValueError, match="Expected a timing with 2 or more classes"):
        StrokeTiming.from_plain(plain | {field: value})


@pytest.mark.parametrize("change", [{"speed": 1}, None])
def test_other_fields_are_refused(change):
    plain = default_timing(NAMES, 10).to_plain()
    plain = plain | change if change else {k: v for k, v in plain.items() if k != "fps"}
    with pytest.raises(ValueError, match=r"Expected a timing with class_names, contact, .*, but got "):
        StrokeTiming.from_plain(plain)


@pytest.mark.parametrize("fps", [1, 15, 59.94])
@pytest.mark.parametrize("names", [(*STROKES, IDLE), STROKES, ("serve", IDLE), (IDLE, "serve", "smash")])
def test_the_default_is_a_stationary_chain(names, fps):
    timing = default_timing(names, fps)
    moves = timing.transitions / 1000
    np.testing.assert_allclose(moves.sum(1), 1)
    assert not moves.diagonal().any()
    visits = timing.frames / timing.mean_frames
    np.testing.assert_allclose(visits @ moves, visits)
    is_idle = np.array([name == IDLE for name in names])
    assert (timing.min_frames == np.maximum(np.round(np.where(is_idle, 0.1, 0.3) * fps), 1)).all()
    if is_idle.any() and len(names) > 2:
        np.testing.assert_allclose(moves[~is_idle][:, is_idle], 0.8)


def test_the_default_of_one_class_is_refused():
    with pytest.raises(
        ValueError, match=r"Expected 2 or more classes and `fps` above 0, but got \['serve'\]"
    ):
        default_timing(["serve"], 10)
