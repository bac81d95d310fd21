"""Players, rackets and ball as outlines in the frame.

Each part is the convex hull of a few discs. The support function gives its outline: in direction u, the disc
that reaches farthest, max over i of <c_i, u> + r_i, gives the point c_i + r_i u. Every outline therefore has
the same number of points, and the outlines at the start and the end of the exposure can be interpolated.
Smaller nested outlines, shifted towards the light, shade a part.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from tt_actions.sources.synthetic.anatomy import PARTS, disc_centres, disc_radii, shifted
from tt_actions.sources.synthetic.camera import NEAR_M, centre_of, project
from tt_actions.sources.synthetic.motion import Motion, PlayerMotion
from tt_actions.sources.synthetic.player import Rgb, Sport
from tt_actions.sources.synthetic.scene import Scene
from tt_actions.sources.synthetic.tennis import STRINGS_M

NUM_POINTS = 16
BALL_RADIUS_M = 0.02
BLADE_M = (0.079, 0.075)
"""Half the length and half the width of a blade, in metres."""


class _Racket(NamedTuple):
    """The shape of a racket.

    Args:
        size_m: Half the length and half the width of its head, in metres.
        middle_m: From where a table-tennis blade has its middle to the middle of the head, in metres.
        neck_m: From the upper end of the handle to the middle of the head, in metres.
        strings: Colour of the strings, RGB; None for a blade with two rubbers.
    """

    size_m: tuple[float, float]
    middle_m: float
    neck_m: float
    strings: Rgb | None = None


_RACKETS: dict[Sport, _Racket] = {
    "table_tennis": _Racket(BLADE_M, 0.0, 0.06),
    "tennis": _Racket((0.165, 0.125), STRINGS_M, 0.165, (198, 204, 184)),
}

_ANGLES = np.linspace(0, 2 * np.pi, NUM_POINTS, endpoint=False)
_AROUND = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], -1)
_SOCKS: Rgb = (236, 236, 232)
_WOOD: Rgb = (196, 158, 108)
_BALL: Rgb = (255, 252, 240)


@dataclass(frozen=True)
class Shapes:
    """Outlines of everything that moves, ready to fill: P parts with L shades each.

    Args:
        outlines: Pixels at the start and the end of the exposure; the first shade is the whole part.
        colours: RGB values of every shade, in [0, 255].
        places: Position of each part, in metres.
        depth: Depth for sorting the parts, in metres; NaN or less than NEAR_M for invisible parts.
        owners: Index of the player to whom each part belongs, or -1 for the ball.

    Shape:
        outlines ``(P, 2, T, L, N, 2)``, colours ``(P, T, L, 3)``, places ``(P, T, 3)``, depth ``(P, T)``,
        owners ``(P,)``.
    """

    outlines: np.ndarray
    colours: np.ndarray
    places: np.ndarray
    depth: np.ndarray
    owners: np.ndarray


def draw_shapes(scene: Scene, motion: Motion, frames: slice, num_shades: int) -> Shapes:
    """Find the outlines of everything that moves.

    Args:
        scene: How the motion is filmed.
        motion: The moving players, rackets and ball.
        frames: The frames to use.
        num_shades: Number of shades *L* per part, at least 2.
    """
    view = _View(scene, frames, num_shades)
    shapes = [view.ball(motion.ball)]
    for owner, player_motion in enumerate(motion.players):
        shapes += [*view.body(player_motion, owner), *view.racket(player_motion, owner)]
    columns = ([getattr(shape, field.name) for shape in shapes] for field in fields(Shapes))
    return Shapes(*(np.concatenate(column) for column in columns))


def cast_shadows(scene: Scene, motion: Motion, frames: slice) -> np.ndarray:
    """Find the outlines of the players' shadows on the floor.

    Args:
        scene: How the motion is filmed.
        motion: The moving players, rackets and ball.
        frames: The frames to use.

    Shape:
        ``(T, P, N, 2)``, pixels.
    """
    fall = scene.light.direction[:2] / scene.light.direction[2]
    shadows = []
    for player_motion in motion.players:
        for part, centres in zip(PARTS, disc_centres(player_motion, frames), strict=True):
            fallen = centres[..., :2] - fall * centres[..., 2:]
            radii = np.broadcast_to(disc_radii(part, player_motion.player), fallen.shape[:-1])
            shadows.append(_hull(fallen, radii, np.ones(1), np.zeros((1, 2)))[:, 0])
    flat = np.stack(shadows, 1)
    ground = np.concatenate([flat, np.zeros_like(flat[..., :1])], -1)
    pixels, _ = project(scene.camera[frames], ground.reshape(len(flat), -1, 3))
    return pixels.reshape(flat.shape)


def _hull(centres: np.ndarray, radii: np.ndarray, sizes: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Outline discs, with copies at other sizes, shifted by shares of the radius.

    Shape:
        centres ``(T, D, 2)``, radii ``(T, D)``, sizes ``(L,)``, shifts ``(L, 2)`` -> ``(T, L, N, 2)``.
    """
    reach = centres @ _AROUND.T + radii[..., None]
    farthest = reach.argmax(1)
    centre = np.take_along_axis(centres, farthest[..., None], 1)[:, None]
    radius = np.take_along_axis(radii, farthest, 1)[:, None, :, None]
    return np.asarray(centre + radius * (sizes[:, None, None] * _AROUND + shifts[:, None]))


