"""Calibration: a case counted by hand, an independent reference, and the diagram."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from tt_actions.evaluation.calibration import (
    calibration_bins,
    expected_calibration_error,
    reliability_diagram,
)


def test_the_error_of_five_clips_counted_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.35, 0.65], [0.25, 0.75], [0.55, 0.45]])
    labels = np.array([0, 1, 1, 0, 0])
    bins = calibration_bins(probabilities, labels, num_bins=5)
    np.testing.assert_allclose(bins.edges, [0.4, 0.6, 0.8])
    assert bins.num_clips.tolist() == [1, 3, 1]
    # (0.4, 0.6]: 0.55, right; (0.6, 0.8]: 0.7 wrong, 0.65 right, 0.75 wrong; (0.8, 1]: 0.9, right
    np.testing.assert_allclose(bins.confidence, [0.55, 0.7, 0.9])
    np.testing.assert_allclose(bins.accuracy, [1, 1 / 3, 1])
    assert expected_calibration_error(bins) == pytest.approx((0.45 + 3 * (0.7 - 1 / 3) + 0.1) / 5)


@pytest.mark.parametrize("num_bins", [1, 7, 15])
def test_the_error_is_that_of_torchmetrics(num_bins):
    rng = np.random.default_rng(num_bins)
    probabilities, labels = rng.dirichlet([0.5] * 4, 300), rng.integers(4, size=300)
    expected = multiclass_calibration_error(
        torch.from_numpy(probabilities), torch.from_numpy(labels), 4, num_bins
    )
    bins = calibration_bins(probabilities, labels, num_bins)
    assert expected_calibration_error(bins) == pytest.approx(expected.item(), abs=1e-6)


def test_a_bin_holds_its_upper_edge():
    probabilities = np.stack([np.arange(1, 11) / 10, 0.001 * np.ones(10)], 1)
    assert calibration_bins(probabilities, np.zeros(10, int)).num_clips.tolist() == [1] * 10


def test_the_diagram_shows_accuracy_and_number_of_clips_by_confidence():
    probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.35, 0.65]])
    figure = reliability_diagram(probabilities, np.array([0, 1, 1]), num_bins=5)
    figure.canvas.draw()
    above, below = figure.axes
    assert [bar.get_height() for bar in above.patches] == [0.5, 1]
    assert [bar.get_height() for bar in below.patches] == [2, 1]
    error = expected_calibration_error(calibration_bins(probabilities, np.array([0, 1, 1]), 5))
    assert figure.get_suptitle() == f"expected calibration error {error:.3f}, 3 clips"


@pytest.mark.parametrize(
    ("shape", "labels", "num_bins"),
    [((0, 2), [], 5), ((2, 2), [0, -1], 5), ((2, 2), [0, 2], 5), ((2, 2), [0], 5), ((1, 2), [0], 0)],
)
def test_what_is_no_prediction_is_refused(shape, labels, num_bins):
    with pytest.raises(ValueError, match=r"Expected `probabilities` \(N, K\) of at least one clip"):
        calibration_bins(np.full(shape, 0.5), np.array(labels, int), num_bins)
