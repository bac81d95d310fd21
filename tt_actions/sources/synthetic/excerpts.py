"""Strokes as people cut them from a rally: around the contact, with parts of the strokes beside them."""

from dataclasses import replace

import numpy as np

from tt_actions.sources.synthetic.motion import FPS, Motion, PlayedStroke, draw_rally, move
from tt_actions.sources.synthetic.player import Player

BEFORE_S = (0.45, 1.1)
"""Shortest and longest time before contact that an excerpt shows."""
AFTER_S = (0.25, 0.8)
"""Shortest and longest time after contact that an excerpt shows."""

_RALLY_S = 8.0
_WAITING_S = (1.0, 1.6)  # before the serve
_NEXT_S = 1.0  # time in which a next stroke may follow whose backswing is visible


def excerpt_motion(rng: np.random.Generator, player: Player, label: str) -> Motion:
    """Generate a rally in which the player makes a given stroke, and cut it around the contact.

    The contact may be early or late, and the player's strokes before and after may be visible in part.

    Args:
        rng: Random generator.
        player: The near player; the opponent is not visible.
        label: Class of the stroke.
    """
    while True:
        is_served_to = label != "serve" and rng.random() < 0.5
        rally = draw_rally(rng, [player], int(is_served_to), rng.uniform(*_WAITING_S), _RALLY_S)
        own = [hit.time_s for hit in rally.hits if hit.side == 0 and hit.label == label]
        if own:
            contact_s = own[rng.integers(len(own))]
            start_s, end_s = contact_s - rng.uniform(*BEFORE_S), contact_s + rng.uniform(*AFTER_S)
            motion = move(rng, [player], [rally], end_s + _NEXT_S)
            return excerpt(motion, max(0.0, start_s), end_s)


def excerpt(motion: Motion, start_s: float, end_s: float) -> Motion:
    """Return a part of a motion, with the strokes that are visible in it at least in part.

    Args:
        motion: The whole motion.
        start_s: Start of the part in seconds.
        end_s: End of the part in seconds.
    """
    first = round(start_s * FPS)
    frames = slice(first, round(end_s * FPS))
    players = tuple(
        replace(
            player,
            joints=player.joints[frames],
            racket_position=player.racket_position[frames],
            racket_rotation=player.racket_rotation[frames],
        )
        for player in motion.players
    )
    ball = motion.ball[frames]
    moved = (_earlier(stroke, first / FPS) for stroke in motion.strokes)
    length_s = len(ball) / FPS
    strokes = tuple(stroke for stroke in moved if stroke.end_s > 0 and stroke.start_s < length_s)
    return Motion(players, ball, strokes)


def _earlier(stroke: PlayedStroke, by_s: float) -> PlayedStroke:
    return replace(
        stroke,
        start_s=stroke.start_s - by_s,
        contact_s=stroke.contact_s - by_s,
        end_s=stroke.end_s - by_s,
    )
