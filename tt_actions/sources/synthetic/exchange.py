"""Exchanges of strokes: who hits which stroke when, and the ball's flight between hits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tt_actions.sources.synthetic.ball import (
    HALF_LENGTH_M,
    RADIUS_M,
    TABLE_HEIGHT_M,
    Arc,
    delayed,
    fall_to_floor,
    fly,
    toss,
)
from tt_actions.sources.synthetic.performance import rest_at, to_court
from tt_actions.sources.synthetic.player import Player
from tt_actions.sources.synthetic.strokes import Swing, plan_swing

Plan = Callable[[np.random.Generator, Player, str], Swing]
"""Plans a player's stroke of a class."""

BALL_ON_PALM_M = np.array([0.0, 0.0, 0.045])
_HALF_BLADE_M = 0.006
_FLIGHT_S = {"serve": 0.85, "forehand": 0.58, "backhand": 0.58, "smash": 0.34}
_LOWEST_M = TABLE_HEIGHT_M + 0.04
_TRIES = 60


@dataclass(frozen=True)
class Hit:
    """A contact between racket and ball.

    Args:
        side: 0 for the near player, 1 for the opponent.
        label: Class name.
        time_s: Time in seconds.
        position: Position at which the ball is hit, in metres.
        swing: The stroke; None for an invisible opponent.
        released: Position at which a served ball leaves the hand, in metres.

    Shape:
        position and released ``(3,)``.
    """

    side: int
    label: str
    time_s: float
    position: np.ndarray
    swing: Swing | None = None
    released: np.ndarray | None = None

    def toss(self) -> list[Arc]:
        """Return the flight from the hand to the racket, empty unless the stroke is a serve."""
        if self.swing is None or self.swing.release_s is None or self.released is None:
            return []
        return [toss(self.time_s + self.swing.release_s, self.time_s, self.released, self.position)]


def draw_hit(
    rng: np.random.Generator, players: Sequence[Player], side: int, label: str, plan: Plan = plan_swing
) -> Hit:
    """Generate a random stroke and its contact point with the ball; the time remains 0.

    Args:
        rng: Random generator.
        players: The visible players, the near one first.
        side: Index of the player who hits.
        label: Class name.
        plan: Function that plans the stroke.
    """
    if side >= len(players):
        return Hit(side, label, 0.0, _somewhere_behind(rng, side))
    player = players[side]
    swing = plan(rng, player, label)
    release_s = swing.release_s or 0.0
    joints, blade, rotation = rest_at(player, swing, np.array([0.0, release_s]))
    position = blade[0] + swing.side * (RADIUS_M + _HALF_BLADE_M) * rotation[0, :, 2]
    if position[2] < _LOWEST_M:
        return draw_hit(rng, players, side, label, plan)
    released = None if swing.release_s is None else to_court(joints[1, 7] + BALL_ON_PALM_M, player, side)
    return Hit(side, label, 0.0, to_court(position, player, side), swing, released)


def _somewhere_behind(rng: np.random.Generator, side: int) -> np.ndarray:
    x = HALF_LENGTH_M + rng.uniform(0.1, 0.9)
    return np.array([x if side else -x, rng.uniform(-0.6, 0.6), rng.uniform(0.88, 1.15)])


def find_flight(rng: np.random.Generator, hit: Hit, following: Hit) -> list[Arc] | None:
    """Find the ball's flight from one hit to the next, starting at the time of the first.

    Args:
        rng: Random generator.
        hit: The earlier hit.
        following: The next hit.

    Returns:
        The arcs, or None if no flight connects the two hits.
    """
    other = 1 - 2 * hit.side
    halves = [-other, other] if hit.label == "serve" and following.label != "smash" else [other]
    wanted_s = 1.4 if following.label == "smash" else _FLIGHT_S[hit.label]
    arcs = fly(rng, hit.position, following.position, halves, wanted_s * rng.uniform(0.85, 1.2))
    return None if arcs is None else delayed(arcs, hit.time_s)


def draw_reply(
    rng: np.random.Generator, players: Sequence[Player], hit: Hit, label: str
) -> tuple[Hit, list[Arc]] | None:
    """Generate random replies to a hit until the ball can reach one.

    Args:
        rng: Random generator.
        players: The visible players, the near one first.
        hit: The hit to reply to.
        label: Class of the reply.

    Returns:
        The reply and the flight to it, or None if none was found.
    """
    for _ in range(_TRIES):
        following = draw_hit(rng, players, 1 - hit.side, label)
        arcs = find_flight(rng, hit, following)
        if arcs is not None:
            return replace(following, time_s=arcs[-1].end_s), arcs
    return None


def draw_previous_hit(
    rng: np.random.Generator, players: Sequence[Player], hit: Hit, label: str
) -> tuple[Hit, list[Arc]] | None:
    """Generate the hit that sends the ball to a given hit.

    Args:
        rng: Random generator.
        players: The visible players, the near one first.
        hit: The hit that the ball must reach.
        label: Class of the earlier hit.

    Returns:
        The earlier hit and the flight from it, or None if none was found.
    """
    for _ in range(_TRIES):
        earlier = draw_hit(rng, players, 1 - hit.side, label)
        arcs = find_flight(rng, earlier, hit)
        if arcs is not None:
            start_s = hit.time_s - arcs[-1].end_s
            return replace(earlier, time_s=start_s), delayed(arcs, start_s)
    return None


def unreturned_flight(rng: np.random.Generator, hit: Hit) -> list[Arc]:
    """Find the flight of an unreturned ball down to the floor; an empty list if it can't clear the net.

    Args:
        rng: Random generator.
        hit: The last hit.
    """
    answer = draw_reply(rng, (), hit, "forehand")
    if answer is None:
        return []
    arcs = answer[1]
    return [*arcs[:-1], *fall_to_floor(arcs[-1])]
