"""BlazePose: a detector of persons and a network for the 33 landmarks of one person, run by LiteRT."""

import cv2
import numpy as np

from tt_actions.pose.detections import sigmoid
from tt_actions.pose.figure import Figure
from tt_actions.pose.litert import LiteRTNetwork
from tt_actions.pose.model import Landmarks, PoseModel
from tt_actions.pose.regions import Region, cut_region, rotation, to_image
from tt_actions.pose.weights import Weights
from tt_actions.skeleton.landmarks import NUM_LANDMARKS, TO_CAMERA
from tt_actions.video.types import Image

_NUM_POINTS = 39  # the landmarks, two anchors of the next region, and four that are not used
_INPUT = 256
_REACH = 3  # cells of a heat map on each side of a landmark that refine it
_MIN_PEAK = 0.5  # probability that a heat map must reach to count


class BlazePose(PoseModel):
    """The two networks of MediaPipe's pose solution (Bazarevsky et al. 2020, arXiv:2006.10204).

    Both are used as MediaPipe's public graphs describe (``pose_detection`` and ``pose_landmark``,
    Apache-2.0).

    Args:
        weights: The files of the networks.
        num_threads: Number of threads of each network.

    Raises:
        UserError: If LiteRT is not installed, or the files are other networks.
    """

    def __init__(self, weights: Weights, num_threads: int = 1) -> None:
        super().__init__(weights.detector, num_threads)
        outputs = {
            "points": (1, _NUM_POINTS * 5),
            "presence": (1, 1),
            "heat": (1, _INPUT // 4, _INPUT // 4, _NUM_POINTS),
            "world": (1, _NUM_POINTS * 3),
            "figure": (1, _INPUT, _INPUT, 1),
        }
        self._landmarks = LiteRTNetwork(weights.landmarks, num_threads, _INPUT, outputs)

    def find_landmarks(self, image: Image, region: Region) -> Landmarks:
        """Find the landmarks of the person in a region.

        Args:
            image: An RGB image.
            region: The region of the person.

        Shape:
            image ``(H, W, 3)``.
        """
        pixels = cut_region(image, region, (_INPUT, _INPUT), cv2.BORDER_REPLICATE)
        found = self._landmarks(pixels / np.float32(255))
        raw = found["points"].reshape(_NUM_POINTS, 5).astype(float)
        points = to_image(refine(raw[:, :2] / _INPUT, found["heat"][0]), region)
        world = found["world"].reshape(_NUM_POINTS, 3)[:NUM_LANDMARKS].astype(float)
        world[:, :2] = world[:, :2] @ rotation(region.turn).T
        return Landmarks(
            points[:NUM_LANDMARKS],
            sigmoid(raw[:NUM_LANDMARKS, 3]),
            world * TO_CAMERA,
            points[NUM_LANDMARKS : NUM_LANDMARKS + 2],
            float(found["presence"][0, 0]),
            Figure(found["figure"][0, ..., 0], region),
        )


def refine(points: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Move each point to the centre of mass of its heat map around it, if the map is certain there.

    Args:
        points: Positions from 0 to 1.
        heat: Heat maps, as logits.

    Shape:
        points ``(V, 2)``, heat ``(h, w, V)`` -> ``(V, 2)``.

    >>> heat = np.full((8, 8, 1), -20.0); heat[4, 6] = 5
    >>> refine(np.array([[0.6, 0.6]]), heat).round(3).tolist()
    [[0.75, 0.5]]
    """
    size = np.array(heat.shape[1::-1])  # width and height
    refined = points.copy()
    for index, (x, y) in enumerate((points * size).astype(int)):
        if not (0 <= x < size[0] and 0 <= y < size[1]):
            continue
        rows = np.arange(max(0, y - _REACH), min(size[1], y + _REACH + 1))
        columns = np.arange(max(0, x - _REACH), min(size[0], x + _REACH + 1))
        mass = sigmoid(heat[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1, index])
        if mass.max() >= _MIN_PEAK:
            refined[index] = np.array([mass.sum(0) @ columns, mass.sum(1) @ rows]) / mass.sum() / size
    return refined
