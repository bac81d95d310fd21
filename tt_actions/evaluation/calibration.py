"""Calibration: whether predicted probabilities match the accuracy, with error and reliability diagram."""

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tt_actions.errors import UserError
from tt_actions.evaluation.style import COLOURS, GREY, tidy


class CalibrationBins(NamedTuple):
    """Clips grouped by the confidence of their prediction, in M bins of equal width; empty bins are omitted.

    Shape:
        lower edge, number of clips, mean confidence and accuracy of each bin ``(<= M,)``.
    """

    edges: NDArray[np.float64]
    num_clips: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]


def calibration_bins(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], num_bins: int = 10
) -> CalibrationBins:
    """Group clips by the probability of their most likely class: section 2 of Guo et al. (2017).

    A bin includes its upper edge, but not its lower edge.

    Args:
        probabilities: Class probabilities of each clip.
        labels: True class of each clip.
        num_bins: Number of bins *M*.

    Shape:
        probabilities ``(N, K)``, labels ``(N,)``.

    Raises:
        ValueError: If there is no clip, a label is not a class index, or ``num_bins`` is below 1.
    """
    shape = probabilities.shape
    is_table = len(shape) == 2 and labels.shape == shape[:1] and len(labels) > 0
    if not is_table or labels.min() < 0 or labels.max() >= shape[1] or num_bins < 1:
        raise UserError(
            "Expected `probabilities` (N, K) of at least one clip, `labels` (N,) from 0 to K - 1 and "
            f"`num_bins` of at least 1, but got {shape}, {labels.shape} and {num_bins}. Remove clips "
            "without a label."
        )
    from sklearn.calibration import calibration_curve  # slow to import

    confidences, is_correct = probabilities.max(1), probabilities.argmax(1) == labels
    accuracy, confidence = calibration_curve(is_correct, confidences, pos_label=True, n_bins=num_bins)
    edges = np.linspace(0, 1, num_bins + 1)
    indices, num_clips = np.unique(np.searchsorted(edges[1:-1], confidences), return_counts=True)
    return CalibrationBins(edges[indices], num_clips, confidence, accuracy)


def expected_calibration_error(bins: CalibrationBins) -> float:
    """Return the mean gap between confidence and accuracy: equation 3 of Guo et al. (2017, arXiv:1706.04599).

    Args:
        bins: The result of :func:`calibration_bins`.

    >>> probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.8, 0.2]])
    >>> round(expected_calibration_error(calibration_bins(probabilities, np.array([0, 1, 1]))), 3)
    0.233
    """
    return float(np.average(np.abs(bins.confidence - bins.accuracy), weights=bins.num_clips))


def reliability_diagram(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], num_bins: int = 10
) -> Figure:
    """Draw accuracy against confidence, with the number of clips below and the expected calibration error.

    Args:
        probabilities: Class probabilities of each clip.
        labels: True class of each clip.
        num_bins: Number of bins.

    Shape:
        probabilities ``(N, K)``, labels ``(N,)``.

    Raises:
        ValueError: If there is no clip, a label is not a class index, or ``num_bins`` is below 1.
    """
    bins = calibration_bins(probabilities, labels, num_bins)
    figure = Figure(figsize=(4.6, 5.4), layout="constrained", dpi=150)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    edges = {"align": "edge", "width": 0.94 / num_bins}
    above.bar(bins.edges + 0.03 / num_bins, bins.accuracy, color=COLOURS[0], **edges)
    above.plot([0, 1], [0, 1], color=GREY, lw=1, ls=(0, (4, 3)), label="confidence = accuracy")
    above.plot(bins.confidence, bins.accuracy, "o", ms=6, color=COLOURS[1], mec="white",
               label="mean confidence of a bin")  # fmt: skip
    below.bar(bins.edges + 0.03 / num_bins, bins.num_clips, color="#B0B0B0", **edges)
    for axes in (above, below):
        tidy(axes)
    above.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    below.set(xlabel="confidence", ylabel="clips", xticks=np.linspace(0, 1, 6))
    figure.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=2)
    error = expected_calibration_error(bins)
    figure.suptitle(f"expected calibration error {error:.3f}, {len(labels)} clips", fontsize=11)
    return figure
