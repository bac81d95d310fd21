"""Following one player from image to image."""

import numpy as np

from tt_actions.pose.blazepose import BlazePose, Landmarks
from tt_actions.pose.regions import Region, region_around
from tt_actions.pose.smoothing import OneEuroFilter
from tt_actions.video.types import Image

MIN_SCORE = 0.3
"""Lowest probability of a person, when it is detected and while it is followed."""


class PoseTracker:
    """Finds the joints of one player in the images of a video, one after the other.

    The detector looks at the whole image only when there is no player to follow. After that, the region of
    an image comes from the landmarks of the image before, as in MediaPipe.

    Args:
        model: The networks.
        fps: Images per second.

    Attributes:
        num_detections: How often the detector ran.
    """

    def __init__(self, model: BlazePose, fps: float) -> None:
        self.model, self.fps = model, fps
        self.num_detections = 0
        self._region: Region | None = None
        self._steady = self._new_filter()

    def push(self, image: Image) -> Landmarks | None:
        """Return the player's landmarks in the next image, or None if there is no player.

        Args:
            image: An RGB image.

        Shape:
            image ``(H, W, 3)``.
        """
        if self._region is None:
            self._region = self._detect(image)
        if self._region is None:
            return None
        found = self.model.find_landmarks(image, self._region)
        if found.presence < MIN_SCORE:
            self._region, self._steady = None, self._new_filter()
            return None
        size = 2 * float(np.linalg.norm(found.anchors[1] - found.anchors[0]))
        self._region = region_around(*self._steady(found.anchors, 1 / max(size, 1e-6)))
        return found

    def _detect(self, image: Image) -> Region | None:
        self.num_detections += 1
        persons = self.model.detect(image, MIN_SCORE)
        return region_around(*persons[0].anchors) if persons else None

    def _new_filter(self) -> OneEuroFilter:
        return OneEuroFilter(self.fps, min_cutoff=0.01, beta=10.0)
