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
    fly,
    let_fall,
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
        time_s: When, in seconds.
        place: Where the ball is struck, in metres.
        swing: How; None for an opponent who isn't seen.
        released: Where a served ball leaves the hand, in metres.

    Shape:
        place and released ``(3,)``.
    """

    side: int
    label: str
    time_s: float
    place: np.ndarray
    swing: Swing | None = None
    released: np.ndarray | None = None

    def toss(self) -> list[Arc]:
        """Return the flight from the hand to the racket, empty unless the stroke is a serve."""
        if self.swing is None or self.swing.release_s is None or self.released is None:
            return []
        return [toss(self.time_s + self.swing.release_s, self.time_s, self.released, self.place)]


def draw_hit(
    rng: np.random.Generator, players: Sequence[Player], side: int, label: str, plan: Plan = plan_swing
) -> Hit:
    """Generate a random stroke and its contact point with the ball; the time remains 0.

    Args:
        rng: Where all chance comes from.
        players: The players who are seen, the near one first.
        side: Index of who hits.
        label: Class name.
        plan: How the stroke is planned.
    """
    if side >= len(players):
        return Hit(side, label, 0.0, _somewhere_behind(rng, side))
    player = players[side]
    swing = plan(rng, player, label)
    release_s = swing.release_s or 0.0
    joints, blade, rotation = rest_at(player, swing, np.array([0.0, release_s]))
    place = blade[0] + swing.side * (RADIUS_M + _HALF_BLADE_M) * rotation[0, :, 2]
    if place[2] < _LOWEST_M:
        return draw_hit(rng, players, side, label, plan)
    released = None if swing.release_s is None else to_court(joints[1, 7] + BALL_ON_PALM_M, player, side)
    return Hit(side, label, 0.0, to_court(place, player, side), swing, released)


def _somewhere_behind(rng: np.random.Generator, side: int) -> np.ndarray:
    x = HALF_LENGTH_M + rng.uniform(0.1, 0.9)
    return np.array([x if side else -x, rng.uniform(-0.6, 0.6), rng.uniform(0.88, 1.15)])


def link(rng: np.random.Generator, hit: Hit, following: Hit) -> list[Arc] | None:
    """Find the ball's flight from one hit to the next, starting at the time of the first.

    Args:
        rng: Where all chance comes from.
        hit: The earlier hit.
        following: The hit that the ball is brought to.

    Returns:
        The arcs, or None if the ball can't be brought from there to there.
    """
    other = 1 - 2 * hit.side
    halves = [-other, other] if hit.label == "serve" and following.label != "smash" else [other]
    wanted_s = 1.4 if following.label == "smash" else _FLIGHT_S[hit.label]
    arcs = fly(rng, hit.place, following.place, halves, wanted_s * rng.uniform(0.85, 1.2))
    return None if arcs is None else delayed(arcs, hit.time_s)


def hit_next(
    rng: np.random.Generator, players: Sequence[Player], hit: Hit, label: str
) -> tuple[Hit, list[Arc]] | None:
    """Generate random replies to a hit until the ball can reach one.

    Args:
        rng: Where all chance comes from.
        players: The players who are seen, the near one first.
        hit: The hit that is answered.
        label: The answer's class.

    Returns:
        The answer and the flight to it, or None if none was found.
    """
    for _ in range(_TRIES):
        following = draw_hit(rng, players, 1 - hit.side, label)
        arcs = link(rng, hit, following)
        if arcs is not None:
            return replace(following, time_s=arcs[-1].end_s), arcs
    return None


def hit_before(
    rng: np.random.Generator, players: Sequence[Player], hit: Hit, label: str
) -> tuple[Hit, list[Arc]] | None:
    """Generate the hit that sends the ball to a given hit.

    Args:
        rng: Where all chance comes from.
        players: The players who are seen, the near one first.
        hit: Where and when the ball has to be.
        label: Class of the hit before.

    Returns:
        The earlier hit and the flight from it, or None if none was found.
    """
    for _ in range(_TRIES):
        earlier = draw_hit(rng, players, 1 - hit.side, label)
        arcs = link(rng, earlier, hit)
        if arcs is not None:
            start_s = hit.time_s - arcs[-1].end_s
            return replace(earlier, time_s=start_s), delayed(arcs, start_s)
    return None


def pass_by(rng: np.random.Generator, hit: Hit) -> list[Arc]:
    """Find the flight of an unreturned ball down to the floor, or None if it can't clear the net.

    Args:
        rng: Where all chance comes from.
        hit: The last hit.
    """
    answer = hit_next(rng, (), hit, "forehand")
    if answer is None:
        return []
    arcs = answer[1]
    return [*arcs[:-1], *let_fall(arcs[-1])]
