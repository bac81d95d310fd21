"""Metrics of timed strokes, each against an independent reference."""

import json
import math
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
import torch
from drawn_strokes import FPS, LABELS, NAMES, apart, drawn_strokes, named, recordings, same, shuffled, strokes
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import distributed, multiprocessing

from tt_actions.clips.dataset import NO_FRAME_LABEL
from tt_actions.clips.strokes import IDLE, Stroke
from tt_actions.evaluation.segment_metrics import (
    SegmentMetrics,
    count_correct_segments,
    edit_distance,
    edit_score,
    frame_metrics,
    measure_strokes,
    segment_f1,
)
from tt_actions.training.processes import leave_group

# Frames


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 1, 3, NO_FRAME_LABEL])), max_size=30))
def test_frames_equal_scikit_learn(pairs):
    import sklearn.metrics  # slow to import, and the processes below don't need it

    predicted, true = np.array(pairs, np.int64).reshape(-1, 2).T
    figures = frame_metrics(predicted, true, NAMES)
    known = true >= 0
    assert figures["num_frames"] == known.sum()
    if not known.any():
        assert math.isnan(figures["accuracy"])
        assert math.isnan(figures["mean_class_accuracy"])
        return
    assert figures["accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(true[known], predicted[known]))
    present = sorted(set(true[known].tolist()))
    recalls = sklearn.metrics.recall_score(
        true[known], predicted[known], labels=present, average=None, zero_division=0
    )
    assert figures["mean_class_accuracy"] == pytest.approx(recalls.mean())
    for c, name in enumerate(NAMES):
        value = figures["class_accuracy"][name]
        assert value == pytest.approx(recalls[present.index(c)]) if c in present else math.isnan(value)


def test_frames_counted_by_hand():
    figures = frame_metrics(np.array([0, 0, 3, 1, 3, 2]), np.array([0, 0, 0, 0, 3, -100]), NAMES)
    assert figures["accuracy"] == 3 / 5
    assert figures["class_accuracy"]["serve"] == 0.5
    assert figures["mean_class_accuracy"] == 0.75


# Order


@settings(deadline=None)
@given(st.lists(st.sampled_from(LABELS), max_size=6), st.lists(st.sampled_from(LABELS), max_size=6))
def test_edit_distance_is_that_of_its_recursive_definition(first, second):
    @cache
    def distance(i, j):
        if not i or not j:
            return i + j
        replaced = distance(i - 1, j - 1) + (first[i - 1] != second[j - 1])
        return min(replaced, distance(i - 1, j) + 1, distance(i, j - 1) + 1)

    assert edit_distance(first, second) == distance(len(first), len(second))


def test_edit_score_counted_by_hand():
    true = strokes([("serve", 0, 5), ("forehand", 10, 15), ("backhand", 20, 25), ("forehand", 30, 35)])
    predicted = strokes([("forehand", 31, 36), ("serve", 90, 95), ("backhand", 0, 5)])
    assert edit_score(predicted, true) == 1 / 4  # backhand forehand serve: one of four is in place
    assert edit_score(true[1:], true) == 3 / 4
    assert edit_score([], true) == 0
    assert edit_score(true, []) == 0
    assert edit_score([], []) == 1


# Segments


def published_counts(predicted, true, overlap):
    """The evaluation of Lea et al. 2017 and MS-TCN, step by step, on exact numbers: tp, fp, fn."""
    tp, fp, hits = 0, 0, [0] * len(true)
    for p_label, p_start, p_end in predicted:
        scores = []
        for y_label, y_start, y_end in true:
            intersection = min(p_end, y_end) - max(p_start, y_start)
            union = max(p_end, y_end) - min(p_start, y_start)
            scores.append(Fraction(intersection, union) * (p_label == y_label))
        best = max(range(len(scores)), key=lambda k: scores[k], default=None)
        if best is not None and scores[best] >= overlap and not hits[best]:
            tp += 1
            hits[best] = 1
        else:
            fp += 1
    return tp, fp, len(true) - sum(hits)


@settings(deadline=None)
@given(recordings, st.sampled_from([10, 25, 50]))
def test_f1_is_that_of_the_published_evaluation(drawn, percent):
    counts = np.zeros(3, int)
    for predicted, true in drawn:
        rows = [
            sorted((row[:3] for row in side), key=lambda r: (r[1], r[2], r[0])) for side in (predicted, true)
        ]
        counts += published_counts(*rows, Fraction(percent, 100))
    tp, fp, fn = counts.tolist()
    figures = segment_f1(*named(drawn), percent / 100)
    for value, part, whole in (
        (figures["precision"], tp, tp + fp),
        (figures["recall"], tp, tp + fn),
        (figures["f1"], 2 * tp, 2 * tp + fp + fn),
    ):
        assert value == pytest.approx(part / whole) if whole else math.isnan(value)


def test_f1_counted_by_hand():
    true = strokes([("serve", 0, 10), ("forehand", 20, 30), ("forehand", 40, 50)])
    predicted = strokes(
        [
            ("serve", 0, 5),  # a half: right at all three
            ("serve", 5, 10),  # the same once more: wrong
            ("backhand", 20, 30),  # another class
            ("forehand", 48, 58),  # 2 / 18: right at 0.1 alone
        ]
    )
    assert [tuple(count_correct_segments(predicted, true, o)) for o in (0.1, 0.25, 0.5)] == [
        (2, 4, 3),
        (1, 4, 3),
        (1, 4, 3),
    ]
    figures = segment_f1({"a": predicted, "b": []}, {"a": true, "b": true[:1]}, 0.1)
    assert figures == {"f1": 4 / 8, "precision": 2 / 4, "recall": 2 / 4}


def test_a_segment_whose_best_is_taken_is_wrong_though_it_overlaps_another():
    true = strokes([("serve", 0, 10), ("serve", 10, 20)])
    predicted = strokes([("serve", 0, 10), ("serve", 4, 12)])  # 6 / 12 of the first, 2 / 16 of the second
    assert count_correct_segments(predicted, true, 0.1).num_correct == 1


# All metrics together


@settings(deadline=None, max_examples=25)
@given(recordings, st.integers(0, 99))
def test_no_order_matters(drawn, seed):
    predicted, true = named(drawn)
    mixed = [
        {name: shuffled(side[name], seed) for name in shuffled(list(side), seed)}
        for side in (predicted, true)
    ]
    renamed = [{f"{9 - int(name[1:])}": side[name] for name in side} for side in (predicted, true)]
    figures = measure_strokes(predicted, true, NAMES, FPS)
    for other in (mixed, renamed):
        assert flat(measure_strokes(*other, NAMES, FPS)) == pytest.approx(flat(figures), nan_ok=True)


def flat(figures):
    """The metrics of all levels in one dict."""
    values = {}
    for key, value in figures.items():
        inner = flat(value) if isinstance(value, dict) else {"": value}
        values |= {f"{key}/{name}": number for name, number in inner.items()}
    return values


@settings(deadline=None, max_examples=40)
@given(st.lists(drawn_strokes.map(apart), min_size=1, max_size=3))
def test_the_truth_is_perfect(drawn):
    _, true = named([([], side) for side in drawn])
    figures = flat(measure_strokes(true, true, NAMES, FPS))
    shares = [value for name, value in figures.items() if not name.startswith("num_")]
    assert all(value == pytest.approx(1) or math.isnan(value) for value in shares)
    if any(drawn):
        assert figures["map/"] == pytest.approx(1)


def test_nothing_found_and_nothing_there():
    nothing, there = {"a": []}, {"a": strokes([("serve", 0, 10, 5)])}
    missed = flat(measure_strokes(nothing, there, NAMES, FPS))
    undefined = {key for key, value in missed.items() if math.isnan(value)}
    assert undefined == {
        *(f"f1/{overlap}/precision/" for overlap in ("0.10", "0.25", "0.50")),
        *(f"average_precision/{name}/" for name in ("forehand", "backhand")),
        "matched/precision/",
        "matched/class_accuracy/",
    }
    assert sum(missed[key] for key in missed.keys() - undefined) == 2  # one recording, one stroke
    invented = flat(measure_strokes(there, nothing, NAMES, FPS))
    assert math.isnan(invented["map/"])
    assert math.isnan(invented["spotting_map/4/"])
    assert invented["f1/0.50/f1/"] == invented["matched/precision/"] == invented["edit_score/"] == 0
    empty = flat(measure_strokes(nothing, nothing, NAMES, FPS))
    assert {key for key, value in empty.items() if value == 1} == {"num_recordings/", "edit_score/"}
    assert math.isnan(flat(measure_strokes({}, {}, NAMES, FPS))["edit_score/"])


def test_figures_are_plain_and_survive_json():
    predicted, true = draw_recordings(3)
    figures = measure_strokes(predicted, true, NAMES, FPS)
    assert flat(json.loads(json.dumps(figures))) == pytest.approx(flat(figures), nan_ok=True)


def test_what_does_not_fit_is_refused():
    serve = {"a": strokes([("serve", 0, 5)])}
    with pytest.raises(ValueError, match="the same recordings, but only one of them has b"):
        measure_strokes({"a": [], "b": []}, serve, NAMES, FPS)
    with pytest.raises(ValueError, match="Expected strokes of forehand, but got one of serve"):
        measure_strokes({"a": []}, serve, ["forehand", IDLE], FPS)
    with pytest.raises(ValueError, match="one of idle"):
        measure_strokes({"a": [replace(serve["a"][0], label=IDLE)]}, serve, NAMES, FPS)
    with pytest.raises(ValueError, match="`fps` to be positive, but got 0"):
        measure_strokes(serve, serve, NAMES, 0)


# Over batches and processes


def draw_recordings(num_recordings, seed=0):
    """True and predicted strokes of recordings: some are missed, some misclassified, all a bit off."""
    rng = np.random.default_rng(seed)
    predicted, true = {}, {}
    for name in (f"match {k}" for k in range(num_recordings)):
        starts = np.cumsum(rng.uniform(1, 2, rng.integers(0, 12)))
        true[name] = [Stroke(str(rng.choice(LABELS)), float(s), s + 0.8, s + 0.4) for s in starts.tolist()]
        predicted[name] = [
            Stroke(
                str(rng.choice(LABELS)) if rng.random() < 0.3 else there.label,
                there.start_s + rng.uniform(0, 0.2),
                there.end_s + rng.uniform(-0.1, 0.2),
                there.start_s + rng.uniform(0.3, 0.5),
                rng.random(),
            )
            for there in true[name]
            if rng.random() < 0.8
        ]
    return predicted, true


def batch_of(names, seed=0):
    """Arguments of an update, with the frames of each recording; the last recording has fewer."""
    predicted, true = draw_recordings(7)
    preds, target = torch.from_numpy(np.random.default_rng(seed).integers(0, 4, (2, 7, 20)))
    target[6, 12:] = NO_FRAME_LABEL
    rows = [int(name[6:]) for name in names]
    return names, [predicted[n] for n in names], [true[n] for n in names], preds[rows], target[rows]


ALL = [f"match {k}" for k in range(7)]


def gathered(*batches):
    metric = SegmentMetrics(NAMES, FPS)
    for names in batches:
        metric.update(*batch_of(names))
    return metric


def test_recordings_over_batches_are_those_measured_at_once():
    figures = gathered(ALL[:3], ALL[3:4], ALL[4:]).compute()
    _, _, _, preds, target = batch_of(ALL)
    frames = frame_metrics(preds.flatten().numpy(), target.flatten().numpy(), NAMES)
    same(figures, {**measure_strokes(*draw_recordings(7), NAMES, FPS), "frames": frames})
    assert frames["num_frames"] == 7 * 20 - 8
    assert 0 < figures["map"] < 1


def test_merged_states_are_one():
    first, second = gathered(ALL[:2]), gathered(ALL[2:5], ALL[5:])
    first.merge_state(second)
    assert flat(first.compute()) == pytest.approx(flat(gathered(ALL).compute()), nan_ok=True)


def test_a_repeated_recording_counts_once_and_one_without_name_never():
    metric = gathered(ALL, ALL[:2])
    _, *rest = batch_of(ALL[:1])
    metric.update([""], *rest)
    same(metric.compute(), gathered(ALL).compute())


def test_two_recordings_of_one_name_are_refused():
    metric = gathered(ALL)
    _, *rest = batch_of(ALL[1:2])
    metric.update(ALL[:1], *rest)
    with pytest.raises(ValueError, match="one recording called 'match 0', but got several"):
        metric.compute()


def test_reset_discards_the_batches_and_no_batch_gives_nan():
    metric = gathered(ALL)
    metric.reset()
    metric.update([], [], [], torch.zeros(0, 5), torch.zeros(0, 5))
    figures = metric.compute()
    assert figures["num_recordings"] == figures["frames"]["num_frames"] == 0
    assert math.isnan(figures["map"])


SPREAD = {
    "unevenly, one recording twice": ([ALL[:3], ALL[3:5]], [ALL[5:], ALL[:1]]),
    "nothing in the second": ([ALL], [[]]),
}


def compute_in_process(rank, folder):
    store, patience = f"file://{folder}/store", timedelta(minutes=1)
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2, timeout=patience)
    try:
        figures = {name: gathered(*batches[rank]).compute() for name, batches in SPREAD.items()}
    finally:
        leave_group()
    (folder / f"{rank}.json").write_text(json.dumps(figures))


def test_two_processes_equal_one_however_recordings_are_spread(tmp_path):
    second = multiprocessing.get_context("spawn").Process(target=compute_in_process, args=(1, tmp_path))
    second.start()
    compute_in_process(0, tmp_path)  # this process is the first: half as much to load
    second.join()
    expected = flat(gathered(ALL).compute())
    for rank in range(2):
        for figures in json.loads((tmp_path / f"{rank}.json").read_text()).values():
            assert flat(figures) == pytest.approx(expected, nan_ok=True)
