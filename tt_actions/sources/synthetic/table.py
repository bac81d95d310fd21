"""The table and its net, drawn as 3D polygons."""

from collections.abc import Sequence

import cv2
import numpy as np

from tt_actions.sources.synthetic.camera import NEAR_M, project
from tt_actions.sources.synthetic.room import Rays
from tt_actions.sources.synthetic.scene import Light

LENGTH_M, WIDTH_M, TOP_M, NET_M = 2.74, 1.525, 0.76, 0.1525
TOPS = ((32, 76, 132), (24, 96, 150), (22, 92, 74), (30, 50, 96), (52, 56, 66), (20, 110, 96), (120, 40, 52))
SHIFT = 4
"""Number of fractional bits of the coordinates passed to OpenCV."""


def fixed_point(pixels: np.ndarray) -> np.ndarray:
    """Convert pixels to OpenCV's fixed-point numbers (1/16 pixel).

    Args:
        pixels: Coordinates of any shape; those far outside the frame are clipped.
    """
    fixed: np.ndarray = np.rint(np.clip(pixels, -8000, 8000) * (1 << SHIFT)).astype(np.int32)
    return fixed


def rectangle(x: tuple[float, float], y: tuple[float, float], z: tuple[float, float]) -> np.ndarray:
    """Return the corners of an axis-aligned rectangle, in order; one of the three ranges must have no extent.

    Args:
        x: Range along the table in metres.
        y: Range across the table in metres.
        z: Range of height in metres.

    Shape:
        ``(4, 3)``.
    """
    if z[0] == z[1]:
        corners = [(x[0], y[0], z[0]), (x[1], y[0], z[0]), (x[1], y[1], z[0]), (x[0], y[1], z[0])]
    else:
        corners = [(x[0], y[0], z[0]), (x[1], y[1], z[0]), (x[1], y[1], z[1]), (x[0], y[0], z[1])]
    return np.array(corners)


def fill(picture: np.ndarray, camera: np.ndarray, corners: np.ndarray, colour: Sequence[float]) -> None:
    """Fill a convex 3D polygon, clipped near the camera.

    Args:
        picture: Image to draw on.
        camera: The camera, ``(3, 4)``.
        corners: The polygon's corners in metres, in order.
        colour: One value per channel.

    Shape:
        picture ``(H, W)`` or ``(H, W, C)``, corners ``(N, 3)``.
    """
    kept = _cut(corners, corners @ camera[2, :3] + camera[2, 3] - NEAR_M)
    if len(kept) > 2:
        points = fixed_point(project(camera, kept)[0])
        cv2.fillConvexPoly(picture, points, colour, cv2.LINE_AA, SHIFT)


