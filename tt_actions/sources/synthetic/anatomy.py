"""The shape of a body around its joints: parts made of a few balls each."""

from typing import NamedTuple

import numpy as np

from tt_actions.sources.synthetic.motion import PlayerMotion
from tt_actions.sources.synthetic.player import Player


class Disc(NamedTuple):
    """A ball between two joints: at ``joint`` for share 0, at ``other`` for share 1, plus an offset.

    Radius and offset (forward, to the left, up along the spine) are in metres for a player of 1.75 m.
    """

    joint: int
    other: int
    share: float
    radius_m: float
    moved_m: tuple[float, float, float] = (0.0, 0.0, 0.0)


class Part(NamedTuple):
    """A part of the body: the convex hull of its discs, sorted by depth as if it were ``lift_m`` nearer."""

    colour: str
    lift_m: float
    discs: tuple[Disc, ...]


def _side(shoulder: int, hip: int, tips: int) -> tuple[Part, ...]:
    """The limbs of one side: from the shoulder, from the hip, and from the fingertips."""
    elbow, wrist, hand = shoulder + 1, shoulder + 2, shoulder + 3
    knee, ankle, foot = hip + 1, hip + 2, hip + 3
    return (
        Part("skin", 0, (Disc(hip, knee, 0.6, 0.064), Disc(hip, knee, 1, 0.052))),
        Part("shorts", 0.03, (Disc(hip, knee, 0, 0.09), Disc(hip, knee, 0.55, 0.083))),
        Part(
            "skin",
            0,
            (Disc(knee, ankle, 0, 0.05), Disc(knee, ankle, 0.3, 0.053), Disc(knee, ankle, 0.8, 0.037)),
        ),
        Part("socks", 0.02, (Disc(knee, ankle, 0.74, 0.041), Disc(knee, ankle, 0.95, 0.038))),
        Part(
            "shoes",
            0.03,
            (
                Disc(ankle, foot, -0.2, 0.035, (0, 0, -0.035)),
                Disc(ankle, foot, 0, 0.045),
                Disc(ankle, foot, 0.6, 0.04),
                Disc(ankle, foot, 1.05, 0.032),
            ),
        ),
        Part("skin", 0, (Disc(shoulder, elbow, 0.6, 0.044), Disc(shoulder, elbow, 1, 0.039))),
        Part("shirt", 0.04, (Disc(shoulder, elbow, 0, 0.062), Disc(shoulder, elbow, 0.55, 0.058))),
        Part(
            "skin",
            0.01,
            (Disc(elbow, wrist, 0, 0.04), Disc(elbow, wrist, 0.3, 0.042), Disc(elbow, wrist, 1, 0.027)),
        ),
        Part(
            "skin",
            0.04,
            (Disc(wrist, hand, 0, 0.026), Disc(hand, tips, 0, 0.038), Disc(hand, tips, 0.7, 0.024)),
        ),
        Part("skin", 0.05, (Disc(hand, tips + 1, 0.2, 0.02), Disc(hand, tips + 1, 0.9, 0.014))),
    )


PARTS = (
    *_side(4, 12, 21),
    *_side(8, 16, 23),
    Part("shorts", 0, (Disc(12, 0, 0, 0.1), Disc(16, 0, 0, 0.1), Disc(0, 1, 0, 0.105))),
    Part(
        "shirt",
        0.05,
        (
            Disc(4, 20, 0.12, 0.06),
            Disc(8, 20, 0.12, 0.06),
            Disc(20, 2, 0.2, 0.06),
            Disc(1, 20, 0.5, 0.105, (0.01, 0.05, 0)),
            Disc(1, 20, 0.5, 0.105, (0.01, -0.05, 0)),
            Disc(12, 1, 0.15, 0.088),
            Disc(16, 1, 0.15, 0.088),
        ),
    ),
    Part("skin", 0.03, (Disc(20, 2, 0.3, 0.052), Disc(2, 3, 0.5, 0.05))),
    Part("skin", 0.02, (Disc(3, 3, 0, 0.09, (0.018, 0, 0.0)), Disc(3, 3, 0, 0.058, (0.035, 0, -0.065)))),
    Part("hair", 0.02, (Disc(3, 3, 0, 0.099, (-0.022, 0, 0.028)), Disc(3, 3, 0, 0.07, (-0.035, 0, -0.03)))),
    *(Part("skin", 0.03, (Disc(3, 3, 0, 0.022, (0.0, side, -0.01)),)) for side in (-0.092, 0.092)),
    *(Part("eyes", 0.02, (Disc(3, 3, 0, 0.008, (0.094, side, 0.012)),)) for side in (-0.036, 0.036)),
    Part("skin", 0.02, (Disc(3, 3, 0, 0.018, (0.108, 0, -0.02)),)),
)
_HEAD = 3


