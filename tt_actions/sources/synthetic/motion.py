"""The moving parts of a scene: players, rackets and the ball over time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tt_actions.clips.strokes import NO_STROKE, STROKES
from tt_actions.errors import UserError
from tt_actions.sources.synthetic.ball import Arc, positions
from tt_actions.sources.synthetic.exchange import (
    BALL_ON_PALM_M,
    Hit,
    Plan,
    draw_hit,
    draw_previous_hit,
    draw_reply,
    unreturned_flight,
)
from tt_actions.sources.synthetic.pauses import pause
from tt_actions.sources.synthetic.performance import perform
from tt_actions.sources.synthetic.player import Player, Sport
from tt_actions.sources.synthetic.strokes import plan_swing, smooth_step
from tt_actions.sources.synthetic.tennis import STROKES as TENNIS_STROKES
from tt_actions.sources.synthetic.tennis import draw_tennis_hit

FPS = 30.0
"""Frame rate of every motion."""


def strokes_of(sport: Sport) -> tuple[str, ...]:
    """Return the strokes of a sport.

    Args:
        sport: The sport.

    >>> strokes_of("tennis")
    ('serve', 'forehand', 'backhand', 'smash', 'volley')
    """
    return TENNIS_STROKES if sport == "tennis" else tuple(STROKES)


@dataclass(frozen=True)
class PlayedStroke:
    """One performed stroke; times in seconds from the start.

    Args:
        label: Class name.
        start_s: Start of the backswing or, for a serve, of the preparation of the toss.
        contact_s: Time at which racket and ball meet.
        end_s: End of the follow-through.
        player: Index of the player.
    """

    label: str
    start_s: float
    contact_s: float
    end_s: float
    player: int


@dataclass(frozen=True)
class PlayerMotion:
    """One player's motion in metres.

    Args:
        player: The moving player.
        joints: The 25 joints in NTU RGB+D order.
        racket_position: Centre of the blade.
        racket_rotation: Columns: long axis of the blade away from the handle, the axis across it in its
            plane, normal of the forehand side.

    Shape:
        joints ``(T, 25, 3)``, racket_position ``(T, 3)``, racket_rotation ``(T, 3, 3)``, float32.
    """

    player: Player
    joints: np.ndarray
    racket_position: np.ndarray
    racket_rotation: np.ndarray


@dataclass(frozen=True)
class Motion:
    """Everything that moves in a scene, at :data:`FPS` frames per second.

    The world is in metres, z up, the floor at z = 0, the table's centre at x = y = 0 and its length along x.

    Args:
        players: The near player at x < -1.37 facing +x, and the opponent if there is one.
        ball: Centre of the ball, NaN while no ball is in play.
        strokes: The strokes, in order of contact.

    Shape:
        ball ``(T, 3)``, float32.
    """

    players: tuple[PlayerMotion, ...]
    ball: np.ndarray
    strokes: tuple[PlayedStroke, ...]

    def frame_labels(self, player: int = 0) -> np.ndarray:
        """Return the class of every frame.

        Args:
            player: Index of the player whose strokes to use.

        Returns:
            Indices in (serve, forehand, backhand, smash, idle) or, in tennis, in (serve, forehand, backhand,
            smash, volley, idle).

        Shape:
            ``(T,)``, int64.
        """
        times_s = np.arange(len(self.ball)) / FPS
        strokes = strokes_of(self.players[player].player.sport)
        labels = np.full(len(times_s), len(strokes))
        for stroke in self.strokes:
            if stroke.player == player:
                labels[(times_s >= stroke.start_s) & (times_s < stroke.end_s)] = strokes.index(stroke.label)
        return labels


SHORTEST_CLIP_S = 2.0
"""Minimum clip duration that fits any complete stroke."""

_MARGIN_S = 0.03
_BALL_OUT_BEFORE_SERVE_S = 0.6
_BARRIERS_M = 4.5  # distance from the net


@dataclass(frozen=True)
class Exchange:
    """The hits of a rally, or of one stroke, and the flights of the ball between them.

    Args:
        hits: The hits in order of time.
        arcs: The flights in order of time.
    """

    hits: Sequence[Hit]
    arcs: Sequence[Arc]


def clip_motion(
    rng: np.random.Generator,
    player: Player,
    label: str,
    duration_s: float,
    opponent: Player | None,
    plan: Plan = plan_swing,
) -> Motion:
    """Generate the motion of one stroke that begins at a random time, with waiting before and after.

    With the label ``no_stroke``, the player waits, walks, runs, picks up a ball or bounces it instead.

    An opponent waits and follows the ball but does not play. It is thus clear from every camera side,
    mirrored or not, whose stroke determines the class of the clip.

    Args:
        rng: Random generator.
        player: The near player.
        label: Class of the stroke, or ``no_stroke``.
        duration_s: Length in seconds.
        opponent: The player at the other end, or None; there is none without a stroke.
        plan: Function that plans the stroke.

    Raises:
        ValueError: If ``label`` is not a stroke, or ``duration_s`` is too short for one.
    """
    labels = (*strokes_of(player.sport), NO_STROKE)
    if label not in labels:
        raise UserError(f"Expected `label` to be one of {', '.join(labels)}, but got '{label}'.")
    if duration_s < SHORTEST_CLIP_S:
        raise UserError(
            f"Expected `duration_s` to be at least {SHORTEST_CLIP_S:g}, long enough for any stroke, "
            f"but got {duration_s}."
        )
    if label == NO_STROKE:
        return _pause_motion(rng, player, duration_s)
    exchange = None
    if player.sport == "tennis":
        hit, arcs = draw_tennis_hit(rng, player, label, duration_s)
        exchange = Exchange([hit], arcs)
    while exchange is None:
        exchange = _draw_clip(rng, player, label, duration_s, plan)
    players = (player,) if opponent is None else (player, opponent)
    return move(rng, players, [exchange], duration_s)


def _pause_motion(rng: np.random.Generator, player: Player, duration_s: float) -> Motion:
    times_s = np.arange(round(duration_s * FPS)) / FPS
    moving = PlayerMotion(player, *(part.astype(np.float32) for part in pause(rng, player, times_s)))
    return Motion((moving,), np.full((len(times_s), 3), np.nan, np.float32), ())


def _draw_clip(
    rng: np.random.Generator, player: Player, label: str, duration_s: float, plan: Plan
) -> Exchange | None:
    """Generate the stroke and the flights to and from it, or return None if the ball can't reach it."""
    hit = draw_hit(rng, [player], 0, label, plan)
    assert hit.swing is not None
    latest_s = duration_s - _MARGIN_S - (hit.swing.end_s - hit.swing.start_s)
    hit = replace(hit, time_s=rng.uniform(_MARGIN_S, latest_s) - hit.swing.start_s)
    hits, arcs = [hit], [*hit.toss()]
    if label != "serve":
        feed = draw_previous_hit(rng, [player], hit, str(rng.choice(["forehand", "backhand"])))
        if feed is None:
            return None
        hits, arcs = [feed[0], hit], feed[1]
    return Exchange(hits, [*arcs, *unreturned_flight(rng, hit)])


