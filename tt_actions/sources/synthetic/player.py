"""A player's build, habits and clothing."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Rgb = tuple[int, int, int]
Sport = Literal["table_tennis", "tennis"]

SKINS: tuple[Rgb, ...] = (
    (255, 219, 185), (236, 188, 152), (214, 160, 120), (176, 122, 84), (126, 82, 54), (84, 54, 38),
)  # fmt: skip
HAIRS: tuple[Rgb, ...] = ((24, 20, 18), (52, 36, 26), (98, 66, 40), (170, 130, 78), (140, 140, 140))
RED: Rgb = (196, 30, 36)
BLACK: Rgb = (26, 26, 28)
GRIPS: tuple[Rgb, ...] = ((168, 122, 74), (120, 80, 50), (90, 90, 96))

_MORE = 2.0
"""How much more varied players differ from the average."""
_LEFT_HANDED = 0.3
_HABITS = {
    "tempo": (1.01, 0.6, 1.5),
    "amplitude": (0.95, 0.4, 1.5),
    "turn": (0.95, 0.3, 1.6),
    "lean_rad": (0.0, -0.3, 0.3),
    "crouch_m": (0.01, -0.06, 0.12),
    "restlessness": (1.05, 0.2, 3.0),
}
"""The average of a habit, its least and its largest value."""


@dataclass(frozen=True)
class Player:
    """A player; splits use the player as the group.

    Args:
        name: Identifier, unique in a dataset.
        height_m: Standing height in metres.
        arm_scale: Arm length relative to the average at this height.
        leg_scale: Leg length relative to the average at this height.
        shoulder_scale: Shoulder width relative to the average at this height.
        girth: Thickness of trunk and limbs relative to the average.
        left_handed: Whether the player plays with the left hand.
        tempo: Speed of every movement relative to the average.
        amplitude: Size of swings relative to the average.
        crouch_m: How much lower the hips are than in the average ready stance, in metres.
        lean_rad: How much further forward the trunk leans than the average, in radians.
        turn: Trunk rotation in strokes relative to the average.
        stance_width_m: Distance between the feet in the ready stance, in metres.
        distance_m: Distance of the ready stance behind the end line, in metres.
        contact_m: Habitual shift of the contact point (forward, outward, up), in metres.
        restlessness: Size of sway, bounce and steps between strokes relative to the average.
        backhand_serve: Share of backhand serves, in [0, 1].
        spin: Share of topspin among drives, in [0, 1].
        shirt: Colour, RGB.
        shorts: Colour, RGB.
        skin: Colour, RGB.
        hair: Colour, RGB.
        shoes: Colour, RGB.
        forehand_rubber: Colour of the forehand side, RGB: red or black.
        backhand_rubber: Colour of the other side, RGB.
        grip: Colour of the handle, RGB.
        sport: What the player plays.
        variation: Differences between strokes of a class, relative to the average.
    """

    name: str
    height_m: float
    arm_scale: float
    leg_scale: float
    shoulder_scale: float
    girth: float
    left_handed: bool
    tempo: float
    amplitude: float
    crouch_m: float
    lean_rad: float
    turn: float
    stance_width_m: float
    distance_m: float
    contact_m: tuple[float, float, float]
    restlessness: float
    backhand_serve: float
    spin: float
    shirt: Rgb
    shorts: Rgb
    skin: Rgb
    hair: Rgb
    shoes: Rgb
    forehand_rubber: Rgb
    backhand_rubber: Rgb
    grip: Rgb
    sport: Sport = "table_tennis"
    variation: float = 1.0


def draw_player(rng: np.random.Generator, name: str) -> Player:
    """Generate a random player; about 10 % are left-handed.

    Args:
        rng: Random generator.
        name: Identifier, unique in a dataset.
    """
    red_forehand = rng.random() < 0.5
    shorts_dark = rng.random() < 0.6
    return Player(
        name=name,
        height_m=float(np.clip(rng.normal(1.73, 0.09), 1.50, 1.98)),
        arm_scale=float(rng.uniform(0.95, 1.05)),
        leg_scale=float(rng.uniform(0.96, 1.04)),
        shoulder_scale=float(rng.uniform(0.90, 1.10)),
        girth=float(rng.uniform(0.85, 1.25)),
        left_handed=bool(rng.random() < 0.1),
        tempo=float(rng.uniform(0.88, 1.14)),
        amplitude=float(rng.uniform(0.75, 1.15)),
        crouch_m=float(rng.uniform(-0.05, 0.07)),
        lean_rad=float(rng.uniform(-0.14, 0.14)),
        turn=float(rng.uniform(0.7, 1.2)),
        stance_width_m=float(rng.uniform(0.45, 0.72)),
        distance_m=float(rng.uniform(0.62, 0.95)),
        contact_m=(float(rng.normal(0, 0.03)), float(rng.normal(0, 0.04)), float(rng.normal(0, 0.04))),
        restlessness=float(rng.uniform(0.5, 1.6)),
        backhand_serve=float(rng.choice([0.1, 0.5, 0.9])),
        spin=float(rng.uniform(0.1, 0.9)),
        shirt=_draw_colour(rng, 30, 255),
        shorts=_draw_colour(rng, 15, 90) if shorts_dark else _draw_colour(rng, 60, 230),
        skin=SKINS[rng.integers(len(SKINS))],
        hair=HAIRS[rng.integers(len(HAIRS))],
        shoes=_draw_colour(rng, 20, 250),
        forehand_rubber=RED if red_forehand else BLACK,
        backhand_rubber=BLACK if red_forehand else RED,
        grip=GRIPS[rng.integers(len(GRIPS))],
    )


def draw_varied_player(rng: np.random.Generator, name: str) -> Player:
    """Generate a random player whose habits differ twice as much from the average, as those of all levels do.

    About 30 % are left-handed.

    Args:
        rng: Random generator.
        name: Identifier, unique in a dataset.
    """
    player = draw_player(rng, name)

    def more(habit: str) -> float:
        average, low, high = _HABITS[habit]
        return float(np.clip(average + _MORE * (getattr(player, habit) - average), low, high))

    forward, outward, up = (_MORE * shift for shift in player.contact_m)
    return replace(
        player,
        tempo=more("tempo"),
        amplitude=more("amplitude"),
        turn=more("turn"),
        lean_rad=more("lean_rad"),
        crouch_m=more("crouch_m"),
        restlessness=more("restlessness"),
        contact_m=(forward, outward, up),
        variation=_MORE,
        left_handed=bool(rng.random() < _LEFT_HANDED),
    )


def _draw_colour(rng: np.random.Generator, low: int, high: int) -> Rgb:
    red, green, blue = rng.integers(low, high, 3)
    return int(red), int(green), int(blue)
