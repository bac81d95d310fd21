"""Tennis strokes: key poses varied for each player, the path between them, and the ball's flight."""

import numpy as np

from tt_actions.sources.synthetic.ball import Arc, fall_to_floor, toss
from tt_actions.sources.synthetic.exchange import BALL_ON_PALM_M, Hit
from tt_actions.sources.synthetic.key_poses import (
    AXIS,
    BLADE,
    CHEST_YAW,
    FREE_HAND,
    HEELS,
    HIP_YAW,
    HIPS,
    LEAN,
    NORMAL,
    STANDARD_HEIGHT_M,
    TILT,
)
from tt_actions.sources.synthetic.performance import rest_at, to_court
from tt_actions.sources.synthetic.player import Player
from tt_actions.sources.synthetic.strokes import Swing, home_of, key_slopes
from tt_actions.sources.synthetic.tennis_poses import STYLES, Style

STROKES = tuple(STYLES)
"""The strokes of tennis."""

SHOWN_S = (1.4, 0.7)
"""Time before and after contact that a clip shows at least."""

STRINGS_M = 0.34
"""From the throat of the racket to the middle of its strings, in metres."""

_SPREAD_M = {"serve": (0.05, 0.05, 0.04), "smash": (0.08, 0.10, 0.06), "volley": (0.08, 0.12, 0.12)}
_GROUND_SPREAD_M = (0.08, 0.08, 0.13)  # balls are hit between the knees and the shoulders
_LARGEST = 2.0  # standard deviations
_LOWEST_M = 0.5


def plan_tennis_swing(rng: np.random.Generator, player: Player, label: str) -> Swing:
    """Generate a random tennis stroke according to the player's habits.

    Args:
        rng: Random generator.
        player: The player of the stroke.
        label: Class name: one of :data:`STROKES`.
    """
    styles = STYLES[label]
    chances = np.array([style.chance for style in styles])
    style = styles[rng.choice(len(styles), p=chances / chances.sum())]
    keys = _mix(rng, style, styles)
    contact = len(keys) - 2
    _vary(rng, player, label, keys, contact)
    tempo = player.tempo * rng.uniform(0.88, 1.12)
    steps_s = np.array([rng.uniform(*step) for step in style.steps_s]) / tempo
    times_s = np.concatenate([[0], np.cumsum(steps_s)])
    times_s -= times_s[contact]
    home = home_of(player)
    shift = np.clip(rng.normal(0, [0.10, 0.30]), -0.6, 0.6) * (0.2 if label == "serve" else 1.0)
    return Swing(
        label=label,
        times_s=times_s,
        keys=keys,
        slopes=smooth_slopes(times_s, keys),
        start_s=float(times_s[0] - rng.uniform(*style.prepare_s) / tempo),
        taken_over_s=float(times_s[0]),
        end_s=float(times_s[-1] + 0.05),
        settled_s=float(times_s[-1] + rng.uniform(0.4, 0.7) / tempo),
        centre=home + shift,
        feet_yaw=float(np.radians(style.feet_deg * player.turn + rng.normal(0, 9))),
        side=style.side,
        release_s=None if style.release is None else float(times_s[style.release]),
        two_handed=style.two_handed,
    )


def _mix(rng: np.random.Generator, style: Style, styles: tuple[Style, ...]) -> np.ndarray:
    """Move the key poses of a style a little towards those of a similar one."""
    others = [s for s in styles if (s.two_handed, s.side) == (style.two_handed, style.side)]
    other = others[rng.integers(len(others))]
    share = rng.uniform(0, 0.35)
    return np.asarray((1 - share) * style.keys + share * other.keys)


