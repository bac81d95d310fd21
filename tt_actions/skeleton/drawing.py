"""Drawing skeletons and trajectories as images."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from tt_actions.skeleton.layouts import PATHS, Layout

LEFT, RIGHT, MIDDLE = (86, 180, 233), (230, 159, 0), (210, 210, 210)
"""RGB colours of left, right and middle joints, which colour-blind people can distinguish (Okabe & Ito)."""

BACKGROUND = (32, 32, 32)


def draw_joints(joints: np.ndarray, layout: Layout, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Draw a skeleton as a camera in front of it sees it, or a trajectory up to each frame.

    The left side is blue and the right side orange. All images have the same scale.

    Args:
        joints: Positions with y up. In 2D, x points to the right of the image; 3D coordinates are the
            Kinect's.
        layout: Layout of the joints.
        size: Height and width in pixels.

    Yields:
        An image for each frame, ``(H, W, 3)``, uint8 RGB.

    Shape:
        joints ``(T, V, C)``.
    """
    points = to_pixels(joints[..., :2] * seen_from_the_front(layout), size)
    thickness = max(1, min(size) // 120)
    for t, pixels in enumerate(points):
        image = np.full((*size, 3), BACKGROUND, np.uint8)
        if layout in PATHS:
            cv2.polylines(image, [points[: t + 1, 0]], False, RIGHT, thickness, cv2.LINE_AA)
            cv2.circle(image, pixels[0].tolist(), 3 * thickness, MIDDLE, -1, cv2.LINE_AA)
        else:
            draw_bones(image, pixels, layout, thickness)
        yield image


def seen_from_the_front(layout: Layout) -> np.ndarray:
    """Return factors that mirror 3D bodies: facing the camera, their left is at -x but right in the image.

    Args:
        layout: Layout of the joints.
    """
    is_3d_body = layout.num_coordinates == 3 and layout not in PATHS
    return np.array([-1 if is_3d_body else 1, 1])


def colour_of_side(joint: str) -> tuple[int, int, int]:
    """Return the RGB colour of a joint's side of the body.

    Args:
        joint: Name of the joint.
    """
    return LEFT if joint.startswith("left_") else RIGHT if joint.startswith("right_") else MIDDLE


def draw_bones(
    image: np.ndarray,
    pixels: np.ndarray,
    layout: Layout,
    thickness: int,
    colour: Callable[[str], tuple[int, int, int]] = colour_of_side,
) -> None:
    """Draw one skeleton into an image.

    Args:
        image: The image, RGB.
        pixels: Pixel positions of the joints.
        layout: Layout of the joints.
        thickness: Thickness of the lines in pixels.
        colour: Returns the RGB colour of the bone that ends in a joint, given the joint's name.

    Shape:
        image ``(H, W, 3)``, pixels ``(V, 2)``, int.
    """
    for joint, parent in layout.bones:
        ends = pixels[joint].tolist(), pixels[parent].tolist()
        cv2.line(image, *ends, colour(layout.joints[joint]), thickness, cv2.LINE_AA)
    for pixel in pixels:
        cv2.circle(image, pixel.tolist(), thickness + 1, MIDDLE, -1, cv2.LINE_AA)


def to_pixels(positions: np.ndarray, size: tuple[int, int], margin: float = 0.06) -> np.ndarray:
    """Convert positions, with y up, to pixels of an image, with y down, so that all fit into the image.

    Args:
        positions: Positions in all frames.
        size: Height and width in pixels.
        margin: Share of the image left free on each side.

    Shape:
        positions ``(..., 2)`` -> the same, int.
    """
    flat = positions.reshape(-1, 2)
    low, high = flat.min(0), flat.max(0)
    height, width = size
    room = np.array([width, height]) * (1 - 2 * margin)
    scale = float((room / np.maximum(high - low, 1e-6)).min())
    centred = (positions - (low + high) / 2) * scale * [1, -1]
    return np.asarray((centred + np.array([width, height]) / 2).round().astype(int))
