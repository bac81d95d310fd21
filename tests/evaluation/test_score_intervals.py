"""Intervals of macro scores and of means over frames, against resamples that are drawn one by one."""

import dataclasses
import math

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from tt_actions.evaluation.clip_scores import measure
from tt_actions.evaluation.predictions import Predictions
from tt_actions.evaluation.score_intervals import RESAMPLED, ends_of, score_intervals
from tt_actions.evaluation.significance import varied_interval, wilson_interval

NUM_RESAMPLES = 2000


def predictions(num_clips=40, groups=()):
    rng = np.random.default_rng(2)
    labels = np.arange(num_clips) % 3
    probabilities = rng.dirichlet(np.ones(3), num_clips)
    probabilities[np.arange(num_clips), labels] += 0.4
    frames = tuple(rng.integers(0, 3, rng.integers(1, 9)) for _ in range(num_clips))
    names = tuple(map(str, range(num_clips)))
    return Predictions(("a", "b", "c"), names, labels, probabilities / 1.4, frames, 0.5, groups)


def drawn_one_by_one(clips, groups):
    """The scores of each resample, from repeated clips and with scikit-learn."""
    units = np.arange(len(clips.labels)) if not groups else np.unique(groups, return_inverse=True)[1]
    num_units = units.max() + 1
    draws = np.random.default_rng(0).multinomial(
        num_units, np.full(num_units, 1 / num_units), size=NUM_RESAMPLES
    )
    for draw in draws:
        own = np.repeat(np.arange(len(clips.labels)), draw[units])
        labels, predicted = clips.labels[own], clips.predicted[own]
        macro = precision_recall_fscore_support(labels, predicted, average="macro", zero_division=0)[:3]
        means = [
            np.mean([np.nanmean(values[own][labels == k]) for k in np.unique(labels)])
            for values in (clips.temporal_consistency, clips.frame_agreement)
        ]
        yield [*macro, *means]


@pytest.mark.parametrize("groups", [(), tuple(f"p{i % 7}" for i in range(40))])
def test_intervals_are_the_quantiles_of_resamples(groups):
    clips = predictions(groups=groups)
    expected = np.quantile(list(drawn_one_by_one(clips, groups)), [0.025, 0.975], axis=0)
    ends = score_intervals(clips)
    for name, interval in zip(RESAMPLED, expected.T, strict=True):
        assert [ends[end] for end in ends_of(name)] == pytest.approx(interval)
    measured = measure(clips)
    for name in RESAMPLED:
        low, high = (measured[end] for end in ends_of(name))
        assert low < measured[name] < high


def test_a_model_without_mistakes_has_no_interval_of_its_f1():
    clips = predictions()
    perfect = dataclasses.replace(clips, probabilities=np.eye(3)[clips.labels])
    assert math.isnan(score_intervals(perfect)["f1_low"])
    measured = measure(perfect)
    assert (measured["f1"], measured["f1_low"], measured["f1_high"]) == (1.0, None, None)
    assert measured["accuracy_low"] < 1  # the exact one


def test_groups_that_do_not_differ_have_the_interval_over_clips():
    right = np.array([1, 0] * 6)
    groups = [f"p{i // 2}" for i in range(12)]

    def share(counts):
        return counts @ right / counts.sum(1)

    assert varied_interval(share, 12, groups).tolist() == varied_interval(share, 12).tolist()
    assert not np.isnan(varied_interval(share, 12, groups)).any()


@pytest.mark.parametrize(("num_right", "num_clips"), [(0, 5), (5, 5), (1, 10), (60, 80)])
def test_wilsons_interval_is_that_of_scipy(num_right, num_clips):
    from scipy.stats import binomtest

    expected = binomtest(num_right, num_clips).proportion_ci(method="wilson")
    found = wilson_interval(num_right / num_clips, num_clips)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)
