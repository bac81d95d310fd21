"""Statistical significance of differences: bootstrap intervals and McNemar's test."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tt_actions.errors import UserError


def bootstrap_interval(
    statistic: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    num_clips: int,
    level: float = 0.95,
    num_resamples: int = 2000,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return the percentile bootstrap interval of a statistic over clips (Efron 1979).

    Clips are drawn with replacement, as if they were independent. Clips of one player resemble each other, so
    the true interval for new players is wider.

    Args:
        statistic: Function that gets how often each resample contains each clip, and returns the values of
            each resample. A value that is undefined in a resample is nan and doesn't count.
        num_clips: Number of clips *N*.
        level: Share of the resamples within the interval.
        num_resamples: Number of resamples *R*.
        seed: Seed of the random resamples.

    Returns:
        The lower and the upper end of each value's interval; nan for a value that is undefined in every
        resample.

    Shape:
        statistic ``(R, N)`` -> ``(R, ...)``; result ``(2, ...)``.

    >>> right = np.array([1, 1, 1, 1, 1, 1, 1, 1, 0, 0])
    >>> bootstrap_interval(lambda counts: counts @ right / 10, num_clips=10).tolist()
    [0.5, 1.0]
    """
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(num_clips, np.full(num_clips, 1 / num_clips), size=num_resamples)
    tail = (1 - level) / 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN")  # the result is nan then
        return np.asarray(np.nanquantile(statistic(counts), [tail, 1 - tail], axis=0))


class McNemar(NamedTuple):
    """Result of McNemar's test: the clips on which two models differ, and the p-value.

    Args:
        only_first: Number of clips that only the first model classifies correctly.
        only_second: Number of clips that only the second model classifies correctly.
        p_value: Probability of counts at least as uneven if both models were equally good.
    """

    only_first: int
    only_second: int
    p_value: float


def mcnemar(first_right: NDArray[np.bool_], second_right: NDArray[np.bool_]) -> McNemar:
    """Test if two models are correct equally often on the same clips (McNemar 1947), exact and two-sided.

    Args:
        first_right: Whether the first model classifies each clip correctly.
        second_right: Whether the second model does.

    Shape:
        first_right and second_right ``(N,)``, for the same clips in the same order.

    Raises:
        ValueError: If the two shapes differ.

    >>> mcnemar(np.array([1, 1, 1, 1, 1, 1, 0]) == 1, np.array([1, 0, 0, 0, 0, 0, 0]) == 1)
    McNemar(only_first=5, only_second=0, p_value=0.0625)
    """
    if first_right.shape != second_right.shape or first_right.ndim != 1:
        raise UserError(
            "Expected the predictions of both models on the same clips, but got shapes "
            f"{first_right.shape} and {second_right.shape}. Test both models on the same split."
        )
    first = int((first_right & ~second_right).sum())
    second = int((second_right & ~first_right).sum())
    if first == second:  # also without any clip, for which SciPy has no test
        return McNemar(first, second, 1.0)
    from scipy.stats import binomtest  # slow to import

    return McNemar(first, second, float(binomtest(first, first + second).pvalue))
