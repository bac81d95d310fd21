"""Where a person is visible in an image, as a pose model sees it."""

from typing import NamedTuple

import numpy as np

from tt_actions.pose.detections import sigmoid
from tt_actions.pose.regions import Region, put_back

_LIKELY = 0.5


class Figure(NamedTuple):
    """Where a person is visible in a region of an image.

    Args:
        logits: Log-odds that each pixel of the region, scaled to the network's size, shows the person.
        region: The region.

    Shape:
        logits ``(h, w)``.
    """

    logits: np.ndarray
    region: Region

    def mask(self, size: tuple[int, int]) -> np.ndarray:
        """Return the pixels of the image that show the person.

        Args:
            size: Height and width of the image.

        Shape:
            mask ``size``, bool.
        """
        # probabilities: log-odds of the background are so large that they would win between two pixels
        share = sigmoid(self.logits).astype(np.float32)
        return np.asarray(put_back(share, self.region, size) > _LIKELY)
