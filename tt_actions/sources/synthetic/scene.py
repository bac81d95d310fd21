"""How a motion is filmed: random world settings, camera and light."""

from dataclasses import dataclass

import numpy as np

from tt_actions.sources.synthetic.camera import Size, draw_shake, frame_points
from tt_actions.sources.synthetic.motion import FPS, Motion
from tt_actions.sources.synthetic.player import Sport

Range = tuple[float, float]


@dataclass(frozen=True)
class World:
    """Settings for the variety and difficulty of the frames; values are drawn uniformly from ranges.

    Args:
        halls: Number of halls, each with its own look, lamps and camera position.
        clip_s: Length of a clip in seconds.
        wide_share: Share of the clips filmed from the side, with the whole table and both players.
        rally_wide_share: The same share for rallies.
        opponent_share: Share of the close-up clips in which an opponent is visible behind the table.
        azimuth_deg: Position of the camera in close-ups, seen from the player: 0 is in front, 180 behind. The
            side alternates from hall to hall.
        azimuth_jitter_deg: Typical change of that angle between the clips of one hall.
        distance_m: Distance between player and camera in close-ups.
        height_m: Height of the camera above the floor in close-ups.
        fill: Share of the frame height that the player covers in close-ups.
        drift: Typical slow camera movement, as a share of the frame height.
        tremor: Typical fast camera movement, as a share of the frame height.
        shutter: Exposure time as a share of the frame time, which causes motion blur.
        brightness: Factor on all colours.
        warmth: Ratio of red to blue, as a logarithm.
        vignette: Loss of light in the corners.
        softness_px: Blur of the lens, standard deviation at 240 rows.
        noise: Standard deviation of the sensor noise, on a scale of 0 to 255.
        crf: Constant rate factor of the H.264 encoder; higher means more compression.
    """

    halls: int = 1
    clip_s: Range = (2.0, 3.0)
    wide_share: float = 0.05
    rally_wide_share: float = 0.5
    opponent_share: float = 0.2
    azimuth_deg: Range = (65.0, 75.0)
    azimuth_jitter_deg: float = 4.0
    distance_m: Range = (2.8, 5.5)
    height_m: Range = (1.1, 2.4)
    fill: Range = (0.7, 0.8)
    drift: float = 0.006
    tremor: float = 0.01
    shutter: Range = (0.25, 0.6)
    brightness: Range = (0.8, 1.2)
    warmth: Range = (-0.16, 0.2)
    vignette: Range = (0.0, 0.35)
    softness_px: Range = (0.0, 0.5)
    noise: Range = (0.5, 4.5)
    crf: Range = (19.0, 29.0)


@dataclass(frozen=True)
class Light:
    """The lighting of a scene.

    Args:
        direction: Unit vector towards the lamps.
        gains: Factors on red, green and blue.
        shadow: Darkness of cast shadows, in [0, 1].
        vignette: Loss of light in the corners.

    Shape:
        direction and gains ``(3,)``.
    """

    direction: np.ndarray
    gains: np.ndarray
    shadow: float
    vignette: float

    def tint(self, rgb: np.ndarray) -> np.ndarray:
        """Apply the lighting to colours.

        Args:
            rgb: Colours in [0, 255].

        Shape:
            ``(..., 3)`` -> ``(..., 3)``.
        """
        lit: np.ndarray = np.clip(rgb * self.gains, 0, 255)
        return lit


@dataclass(frozen=True)
class Scene:
    """How a motion is filmed.

    Args:
        size: Width and height of the frame in pixels.
        still: The camera without shake.
        shake: Movement of the image, frame by frame.
        light: Lighting of the scene.
        shutter: Exposure time as a share of the frame time.
        softness_px: Blur of the lens, standard deviation in pixels.
        noise: Standard deviation of the sensor noise.
        crf: Constant rate factor of the H.264 encoder.
        hall_seed: Random seed of the look of the hall.
        seed: Random seed of the noise.
        sport: What is played in the hall.

    Shape:
        still ``(3, 4)``, shake ``(T, 3, 3)``.
    """

    size: Size
    still: np.ndarray
    shake: np.ndarray
    light: Light
    shutter: float
    softness_px: float
    noise: float
    crf: int
    hall_seed: int
    seed: int
    sport: Sport = "table_tennis"

    @property
    def camera(self) -> np.ndarray:
        """The camera matrix of every frame, ``(T, 3, 4)``."""
        matrices: np.ndarray = self.shake @ self.still
        return matrices


