"""Dynamic time warping against all paths tried one by one."""

import numpy as np
import pytest

from tt_actions.coach.alignment import aligned, path_of, warp


def all_paths(rows, columns):
    """Every path from the first pair to the last."""
    if rows == columns == 0:
        yield [(0, 0)]
        return
    for i, j in ((rows - 1, columns - 1), (rows - 1, columns), (rows, columns - 1)):
        if i >= 0 and j >= 0:
            for path in all_paths(i, j):
                yield [*path, (rows, columns)]


@pytest.mark.parametrize(("rows", "columns", "band"), [(1, 1, None), (4, 5, None), (5, 3, None), (5, 5, 1)])
def test_warping_finds_the_cheapest_of_all_paths(rows, columns, band):
    costs = np.random.default_rng(rows).random((3, rows, columns))
    sums, steps = warp(costs, band)
    for cost, found, back in zip(costs, sums, steps, strict=True):
        paths = [
            p
            for p in all_paths(rows - 1, columns - 1)
            if band is None or all(abs(i - j) <= band for i, j in p)
        ]
        best = min(paths, key=lambda path: sum(cost[pair] for pair in path))
        assert found == pytest.approx(sum(cost[pair] for pair in best))
        assert path_of(back).tolist() == [list(pair) for pair in best]


def test_a_delayed_stroke_is_aligned_with_itself():
    moments = np.linspace(0, 1, 61)
    path = np.stack([np.sin(2 * moments), moments**2], -1)[:, None]  # one joint
    late = np.stack([np.interp(np.arange(61) - 3, np.arange(61), path[:, 0, axis]) for axis in (0, 1)], -1)[
        :, None
    ]
    assert np.abs(aligned(path, late)[5:-8] - np.arange(61)[5:-8] - 3).max() < 1
