"""Cuts from one scene of a video to another."""

from collections import deque
from collections.abc import Sequence
from enum import Enum

import cv2
import numpy as np

from tt_actions.video.types import Image

_SIZE = (32, 18)
_LARGE = 25.0  # mean change of the colours in levels that even a fast pan does not reach
_SMALL = 10.0  # a change that a pan reaches, but only together with the images before
_MIN_RATIO = 4.0  # of a small change at a cut to the mean change of the images before
_NUM_BEFORE = 8


class Change(Enum):
    """How an image differs from those before it."""

    NONE = 0
    """It shows the same scene."""
    ODD = 1
    """It differs greatly, and the next image tells why: a cut, or a single odd image such as a flash."""
    CUT = 2
    """It shows another scene, as the odd image before it did."""


class CutDetector:
    """Notices when a video changes to another scene.

    The images are compared as thumbnails, so that movement within a scene hardly counts. An image that
    differs greatly is odd. It begins another scene only if the next image differs from the scene before as
    well, and so a flash is no cut.
    """

    def __init__(self) -> None:
        self._last: np.ndarray | None = None
        self._is_odd = False
        self._changes: deque[float] = deque(maxlen=_NUM_BEFORE)

    def push(self, regions: Sequence[Image]) -> Change:
        """Return how the next image differs from the images before, in the region that differs most.

        Args:
            regions: The regions of the image to compare, the same number each time.

        Shape:
            each of regions ``(H, W, 3)``.
        """
        small = np.stack([cv2.resize(region, _SIZE, interpolation=cv2.INTER_AREA) for region in regions])
        small = small.astype(np.int16)
        if self._last is None:
            self._last = small
            return Change.NONE
        change = float(np.abs(small - self._last).mean((1, 2, 3)).max())
        stands_out = len(self._changes) == _NUM_BEFORE and change > _MIN_RATIO * np.mean(self._changes)
        if change <= _SMALL or not (change > _LARGE or stands_out):
            self._last, self._is_odd = small, False
            self._changes.append(change)
            return Change.NONE
        if not self._is_odd:
            self._is_odd = True
            return Change.ODD
        self._last, self._is_odd = small, False
        self._changes.clear()
        return Change.CUT
