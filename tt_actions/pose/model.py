"""What every pose model does: it detects persons, and finds the landmarks of one."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from tt_actions.pose.detections import SIZE, Detection, make_anchors, read_detections
from tt_actions.pose.figure import Figure
from tt_actions.pose.litert import LiteRTNetwork
from tt_actions.pose.regions import Region, cut_region
from tt_actions.video.types import Image


class Landmarks(NamedTuple):
    """The landmarks of a person in one image.

    Args:
        points: Positions in pixels of the image; NaN for landmarks that the model does not have.
        visibility: Probability that each landmark is visible.
        world: Positions in metres from the midpoint of the hips: x to the left of the image, y up, z away
            from the camera; NaN if the model finds joints in the image only.
        anchors: The midpoint of the hips and a point on the circle around the person, in pixels.
        presence: Probability that the region contains a person.
        figure: Where the person is visible; None if the model finds joints only.

    Shape:
        points ``(33, 2)``, visibility ``(33,)``, world ``(33, 3)``, anchors ``(2, 2)``.
    """

    points: np.ndarray
    visibility: np.ndarray
    world: np.ndarray
    anchors: np.ndarray
    presence: float
    figure: Figure | None = None


class PoseModel(ABC):
    """Finds the landmarks of a person; the detector of BlazePose finds the persons.

    An object belongs to one thread.

    Args:
        detector: The file of the detector.
        num_threads: Number of threads of each network.

    Raises:
        UserError: If LiteRT is not installed, or the file is another network.
    """

    def __init__(self, detector: Path, num_threads: int) -> None:
        self._anchors = make_anchors()
        num = len(self._anchors)
        self._detector = LiteRTNetwork(
            detector, num_threads, SIZE, {"boxes": (1, num, 12), "scores": (1, num, 1)}
        )

    def detect(self, image: Image, square: Region, min_score: float) -> list[Detection]:
        """Find persons in a square of an image, from the most to the least certain.

        Args:
            image: An RGB image.
            square: The square, which may extend beyond the image; a smaller one shows smaller persons.
            min_score: Lowest score of a person.

        Shape:
            image ``(H, W, 3)``.
        """
        pixels = cut_region(image, square, (SIZE, SIZE), cv2.BORDER_CONSTANT)
        found = self._detector(pixels / np.float32(127.5) - 1)
        return read_detections(found["boxes"][0], found["scores"][0, :, 0], self._anchors, square, min_score)

    @abstractmethod
    def find_landmarks(self, image: Image, region: Region) -> Landmarks:
        """Find the landmarks of the person in a region.

        Args:
            image: An RGB image.
            region: The region of the person.

        Shape:
            image ``(H, W, 3)``.
        """