@dataclass(frozen=True)
class Hall:
    """The hall where clips are filmed: everything that its clips have in common.

    Args:
        seed: Random seed of the look.
        azimuth_deg: Position of the camera in close-ups, seen from the player: 0 is in front, 180 behind,
            below 0 on the right.
        distance_m: Distance between player and camera in close-ups.
        height_m: Height of the camera above the floor in close-ups.
        lamps_deg: Azimuth of the lamps, seen from the centre of the table.
        lamps_height_deg: Elevation of the lamps.
        gains: Factors of their light on red, green and blue.
        shadow: Darkness of cast shadows, in [0, 1].

    Shape:
        gains ``(3,)``.
    """

    seed: int
    azimuth_deg: float
    distance_m: float
    height_m: float
    lamps_deg: float
    lamps_height_deg: float
    gains: np.ndarray
    shadow: float


def draw_hall(rng: np.random.Generator, number: int, world: World) -> Hall:
    """Generate a random hall.

    Args:
        rng: Random generator.
        number: Number of the hall; cameras alternate between left and right.
        world: Ranges to draw from.
    """
    azimuth_deg = rng.uniform(*world.azimuth_deg) * (1 if number % 2 else -1)
    return Hall(
        seed=int(rng.integers(2**32)),
        azimuth_deg=azimuth_deg,
        distance_m=rng.uniform(*world.distance_m),
        height_m=rng.uniform(*world.height_m),
        # Lamps are more often on the camera's side than behind the player: nobody films into the light.
        lamps_deg=90 * np.sign(azimuth_deg) + np.rad2deg(rng.normal(0, 1.0)),
        lamps_height_deg=rng.uniform(50, 80),
        gains=rng.uniform(*world.brightness)
        * np.exp(np.array([0.5, 0.1, -0.5]) * rng.uniform(*world.warmth)),
        shadow=rng.uniform(0.25, 0.55),
    )


def draw_scene(
    rng: np.random.Generator, hall: Hall, motion: Motion, wide: bool, size: Size, world: World
) -> Scene:
    """Choose at random how a motion is filmed.

    Args:
        rng: Random generator.
        hall: The hall.
        motion: The motion to film; a close-up shows the first player.
        wide: Whether to film the whole table from the side, instead of a close-up of one player.
        size: Width and height of the frame in pixels.
        world: Ranges to draw from.
    """
    still = _frame_table(rng, hall, size) if wide else _frame_player(rng, hall, motion, size, world)
    num_frames = len(motion.ball)
    drift, tremor = rng.uniform(0.1, 1.9, 2) * [world.drift, world.tremor]
    return Scene(
        size=size,
        still=still,
        shake=draw_shake(rng, num_frames, FPS, size, drift, tremor),
        light=_draw_light(rng, hall, world),
        shutter=rng.uniform(*world.shutter),
        softness_px=rng.uniform(*world.softness_px) * size[1] / 240,
        noise=rng.uniform(*world.noise),
        crf=round(rng.uniform(*world.crf)),
        hall_seed=hall.seed,
        seed=int(rng.integers(2**32)),
        sport=motion.players[0].player.sport,
    )


def _frame_player(
    rng: np.random.Generator, hall: Hall, motion: Motion, size: Size, world: World
) -> np.ndarray:
    joints, racket = motion.players[0].joints.astype(float), motion.players[0].racket_position[:, None]
    azimuth = np.deg2rad(hall.azimuth_deg + world.azimuth_jitter_deg * rng.normal())
    distance_m = hall.distance_m * rng.uniform(0.93, 1.07)
    if len(motion.players) > 1 and np.cos(azimuth) > 0:
        # In front of the opponent's back there is only the table's length.
        distance_m = min(distance_m, 2.9 / np.cos(azimuth))
    foot = joints[:, 0, :2].mean(0)
    stand = foot + distance_m * np.array([np.cos(azimuth), np.sin(azimuth)])
    height_m = hall.height_m * rng.uniform(0.95, 1.05)
    position = np.array([*stand, max(height_m, 1.25 if np.cos(azimuth) > 0.4 else 0)])
    kept = np.concatenate([joints, racket], 1)
    return frame_points(rng, position, kept, size, rng.uniform(*world.fill), axis=1)


def _frame_table(rng: np.random.Generator, hall: Hall, size: Size) -> np.ndarray:
    side = np.sign(hall.azimuth_deg)
    position = np.array([rng.normal(0, 0.5), rng.uniform(5.5, 9.0) * side, rng.uniform(1.3, 3.2)])
    reach_m = rng.uniform(2.45, 2.9)
    ends = np.array([[[-reach_m, 0, 0.0], [reach_m, 0, 0.0], [0, 0, 1.7]]])
    return frame_points(rng, position, ends, size, rng.uniform(0.88, 0.96), axis=0)


def _draw_light(rng: np.random.Generator, hall: Hall, world: World) -> Light:
    elevation, azimuth = np.deg2rad(hall.lamps_height_deg), np.deg2rad(hall.lamps_deg)
    level = np.cos(elevation)
    return Light(
        direction=np.array([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)]),
        gains=hall.gains * rng.uniform(0.95, 1.05),
        shadow=hall.shadow,
        vignette=rng.uniform(*world.vignette),
    )
