"""What the readers of video share."""

from typing import NamedTuple

import numpy as np

Image = np.ndarray
"""A picture (H, W, C), uint8: RGB unless said otherwise."""

Roi = tuple[int, int, int, int]
"""A region x0, y0, x1, y1 in pixels, x1 and y1 exclusive."""


class Timed(NamedTuple):
    """What a clip holds at each of its moments.

    Shape:
        values ``(T, ..., C)``; times_s ``(T,)``, float64.
    """

    values: np.ndarray
    times_s: np.ndarray