class _View:
    """The frames of a scene, for converting objects to outlines."""

    def __init__(self, scene: Scene, frames: slice, num_shades: int) -> None:
        self.scene, self.frames = scene, frames
        self.camera = scene.camera[frames]
        self.lags = (-scene.shutter / 2, scene.shutter / 2)
        matrix = scene.still[:, :3]
        across = matrix[:2] - (matrix[:2] @ matrix[2])[:, None] * matrix[2]
        self.focal_px = float(np.linalg.norm(across[0]))
        self.shade = np.linspace(0, 1, num_shades)
        self.sizes = 1 - 0.58 * self.shade
        self.shifts = 0.38 * self.shade[:, None] * (across / self.focal_px @ scene.light.direction)
        self.brightness = 0.68 + 0.42 * self.shade[:, None] ** 0.8

    def body(self, player_motion: PlayerMotion, owner: int) -> list[Shapes]:
        """Outline a player without the racket."""
        brows = np.array(player_motion.player.skin) * 0.45
        own = {"socks": _SOCKS, "eyes": tuple(brows)}
        ends = [disc_centres(player_motion, self.frames, lag) for lag in self.lags]
        shapes = []
        for i, part in enumerate(PARTS):
            rgb = own.get(part.colour) or getattr(player_motion.player, part.colour)
            radii = disc_radii(part, player_motion.player)
            shapes.append(self._part([end[i] for end in ends], radii, rgb, part.lift_m, owner))
        return shapes

    def racket(self, player_motion: PlayerMotion, owner: int) -> list[Shapes]:
        """Outline the handle and the blade, with its wooden edge and the visible rubber."""
        poses = [
            (
                shifted(player_motion.racket_position, lag)[self.frames],
                shifted(player_motion.racket_rotation, lag)[self.frames],
            )
            for lag in self.lags
        ]
        racket = _RACKETS[player_motion.player.sport]
        top_m = racket.middle_m - racket.neck_m
        handle = [np.stack([at + top_m * turn[..., 0], at - 0.17 * turn[..., 0]], 1) for at, turn in poses]
        edge = [
            (at + racket.middle_m * turn[..., 0])[:, None]
            + (racket.size_m * _AROUND) @ turn[..., :2].swapaxes(1, 2)
            for at, turn in poses
        ]
        middle, turn = player_motion.racket_position[self.frames], player_motion.racket_rotation[self.frames]
        middle, normal = middle + racket.middle_m * turn[..., 0], turn[..., 2]
        forehand = ((centre_of(self.scene.still) - middle) * normal).sum(-1) > 0
        player = player_motion.player
        sides = (
            (player.forehand_rubber, player.backhand_rubber)
            if racket.strings is None
            else (racket.strings,) * 2
        )
        rubber = np.where(forehand[:, None], np.array(sides[0]), np.array(sides[1]))
        shine = 0.85 + 0.3 * np.abs(normal @ self.scene.light.direction)[:, None, None]
        colours = shine * rubber[:, None] * (0.95 + 0.35 * self.shade[1:, None]) + 6
        colours = np.concatenate([np.broadcast_to(_WOOD, (len(colours), 1, 3)), colours], 1)
        sizes = np.concatenate([[1.0], np.linspace(0.93, 0.45, len(self.shade) - 1)])[:, None, None]
        seen = [project(self.camera, points) for points in edge]
        centre = [pixels.mean(1, keepdims=True)[:, None] for pixels, _ in seen]
        outlines = [
            mid + sizes * (pixels[:, None] - mid) for mid, (pixels, _) in zip(centre, seen, strict=True)
        ]
        blade = self._shapes(outlines, colours, middle, seen[0][1], 0.0, owner)
        return [self._part(handle, np.array([0.014, 0.015]), player_motion.player.grip, 0.0, owner), blade]

    def ball(self, places: np.ndarray) -> Shapes:
        """Outline the ball with a minimum visible size; out of play it is placed behind the camera."""
        behind = centre_of(self.scene.still) - self.scene.still[2, :3]
        ends = []
        for lag in self.lags:
            moved = shifted(places, lag)
            moved = np.where(np.isnan(moved), places, moved)
            ends.append(np.where(np.isnan(moved), behind, moved)[self.frames][:, None])
        _, depth = project(self.camera, ends[0])
        radii = np.maximum(BALL_RADIUS_M, 0.9 * depth / self.focal_px)
        return self._part(ends, radii, _BALL, 0.0, -1)

    def _part(self, ends: list[np.ndarray], radii: np.ndarray, rgb: Rgb, lift_m: float, owner: int) -> Shapes:
        """Outline a part, given its discs at the start and at the end of the exposure."""
        seen = [project(self.camera, centres) for centres in ends]
        outlines = [
            _hull(pixels, self.focal_px * radii / np.maximum(depth, NEAR_M), self.sizes, self.shifts)
            for pixels, depth in seen
        ]
        colours = np.broadcast_to(self.brightness * np.array(rgb), (len(self.camera), len(self.shade), 3))
        return self._shapes(outlines, colours, ends[0].mean(1), seen[0][1], lift_m, owner)

    def _shapes(
        self,
        outlines: list[np.ndarray],
        colours: np.ndarray,
        places: np.ndarray,
        depth: np.ndarray,
        lift_m: float,
        owner: int,
    ) -> Shapes:
        order = np.where(depth.min(1) < NEAR_M, np.nan, depth.mean(1) - lift_m)
        lit = self.scene.light.tint(colours)
        return Shapes(np.stack(outlines)[None], lit[None], places[None], order[None], np.array([owner]))
