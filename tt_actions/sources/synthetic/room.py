"""The hall in which a match is filmed: textured floor and walls, rendered by ray casting."""

from dataclasses import dataclass

import cv2
import numpy as np

from tt_actions.sources.synthetic.camera import Size, centre_of

WALL_PX_M = 40
FLOOR_PX_M = 80
FLOOR_TILE_M = 6
WALL_HEIGHT_M = 7
WALL_LENGTH_M = 24
FAR_M = 1000.0
WORDS = (
    "TABLE TENNIS",
    "OPEN",
    "CHAMPIONSHIP",
    "CLUB",
    "SPORT",
    "FINAL",
    "CUP",
    "TEAM",
    "SPIN",
    "2024",
    "TT",
)


@dataclass(frozen=True)
class Rays:
    """The viewing ray of every pixel.

    Args:
        origin: Position of the camera, in metres.
        directions: Direction of each ray, in metres per metre of depth.

    Shape:
        origin ``(3,)``, directions ``(H, W, 3)``, float32.
    """

    origin: np.ndarray
    directions: np.ndarray

    @classmethod
    def of(cls, camera: np.ndarray, size: Size) -> "Rays":
        """Cast a ray through the centre of every pixel.

        Args:
            camera: The camera, ``(3, 4)``.
            size: Width and height of the frame.
        """
        inverse = np.linalg.inv(camera[:, :3]).astype(np.float32)
        columns = np.arange(size[0], dtype=np.float32)[None, :, None] * inverse[:, 0]
        rows = np.arange(size[1], dtype=np.float32)[:, None, None] * inverse[:, 1]
        return cls(centre_of(camera), columns + rows + inverse[:, 2])

    def depth_of_plane(self, axis: int, place_m: float) -> np.ndarray:
        """Return the depth at which rays hit the plane on which coordinate ``axis`` equals ``place_m``.

        Args:
            axis: 0, 1 or 2: x, y or z.
            place_m: Coordinate of the plane, in metres.

        Returns:
            Depth in metres, :data:`FAR_M` for rays that miss the plane.

        Shape:
            ``(H, W)``.
        """
        with np.errstate(divide="ignore"):
            depth: np.ndarray = np.float32(place_m - self.origin[axis]) / self.directions[..., axis]
        depth[~(depth > 0) | (depth > FAR_M)] = FAR_M
        return depth

    def coordinate_at(
        self, depth: np.ndarray, axis: int, box: tuple[slice, slice] = np.s_[:, :]
    ) -> np.ndarray:
        """Return one coordinate, in metres, of the points at a given depth in a box of the frame.

        Args:
            depth: Depth along the camera's axis, in metres.
            axis: 0, 1 or 2: x, y or z.
            box: Rows and columns, all by default.

        Shape:
            depth ``(H, W)`` -> ``(H, W)``, or the shape of the box.
        """
        coordinate: np.ndarray = self.directions[..., axis][box] * depth[box] + np.float32(self.origin[axis])
        return coordinate


def draw_room(rng: np.random.Generator, rays: Rays) -> tuple[np.ndarray, np.ndarray]:
    """Draw an empty hall around the table.

    Args:
        rng: Random generator, for size and look of the hall.
        rays: The viewing rays.

    Returns:
        The image, RGB, and the depth of every pixel in metres.

    Shape:
        picture ``(H, W, 3)``, uint8, and depth ``(H, W)``, float32.
    """
    look = _Paint(rng)
    depth = rays.depth_of_plane(2, 0.0)
    picture = np.zeros((*depth.shape, 3), np.uint8)
    horizon = int(np.argmax(depth[:, 0] < FAR_M))
    picture[horizon:] = _floor(look, rays, depth, np.s_[horizon:, :])
    texture = look.wall()
    for axis, side in ((0, -1), (0, 1), (1, -1), (1, 1)):
        away_m = max((5.5, 4.0)[axis], abs(rays.origin[axis]) + 0.5) + rng.uniform(0, 3)
        shade, offset_m = rng.uniform(0.75, 1.0), rng.uniform(8, 16)
        wall = rays.depth_of_plane(axis, side * away_m)
        nearer = (wall < depth).view(np.uint8)
        left, top, width, height = cv2.boundingRect(nearer)
        if width:
            box = (slice(top, top + height), slice(left, left + width))
            # Seen from inside, left to right is +y on the wall at -x, and +x on the wall at +y.
            along = rays.coordinate_at(wall, 1 - axis, box) * np.float32(side if axis else -side)
            up = np.float32(WALL_HEIGHT_M) - rays.coordinate_at(wall, 2, box)
            seen = _sample(texture, (along + np.float32(offset_m)) * WALL_PX_M, up * WALL_PX_M)
            cv2.copyTo(cv2.convertScaleAbs(seen, alpha=shade), nearer[box], picture[box])
            np.minimum(depth, wall, out=depth)
    return picture, depth


