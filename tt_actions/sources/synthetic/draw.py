"""Rendering the frames of a motion: the painter's algorithm over a static background."""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from tt_actions.sources.synthetic.background import Background, draw_background
from tt_actions.sources.synthetic.camera import NEAR_M, centre_of
from tt_actions.sources.synthetic.motion import Motion
from tt_actions.sources.synthetic.scene import Scene
from tt_actions.sources.synthetic.shapes import cast_shadows, draw_shapes
from tt_actions.sources.synthetic.table import LENGTH_M, SHIFT, WIDTH_M, darken, fixed_point

BLOCK = 64
"""Number of frames whose outlines are computed together."""

SMEAR_PX = 2.0
"""Movement in pixels during the exposure above which a part is drawn several times and averaged."""

BEHIND_TABLE, BEHIND_NET, IN_FRONT = 0, 1, 2
"""Layers: things that the table can hide, things that only the net can hide, and things that neither can
hide."""

Layers = tuple[list["Item"], list["Item"], list["Item"]]


class Item(NamedTuple):
    """A part in one frame.

    Args:
        outlines: Outlines of its shades at the middle of the exposure, ``(L, N, 2)``, as OpenCV's fixed-point
            numbers.
        ends: Outlines at the start and end of the exposure, ``(2, L, N, 2)``, in pixels.
        smear_px: Movement during the exposure, in pixels.
        colours: RGB values of its shades.
        depth: Depth in metres.
        owner: Index of the player to whom the part belongs, or -1 for the ball.
    """

    outlines: np.ndarray
    ends: np.ndarray
    smear_px: float
    colours: list[list[float]]
    depth: float
    owner: int


def draw_pictures(scene: Scene, motion: Motion) -> Iterator[np.ndarray]:
    """Render the frames that the camera records.

    Args:
        scene: How the motion is filmed.
        motion: The motion to film.

    Yields:
        Every frame as an RGB image, uint8, ``(H, W, 3)``.
    """
    background = draw_background(scene)
    develop = _Sensor(scene)
    for shake, layers, shadows in _plan(scene, motion):
        to_picture = _to_picture(background, shake)
        hall, table = _split(cv2.warpAffine(background.hall, to_picture, scene.size))
        picture = hall.copy()
        _shade_floor(picture, shadows, scene.light.shadow)
        _paint(picture, layers[BEHIND_TABLE])
        cv2.copyTo(hall, cv2.threshold(table, 127, 255, cv2.THRESH_BINARY)[1], picture)
        _paint(picture, layers[BEHIND_NET])
        _hang_net(picture, background, to_picture)
        _paint(picture, layers[IN_FRONT])
        yield develop(picture)


def draw_truth(scene: Scene, motion: Motion) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Render the ground truth for the pixels of every frame; a body part has the depth of its centre.

    Args:
        scene: How the motion is filmed.
        motion: The motion to film.

    Yields:
        Depth along the camera's axis in metres, float32, and the mask of the visible first player with the
        racket, bool; both ``(H, W)``.
    """
    background = draw_background(scene)
    covered = np.where(background.hall[..., 3] > 127, np.uint8(255), np.uint8(0))
    for shake, layers, _ in _plan(scene, motion):
        to_picture = _to_picture(background, shake)
        hall = cv2.warpAffine(background.depth, to_picture, scene.size, flags=cv2.INTER_NEAREST)
        table = cv2.warpAffine(covered, to_picture, scene.size, flags=cv2.INTER_NEAREST)
        depth, figure = hall.copy(), np.zeros_like(table)
        for level, items in enumerate(layers):
            for item in items:
                outline = item.outlines[0]
                cv2.fillConvexPoly(depth, outline, item.depth, cv2.LINE_8, SHIFT)
                cv2.fillConvexPoly(figure, outline, 255 if item.owner == 0 else 0, cv2.LINE_8, SHIFT)
            if level == BEHIND_TABLE:
                cv2.copyTo(hall, table, depth)
                figure[table > 0] = 0
        yield depth, figure > 0


def _plan(scene: Scene, motion: Motion) -> Iterator[tuple[np.ndarray, Layers, np.ndarray]]:
    """Return every frame's shake, its parts by layer from far to near, and its shadows."""
    num_shades = 4 if scene.size[1] <= 320 else 8
    for start in range(0, len(motion.ball), BLOCK):
        frames = slice(start, start + BLOCK)
        shapes = draw_shapes(scene, motion, frames, num_shades)
        shadows = fixed_point(cast_shadows(scene, motion, frames))
        whole = shapes.outlines[:, :, :, 0]
        inside = (whole.max((1, 3)) > 0) & (whole.min((1, 3)) < np.array(scene.size))
        visible = inside.all(-1) & (shapes.depth > NEAR_M)
        layer = _layer(shapes.places, centre_of(scene.still))
        middle = fixed_point(shapes.outlines.mean(1))
        smear_px = np.abs(whole[:, 1] - whole[:, 0]).max((-2, -1))
        colours = shapes.colours.tolist()
        for index, shake in enumerate(scene.shake[frames]):
            layers: Layers = ([], [], [])
            for part in np.argsort(-shapes.depth[:, index]).tolist():
                if visible[part, index]:
                    item = Item(
                        middle[part, index],
                        shapes.outlines[part, :, index],
                        smear_px[part, index],
                        colours[part][index],
                        float(shapes.depth[part, index]),
                        int(shapes.owners[part]),
                    )
                    layers[layer[part, index]].append(item)
            yield shake, layers, shadows[index]