def _vary(rng: np.random.Generator, player: Player, label: str, keys: np.ndarray, contact: int) -> None:
    """Adapt the key poses in place to the player's build and habits, with random variation."""
    amplitude = player.amplitude * rng.uniform(0.75, 1.15)
    reach = np.ones(3) * amplitude
    if label in ("serve", "smash"):  # the racket has to go up and down behind the head
        reach[2] = max(reach[2], 0.9)
    keys[:, BLADE] = keys[contact, BLADE] + reach * (keys[:, BLADE] - keys[contact, BLADE])
    turns = slice(HIP_YAW, CHEST_YAW + 1)
    keys[:, turns] *= np.sqrt(player.turn * amplitude) * rng.uniform(0.85, 1.1)
    keys[:, LEAN] += 0.7 * player.lean_rad + rng.normal(0, 0.05)
    keys[:, HIPS.start + 2] += rng.normal(0, 0.02) - 0.7 * player.crouch_m
    for points in (BLADE, FREE_HAND, HIPS):
        keys[:, points] *= player.height_m / STANDARD_HEIGHT_M
    spread = np.array(_SPREAD_M.get(label, _GROUND_SPREAD_M))
    shift = spread * np.clip(rng.normal(0, 1, 3), -_LARGEST, _LARGEST)
    follows = np.full((len(keys), 1), 0.5)
    follows[contact] = 1
    keys[:, BLADE] += follows * (shift + player.contact_m * np.array([1, -1, 1]))
    keys[contact, BLADE.start + 2] = max(keys[contact, BLADE.start + 2], _LOWEST_M)
    keys[:, HIPS.start + 2] -= 0.25 * max(0.0, float(-shift[2]))  # bends the knees to a low ball
    for channels, size in ((BLADE, 0.04), (AXIS, 0.10), (NORMAL, 0.10), (FREE_HAND, 0.04)):
        keys[:, channels] += rng.normal(0, size, (len(keys), 3))
    keys[:, FREE_HAND] += rng.normal(0, 0.04, 3)
    keys[:, HIP_YAW : TILT + 1] += rng.normal(0, 0.05, (len(keys), 4))
    keys[:, HEELS] = np.maximum(0, keys[:, HEELS] * rng.uniform(0.5, 1.3))


def smooth_slopes(times_s: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Compute slopes of a path that does not overshoot its key poses and is fastest at contact.

    Before contact they are those of Fritsch and Butland (1984): the harmonic mean of the rates on both sides,
    or zero where these have opposite signs.

    Args:
        times_s: Time of each key pose, in seconds after contact.
        keys: The key poses; the second-to-last is the contact.

    Shape:
        times_s ``(N,)``, keys ``(N, 24)`` -> ``(N, 24)``.
    """
    slopes = key_slopes(times_s, keys, None)
    rates = np.diff(keys, axis=0) / np.diff(times_s)[:, None]
    contact = len(keys) - 2
    before, after = rates[: contact - 1], rates[1:contact]
    agree = before * after > 0
    total = np.where(agree, before + after, 1.0)
    slopes[1:contact] = np.where(agree, 2 * before * after / total, 0.0)
    return slopes


def draw_tennis_hit(
    rng: np.random.Generator, player: Player, label: str, duration_s: float
) -> tuple[Hit, list[Arc]]:
    """Generate a random stroke in a clip, and the flight of the ball to and from it.

    Args:
        rng: Random generator.
        player: The player.
        label: Class name.
        duration_s: Length of the clip in seconds.
    """
    swing = plan_tennis_swing(rng, player, label)
    release_s = swing.release_s or 0.0
    joints, throat, rotation = rest_at(player, swing, np.array([0.0, release_s]))
    position = to_court(throat[0] + STRINGS_M * rotation[0, :, 0], player, 0)
    before_s, after_s = SHOWN_S
    time_s = rng.uniform(before_s, max(before_s, duration_s - after_s))
    released, arcs = None, []
    if swing.release_s is None:
        from_afar = np.array([rng.uniform(6, 9), rng.uniform(-1, 1), rng.uniform(-0.3, 0.8)])
        arcs = [toss(time_s - rng.uniform(0.35, 0.6), time_s, position + from_afar, position)]
    else:
        released = to_court(joints[1, 7] + BALL_ON_PALM_M, player, 0)
        arcs = [toss(time_s + release_s, time_s, released, position)]
    away = np.array([rng.uniform(16, 28), rng.uniform(-3, 3), rng.uniform(-1, 3)])
    arcs += fall_to_floor(Arc(time_s, np.inf, position, away))
    return Hit(0, label, float(time_s), position, swing, released), arcs
