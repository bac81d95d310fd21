"""Pictures of joints."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from tt_actions.skeleton.layouts import PATHS, Layout

LEFT, RIGHT, MIDDLE = (86, 180, 233), (230, 159, 0), (210, 210, 210)
"""Colours of the sides, RGB, apart for the colour-blind too (Okabe & Ito)."""

BACKGROUND = (32, 32, 32)


def draw_joints(joints: np.ndarray, layout: Layout, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Draw a skeleton as a camera in front of it sees it, or a path up to each moment.

    The left side is blue, the right one orange; all frames share one scale.

    Args:
        joints: Places, x to the right or, in space, as the Kinect's, y up.
        layout: What the joints are.
        size: Height and width in pixels.

    Yields:
        A picture for each frame, ``(H, W, 3)``, uint8 RGB.

    Shape:
        joints ``(T, V, C)``.
    """
    points = to_pixels(joints[..., :2] * _seen_from_the_front(layout), size)
    thickness = max(1, min(size) // 120)
    for t, places in enumerate(points):
        picture = np.full((*size, 3), BACKGROUND, np.uint8)
        if layout in PATHS:
            cv2.polylines(picture, [points[: t + 1, 0]], False, RIGHT, thickness, cv2.LINE_AA)
            cv2.circle(picture, places[0].tolist(), 3 * thickness, MIDDLE, -1, cv2.LINE_AA)
        else:
            draw_bones(picture, places, layout, thickness)
        yield picture


def _seen_from_the_front(layout: Layout) -> np.ndarray:
    """A body in space that faces the camera has its left side at -x, and at the right of the picture."""
    is_body_in_space = layout.num_coordinates == 3 and layout not in PATHS
    return np.array([-1 if is_body_in_space else 1, 1])


def colour_of_side(joint: str) -> tuple[int, int, int]:
    """Return the colour of the side on which a joint is, RGB.

    Args:
        joint: Its name.
    """
    return LEFT if joint.startswith("left_") else RIGHT if joint.startswith("right_") else MIDDLE


def draw_bones(
    picture: np.ndarray,
    places: np.ndarray,
    layout: Layout,
    thickness: int,
    colour: Callable[[str], tuple[int, int, int]] = colour_of_side,
) -> None:
    """Draw one skeleton into a picture.

    Args:
        picture: The picture, RGB.
        places: Pixels of the joints.
        layout: What the joints are.
        thickness: Of the lines, in pixels.
        colour: Gives the colour, RGB, of the bone that ends in a joint.

    Shape:
        picture ``(H, W, 3)``, places ``(V, 2)``, int.
    """
    for joint, parent in layout.bones:
        ends = places[joint].tolist(), places[parent].tolist()
        cv2.line(picture, *ends, colour(layout.joints[joint]), thickness, cv2.LINE_AA)
    for place in places:
        cv2.circle(picture, place.tolist(), thickness + 1, MIDDLE, -1, cv2.LINE_AA)


def to_pixels(places: np.ndarray, size: tuple[int, int], margin: float = 0.06) -> np.ndarray:
    """Fit places, y up, into a picture, y down.

    Args:
        places: Of all moments.
        size: Height and width in pixels.
        margin: Share of the picture left free on each side.

    Shape:
        places ``(..., 2)`` -> the same, int.
    """
    flat = places.reshape(-1, 2)
    low, high = flat.min(0), flat.max(0)
    height, width = size
    room = np.array([width, height]) * (1 - 2 * margin)
    scale = float((room / np.maximum(high - low, 1e-6)).min())
    centred = (places - (low + high) / 2) * scale * [1, -1]
    return np.asarray((centred + np.array([width, height]) / 2).round().astype(int))
