"""Smoothing of joints over time."""

import math

import numpy as np

KERNEL = np.array([1, 2, 3, 2, 1]) / 9
"""Weights of five neighbouring frames, 167 ms at 30 frames per second: a live result is two frames late."""


class OneEuroFilter:
    """Removes jitter from slow motion and keeps fast motion (Casiez et al. 2012, "1 Euro filter").

    Args:
        fps: Values per second.
        min_cutoff: Cut-off frequency in Hz for values that do not move.
        beta: Increase of the cut-off frequency with the speed.
        cutoff: Cut-off frequency in Hz of the speed.
    """

    def __init__(self, fps: float, min_cutoff: float, beta: float, cutoff: float = 1.0) -> None:
        self.fps, self.min_cutoff, self.beta, self.cutoff = fps, min_cutoff, beta, cutoff
        self._last: np.ndarray | None = None

    def __call__(self, values: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """Return the filtered values.

        Args:
            values: The next values.
            scale: Factor on the speed, for example one over the size of an object.

        Shape:
            any -> the same.
        """
        if self._last is None:
            self._last, self._smooth, self._speed = values, values, np.zeros_like(values)
            return values
        speed, self._last = (values - self._last) * scale * self.fps, values
        self._speed = self._speed + self._share(self.cutoff) * (speed - self._speed)
        share = self._share(self.min_cutoff + self.beta * np.abs(self._speed))
        self._smooth = self._smooth + share * (values - self._smooth)
        return np.asarray(self._smooth)

    def _share(self, cutoff: np.ndarray | float) -> np.ndarray | float:
        return 1 / (1 + self.fps / (2 * math.pi * cutoff))


def smooth(values: np.ndarray) -> np.ndarray:
    """Smooth values over time with :data:`KERNEL`; frames that are missing do not count.

    Args:
        values: The values of all frames, NaN if missing.

    Shape:
        values ``(T, ...)`` -> the same, NaN where they were.

    >>> smooth(np.array([0.0, 0.0, 9.0, 0.0, 0.0])).round(3).tolist()
    [1.5, 2.25, 3.0, 2.25, 1.5]
    """
    num, reach = len(values), len(KERNEL) // 2
    is_known = ~np.isnan(values)
    known = np.where(is_known, values, 0)
    total, weights = np.zeros(values.shape), np.zeros(values.shape)
    for shift, weight in zip(range(-reach, reach + 1), KERNEL, strict=True):
        here = slice(max(0, -shift), min(num, num - shift))
        there = slice(max(0, shift), min(num, num + shift))
        total[here] += weight * known[there]
        weights[here] += weight * is_known[there]
    return np.where(is_known, total / np.where(weights > 0, weights, 1), np.nan).astype(values.dtype)
