"""The static background of a scene: rendered once, larger than the frame, and shifted with the camera."""

from dataclasses import dataclass

import cv2
import numpy as np

from tt_actions.sources.synthetic.camera import NEAR_M
from tt_actions.sources.synthetic.court import draw_court
from tt_actions.sources.synthetic.room import Rays, draw_room
from tt_actions.sources.synthetic.scene import Scene
from tt_actions.sources.synthetic.table import LENGTH_M, TOP_M, WIDTH_M, draw_net, draw_table

OVERSAMPLING = 2


@dataclass(frozen=True)
class Background:
    """The hall with its table or court, and the net of the table as a separate layer.

    Args:
        hall: RGB, and the coverage by the table.
        net: RGB, and the opacity of the net; cropped to the net.
        net_corner: Column and row of the net's first pixel.
        depth: Depth of every pixel in metres.
        margin: Additional pixels on every side of the frame.

    Shape:
        hall ``(H, W, 4)``, net ``(h, w, 4)``, uint8; depth ``(H, W)``, float32.
    """

    hall: np.ndarray
    net: np.ndarray
    net_corner: tuple[int, int]
    depth: np.ndarray
    margin: int


def draw_background(scene: Scene) -> Background:
    """Render the static background, large enough for any camera shake.

    Args:
        scene: How the motion is filmed.
    """
    corners = np.array([[x, y, 1] for x in (0, scene.size[0]) for y in (0, scene.size[1])], float)
    moved = (scene.shake @ corners.T)[:, :2] - corners.T[:2]
    margin = int(np.ceil(np.abs(moved).max())) + 2
    width, height = (side + 2 * margin for side in scene.size)
    # Pixel centres: the pixel of index i spans i - 0.5 to i + 0.5 in both images.
    edge = OVERSAMPLING * (margin + 0.5) - 0.5
    camera = np.array([[OVERSAMPLING, 0, edge], [0, OVERSAMPLING, edge], [0, 0, 1]]) @ scene.still
    rays = Rays.of(camera, (OVERSAMPLING * width, OVERSAMPLING * height))
    rng = np.random.default_rng(scene.hall_seed)
    picture, depth = draw_room(rng, rays)
    if scene.sport == "tennis":  # nothing that could hide a player
        draw_court(rng, camera, picture)
        table, net = np.zeros(picture.shape[:2], np.uint8), np.zeros((*picture.shape[:2], 4), np.uint8)
    else:
        table = draw_table(rng, camera, rays, picture, scene.light)
        net = draw_net(camera, picture.shape[:2])
    hall, net = _shrunk(np.dstack([picture, table]), scene), _shrunk(net, scene)
    left, top, net_width, net_height = cv2.boundingRect(net[..., 3])
    return Background(
        hall=hall,
        net=net[top : top + net_height, left : left + net_width],
        net_corner=(left, top),
        depth=(_with_top(rays, depth, table) if scene.sport == "table_tennis" else depth)[
            ::OVERSAMPLING, ::OVERSAMPLING
        ],
        margin=margin,
    )


def _shrunk(layer: np.ndarray, scene: Scene) -> np.ndarray:
    size = (layer.shape[1] // OVERSAMPLING, layer.shape[0] // OVERSAMPLING)
    layer = cv2.resize(layer, size, interpolation=cv2.INTER_AREA)
    layer[..., :3] = scene.light.tint(layer[..., :3])
    return layer


def _with_top(rays: Rays, depth: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Insert the table into the hall's depth: its top where visible, otherwise its nearest side."""
    top = rays.depth_of_plane(2, TOP_M)
    on_top = (
        (np.abs(rays.coordinate_at(top, 0)) < LENGTH_M / 2)
        & (np.abs(rays.coordinate_at(top, 1)) < WIDTH_M / 2)
        & (top > NEAR_M)
    )
    end = rays.depth_of_plane(0, np.sign(rays.origin[0]) * LENGTH_M / 2)
    side = rays.depth_of_plane(1, np.sign(rays.origin[1]) * WIDTH_M / 2)
    below = np.where(table > 127, np.minimum(depth, np.minimum(end, side)), depth)
    return np.where(on_top, top, below).astype(np.float32)
