"""Types that the readers of video share."""

from typing import NamedTuple

import numpy as np

Image = np.ndarray
"""An image (H, W, C), uint8; RGB unless stated otherwise."""

Roi = tuple[int, int, int, int]
"""A region x0, y0, x1, y1 in pixels, x1 and y1 exclusive."""


class Timed(NamedTuple):
    """The values of a clip, such as frames or joints, and the time of each.

    Shape:
        values ``(T, ..., C)``; times_s ``(T,)``, float64.
    """

    values: np.ndarray
    times_s: np.ndarray
