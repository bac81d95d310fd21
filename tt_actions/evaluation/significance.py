"""Statistical significance: intervals of scores, and McNemar's test of a difference."""

import math
import warnings
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tt_actions.errors import UserError

_NO_WIDTH = 1e-9
"""Widest interval that only has a width because of floating-point errors."""


def bootstrap_interval(
    statistic: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    num_clips: int,
    level: float = 0.95,
    num_resamples: int = 2000,
    seed: int = 0,
    groups: Sequence[str] | None = None,
) -> NDArray[np.float64]:
    """Return the percentile bootstrap interval of a statistic over groups or clips (Efron 1979).

    Whole groups are drawn with replacement if they are given (the cluster bootstrap of Davison and Hinkley
    1997, section 3.8). Otherwise, clips are drawn as if they were independent. Clips of one player resemble
    each other, so an interval over clips is too narrow for new players.

    Args:
        statistic: Function that gets how often each resample contains each clip, and returns the values of
            each resample. A value that is undefined in a resample is nan and doesn't count.
        num_clips: Number of clips *N*.
        level: Share of the resamples within the interval.
        num_resamples: Number of resamples *R*.
        seed: Seed of the random resamples.
        groups: Group of each clip, or None to draw clips.

    Returns:
        The lower and the upper end of each value's interval; nan for a value that is undefined in every
        resample.

    Shape:
        statistic ``(R, N)`` -> ``(R, ...)``; result ``(2, ...)``.

    >>> right = np.array([1, 1, 1, 1, 1, 1, 1, 1, 0, 0])
    >>> bootstrap_interval(lambda counts: counts @ right / 10, num_clips=10).tolist()
    [0.5, 1.0]
    >>> share = lambda counts: counts @ right / counts.sum(1)
    >>> bootstrap_interval(share, num_clips=10, groups=["p"] * 8 + ["q"] * 2).tolist()
    [0.0, 1.0]
    """
    rng = np.random.default_rng(seed)
    units = np.arange(num_clips) if groups is None else np.unique(groups, return_inverse=True)[1]
    num_units = int(units.max()) + 1
    counts = rng.multinomial(num_units, np.full(num_units, 1 / num_units), size=num_resamples)[:, units]
    tail = (1 - level) / 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN")  # the result is nan then
        return np.asarray(np.nanquantile(statistic(counts), [tail, 1 - tail], axis=0))


def varied_interval(
    statistic: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    num_clips: int,
    groups: Sequence[str] | None = None,
) -> NDArray[np.float64]:
    """Return the 95 % bootstrap interval of a statistic, or nan where no resample differs from the others.

    A value that is the same in all resamples of groups has the interval over clips, as an accuracy has: see
    :func:`accuracy_interval`.

    Args:
        statistic: As for :func:`bootstrap_interval`.
        num_clips: Number of clips *N*.
        groups: Group of each clip, or None to draw clips.

    Shape:
        statistic ``(R, N)`` -> ``(R, ...)``; result ``(2, ...)``.

    >>> varied_interval(lambda counts: np.full(len(counts), 0.5), num_clips=4).tolist()
    [nan, nan]
    """
    ends = bootstrap_interval(statistic, num_clips, groups=groups)
    is_flat = ~(ends[1] - ends[0] > _NO_WIDTH)
    if groups is not None and is_flat.any():
        ends = np.where(is_flat, varied_interval(statistic, num_clips), ends)
        is_flat = np.isnan(ends[0])
    return np.where(is_flat, np.nan, ends)


def drawable_groups(groups: Sequence[str | None]) -> list[str] | None:
    """Return the groups if intervals are over them: if every clip has one, and not all have the same.

    Args:
        groups: Group of each clip, or None for a clip without a group.

    >>> drawable_groups(["p", "p", "q"]), drawable_groups(["p", None]), drawable_groups(["p", "p"])
    (['p', 'p', 'q'], None, None)
    """
    known = [group for group in groups if group]
    return known if len(known) == len(groups) and len(set(known)) > 1 else None


def accuracy_interval(
    is_right: NDArray[np.bool_], groups: Sequence[str] | None = None, level: float = 0.95
) -> tuple[float, float]:
    """Return the interval of a share of right clips.

    It is the bootstrap interval over groups or clips. If all clips are right, or all wrong, each resample is
    too, so the interval is then the exact one of Clopper and Pearson (1934), with a group or clip as one
    trial. If all groups have the same share of right clips, the interval is over clips. With a single
    group, of which some clips are right, it is unknown.

    Args:
        is_right: Whether each clip is right; at least one clip.
        groups: Group of each clip, or None to draw clips.
        level: Share of the resamples within the interval.

    Returns:
        The lower and the upper end; nan if they are unknown.

    Shape:
        is_right ``(N,)``.

    >>> accuracy_interval(np.array([True] * 8 + [False] * 2))
    (0.5, 1.0)
    >>> [round(end, 3) for end in accuracy_interval(np.ones(13, bool))]
    [0.753, 1.0]
    """
    num_units = len(is_right) if groups is None else len(set(groups))
    if is_right.all() or not is_right.any():
        far = ((1 - level) / 2) ** (1 / num_units)
        return (far, 1.0) if is_right.all() else (0.0, 1 - far)
    if num_units == 1:
        return math.nan, math.nan
    low, high = bootstrap_interval(
        lambda counts: counts @ is_right / counts.sum(1), len(is_right), level, groups=groups
    )
    if groups is not None and high - low < _NO_WIDTH:  # the groups don't differ
        return accuracy_interval(is_right, None, level)
    return float(low), float(high)


def share_interval(
    num_right: NDArray[np.integer | np.floating],
    num_frames: NDArray[np.integer | np.floating],
    groups: Sequence[str] | None = None,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return the bootstrap interval of the share of right frames in recordings of different lengths.

    Args:
        num_right: Number of right frames of each recording.
        num_frames: Number of its frames.
        groups: Group of each recording, or None to draw recordings.
        level: Share of the resamples within the interval.

    Returns:
        The lower and the upper end; nan for a single recording or group, and if no resample differs from
        the others.

    Shape:
        num_right and num_frames ``(N,)``.

    >>> share_interval(np.array([10, 0]), np.array([10, 10]))
    (0.0, 1.0)
    """
    if len(num_right if groups is None else set(groups)) == 1:
        return math.nan, math.nan

    def share(counts: NDArray[np.int64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):  # without any frame, 0 / 0 = nan
            return np.asarray(counts @ num_right / (counts @ num_frames))

    low, high = bootstrap_interval(share, len(num_right), level, groups=groups)
    return (float(low), float(high)) if high - low > _NO_WIDTH else (math.nan, math.nan)


def wilson_interval(share: float, num_clips: int, level: float = 0.95) -> tuple[float, float]:
    """Return the score interval of a share of right clips (Wilson 1927), which needs no resamples.

    It treats clips as independent.

    Args:
        share: Share of right clips.
        num_clips: Number of clips; at least one.
        level: Probability that the interval contains the share of all clips.

    Returns:
        The lower and the upper end.

    >>> [round(end, 3) for end in wilson_interval(0.9, 10)]
    [0.596, 0.982]
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    shrink = 1 + z * z / num_clips
    centre = (share + z * z / (2 * num_clips)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / num_clips + (z / (2 * num_clips)) ** 2)
    return max(0.0, centre - half), min(1.0, centre + half)


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