def _layer(places: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """Assign parts to layers by their position relative to table and net."""
    x, y = places[..., 0], places[..., 1]
    behind_end = np.abs(x) > LENGTH_M / 2
    beside = ~behind_end & (np.abs(y) > WIDTH_M / 2)
    eye_behind_end = eye[0] * np.sign(x) > LENGTH_M / 2
    eye_beside = eye[1] * np.sign(y) > WIDTH_M / 2
    over = np.where(eye[0] * x >= 0, IN_FRONT, BEHIND_NET)
    outside = np.where(np.where(behind_end, eye_behind_end, eye_beside), IN_FRONT, BEHIND_TABLE)
    return np.where(behind_end | beside, outside, over)


def _to_picture(background: Background, shake: np.ndarray) -> np.ndarray:
    """Return the affine map, ``(2, 3)``, from background pixels to the pixels of a shaken frame."""
    margin = np.array([[1, 0, -background.margin], [0, 1, -background.margin], [0, 0, 1]])
    to_picture: np.ndarray = shake[:2] @ margin
    return to_picture


def _split(layer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB), cv2.extractChannel(layer, 3)


def _shade_floor(picture: np.ndarray, shadows: np.ndarray, amount: float) -> None:
    """Draw soft shadows on the floor, at half resolution."""
    dark = np.zeros((picture.shape[0] // 2, picture.shape[1] // 2), np.uint8)
    for outline in shadows:
        cv2.fillConvexPoly(dark, outline, 255, cv2.LINE_8, SHIFT + 1)
    darken(picture, cv2.GaussianBlur(dark, (0, 0), len(dark) / 80), amount)


def _hang_net(picture: np.ndarray, background: Background, to_picture: np.ndarray) -> None:
    """Blend the net over everything behind it."""
    if not background.net.size:
        return
    net_height, net_width = background.net.shape[:2]
    to_picture = to_picture @ np.array(
        [[1, 0, background.net_corner[0]], [0, 1, background.net_corner[1]], [0, 0, 1]]
    )
    corners = to_picture @ [[0, net_width, 0, net_width], [0, 0, net_height, net_height], [1, 1, 1, 1]]
    left, top = np.maximum(corners.min(1), 0).astype(int).tolist()
    box = picture[top : max(0, int(corners[1].max()) + 1), left : max(0, int(corners[0].max()) + 1)]
    if box.size:
        to_picture[:, 2] -= (left, top)
        colour, cover = _split(cv2.warpAffine(background.net, to_picture, box.shape[1::-1]))
        share = cover.astype(np.float32) / 255
        box[:] = cv2.blendLinear(colour, np.ascontiguousarray(box), share, 1 - share)


def _paint(picture: np.ndarray, items: list[Item]) -> None:
    for item in items:
        if item.smear_px > SMEAR_PX:
            _smear(picture, item)
        else:
            _fill(picture, item.outlines, item.colours)


def _fill(picture: np.ndarray, outlines: np.ndarray, colours: list[list[float]]) -> None:
    for outline, colour in zip(outlines, colours, strict=True):
        cv2.fillConvexPoly(picture, outline, colour, cv2.LINE_AA, SHIFT)


def _smear(picture: np.ndarray, item: Item) -> None:
    """Average the drawings of a part over the exposure time."""
    times = min(8, 1 + int(item.smear_px / SMEAR_PX))
    points = item.ends[:, 0].reshape(-1, 2)
    left, top = np.maximum(points.min(0) - 2, 0).astype(int).tolist()
    right, bottom = (points.max(0) + 3).astype(int).tolist()
    box = picture[top:bottom, left:right]
    before, total = box.copy(), np.zeros(box.shape, np.float32)
    moments = (np.arange(times)[:, None, None, None] + 0.5) / times
    for outlines in fixed_point(item.ends[0] + moments * (item.ends[1] - item.ends[0])):
        box[:] = before
        _fill(picture, outlines, item.colours)
        cv2.accumulate(box, total)
    box[:] = np.round(total / times)


class _Sensor:
    """Effects of lens and sensor: blur, vignetting, noise."""

    def __init__(self, scene: Scene) -> None:
        self.softness_px = scene.softness_px
        self.rng = np.random.default_rng([scene.seed, 1])
        width, height = scene.size
        y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        corners = 255 * (1 - scene.light.vignette * (x**2 + y**2) / 2)
        self.corners = cv2.cvtColor(corners.round().astype(np.uint8), cv2.COLOR_GRAY2RGB)
        shape = (height + 64, width + 64, 3)
        self.grain = (self.rng.standard_normal(shape, np.float32) * scene.noise).round().astype(np.int16)

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        if self.softness_px > 0.3:
            picture = cv2.GaussianBlur(picture, (0, 0), self.softness_px)
        picture = cv2.multiply(picture, self.corners, scale=1 / 255)
        height, width = picture.shape[:2]
        top, left = self.rng.integers(0, 64, 2).tolist()
        return cv2.add(picture, self.grain[top : top + height, left : left + width], dtype=cv2.CV_8U)