def disc_centres(player_motion: PlayerMotion, frames: slice, lag: float = 0.0) -> list[np.ndarray]:
    """Compute the positions of the discs of every part.

    Args:
        player_motion: Motion of the player.
        frames: The frames to use.
        lag: Shift to later times, in frames, between -1 and 1.

    Returns:
        The centres of the discs in metres, ``(T, D, 3)``, for each of :data:`PARTS`.
    """
    joints = shifted(player_motion.joints, lag)[frames].astype(np.float64)
    scale = player_motion.player.height_m / 1.75
    trunk, head = _axes(joints)
    discs = [disc for part in PARTS for disc in part.discs]
    first, second = ([getattr(disc, name) for disc in discs] for name in ("joint", "other"))
    share = np.array([disc.share for disc in discs])[:, None]
    centres = joints[:, first] * (1 - share) + joints[:, second] * share
    for i, disc in enumerate(discs):
        if any(disc.moved_m):
            centres[:, i] += scale * np.array(disc.moved_m) @ (head if disc.joint == _HEAD else trunk)
    return np.split(centres, np.cumsum([len(part.discs) for part in PARTS])[:-1], axis=1)


def _axes(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors forward, to the left and up, of the trunk and of the head: ``(T, 3, 3)`` each, in rows."""
    left = _unit(joints[:, 4] - joints[:, 8])
    axes = []
    for up in (_unit(joints[:, 20] - joints[:, 1]), _unit(joints[:, 3] - joints[:, 2])):
        forward = _unit(np.cross(left, up))
        axes.append(np.stack([forward, np.cross(up, forward), up], 1))
    # Players look at the table, whatever the direction of their shoulders.
    table = np.zeros_like(left)
    table[:, 0] = -np.sign(joints[:, 0, 0])
    ahead = _unit(axes[1][:, 0] + 1.2 * table)
    left = _unit(np.cross([0, 0, 1.0], ahead))
    axes[1] = np.stack([ahead, left, np.cross(ahead, left)], 1)
    return axes[0], axes[1]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def shifted(values: np.ndarray, lag: float) -> np.ndarray:
    """Shift values by a fraction of a frame (earlier if ``lag`` is negative), by linear interpolation.

    Args:
        values: One value per frame.
        lag: Shift to later times, in frames, between -1 and 1.

    >>> shifted(np.array([0.0, 4.0, 6.0]), 0.25)
    array([1. , 4.5, 6. ])

    Shape:
        ``(T, ...)`` -> ``(T, ...)``.
    """
    beside = np.concatenate([values[:1], values[:-1]] if lag < 0 else [values[1:], values[-1:]])
    return np.asarray(values + abs(lag) * (beside - values))


def disc_radii(part: Part, player: Player) -> np.ndarray:
    """Return the radii of a part's discs in metres.

    Args:
        part: One of :data:`PARTS`.
        player: The player.

    Shape:
        ``(D,)``.
    """
    girth = 1.0 if part.discs[0].joint == _HEAD else player.girth
    return np.array([disc.radius_m for disc in part.discs]) * player.height_m / 1.75 * girth
