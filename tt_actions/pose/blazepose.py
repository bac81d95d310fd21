"""BlazePose: a detector of persons and a network for the 33 landmarks of one person, run by LiteRT."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import cv2
import numpy as np

from tt_actions.errors import UserError
from tt_actions.pose.detections import SIZE, Detection, make_anchors, read_detections, sigmoid
from tt_actions.pose.regions import Region, cut_region, rotation, to_image
from tt_actions.pose.weights import Weights
from tt_actions.skeleton.landmarks import NUM_LANDMARKS, TO_CAMERA
from tt_actions.video.types import Image

_NUM_POINTS = 39  # the landmarks, two anchors of the next region, and four that are not used
_INPUT = 256
_REACH = 3  # cells of a heat map on each side of a landmark that refine it
_LOADING = Lock()
_MIN_PEAK = 0.5  # probability that a heat map must reach to count


class Landmarks(NamedTuple):
    """The landmarks of a person in one image.

    Args:
        points: Positions in pixels of the image.
        visibility: Probability that each landmark is visible.
        world: Positions in metres from the midpoint of the hips: x to the left of the image, y up, z away
            from the camera.
        anchors: The midpoint of the hips and a point on the circle around the person, in pixels.
        presence: Probability that the region contains a person.

    Shape:
        points ``(33, 2)``, visibility ``(33,)``, world ``(33, 3)``, anchors ``(2, 2)``.
    """

    points: np.ndarray
    visibility: np.ndarray
    world: np.ndarray
    anchors: np.ndarray
    presence: float


class BlazePose:
    """The two networks of MediaPipe's pose solution (Bazarevsky et al. 2020, arXiv:2006.10204).

    Both are used as MediaPipe's public graphs describe (``pose_detection`` and ``pose_landmark``,
    Apache-2.0). An object belongs to one thread.

    Args:
        weights: The files of the networks.
        num_threads: Number of threads of each network.

    Raises:
        UserError: If LiteRT is not installed, or the files are other networks.
    """

    def __init__(self, weights: Weights, num_threads: int = 1) -> None:
        self._anchors = make_anchors()
        num = len(self._anchors)
        self._detector = _Network(
            weights.detector, num_threads, SIZE, {"boxes": (1, num, 12), "scores": (1, num, 1)}
        )
        self._landmarks = _Network(
            weights.landmarks,
            num_threads,
            _INPUT,
            {
                "points": (1, _NUM_POINTS * 5),
                "presence": (1, 1),
                "heat": (1, _INPUT // 4, _INPUT // 4, _NUM_POINTS),
                "world": (1, _NUM_POINTS * 3),
            },
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
        pixels = cut_region(image, square, SIZE, cv2.BORDER_CONSTANT)
        found = self._detector(pixels / np.float32(127.5) - 1)
        return read_detections(found["boxes"][0], found["scores"][0, :, 0], self._anchors, square, min_score)

    def find_landmarks(self, image: Image, region: Region) -> Landmarks:
        """Find the landmarks of the person in a region.

        Args:
            image: An RGB image.
            region: The region of the person.

        Shape:
            image ``(H, W, 3)``.
        """
        pixels = cut_region(image, region, _INPUT, cv2.BORDER_REPLICATE)
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
        )


@contextmanager
def _without_greeting() -> Iterator[None]:
    """Hide the line that LiteRT prints with its first network; it has no setting for that."""
    with _LOADING:
        sys.stderr.flush()
        stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            os.close(nowhere)


class _Network:
    """A network in LiteRT that gets one RGB image, and its outputs by name.

    Args:
        path: The file.
        num_threads: Number of threads.
        size: Height and width of the image.
        outputs: Shape of each output.
    """

    def __init__(self, path: Path, num_threads: int, size: int, outputs: dict[str, tuple[int, ...]]) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise UserError(
                "Expected LiteRT, which runs the pose model, but it is not installed. Install it: "
                "`pip install 'tt-actions[pose]'`."
            ) from error
        try:
            with _without_greeting():
                self._network = Interpreter(str(path), num_threads=num_threads)
                self._network.allocate_tensors()
            (given,) = self._network.get_input_details()
            places = {
                tuple(output["shape"]): output["index"] for output in self._network.get_output_details()
            }
            self._input = given["index"]
            self._outputs = {name: places[shape] for name, shape in outputs.items()}
            if tuple(given["shape"]) != (1, size, size, 3):
                raise ValueError(f"an input of {tuple(given['shape'])}")
        except (ValueError, RuntimeError, KeyError) as error:
            raise UserError(
                f"Expected '{path}' to be a network of BlazePose, but it is not ({error}). Remove it and run "
                "`tt-actions pose fetch`."
            ) from error

    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        self._network.set_tensor(self._input, image[None])
        self._network.invoke()
        return {name: self._network.get_tensor(place) for name, place in self._outputs.items()}


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