def rally_motion(rng: np.random.Generator, players: Sequence[Player], duration_s: float) -> Motion:
    """Generate the motion of exchanges that begin with a serve, with pauses between them.

    Args:
        rng: Random generator.
        players: The near player, and the opponent if one is visible.
        duration_s: Length in seconds.

    Raises:
        ValueError: If there are not one or two players, or the duration is too short for a serve.
    """
    if len(players) not in (1, 2):
        raise UserError(f"Expected `players` to contain 1 or 2 players, but got {len(players)}.")
    if duration_s < SHORTEST_CLIP_S + 1:
        raise UserError(
            f"Expected `duration_s` to be at least {SHORTEST_CLIP_S + 1:g}, but got {duration_s}."
        )
    exchanges: list[Exchange] = []
    now_s = rng.uniform(0.1, 0.9)
    server = 0
    while now_s < duration_s:
        exchange = draw_rally(rng, players, server, now_s, duration_s)
        if exchange.hits:
            exchanges.append(exchange)
            now_s = exchange.hits[-1].time_s
        now_s += rng.uniform(1.4, 3.2)
        server = int(rng.random() < 0.5)
    return move(rng, players, exchanges, duration_s)


def draw_rally(
    rng: np.random.Generator, players: Sequence[Player], server: int, start_s: float, end_s: float
) -> Exchange:
    """Generate an exchange that begins with a serve.

    Args:
        rng: Random generator.
        players: The visible players, the near one first.
        server: Index of the player who serves.
        start_s: Start of the serve in seconds.
        end_s: Time at which the last stroke has ended.
    """
    hit = draw_hit(rng, players, server, "serve")
    hit = replace(hit, time_s=start_s - (hit.swing.start_s if hit.swing else -0.5))
    hits: list[Hit] = []
    arcs = [*hit.toss()]
    to_here = arcs
    num_hits = 2 + rng.geometric(0.25)
    while hit.time_s + (hit.swing.end_s if hit.swing else 0) < end_s:
        hits, arcs = [*hits, hit], [*arcs, *to_here]
        if len(hits) == num_hits or (hit.label == "smash" and rng.random() < 0.6):
            break
        may_smash = len(hits) > 1
        label = str(rng.choice(STROKES[1:], p=[0.4, 0.4, 0.2] if may_smash else [0.5, 0.5, 0]))
        answer = draw_reply(rng, players, hit, label)
        if answer is None:
            break
        hit, to_here = answer
    return Exchange(hits, [*arcs, *unreturned_flight(rng, hits[-1])] if hits else [])


