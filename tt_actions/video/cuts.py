"""Cuts from one scene of a video to another."""

import cv2
import numpy as np

from tt_actions.video.types import Image

_SIZE = (32, 18)
_MIN_CHANGE = 25.0  # mean change of the colours in levels; at 79 cuts 29 or more, within scenes 15 or less


class CutDetector:
    """Notices when a video changes to another scene.

    The images are compared as thumbnails, so that movement within a scene hardly counts.
    """

    def __init__(self) -> None:
        self._last: np.ndarray | None = None

    def push(self, image: Image) -> bool:
        """Return whether the next image shows another scene than the image before.

        Args:
            image: The image.

        Shape:
            ``(H, W, 3)``.
        """
        small = cv2.resize(image, _SIZE, interpolation=cv2.INTER_AREA).astype(np.int16)
        last, self._last = self._last, small
        return last is not None and float(np.abs(small - last).mean()) > _MIN_CHANGE