def _sample(texture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    bounded = (np.clip(x, -30000, 30000), np.clip(y, -30000, 30000))
    return cv2.remap(texture, *bounded, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def _floor(look: "_Paint", rays: Rays, depth: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    x, y = rays.coordinate_at(depth, 0, box), rays.coordinate_at(depth, 1, box)
    seen = _sample(look.floor(), x * FLOOR_PX_M, y * FLOOR_PX_M)
    if look.rng.random() < 0.5:
        outside = (np.abs(x) > look.rng.uniform(4, 7)) | (np.abs(y) > look.rng.uniform(2.6, 3.5))
        other = cv2.convertScaleAbs(seen[..., ::-1], alpha=look.rng.uniform(0.6, 1.1))
        cv2.copyTo(other, outside.view(np.uint8), seen)
    light = 1.08 - 0.3 * np.minimum((x * x + y * y) / 80, 1)
    return cv2.multiply(seen, cv2.cvtColor(light, cv2.COLOR_GRAY2RGB), dtype=cv2.CV_8U)


class _Paint:
    """Generates the textures of one hall, in RGB."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.base = self.colour(90, 225, 0.3)
        self.board = self.colour(20, 190, 1.0)
        self.style = rng.choice(
            ["plain", "panels", "bricks", "curtain", "stands"], p=[0.25, 0.2, 0.2, 0.15, 0.2]
        )
        self.boarded = rng.random() < 0.6

    def colour(self, low: int, high: int, vivid: float) -> np.ndarray:
        """Choose a random colour, from grey (vivid 0) to any colour (1)."""
        grey = self.rng.uniform(low, high)
        return grey * (1 - vivid) + self.rng.uniform(low, high, 3) * vivid

    def mottle(self, height: int, width: int, cell: int, amount: float) -> np.ndarray:
        """Generate smoothly varying factors around 1."""
        rough = self.rng.normal(1, amount, (height // cell + 2, width // cell + 2, 1)).astype(np.float32)
        smooth: np.ndarray = cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
        return smooth

    def floor(self) -> np.ndarray:
        """Generate a floor tile that is repeated by mirroring."""
        side = FLOOR_TILE_M * FLOOR_PX_M
        kind = self.rng.choice(["rubber", "planks", "tiles"], p=[0.55, 0.3, 0.15])
        if kind == "planks":
            base = np.array([196, 148, 98]) * self.rng.uniform(0.65, 1.1)
            rows, columns = side // 12, 4
            tints = self.rng.normal(1, 0.05, (rows, columns, 1)) * base
            texture = np.repeat(np.repeat(tints, 12, 0), side // columns, 1).astype(np.float32)
            texture[::12] *= 0.82
            return _to_bytes(texture * self.mottle(side, side, 6, 0.02))
        base = self.colour(40, 170, 1.0) if kind == "rubber" else self.colour(110, 190, 0.15)
        texture = np.full((side, side, 3), base, np.float32) * self.mottle(side, side, 40, 0.035)
        if kind == "tiles":
            texture[::40] *= 0.85
            texture[:, ::40] *= 0.85
        return _to_bytes(texture * self.mottle(side, side, 3, 0.02))

    def wall(self) -> np.ndarray:
        """Generate a wall with objects on and in front of it, slightly out of focus."""
        height, width = WALL_HEIGHT_M * WALL_PX_M, WALL_LENGTH_M * WALL_PX_M
        rise = np.linspace(1.1, 0.85, height, dtype=np.float32)[:, None, None]
        texture = np.ascontiguousarray(np.broadcast_to(self.base * rise, (height, width, 3)), np.float32)
        getattr(self, f"_{self.style}")(texture)
        for _ in range(self.rng.integers(0, 6)):
            self._banner(texture)
        texture *= self.mottle(height, width, 50, 0.04)
        if self.boarded:
            self._boards(texture)
        texture[-3:] *= 0.5
        return cv2.GaussianBlur(_to_bytes(texture), (0, 0), self.rng.uniform(0.6, 2.2))

    def _plain(self, texture: np.ndarray) -> None:
        texture[-int(self.rng.uniform(1.0, 2.4) * WALL_PX_M) :] *= (
            self.colour(150, 255, 0.6).astype(np.float32) / 255
        )

    def _panels(self, texture: np.ndarray) -> None:
        step = int(self.rng.uniform(0.5, 1.6) * WALL_PX_M)
        texture *= np.repeat(self.rng.normal(1, 0.04, 60), step)[: texture.shape[1], None].astype(np.float32)
        texture[:, ::step] *= 0.75

    def _bricks(self, texture: np.ndarray) -> None:
        step = int(self.rng.uniform(6, 12))
        texture[::step] *= 0.86
        for i, top in enumerate(range(0, len(texture), step)):
            texture[top : top + step, (i % 2) * step :: 2 * step] *= 0.86

    def _curtain(self, texture: np.ndarray) -> None:
        columns = np.arange(texture.shape[1]) / (WALL_PX_M * self.rng.uniform(0.06, 0.14))
        folds = 0.8 + 0.18 * np.sin(columns + 2 * np.sin(columns / 7))
        texture *= (folds[:, None] * self.colour(40, 200, 1.0) / 160).astype(np.float32)

    def _stands(self, texture: np.ndarray) -> None:
        texture *= 0.35
        columns = np.arange(6, texture.shape[1], 14)
        for row in range(len(texture) // 3, len(texture) - 20, 22):
            for x in columns[self.rng.random(len(columns)) < 0.8].tolist():
                at = (x + int(self.rng.integers(-3, 4)), row + int(self.rng.integers(-3, 4)))
                cv2.ellipse(
                    texture, (at[0], at[1] + 12), (7, 9), 0, 0, 360, self.colour(30, 190, 0.8).tolist(), -1
                )
                cv2.circle(
                    texture, at, 4, (np.array([200, 155, 125]) * self.rng.uniform(0.4, 0.95)).tolist(), -1
                )

    def _banner(self, texture: np.ndarray) -> None:
        height, width = (self.rng.uniform([0.4, 0.6], [1.4, 3.5]) * WALL_PX_M).astype(int).tolist()
        left = int(self.rng.integers(0, texture.shape[1] - width))
        top = int(self.rng.integers(2 * WALL_PX_M, 5 * WALL_PX_M))
        self._sign(texture, left, top, width, height, self.colour(20, 240, 1.0))

    def _boards(self, texture: np.ndarray) -> None:
        height, width = int(0.75 * WALL_PX_M), int(self.rng.uniform(1.4, 2.4) * WALL_PX_M)
        texture[-height - 4 : -height] *= 0.8
        for left in range(0, texture.shape[1], width):
            self._sign(texture, left, len(texture) - height, width - 2, height, self.board)

    def _sign(
        self, texture: np.ndarray, left: int, top: int, width: int, height: int, colour: np.ndarray
    ) -> None:
        sign = texture[top : top + height, left : left + width]
        sign[:] = colour
        word = str(self.rng.choice(WORDS))
        (long, high), _ = cv2.getTextSize(word, cv2.FONT_HERSHEY_DUPLEX, 1.0, 2)
        scale = min(0.8 * sign.shape[1] / long, 0.5 * height / high)
        at = (int(sign.shape[1] - long * scale) // 2, int(height + high * scale) // 2)
        letters = np.zeros(sign.shape[:2], np.uint8)
        cv2.putText(letters, word, at, cv2.FONT_HERSHEY_DUPLEX, scale, 255, 2, cv2.LINE_AA)
        ink = np.float32(235 if colour.mean() < 130 else 30)
        sign += (ink - sign) * (letters[..., None] / np.float32(255))


def _to_bytes(texture: np.ndarray) -> np.ndarray:
    bounded: np.ndarray = np.clip(texture, 0, 255)
    return bounded.astype(np.uint8)