def move(
    rng: np.random.Generator, players: Sequence[Player], exchanges: Sequence[Exchange], duration_s: float
) -> Motion:
    """Generate the motion of the visible players and of the ball in given exchanges.

    Args:
        rng: Random generator.
        players: The visible players, the near one first.
        exchanges: The exchanges, in order of time.
        duration_s: Length in seconds.
    """
    times_s = np.arange(round(duration_s * FPS)) / FPS
    hits = [hit for exchange in exchanges for hit in exchange.hits]
    ball = _fly(times_s, exchanges)
    relaxed = _relaxed(times_s, exchanges)
    player_motions = []
    for side, player in enumerate(players):
        swings = [(hit.time_s, hit.swing) for hit in hits if hit.side == side and hit.swing]
        joints, blade, rotation = perform(rng, player, side, times_s, swings, relaxed, ball)
        player_motions.append(
            PlayerMotion(player, *(part.astype(np.float32) for part in (joints, blade, rotation)))
        )
    for hit in hits:
        if hit.swing and hit.swing.release_s is not None:
            held = _held(times_s, hit)
            player = players[hit.side]
            palm = player_motions[hit.side].joints[held, 11 if player.left_handed else 7]
            ball[held] = palm + BALL_ON_PALM_M
    return Motion(tuple(player_motions), ball.astype(np.float32), _strokes(hits, duration_s))


def _fly(times_s: np.ndarray, exchanges: Sequence[Exchange]) -> np.ndarray:
    """Place the ball of every exchange; a ball disappears when the next one is taken out."""
    ball = np.full((len(times_s), 3), np.nan)
    for exchange in exchanges:
        first = exchange.hits[0]
        begins_s = first.time_s + (first.swing.start_s if first.swing else 0)
        ball[times_s > begins_s - _BALL_OUT_BEFORE_SERVE_S - 0.1] = np.nan
        flying = positions(exchange.arcs, times_s)
        seen = np.abs(flying[:, 0]) < _BARRIERS_M
        ball[seen] = flying[seen]
    return ball


def _held(times_s: np.ndarray, hit: Hit) -> np.ndarray:
    assert hit.swing is not None
    assert hit.swing.release_s is not None
    since_s = times_s - hit.time_s
    return np.asarray(
        (since_s < hit.swing.release_s) & (since_s > hit.swing.start_s - _BALL_OUT_BEFORE_SERVE_S)
    )


def _relaxed(times_s: np.ndarray, exchanges: Sequence[Exchange]) -> np.ndarray:
    relaxed = np.ones_like(times_s)
    for exchange in exchanges:
        first, last = exchange.hits[0], exchange.hits[-1]
        since_start_s = times_s - first.time_s - (first.swing.start_s if first.swing else -0.5)
        since_end_s = times_s - last.time_s - 0.5
        relaxed -= smooth_step(since_start_s / 0.6 + 2) * (1 - smooth_step(since_end_s / 0.9))
    return np.asarray(np.clip(relaxed, 0, 1))


def _strokes(hits: Sequence[Hit], duration_s: float) -> tuple[PlayedStroke, ...]:
    strokes: list[PlayedStroke] = []
    ended_s = [0.0, 0.0]
    for hit in hits:
        if hit.swing is None or not 0 <= hit.time_s < duration_s:
            continue
        start_s = max(hit.time_s + hit.swing.start_s, ended_s[hit.side])
        end_s = min(hit.time_s + hit.swing.end_s, duration_s)
        strokes.append(PlayedStroke(hit.label, float(start_s), float(hit.time_s), float(end_s), hit.side))
        ended_s[hit.side] = end_s
    return tuple(strokes)
