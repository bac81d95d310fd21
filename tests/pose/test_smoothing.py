import numpy as np
import pytest

from tt_actions.pose.smoothing import KERNEL, OneEuroFilter, smooth


def test_smoothing_is_a_convolution_that_ignores_what_is_missing():
    values = np.random.default_rng(0).normal(size=(30, 4, 3))
    inner = np.apply_along_axis(lambda column: np.convolve(column, KERNEL, "valid"), 0, values)
    assert smooth(values)[2:-2] == pytest.approx(inner)
    values[10] = np.nan
    smoothed = smooth(values)
    assert np.isnan(smoothed[10]).all()
    known = values[[7, 8, 9, 11]]
    assert smoothed[9] == pytest.approx(np.tensordot([1, 2, 3, 1], known, 1) / 7)


def test_a_constant_stays_and_jitter_at_rest_is_damped():
    steady = OneEuroFilter(30, min_cutoff=0.1, beta=10)
    assert [float(steady(np.array(3.0))) for _ in range(9)] == pytest.approx([3] * 9)
    noise = 1e-3 * np.random.default_rng(1).normal(size=300)
    filtered = np.array([steady(3 + value) for value in noise])
    assert filtered[50:].std() < 0.3 * noise.std()


def test_fast_motion_is_followed_without_delay():
    steady = OneEuroFilter(30, min_cutoff=0.1, beta=50)
    ramp = np.arange(60.0)
    filtered = np.array([float(steady(np.array(value))) for value in ramp])
    assert (ramp - filtered)[10:].max() < 0.1
