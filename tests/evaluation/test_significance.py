import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from tt_actions.evaluation.significance import accuracy_interval, bootstrap_interval, mcnemar


def test_bootstrap_is_that_of_a_loop_over_resamples():
    values = np.random.default_rng(1).normal(size=40)
    counts = np.random.default_rng(7).multinomial(40, [1 / 40] * 40, size=500)
    medians = [np.median(np.repeat(values, drawn)) for drawn in counts]

    def statistic(drawn):
        return np.array([np.median(np.repeat(values, row)) for row in drawn])

    interval = bootstrap_interval(statistic, 40, level=0.9, num_resamples=500, seed=7)
    assert interval == pytest.approx(np.quantile(medians, [0.05, 0.95]))


def test_bootstrap_of_a_share_is_about_the_normal_interval():
    right = np.arange(400) < 300
    low, high = bootstrap_interval(lambda counts: counts @ right / 400, 400)
    half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert low == pytest.approx(0.75 - half, abs=0.006)
    assert high == pytest.approx(0.75 + half, abs=0.006)


def test_bootstrap_repeats_itself_and_keeps_the_shape_of_its_values():
    values = np.random.default_rng(0).random((30, 6))

    def statistic(counts):
        return (counts @ values / 30).reshape(-1, 2, 3)

    interval = bootstrap_interval(statistic, 30)
    assert interval.shape == (2, 2, 3)
    assert np.array_equal(interval, bootstrap_interval(statistic, 30))
    assert (interval[0] < values.mean(0).reshape(2, 3)).all()
    assert (interval[1] > values.mean(0).reshape(2, 3)).all()


def test_bootstrap_leaves_out_what_a_resample_does_not_know():
    first = np.array([1.0, 0.0, 0.0])

    def statistic(counts):
        value = np.where(counts[:, 0] > 0, counts[:, 0], np.nan)  # of a class with one clip
        return np.column_stack([value / value, np.full(len(counts), np.nan), counts @ first])

    interval = bootstrap_interval(statistic, 3)
    assert interval[:, 0].tolist() == [1, 1]
    assert np.isnan(interval[:, 1]).all()
    assert interval[:, 2].tolist() == [0, 3]


def test_bootstrap_over_groups_draws_whole_groups():
    values = np.random.default_rng(1).random(40)
    groups = [f"player {i % 7}" for i in range(40)]
    names = sorted(set(groups))
    drawn = np.random.default_rng(0).multinomial(7, [1 / 7] * 7, size=2000)
    means = []
    for counts in drawn:
        chosen = np.concatenate(
            [
                values[[g == name for g in groups]]
                for name, n in zip(names, counts, strict=True)
                for _ in range(n)
            ]
        )
        means.append(chosen.mean())
    interval = bootstrap_interval(lambda counts: counts @ values / counts.sum(1), 40, groups=groups)
    assert interval == pytest.approx(np.quantile(means, [0.025, 0.975]))


def test_an_interval_over_groups_is_wider_where_players_differ():
    right = np.repeat([True, True, True, True, False, False, True, False, True, True], 20)
    groups = [f"player {i // 20}" for i in range(200)]
    (low, high), (alone_low, alone_high) = accuracy_interval(right, groups), accuracy_interval(right)
    assert high - low > 3 * (alone_high - alone_low)


def test_an_interval_has_some_width_where_the_bootstrap_can_not_vary():
    assert accuracy_interval(np.ones(13, bool)) == (pytest.approx(0.025 ** (1 / 13)), 1)
    assert accuracy_interval(np.zeros(13, bool)) == (0, pytest.approx(1 - 0.025 ** (1 / 13)))
    exact = binomtest(13, 13).proportion_ci(0.95, "exact")
    assert accuracy_interval(np.ones(13, bool)) == pytest.approx((exact.low, exact.high))
    groups = ["p", "q", "r"] * 4
    assert accuracy_interval(np.ones(12, bool), groups)[0] == pytest.approx(0.025 ** (1 / 3))
    alike = np.repeat([True, False, False, False], 3)  # one of four clips of each player
    assert accuracy_interval(alike, groups) == accuracy_interval(alike)
    assert np.isnan(accuracy_interval(alike, ["p"] * 12)).all()


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 5))
def test_mcnemar_is_the_exact_binomial_test(only_first, only_second, both):
    first = np.array([True] * only_first + [False] * only_second + [True] * both, bool)
    second = np.array([False] * only_first + [True] * only_second + [True] * both, bool)
    test = mcnemar(first, second)
    assert test[:2] == (only_first, only_second)
    different = only_first + only_second
    expected = binomtest(only_first, different).pvalue if different else 1
    assert test.p_value == pytest.approx(expected)
    assert mcnemar(second, first).p_value == test.p_value


def test_mcnemar_counted_by_hand():
    first = np.array([1, 1, 1, 1, 0, 1, 0]) == 1
    second = np.array([0, 0, 0, 0, 1, 1, 0]) == 1
    # of 5 clips that differ 4 to 1: 2 * (1 + 5) / 32
    assert mcnemar(first, second) == (4, 1, 0.375)


def test_mcnemar_of_many_clips_does_not_overflow():
    first = np.arange(5000) < 2600
    assert mcnemar(first, ~first).p_value == pytest.approx(binomtest(2400, 5000).pvalue)


def test_mcnemar_refuses_answers_on_other_clips():
    with pytest.raises(ValueError, match=r"same clips, but got shapes \(3,\) and \(4,\)"):
        mcnemar(np.ones(3, bool), np.ones(4, bool))
