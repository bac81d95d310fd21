"""Strokes from per-frame probabilities: offline, and on a stream."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_actions.clips.strokes import IDLE, Stroke, frame_labels
from tt_actions.clips.timing import count_timing, default_timing, find_segments
from tt_actions.recognition.fixed_lag import FixedLagSegmenter
from tt_actions.recognition.segmenter import Segmenter
from tt_actions.recognition.state_chain import duration_chain

NAMES = ("forehand", "backhand", IDLE)
FPS = 10
TIMING = replace(default_timing(NAMES, FPS), contact=np.array([0.25, np.nan, np.nan]))


def follow_itself(timing):
    """A timing in which a forehand sometimes follows another immediately."""
    return replace(timing, transitions=timing.transitions + np.diag([100.0, 0, 0]))


def draw(num_frames, seed=0, noise=1.5):
    """Noisy log-probabilities of strokes and pauses, and the true classes."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.integers(0, 3, num_frames // 5 + 1), 5)[:num_frames]
    logits = 2.0 * np.eye(3)[labels] + noise * rng.standard_normal((num_frames, 3))
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True)), labels


def sure(labels, probability=0.9):
    p = np.full((len(labels), 3), (1 - probability) / 2)
    p[np.arange(len(labels)), labels] = probability
    return np.log(p)


def times(num_frames):
    return np.arange(num_frames) / FPS


def facts(strokes):
    return [(stroke.label, stroke.start_s, stroke.end_s, stroke.contact_s) for stroke in strokes]


def stream(segmenter, log_probs, lag, sizes=(1,)):
    """The strokes of a stream read in pieces, and how many frames had been read when each was found."""
    online, strokes, num_read, first = FixedLagSegmenter(segmenter, lag), [], [], 0
    while first < len(log_probs):
        last = first + sizes[first % len(sizes)]
        new = online.push(log_probs[first:last], times(len(log_probs))[first:last])
        strokes += new
        num_read += [min(last, len(log_probs))] * len(new)
        first = last
    return strokes + online.finish(), num_read


@pytest.mark.parametrize("method", ["hmm", "median", "argmax"])
def test_a_clear_stroke_is_found_with_its_contact(method):
    labels = np.repeat([2, 0, 2, 1, 2], [10, 9, 10, 8, 10])
    found = Segmenter(TIMING, method).segment(sure(labels), times(len(labels)))
    assert [stroke.label for stroke in found] == ["forehand", "backhand"]
    first = found[0]
    assert (first.start_s, first.end_s) == (pytest.approx(0.95), pytest.approx(1.85))
    assert first.contact_s == pytest.approx(0.95 + 0.25 * 0.9)
    assert found[1].contact_s is None
    assert 0.85 < first.confidence <= 1


def test_what_is_cut_from_a_timeline_is_found_there_again():
    strokes = [Stroke("forehand", 0.0, 0.72), Stroke("backhand", 1.33, 2.0), Stroke("forehand", 2.91, 4.04)]
    labels = frame_labels(strokes, times(60), NAMES, IDLE)
    for one, other in zip(strokes, Segmenter(TIMING).segment(sure(labels), times(60)), strict=True):
        assert one.label == other.label
        assert abs(one.start_s - other.start_s) <= 0.5 / FPS + 1e-9
        assert abs(one.end_s - other.end_s) <= 0.5 / FPS + 1e-9


def test_a_flicker_is_taken_out_by_all_but_argmax():
    labels = np.repeat([2, 0, 2, 1, 2], [10, 1, 10, 8, 10])
    found = {
        m: [s.label for s in Segmenter(TIMING, m).segment(sure(labels), times(39))]
        for m in ("argmax", "median", "hmm")
    }
    assert found == {"argmax": ["forehand", "backhand"], "median": ["backhand"], "hmm": ["backhand"]}


def test_an_empty_track_has_no_strokes():
    assert Segmenter(TIMING).segment(np.zeros((0, 3)), np.zeros(0)) == []
    assert FixedLagSegmenter(Segmenter(TIMING), 3).finish() == []


def test_durations_of_the_chain_are_those_that_were_counted():
    chain = duration_chain(TIMING)
    moves = np.exp(chain.transitions)
    np.testing.assert_allclose(moves.sum(1), 1)
    np.testing.assert_allclose(np.exp(chain.initial).sum(), 1)
    for c in range(3):
        inside = chain.classes == c
        stays = moves[np.ix_(inside, inside)]
        means = np.linalg.solve(np.eye(inside.sum()) - stays, np.ones(inside.sum()))
        assert means[0] == pytest.approx(TIMING.mean_frames[c])
        assert (~np.isneginf(chain.transitions[inside])).sum() == inside.sum() + 2  # on, again, two others


