"""The landmarks of a person by a user's own keypoint model."""

from pathlib import Path

import cv2
import numpy as np

from tt_actions.pose.keypoints import KeypointModel
from tt_actions.pose.model import Landmarks, PoseModel
from tt_actions.pose.regions import Region, cut_region, to_image
from tt_actions.pose.weights import Weights
from tt_actions.skeleton.landmarks import NUM_LANDMARKS
from tt_actions.skeleton.layouts import BLAZEPOSE33, COCO17
from tt_actions.video.types import Image

MIN_SCORE = 0.3
"""Lowest score of a keypoint that counts as part of the body when its size is estimated."""

TRUNKS = 1.5
"""Smallest radius of the circle around a person, in trunk lengths: limbs out of sight still have room."""

_OF_COCO = [BLAZEPOSE33.index(name) for name in COCO17.joints]


class OnnxPose(PoseModel):
    """Finds the landmarks that COCO has too; the others, and positions in space, are NaN.

    Args:
        path: The keypoint model.
        weights: The files of BlazePose, of which the detector is used.
        num_threads: Number of threads of each network.

    Raises:
        UserError: If LiteRT or ONNX Runtime is not installed, or a file is another network.
    """

    def __init__(self, path: Path, weights: Weights, num_threads: int = 1) -> None:
        super().__init__(weights.detector, num_threads)
        self._keypoints = KeypointModel(path, num_threads)

    def find_landmarks(self, image: Image, region: Region) -> Landmarks:
        """Find the landmarks of the person in a region, in an upright crop with the model's aspect ratio.

        Args:
            image: An RGB image.
            region: The region of the person.

        Shape:
            image ``(H, W, 3)``.
        """
        height, width = self._keypoints.size
        upright = region._replace(turn=0.0)
        found = self._keypoints(cut_region(image, upright, (height, width), cv2.BORDER_CONSTANT))
        places = to_image(found[:, :2] / (width, height), upright, width / height)
        scores = np.nan_to_num(found[:, 2]).clip(0, 1)
        points, visibility = np.full((NUM_LANDMARKS, 2), np.nan), np.zeros(NUM_LANDMARKS)
        points[_OF_COCO], visibility[_OF_COCO] = places, scores
        return Landmarks(
            points,
            visibility,
            np.full((NUM_LANDMARKS, 3), np.nan),
            find_anchors(places, scores, width / height),
            float(scores.mean()),
        )


def find_anchors(places: np.ndarray, scores: np.ndarray, aspect: float) -> np.ndarray:
    """Return the midpoint of the hips, and a point above it on the circle around the person.

    Distances are measured so that the next crop, which is not square, contains every keypoint that is seen.

    Args:
        places: Positions of COCO's keypoints.
        scores: Their scores.
        aspect: Width of a crop, relative to its height.

    Shape:
        places ``(17, 2)``, scores ``(17,)`` -> ``(2, 2)``.
    """
    hips, shoulders = (
        places[[COCO17.index(name) for name in pair]].mean(0) for pair in (COCO17.hips, COCO17.shoulders)
    )
    apart = np.abs(places - hips) / (min(aspect, 1.0), 1.0 / max(aspect, 1.0))
    apart = apart[scores >= MIN_SCORE].max(initial=0.0)
    radius = max(float(apart), TRUNKS * float(np.linalg.norm(shoulders - hips)))
    return np.stack([hips, hips - (0.0, radius)])
