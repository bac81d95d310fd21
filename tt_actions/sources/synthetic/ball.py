"""The ball's flight: ballistic arcs between racket, table and floor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GRAVITY = 9.81
"""In metres per second squared."""
RADIUS_M = 0.02
TABLE_HEIGHT_M = 0.76
HALF_LENGTH_M = 1.37
HALF_WIDTH_M = 0.7625
NET_HEIGHT_M = 0.1525
"""Height of the net, and sizes of ball, table and net, according to the rules of the ITTF."""

_ON_TABLE_M = TABLE_HEIGHT_M + RADIUS_M
_OVER_NET_M = _ON_TABLE_M + NET_HEIGHT_M + 0.01


@dataclass(frozen=True)
class Arc:
    """Free flight between two points in time.

    Args:
        start_s: Start in seconds.
        end_s: End in seconds.
        position: Position at the start, in metres.
        velocity: Velocity at the start, in metres per second.

    Shape:
        position and velocity ``(3,)``.
    """

    start_s: float
    end_s: float
    position: np.ndarray
    velocity: np.ndarray

    def position_at(self, times_s: np.ndarray) -> np.ndarray:
        """Return the ball's position.

        Args:
            times_s: Points in time, in seconds.

        Shape:
            ``(T,)`` -> ``(T, 3)``.
        """
        t = (times_s - self.start_s)[:, None]
        return np.asarray(self.position + self.velocity * t - [0, 0, GRAVITY / 2] * t**2)


def toss(start_s: float, end_s: float, start: np.ndarray, end: np.ndarray) -> Arc:
    """Compute a throw from one position and time to another.

    Args:
        start_s: When the ball leaves, in seconds.
        end_s: When it arrives, in seconds.
        start: Start position, in metres.
        end: End position, in metres.

    Shape:
        ``(3,)`` each.
    """
    duration_s = end_s - start_s
    velocity = (end - start) / duration_s + [0, 0, GRAVITY / 2 * duration_s]
    return Arc(start_s, end_s, start, velocity)


def fly(
    rng: np.random.Generator, start: np.ndarray, end: np.ndarray, halves: Sequence[int], wanted_s: float
) -> list[Arc] | None:
    """Find a flight from racket to racket that bounces correctly and clears the net.

    Every arc is solved in closed form from the time to the first bounce. A grid of such times and of shares
    of the horizontal speed kept at a bounce is searched for the flight closest to the wanted duration.

    Args:
        rng: Random generator.
        start: Position at which the ball is hit, in metres.
        end: Position at which it is hit next, in metres.
        halves: The half of the table of each bounce: -1 for x < 0, 1 for x > 0.
        wanted_s: Wanted duration in seconds.

    Returns:
        The arcs, starting at time 0, or None if there is no such flight.
    """
    first_s, kept, root = (
        axis.ravel()
        for axis in np.meshgrid(
            np.linspace(0.05, 1.4, 136), [0.55, 0.72, 0.85, 1.0], [-1.0, 1.0], indexing="ij"
        )
    )
    restitution = rng.uniform(0.85, 0.90)
    durations_s, rises = [first_s], [(_ON_TABLE_M - start[2]) / first_s + GRAVITY / 2 * first_s]
    up = restitution * (GRAVITY * first_s - rises[0])
    for _ in halves[1:]:
        durations_s.append(2 * up / GRAVITY)
        rises.append(up)
        up = restitution * up
    under_root = up**2 - 2 * GRAVITY * (end[2] - _ON_TABLE_M)
    rises.append(up)
    durations_s.append((up + root * np.sqrt(np.maximum(under_root, 0))) / GRAVITY)

    speeds = np.stack([kept**i for i in range(len(rises))])
    times_s = np.stack(durations_s)
    velocity = (end - start)[:2, None] / (speeds * times_s).sum(0)  # (2, N)
    travelled = np.cumsum(speeds * times_s, 0)
    bounces = start[:2, None] + velocity * travelled[:-1, None]  # (num bounces, 2, N)
    fits = (under_root > 0) & (times_s > 0.02).all(0) & (np.abs(velocity[0]) < 16)
    for half, (x, y) in zip(halves, bounces, strict=True):
        fits &= (half * x > 0.12) & (half * x < HALF_LENGTH_M - 0.06) & (np.abs(y) < HALF_WIDTH_M - 0.05)
    last = len(halves) - 1  # the arc over the net ends on the receiver's half
    fits &= _height_at(0.0, last, start, bounces, velocity, speeds, rises) > _OVER_NET_M
    if abs(end[0]) > HALF_LENGTH_M:
        edge = np.copysign(HALF_LENGTH_M, end[0])
        fits &= _height_at(edge, last + 1, start, bounces, velocity, speeds, rises) > _ON_TABLE_M
    if not fits.any():
        return None
    miss_s = np.abs(times_s.sum(0) - wanted_s) + rng.uniform(0, 0.04, len(fits))
    best = int(np.argmin(np.where(fits, miss_s, np.inf)))
    return _arcs(start, times_s[:, best], velocity[:, best], speeds[:, best], [rise[best] for rise in rises])


def _height_at(
    x: float,
    arc: int,
    start: np.ndarray,
    bounces: np.ndarray,
    velocity: np.ndarray,
    speeds: np.ndarray,
    rises: Sequence[np.ndarray],
) -> np.ndarray:
    from_x, from_z = (start[0], start[2]) if arc == 0 else (bounces[arc - 1, 0], _ON_TABLE_M)
    t = (x - from_x) / (velocity[0] * speeds[arc])
    return np.asarray(from_z + rises[arc] * t - GRAVITY / 2 * t**2)


def _arcs(
    start: np.ndarray, times_s: np.ndarray, velocity: np.ndarray, speeds: np.ndarray, rises: Sequence[float]
) -> list[Arc]:
    arcs, now_s, position = [], 0.0, start
    for duration_s, speed, rise in zip(times_s.tolist(), speeds, rises, strict=True):
        arcs.append(Arc(now_s, now_s + duration_s, position, np.array([*(velocity * speed), rise])))
        now_s += duration_s
        position = arcs[-1].position_at(np.array([now_s]))[0]
    return arcs


def fall_to_floor(arc: Arc) -> list[Arc]:
    """Continue the flight of a ball that nobody hits, until it has bounced twice on the floor.

    Args:
        arc: Last arc of the flight.

    Returns:
        This arc extended to the floor, and the arcs after it.
    """
    arcs = []
    for _ in range(3):
        rise, height = arc.velocity[2], arc.position[2] - RADIUS_M
        duration_s = (rise + np.sqrt(rise**2 + 2 * GRAVITY * height)) / GRAVITY
        arcs.append(Arc(arc.start_s, float(arc.start_s + duration_s), arc.position, arc.velocity))
        down = arc.velocity - [0, 0, GRAVITY * duration_s]
        position = arcs[-1].position_at(np.array([arcs[-1].end_s]))[0]
        position[2] = RADIUS_M
        arc = Arc(arcs[-1].end_s, np.inf, position, down * [0.75, 0.75, -0.72])
    return arcs


def positions(arcs: Sequence[Arc], times_s: np.ndarray) -> np.ndarray:
    """Return the ball's position, or NaN when it is not in flight.

    Args:
        arcs: All flights.
        times_s: Points in time, in seconds.

    Shape:
        ``(T,)`` -> ``(T, 3)``.
    """
    ball = np.full((len(times_s), 3), np.nan)
    for arc in arcs:
        flying = (times_s >= arc.start_s) & (times_s < arc.end_s)
        ball[flying] = arc.position_at(times_s[flying])
    return ball


def delayed(arcs: Sequence[Arc], delay_s: float) -> list[Arc]:
    """Return the same flight at a later time.

    Args:
        arcs: The flight.
        delay_s: Delay in seconds.
    """
    return [Arc(arc.start_s + delay_s, arc.end_s + delay_s, arc.position, arc.velocity) for arc in arcs]