def test_what_was_counted_once_more_follows():
    timing = count_timing([(np.array([2, 0, 0, 2, 0, 0, 1, 2]), [])], NAMES, FPS)
    chain = duration_chain(timing)
    last = int(np.flatnonzero(chain.classes == 0)[-1])
    to_idle, to_backhand = (np.exp(chain.transitions[last, np.argmax(chain.classes == c)]) for c in (2, 1))
    assert to_idle / to_backhand == pytest.approx((1 + 1) / (1 + 1))
    assert timing.transitions[2].tolist() == [2, 0, 0]
    idle = int(np.flatnonzero(chain.classes == 2)[-1])
    ratio = np.exp(chain.transitions[idle, 0]) / np.exp(
        chain.transitions[idle, np.argmax(chain.classes == 1)]
    )
    assert ratio == pytest.approx(3)


seeds = st.integers(0, 10**6)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, num_frames=st.integers(1, 60), again=st.booleans(), lag=st.integers(0, 12))
def test_no_inner_stroke_is_shorter_than_the_shortest(seed, num_frames, again, lag):
    timing = follow_itself(TIMING) if again else TIMING
    segmenter = Segmenter(timing, scale=3.0)
    log_probs, _ = draw(num_frames, seed, noise=4.0)
    for strokes in (segmenter.segment(log_probs, times(num_frames)), stream(segmenter, log_probs, lag)[0]):
        for one, other in pairwise(strokes):
            assert one.end_s <= other.start_s + 1e-9
        for stroke in strokes:
            is_cut = stroke.start_s == 0 or stroke.end_s > times(num_frames)[-1]
            assert is_cut or stroke.end_s - stroke.start_s >= 0.3 - 1e-9
            assert 0 <= stroke.confidence <= 1


@settings(max_examples=30, deadline=None)
@given(seed=seeds, num_frames=st.integers(1, 60), sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_with_a_lag_of_the_whole_stream_it_is_viterbi(seed, num_frames, sizes):
    segmenter = Segmenter(follow_itself(TIMING))
    log_probs, _ = draw(num_frames, seed, noise=3.0)
    offline = segmenter.segment(log_probs, times(num_frames))
    online, _ = stream(segmenter, log_probs, num_frames, sizes)
    assert facts(online) == facts(offline)
    if online:
        assert online[-1].confidence == pytest.approx(offline[-1].confidence, abs=0.2)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, num_frames=st.integers(1, 80), lag=st.integers(0, 15))
def test_every_frame_is_decided_once_and_in_time(seed, num_frames, lag):
    timing = replace(
        TIMING, class_names=("forehand", "backhand", "smash")
    )  # no idle time: every frame is in a stroke
    log_probs, _ = draw(num_frames, seed, noise=3.0)
    strokes, num_read = stream(Segmenter(timing), log_probs, lag)
    ends = [0.0, *(stroke.end_s for stroke in strokes)]
    np.testing.assert_allclose([s.start_s for s in strokes], ends[:-1], atol=1e-9)
    assert ends[-1] == pytest.approx((num_frames - 0.5) / FPS)
    for stroke, num_frames_read in zip(strokes, num_read, strict=False):
        assert num_frames_read <= round(stroke.end_s * FPS + 0.5) + lag + 1


def test_a_longer_lag_is_never_far_from_viterbi_and_decides_sooner_than_it_may():
    log_probs, _ = draw(600, 3)
    segmenter = Segmenter(TIMING)
    offline = facts(segmenter.segment(log_probs, times(600)))
    assert facts(stream(segmenter, log_probs, 20)[0]) == offline
    strokes, num_read = stream(segmenter, log_probs, 600)
    assert facts(strokes) == offline
    waits = np.array(num_read) - np.array([round(s.end_s * FPS + 0.5) for s in strokes[: len(num_read)]])
    assert np.median(waits) < 10


def test_a_stream_needs_the_same_memory_however_long_it_is():
    online = FixedLagSegmenter(Segmenter(TIMING), 10)
    idle = np.log([[0.05, 0.05, 0.9]])
    for k in range(1000):
        online.push(idle, np.array([k / FPS]))
    assert len(online._survivors) <= 22
    assert len(online._recent) == online._memory < 100
    assert online.push(sure(np.zeros(9, int)), 100 + times(9)) == []
    (stroke,) = online.finish()
    assert (stroke.start_s, stroke.end_s) == (pytest.approx(99.95), pytest.approx(100.85))


