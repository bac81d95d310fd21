"""Rotated square regions of an image: where a pose model looks for a person's joints."""

import math
from typing import NamedTuple

import cv2
import numpy as np

from tt_actions.video.types import Image

MARGIN = 1.25
"""Side of a region relative to twice the distance between its two anchors."""


class Region(NamedTuple):
    """A rotated square in an image.

    Args:
        x: Horizontal position of its centre in pixels.
        y: Vertical position of its centre in pixels.
        side: Length of its sides in pixels.
        turn: Clockwise rotation in radians; 0 for an upright person.
    """

    x: float
    y: float
    side: float
    turn: float = 0.0


def region_around(centre: np.ndarray, above: np.ndarray) -> Region:
    """Return the region of a person, from two anchors, as MediaPipe's graph computes it.

    Args:
        centre: The midpoint of the hips in pixels.
        above: A point on the circle around the whole person, above the centre along the body.

    Shape:
        centre and above ``(2,)``.

    >>> region_around(np.array([50.0, 60.0]), np.array([50.0, 20.0]))
    Region(x=50.0, y=60.0, side=100.0, turn=0.0)
    """
    along_x, along_y = (above - centre).tolist()
    turn = math.pi / 2 - math.atan2(-along_y, along_x)
    turn -= 2 * math.pi * math.floor((turn + math.pi) / (2 * math.pi))
    return Region(float(centre[0]), float(centre[1]), 2 * MARGIN * math.hypot(along_x, along_y), turn)


def cut_region(image: Image, region: Region, size: tuple[int, int], border: int) -> Image:
    """Cut out a region and scale it.

    Args:
        image: The image.
        region: The region; it may extend beyond the image. The result shows its full height, but more or less
            of its width if it is not square.
        size: Height and width of the result.
        border: OpenCV's border mode for the part outside of the image.

    Shape:
        image ``(H, W, 3)`` -> ``(*size, 3)``.
    """
    transform = _transform(region, size)
    return cv2.warpAffine(image, transform, size[::-1], flags=cv2.INTER_LINEAR, borderMode=border)


def put_back(cut: Image, region: Region, size: tuple[int, int]) -> Image:
    """Put what belongs to a region where it is in the image; it is 0 elsewhere.

    Args:
        cut: Values in the region, as :func:`cut_region` returns them.
        region: The region.
        size: Height and width of the image.

    Shape:
        cut ``(h, w, ...)`` -> ``(*size, ...)``.
    """
    transform = _transform(region, (cut.shape[0], cut.shape[1]))
    return cv2.warpAffine(cut, transform, size[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def _transform(region: Region, size: tuple[int, int]) -> np.ndarray:
    """Return the matrix that maps the image to a cut-out of this size."""
    (height, width), half = size, region.side / 2
    across = half * width / height
    corners = np.array([[-across, half], [-across, -half], [across, -half]])
    source = (corners @ rotation(region.turn).T + (region.x, region.y)).astype(np.float32)
    target = np.array([[0, height], [0, 0], [width, 0]], np.float32)
    return cv2.getAffineTransform(source, target)


def to_image(points: np.ndarray, region: Region, aspect: float = 1.0) -> np.ndarray:
    """Convert positions within a region to pixels of the image.

    Args:
        points: Positions from 0 to 1 along the sides of what :func:`cut_region` returns.
        region: The region.
        aspect: Width of what it returns, relative to the height.

    Shape:
        points ``(V, 2)`` -> the same.

    >>> to_image(np.array([[0.5, 0.5], [1.0, 0.5]]), Region(10, 20, 8)).tolist()
    [[10.0, 20.0], [14.0, 20.0]]
    """
    within = (points - 0.5) * (region.side * aspect, region.side)
    return np.asarray(within @ rotation(region.turn).T + (region.x, region.y))


def rotation(turn: float) -> np.ndarray:
    """Return the matrix that rotates a point of an image clockwise.

    Args:
        turn: The angle in radians.
    """
    cos, sin = math.cos(turn), math.sin(turn)
    return np.array([[cos, -sin], [sin, cos]])
