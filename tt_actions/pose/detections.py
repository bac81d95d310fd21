"""Persons from the raw output of BlazePose's detector."""

from typing import NamedTuple

import numpy as np

from tt_actions.pose.regions import Region, to_image

SIZE = 224
"""Height and width of the detector's input in pixels."""

_GRIDS = ((8, 2), (16, 2), (32, 6))  # distance of the anchors in pixels, and anchors at each place
_OVERLAP = 0.3  # boxes that overlap more are the same person


class Detection(NamedTuple):
    """A person that the detector found.

    Args:
        score: Probability that it is a person.
        box: Left, top, right and bottom of the face's box in pixels.
        anchors: The midpoint of the hips, and a point on the circle around the whole person, in pixels.

    Shape:
        box ``(4,)``, anchors ``(2, 2)``.
    """

    score: float
    box: np.ndarray
    anchors: np.ndarray


def make_anchors() -> np.ndarray:
    """Return the places in the detector's input, from 0 to 1, that its 2,254 boxes are relative to.

    >>> make_anchors().shape
    (2254, 2)
    """
    places = []
    for distance, repeats in _GRIDS:
        num = SIZE // distance
        y, x = np.divmod(np.arange(num * num), num)
        places.append(np.repeat((np.stack([x, y], 1) + 0.5) / num, repeats, axis=0))
    return np.concatenate(places)


def read_detections(
    boxes: np.ndarray, logits: np.ndarray, anchors: np.ndarray, region: Region, min_score: float
) -> list[Detection]:
    """Convert the detector's output to persons, from the most to the least certain.

    Boxes that overlap are one person, whose box and anchors are their means, weighted by their scores
    (MediaPipe's weighted non-maximum suppression).

    Args:
        boxes: For each anchor: centre, width and height of a box, and four keypoints, in pixels of the input.
        logits: Score of each box, before the sigmoid.
        anchors: The places that the boxes are relative to.
        region: The square of the image that the detector saw.
        min_score: Lowest score of a person.

    Shape:
        boxes ``(N, 12)``, logits ``(N,)``, anchors ``(N, 2)``.
    """
    scores = sigmoid(logits)
    chosen = np.flatnonzero(scores >= min_score)
    scores, boxes, anchors = scores[chosen], boxes[chosen].astype(float) / SIZE, anchors[chosen]
    centres, halves = boxes[:, :2] + anchors, boxes[:, 2:4] / 2
    corners = np.concatenate([centres - halves, centres + halves], 1)
    keypoints = boxes[:, 4:8].reshape(-1, 2, 2) + anchors[:, None]  # the other two belong to the upper body
    left = np.argsort(-scores, kind="stable")
    found = []
    while len(left):
        is_same = overlaps(corners[left[0]], corners[left]) > _OVERLAP
        is_same[0] = True
        same = left[is_same]
        weights = scores[same] / scores[same].sum()
        box = to_image((weights @ corners[same]).reshape(2, 2), region).ravel()
        points = to_image(np.tensordot(weights, keypoints[same], 1), region)
        found.append(Detection(float(scores[left[0]]), box, points))
        left = left[~is_same]
    return found


def overlaps(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the intersection over union of a box with others.

    Args:
        box: Left, top, right and bottom.
        others: The other boxes.

    Shape:
        box ``(4,)``, others ``(N, 4)`` -> ``(N,)``.

    >>> overlaps(np.array([0, 0, 2, 2]), np.array([[0, 0, 2, 2], [1, 0, 3, 2]])).round(3).tolist()
    [1.0, 0.333]
    """
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    common = sides.clip(0).prod(1)
    areas = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(1)
    return np.asarray(common / np.maximum(areas - common, 1e-9))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities of logits.

    Args:
        logits: Any numbers.

    >>> sigmoid(np.array([0.0, 1000.0])).tolist()
    [0.5, 1.0]
    """
    return np.asarray(1 / (1 + np.exp(-np.clip(logits.astype(float), -100, 100))))