def test_tracks_of_a_batch_are_segmented_like_each_alone():
    tracks, lengths = np.stack([draw(40, 1)[0], draw(40, 2)[0]]), np.array([40, 23])
    for method in ("hmm", "median", "argmax"):
        segmenter = Segmenter(TIMING, method)
        classes, posteriors = segmenter.classes(tracks, lengths), segmenter.posteriors(tracks, lengths)
        for track, n, c, p in zip(tracks, lengths, classes, posteriors, strict=True):
            np.testing.assert_array_equal(segmenter.classes(track[None, :n])[0], c[:n])
            np.testing.assert_allclose(segmenter.posteriors(track[None, :n])[0], p[:n])
            np.testing.assert_allclose(p[:n].sum(-1), 1)


def test_durations_and_order_find_more_than_frames_alone():
    log_probs, labels = draw(3000, 5, noise=2.0)
    right = {
        m: np.mean(Segmenter(TIMING, m).classes(log_probs[None])[0] == labels)
        for m in ("argmax", "median", "hmm")
    }
    assert right["hmm"] > right["argmax"] + 0.1
    assert right["median"] > right["argmax"]


def test_classes_that_training_saw_often_are_discounted():
    timing = replace(TIMING, frames=np.array([10.0, 10.0, 980.0]))
    unsure = np.log(np.tile([0.45, 0.05, 0.5], (12, 1)))
    assert (Segmenter(timing, prior_weight=0.0).classes(unsure[None]) == 2).all()
    assert (Segmenter(timing, prior_weight=1.0).classes(unsure[None]) == 0).all()


def test_the_chain_of_a_random_field_is_decoded_with_its_potentials():
    initial, transitions = np.array([0.0, -1.0, 0.5]), 2 * np.eye(3)
    segmenter = Segmenter(TIMING, "chain", initial=initial, transitions=transitions)
    scores = np.array([[0.0, 1, 0], [0, 0, 1], [0, 1, 0], [5, 0, 0]])

    def total(path):
        shown = sum(scores[t, s] for t, s in enumerate(path))
        return initial[path[0]] + shown + sum(transitions[path[:-1], path[1:]])

    best = max(np.ndindex(3, 3, 3, 3), key=lambda path: total(np.array(path)))
    assert tuple(segmenter.classes(scores[None])[0]) == best
    assert facts(stream(segmenter, scores, 4)[0]) == facts(segmenter.segment(scores, times(4)))
    segments = find_segments(np.array(best))
    assert len(segmenter.segment(scores, times(4))) == sum(NAMES[s.label] != IDLE for s in segments)


def test_a_probability_of_zero_forbids_nothing():
    labels = np.repeat([2, 0, 2], [10, 9, 10])
    with np.errstate(divide="ignore"):
        log_probs = np.log(np.eye(3)[labels])
    log_probs[14] = np.log([1e-9, 1.0, 1e-9])
    (stroke,) = Segmenter(TIMING).segment(log_probs, times(29))
    assert stroke.label == "forehand"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "best"}, "Expected `method` to be one of"),
        ({"scale": 0.0}, "Expected `scale` above 0"),
        ({"method": "chain"}, "Expected both `initial` and `transitions` with the method 'chain'"),
        (
            {"initial": np.zeros(3), "transitions": np.zeros((3, 3))},
            "with the method 'chain', and not with any other",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Segmenter(TIMING, **options)


def test_shapes_that_do_not_fit_are_refused():
    segmenter = Segmenter(TIMING)
    with pytest.raises(ValueError, match=r"Expected `log_probs` \(T, 3\) and `times_s` \(T,\), but got"):
        segmenter.segment(np.zeros((4, 2)), times(4))
    with pytest.raises(ValueError, match=r"`times_s` \(T,\), but got \(4, 3\) and \(5,\)\."):
        FixedLagSegmenter(segmenter, 2).push(np.zeros((4, 3)), times(5))
    with pytest.raises(ValueError, match=r"Expected `log_probs` \(B, T, 3\) of at least one frame"):
        segmenter.classes(np.zeros((4, 3)))
    with pytest.raises(
        ValueError, match="with method 'hmm' or 'chain' and a `lag` of at least 0, but got 'argmax'"
    ):
        FixedLagSegmenter(Segmenter(TIMING, "argmax"), 2)