def _cut(corners: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """Clip a polygon to the side where ``ahead``, the signed distance to a plane, is positive."""
    kept = []
    for i in range(len(corners)):
        if ahead[i - 1] * ahead[i] < 0:
            share = ahead[i - 1] / (ahead[i - 1] - ahead[i])
            kept.append(corners[i - 1] + share * (corners[i] - corners[i - 1]))
        if ahead[i] >= 0:
            kept.append(corners[i])
    return np.array(kept)


def draw_table(
    rng: np.random.Generator, camera: np.ndarray, rays: Rays, picture: np.ndarray, light: Light
) -> np.ndarray:
    """Draw the table and its shadow into the image of an empty hall.

    Args:
        rng: Random generator, for the colours.
        camera: The camera, ``(3, 4)``.
        rays: Viewing rays of the camera.
        picture: The hall, RGB; modified in place.
        light: Lighting, for shadow and gloss.

    Returns:
        Coverage of the hall by the table, in [0, 255].

    Shape:
        picture ``(H, W, 3)``, uint8 -> ``(H, W)``, uint8.
    """
    x, y = (-LENGTH_M / 2, LENGTH_M / 2), (-WIDTH_M / 2, WIDTH_M / 2)
    top = rectangle(x, y, (TOP_M, TOP_M))
    _cast_shadow(picture, camera, top, light)
    colour = np.array(TOPS[rng.integers(len(TOPS))]) * rng.uniform(0.8, 1.2)
    line = np.full(3, rng.uniform(205, 250))
    below = _legs() + _aprons(light)
    below.sort(key=lambda part: -float(np.linalg.norm(part[0].mean(0) - rays.origin)))
    above = [(top, colour)] + [(corners, line) for corners in _lines(x, y)]
    cover = np.zeros(picture.shape[:2], np.uint8)
    for corners, rgb in below + above:
        fill(picture, camera, corners, rgb.tolist())
        fill(cover, camera, corners, (255,))
    _add_gloss(picture, rays, cover, light, rng.uniform(10, 60))
    return cover


def _cast_shadow(picture: np.ndarray, camera: np.ndarray, top: np.ndarray, light: Light) -> None:
    dark = np.zeros((picture.shape[0] // 4, picture.shape[1] // 4), np.uint8)
    fill(dark, np.diag([0.25, 0.25, 1]) @ camera, top - light.direction * TOP_M / light.direction[2], (255,))
    darken(picture, cv2.GaussianBlur(dark, (0, 0), len(dark) / 60), light.shadow)


def darken(picture: np.ndarray, dark: np.ndarray, amount: float) -> None:
    """Darken an image according to a smaller mask.

    Args:
        picture: RGB image, modified in place.
        dark: The mask, 255 for full shadow.
        amount: Loss of light in full shadow, in [0, 1].

    Shape:
        picture ``(H, W, 3)``, dark ``(h, w)``, both uint8.
    """
    size = (picture.shape[1], picture.shape[0])
    light = cv2.convertScaleAbs(cv2.resize(dark, size), alpha=-amount, beta=255)
    cv2.multiply(picture, cv2.cvtColor(light, cv2.COLOR_GRAY2RGB), picture, scale=1 / 255)


def _legs() -> list[tuple[np.ndarray, np.ndarray]]:
    metal = np.array([44.0, 46, 52])
    parts = []
    for x in (-0.95, 0.95):
        parts += [(rectangle((x - 0.03, x + 0.03), (y, y), (0, TOP_M)), metal) for y in (-0.6, 0.6)]
        parts += [(rectangle((x, x), (y - 0.03, y + 0.03), (0, TOP_M)), 0.8 * metal) for y in (-0.6, 0.6)]
        parts.append((rectangle((x, x), (-0.6, 0.6), (0.12, 0.18)), metal))
    return parts


def _aprons(light: Light) -> list[tuple[np.ndarray, np.ndarray]]:
    x, y, z = LENGTH_M / 2, WIDTH_M / 2, (TOP_M - 0.07, TOP_M)
    grey = np.array([34.0, 36, 44])
    sides = [((-x, x), (s * y, s * y), np.array([0, s, 0])) for s in (-1, 1)]
    ends = [((s * x, s * x), (-y, y), np.array([s, 0, 0])) for s in (-1, 1)]
    return [
        (rectangle(along, across, z), grey * (1 + 0.6 * max(0.0, float(normal @ light.direction))))
        for along, across, normal in sides + ends
    ]


def _lines(x: tuple[float, float], y: tuple[float, float]) -> list[np.ndarray]:
    z = (TOP_M, TOP_M)
    edges = [rectangle(x, (y[0], y[0] + 0.02), z), rectangle(x, (y[1] - 0.02, y[1]), z)]
    ends = [rectangle((x[0], x[0] + 0.02), y, z), rectangle((x[1] - 0.02, x[1]), y, z)]
    return [*edges, *ends, rectangle(x, (-0.0015, 0.0015), z)]


def _add_gloss(picture: np.ndarray, rays: Rays, cover: np.ndarray, light: Light, amount: float) -> None:
    """Add reflections of the lamps to the table top, like Phong's specular term."""
    left, top, width, height = cv2.boundingRect(cover)
    if width:
        box = (slice(top, top + height), slice(left, left + width))
        ahead = rays.directions[box] / np.linalg.norm(rays.directions[box], axis=-1, keepdims=True)
        mirrored = ahead @ (light.direction * [1, 1, -1]).astype(np.float32)
        shine = np.maximum(mirrored, 0) ** 12 + np.float32(0.25) * (1 + ahead[..., 2]) ** 2
        shine *= (cover[box] > 0) * np.float32(amount)
        gloss = cv2.cvtColor(shine, cv2.COLOR_GRAY2RGB)
        picture[box] = cv2.add(np.ascontiguousarray(picture[box]), gloss, dtype=cv2.CV_8U)


def draw_net(camera: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Draw only the net.

    Args:
        camera: The camera, ``(3, 4)``.
        shape: Height and width of the frame.

    Returns:
        RGB, and the opacity of the net in [0, 255].

    Shape:
        ``(H, W, 4)``, uint8.
    """
    net = np.zeros((*shape, 4), np.uint8)
    net[..., :3] = 40
    reach, top = WIDTH_M / 2 + 0.15, TOP_M + NET_M
    fill(net, camera, rectangle((0, 0), (-reach, reach), (TOP_M, top)), (40, 40, 40, 120))
    fill(net, camera, rectangle((0, 0), (-reach, reach), (top - 0.015, top)), (236, 236, 236, 250))
    for y in (-reach, reach):
        for x_m, y_m in ((0.012, 0.0), (0.0, 0.012)):
            post = rectangle((-x_m, x_m), (y - y_m, y + y_m), (TOP_M - 0.06, top))
            fill(net, camera, post, (50, 50, 50, 255))
    return net
