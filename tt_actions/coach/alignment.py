"""Strokes side by side: the moments of one that are those of another."""

import numpy as np

from tt_actions.coach.stroke import StrokeMotion

STEPS = 20
"""Moments from one phase to the next."""

_BEFORE_S = 0.25
_BAND = 6  # moments by which two strokes may differ once their phases are brought together


def phase_moments(stroke: StrokeMotion, rate_hz: float) -> np.ndarray:
    """Divide a stroke evenly between its phases, and a little time before the backswing's end as well.

    Args:
        stroke: The stroke.
        rate_hz: Its places a second.

    Returns:
        Fractional numbers of its places: :data:`STEPS` up to each of backswing, contact and follow-through.

    Shape:
        ``(3 * STEPS + 1,)``.
    """
    backswing, contact, follow_through = stroke.phases
    knots = (max(0.0, backswing - _BEFORE_S * rate_hz), backswing, contact, follow_through)
    return np.interp(np.arange(3 * STEPS + 1) / STEPS, np.arange(4), knots)


def sample(values: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Read values between their numbers, along straight lines.

    Args:
        values: Over time.
        moments: Fractional numbers.

    Shape:
        values ``(T, ...)``, moments ``(S,)`` -> ``(S, ...)``.
    """
    before = np.clip(np.floor(moments).astype(int), 0, max(0, len(values) - 2))
    share = (moments - before).reshape(-1, *(1,) * (values.ndim - 1))
    after = np.minimum(before + 1, len(values) - 1)
    return np.asarray((1 - share) * values[before] + share * values[after])


def pose_path(stroke: StrokeMotion, rate_hz: float) -> np.ndarray:
    """Return the joints at the moments of the phases, seen from the hips, in lengths of the trunk.

    Args:
        stroke: The stroke.
        rate_hz: Its places a second.

    Shape:
        ``(3 * STEPS + 1, V, C)``.
    """
    hips = stroke.place(*stroke.layout.hips)[:, None]
    return sample(stroke.joints - hips, phase_moments(stroke, rate_hz))


def pose_costs(first: np.ndarray, second: np.ndarray, band: int) -> np.ndarray:
    """Return the mean distance of the joints for pairs of moments, infinite outside of a band.

    Args:
        first: Joints of one stroke.
        second: Joints of others, of as many moments.
        band: How many moments two of a pair may lie apart.

    Shape:
        ``(S, V, C)`` and ``(N, S, V, C)`` -> ``(N, S, S)``.
    """
    first, second = first.astype(np.float32), second.astype(np.float32)
    num = len(first)
    costs = np.full((len(second), num, num), np.inf, np.float32)
    for apart in range(-band, band + 1):
        i = np.arange(max(0, -apart), min(num, num - apart))
        squares = (first[i] - second[:, i + apart]) ** 2
        costs[:, i, i + apart] = np.sqrt(squares.sum(-1)).mean(-1)
    return costs


def warp(costs: np.ndarray, band: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Align sequences by dynamic time warping (Sakoe & Chiba 1978), all of a batch at once.

    A path goes from the first pair of moments to the last in steps of one in either sequence or in both, and
    has the least sum of costs of the pairs on it.

    Args:
        costs: Of every pair of moments.
        band: How many moments two of a pair may lie apart, beyond the lengths' difference; None for any.

    Returns:
        The least sums, and at each pair where the path to it comes from: 0 both before, 1 the first's moment
        before, 2 the second's.

    Shape:
        costs ``(N, S, R)`` -> ``(N,)``, ``(N, S, R)``, int.

    >>> warp(np.abs(np.array([0.0, 1, 5])[:, None] - np.array([0.0, 1, 1, 5]))[None])[0].tolist()
    [0.0]
    """
    num, rows, columns = costs.shape
    sums = np.full((num, rows + 1, columns + 1), np.inf)
    sums[:, 0, 0] = 0
    came = np.zeros(costs.shape, int)
    reach = rows + columns if band is None else band + abs(rows - columns)
    for diagonal in range(rows + columns - 1):
        i = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        i = i[np.abs(2 * i - diagonal) <= reach]
        j = diagonal - i
        before = np.stack([sums[:, i, j], sums[:, i, j + 1], sums[:, i + 1, j]])
        came[:, i, j] = before.argmin(0)
        sums[:, i + 1, j + 1] = costs[:, i, j] + before.min(0)
    return sums[:, -1, -1], came


def path_of(came: np.ndarray) -> np.ndarray:
    """Follow the path of one alignment.

    Args:
        came: Where it comes from at each pair, of :func:`warp`.

    Returns:
        Pairs of moments from first to last.

    Shape:
        came ``(S, R)`` -> ``(P, 2)``.
    """
    i, j = came.shape[0] - 1, came.shape[1] - 1
    pairs = [(i, j)]
    while i or j:
        step = came[i, j]
        i, j = (i - (step != 2)), (j - (step != 1))
        pairs.append((int(i), int(j)))
    return np.array(pairs[::-1])


def distances(path: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return how far strokes lie from one, aligned: the mean distance of a joint, in lengths of the trunk.

    Args:
        path: Of :func:`pose_path`.
        others: Those of others.

    Shape:
        path ``(S, V, C)``, others ``(N, S, V, C)`` -> ``(N,)``.
    """
    sums, _ = warp(pose_costs(path, others, _BAND), _BAND)
    return np.asarray(sums / len(path))


def aligned(path: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Tell which moment of another stroke is each moment of one.

    Args:
        path: Of :func:`pose_path`.
        other: That of the other.

    Returns:
        Mean numbers of the other's moments, fractional.

    Shape:
        ``(S, V, C)`` each -> ``(S,)``.
    """
    _, came = warp(pose_costs(path, other[None], _BAND), _BAND)
    pairs = path_of(came[0])
    sums = np.bincount(pairs[:, 0], weights=pairs[:, 1], minlength=len(path))
    return np.asarray(sums / np.bincount(pairs[:, 0], minlength=len(path)))
