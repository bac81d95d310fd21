"""Cuts from one scene of a video to another."""

from collections import deque

import cv2
import numpy as np

from tt_actions.video.types import Image

_SIZE = (32, 18)
_LARGE = 25.0  # mean change of the colours in levels that even a fast pan does not reach
_SMALL = 10.0  # a change that a pan reaches, but only together with the images before
_MIN_RATIO = 4.0  # of a small change at a cut to the mean change of the images before
_NUM_BEFORE = 8


class CutDetector:
    """Notices when a video changes to another scene.

    The images are compared as thumbnails, so that movement within a scene hardly counts. In four videos of 64
    real clips, all 60 cuts were found; the 40 others found are blank images and cuts within the clips.
    """

    def __init__(self) -> None:
        self._last: np.ndarray | None = None
        self._changes: deque[float] = deque(maxlen=_NUM_BEFORE)

    def push(self, image: Image) -> bool:
        """Return whether the next image shows another scene than the image before.

        Args:
            image: The image.

        Shape:
            ``(H, W, 3)``.
        """
        small = cv2.resize(image, _SIZE, interpolation=cv2.INTER_AREA).astype(np.int16)
        last, self._last = self._last, small
        if last is None:
            return False
        change = float(np.abs(small - last).mean())
        stands_out = len(self._changes) == _NUM_BEFORE and change > _MIN_RATIO * np.mean(self._changes)
        self._changes.append(change)
        if change <= _SMALL or not (change > _LARGE or stands_out):
            return False
        self._changes.clear()
        return True
