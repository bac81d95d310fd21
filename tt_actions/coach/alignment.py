"""Time alignment of strokes: which moments of two strokes correspond."""

import numpy as np

from tt_actions.coach.stroke import StrokeMotion

STEPS = 20
"""Number of time steps from one phase to the next."""

_BEFORE_S = 0.25
_BAND = 6  # time steps by which two strokes may differ once their phases are aligned


def phase_moments(stroke: StrokeMotion, rate_hz: float) -> np.ndarray:
    """Divide a stroke into even time steps between its phases, and a short time before the first.

    Args:
        stroke: The stroke.
        rate_hz: Samples per second of the stroke.

    Returns:
        Fractional indices of its samples: :data:`STEPS` up to each of backswing, contact and follow-through.

    Shape:
        ``(3 * STEPS + 1,)``.
    """
    backswing, contact, follow_through = stroke.phases
    knots = (max(0.0, backswing - _BEFORE_S * rate_hz), backswing, contact, follow_through)
    return np.interp(np.arange(3 * STEPS + 1) / STEPS, np.arange(4), knots)


def sample(values: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Interpolate values linearly at fractional indices.

    Args:
        values: Values over time.
        moments: Fractional indices.

    Shape:
        values ``(T, ...)``, moments ``(S,)`` -> ``(S, ...)``.
    """
    before = np.clip(np.floor(moments).astype(int), 0, max(0, len(values) - 2))
    share = (moments - before).reshape(-1, *(1,) * (values.ndim - 1))
    after = np.minimum(before + 1, len(values) - 1)
    return np.asarray((1 - share) * values[before] + share * values[after])


def pose_path(stroke: StrokeMotion, rate_hz: float) -> np.ndarray:
    """Return the joints at the time steps of the phases, relative to the hips, in trunk lengths.

    Args:
        stroke: The stroke.
        rate_hz: Samples per second of the stroke.

    Shape:
        ``(3 * STEPS + 1, V, C)``.
    """
    hips = stroke.place(*stroke.layout.hips)[:, None]
    return sample(stroke.joints - hips, phase_moments(stroke, rate_hz))


def pose_costs(first: np.ndarray, second: np.ndarray, band: int) -> np.ndarray:
    """Return the mean joint distance for each pair of time steps, infinite outside a band.

    Args:
        first: Joints of one stroke.
        second: Joints of others, with as many time steps.
        band: Maximum number of time steps between the two of a pair.

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
    """Align a batch of sequences by dynamic time warping (Sakoe & Chiba 1978).

    A path goes from the first pair of time steps to the last, and advances by one in either sequence or in
    both. The best path has the smallest sum of costs of its pairs.

    Args:
        costs: Cost of every pair of time steps.
        band: Maximum number of time steps between the two of a pair, in addition to the difference of the
            lengths; None for no limit.

    Returns:
        The smallest sums, and for each pair the step by which the path reaches it: 0 advances both sequences,
        1 the first, 2 the second.

    Shape:
        costs ``(N, S, R)`` -> ``(N,)``, ``(N, S, R)``, int.

    >>> warp(np.abs(np.array([0.0, 1, 5])[:, None] - np.array([0.0, 1, 1, 5]))[None])[0].tolist()
    [0.0]
    """
    num, rows, columns = costs.shape
    sums = np.full((num, rows + 1, columns + 1), np.inf)
    sums[:, 0, 0] = 0
    steps = np.zeros(costs.shape, int)
    reach = rows + columns if band is None else band + abs(rows - columns)
    for diagonal in range(rows + columns - 1):
        i = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        i = i[np.abs(2 * i - diagonal) <= reach]
        j = diagonal - i
        before = np.stack([sums[:, i, j], sums[:, i, j + 1], sums[:, i + 1, j]])
        steps[:, i, j] = before.argmin(0)
        sums[:, i + 1, j + 1] = costs[:, i, j] + before.min(0)
    return sums[:, -1, -1], steps


def path_of(steps: np.ndarray) -> np.ndarray:
    """Return the path of one alignment.

    Args:
        steps: The step to each pair, from :func:`warp`.

    Returns:
        Pairs of time steps from first to last.

    Shape:
        steps ``(S, R)`` -> ``(P, 2)``.
    """
    i, j = steps.shape[0] - 1, steps.shape[1] - 1
    pairs = [(i, j)]
    while i or j:
        step = steps[i, j]
        i, j = (i - (step != 2)), (j - (step != 1))
        pairs.append((int(i), int(j)))
    return np.array(pairs[::-1])


def distances(path: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the distance of several strokes from one, aligned: mean joint distance in trunk lengths.

    Args:
        path: Result of :func:`pose_path` for the one stroke.
        others: Results of :func:`pose_path` for the others.

    Shape:
        path ``(S, V, C)``, others ``(N, S, V, C)`` -> ``(N,)``.
    """
    sums, _ = warp(pose_costs(path, others, _BAND), _BAND)
    return np.asarray(sums / len(path))


def aligned(path: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the time step of another stroke that corresponds to each time step of one.

    Args:
        path: Result of :func:`pose_path` for the one stroke.
        other: Result of :func:`pose_path` for the other.

    Returns:
        Mean indices of the other's time steps, fractional.

    Shape:
        ``(S, V, C)`` each -> ``(S,)``.
    """
    _, steps = warp(pose_costs(path, other[None], _BAND), _BAND)
    pairs = path_of(steps[0])
    sums = np.bincount(pairs[:, 0], weights=pairs[:, 1], minlength=len(path))
    return np.asarray(sums / np.bincount(pairs[:, 0], minlength=len(path)))
