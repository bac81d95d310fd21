"""How each stroke is performed: key poses, their variation from player to player, and the path between.

Key poses are those of a right-hander of 1.75 m who faces +x, with the middle of the feet at the origin.
"""

from dataclasses import dataclass

import numpy as np

from tt_actions.sources.synthetic.player import Player

BLADE, AXIS, NORMAL, ELBOW, FREE_HAND, HIPS = (slice(3 * i, 3 * i + 3) for i in range(6))
HIP_YAW, CHEST_YAW, LEAN, TILT = range(18, 22)
HEELS = slice(22, 24)
NUM_CHANNELS = 24

END_LINE_M = -1.37
STANDARD_HEIGHT_M = 1.75
LOWEST_CONTACT_M = 0.84

Point = tuple[float, float, float]


def key_pose(
    blade: Point,
    axis: Point,
    normal: Point,
    elbow: Point,
    free_hand: Point,
    hips: Point,
    turns_deg: tuple[float, float, float, float],
    heels: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """Put a key pose into one row of channels.

    Args:
        blade: Centre of the blade, in metres.
        axis: Direction of its long axis, seen from the turned chest.
        normal: Direction of the forehand side, seen from the turned chest.
        elbow: Where the playing elbow points to, seen from the chest.
        free_hand: The other hand, in metres.
        hips: The hips' middle, in metres.
        turns_deg: Turn of hips and chest to the left, lean forward and to the right, in degrees.
        heels: Lift of the left and right heel, in radians.

    Shape:
        ``(24,)``.
    """
    return np.array([*blade, *axis, *normal, *elbow, *free_hand, *hips, *np.radians(turns_deg), *heels])


# Per style: the end of the backswing, contact, the end of the follow-through.
_FOREHAND_FLAT = np.stack([
    key_pose((-.31, -.78, .95), (.46, -.87, -.16), (.84, .49, -.25), (-.50, -.60, -.60), (.61, .10, 1.04),
             (-.08, -.08, .84), (-30, -60, 28, 8), (0.1, 0)),
    key_pose((.52, -.62, .98), (.60, -.79, .11), (.80, .58, -.15), (-.40, -.50, -.75), (.24, .47, .99),
             (.00, .02, .87), (0, -5, 26, 3), (0, 0.35)),
    key_pose((.50, .40, 1.18), (.74, .38, .55), (-.19, .91, -.37), (.30, -.50, -.80), (.05, .42, .95),
             (.06, .07, .89), (20, 38, 24, -3), (0, 0.6)),
])  # fmt: skip
_FOREHAND_TOPSPIN = np.stack([
    key_pose((-.29, -.70, .70), (.47, -.69, -.56), (.47, .73, -.50), (-.50, -.60, -.60), (.54, .16, .97),
             (-.08, -.10, .78), (-40, -72, 34, 16), (0.1, 0)),
    key_pose((.54, -.64, 1.00), (.60, -.79, .11), (.73, .48, -.49), (-.40, -.50, -.75), (.21, .47, 1.00),
             (.00, .02, .86), (0, -5, 24, 5), (0, 0.35)),
    key_pose((.58, .32, 1.44), (.56, .17, .81), (.34, .84, -.42), (.50, -.60, -.50), (.00, .40, .98),
             (.06, .07, .92), (22, 42, 18, -3), (0, 0.6)),
])  # fmt: skip
_FOREHAND_PUSH = np.stack([
    key_pose((-.06, -.69, 1.15), (.67, -.56, .49), (.34, .81, .48), (-.40, -.60, -.70), (.60, .16, 1.01),
             (-.06, -.03, .84), (-10, -28, 34, 5)),
    key_pose((.60, -.52, .97), (.75, -.66, .00), (.51, .58, .63), (-.40, -.50, -.75), (.34, .47, .96),
             (.03, -.01, .84), (0, -10, 37, 4), (0, 0.2)),
    key_pose((.80, -.34, .92), (.73, -.67, -.10), (.47, .39, .79), (-.30, -.50, -.80), (.18, .45, .95),
             (.07, .00, .84), (4, 4, 40, 3), (0, 0.4)),
])  # fmt: skip
_BACKHAND_FLAT = np.stack([
    key_pose((.29, .15, .88), (.40, .91, -.10), (-.88, .42, .21), (.10, -.75, -.55), (.36, .36, 1.00),
             (-.08, .03, .85), (8, 18, 30, -2)),
    key_pose((.61, .08, 1.00), (.49, .86, .15), (-.87, .48, .10), (.00, -.75, -.60), (.36, .40, .98),
             (-.02, .02, .87), (2, 2, 28, 0), (0.1, 0.1)),
    key_pose((.81, -.21, 1.11), (.90, .26, .36), (-.33, .94, .13), (-.20, -.60, -.75), (.25, .45, .97),
             (.02, .00, .88), (-4, -10, 27, 2), (0.2, 0.2)),
])  # fmt: skip
_BACKHAND_TOPSPIN = np.stack([
    key_pose((.19, .14, .67), (.30, .74, -.60), (-.85, .50, .19), (.15, -.80, -.40), (.34, .38, .95),
             (-.10, .03, .80), (10, 22, 36, -2)),
    key_pose((.60, .06, .98), (.45, .88, .11), (-.82, .37, .44), (.00, -.75, -.60), (.34, .43, .98),
             (-.02, .02, .86), (2, 2, 28, 0), (0.2, 0.2)),
    key_pose((.76, -.43, 1.37), (.73, -.16, .66), (-.26, .84, .49), (-.30, -.70, -.50), (.20, .42, .95),
             (.03, .00, .92), (-6, -16, 20, 2), (0.4, 0.4)),
])  # fmt: skip
_BACKHAND_PUSH = np.stack([
    key_pose((.22, .22, 1.03), (.35, .78, .52), (-.73, .57, -.37), (.10, -.75, -.60), (.43, .34, .99),
             (-.06, .02, .84), (4, 10, 34, -2)),
    key_pose((.68, .10, .97), (.54, .84, -.05), (-.69, .41, -.60), (.00, -.70, -.70), (.41, .47, .95),
             (.02, .01, .84), (2, 2, 37, 0), (0, 0.1)),
    key_pose((.86, .03, .92), (.65, .75, -.10), (-.58, .41, -.70), (-.10, -.65, -.70), (.27, .52, .95),
             (.06, .00, .84), (0, -4, 40, 0), (0, 0.3)),
])  # fmt: skip
_SMASH_HIGH = np.stack([
    key_pose((-.56, -.54, 1.58), (.05, -.63, .78), (.58, .65, .49), (-.30, -.85, -.35), (.38, .22, 1.58),
             (-.12, -.06, .88), (-40, -70, 0, 10), (0.2, 0)),
    key_pose((.46, -.40, 1.90), (.33, -.28, .90), (.94, .06, -.32), (.10, -.90, -.30), (.28, .44, 1.05),
             (.02, .02, .92), (0, 5, 12, -4), (0, 0.5)),
    key_pose((.58, .38, .84), (.84, .15, -.52), (-.47, .68, -.57), (.40, -.50, -.60), (.10, .40, .90),
             (.12, .06, .82), (30, 55, 36, -8), (0, 0.7)),
])  # fmt: skip
_SMASH_FLAT = np.stack([
    key_pose((-.54, -.66, 1.33), (.35, -.78, .52), (.84, .51, .19), (-.30, -.80, -.50), (.47, .16, 1.35),
             (-.10, -.08, .86), (-40, -72, 8, 8), (0.15, 0)),
    key_pose((.56, -.70, 1.48), (.46, -.71, .53), (.89, .31, -.34), (-.20, -.80, -.50), (.26, .48, 1.05),
             (.02, .02, .89), (0, 2, 16, 0), (0, 0.45)),
    key_pose((.57, .50, .86), (.90, .30, -.32), (-.43, .72, -.54), (.40, -.50, -.60), (.05, .40, .92),
             (.10, .07, .84), (28, 52, 30, -6), (0, 0.7)),
])  # fmt: skip

# Per style: ball on the palm, the dip before the toss, release, the end of the backswing, contact, follow-through.
_SERVE_PENDULUM = np.stack([
    key_pose((.25, -.29, 1.05), (.38, .90, .23), (-.71, .12, .70), (-.30, -.60, -.70), (.44, .00, .97),
             (-.05, .00, .89), (-35, -42, 27, 0)),
    key_pose((.14, -.42, 1.12), (.62, .54, .56), (-.77, .31, .56), (-.30, -.60, -.70), (.44, .00, .89),
             (-.05, .00, .86), (-35, -45, 31, 0)),
    key_pose((-.18, -.46, 1.28), (.46, -.09, .88), (.34, .94, -.08), (-.30, -.70, -.60), (.44, .00, 1.22),
             (-.06, .00, .89), (-38, -52, 25, -2)),
    key_pose((-.32, -.50, 1.26), (.75, -.44, .49), (.55, .83, -.12), (-.30, -.80, -.50), (.10, .44, 1.14),
             (-.07, -.02, .87), (-40, -60, 26, -4)),
    key_pose((.42, -.04, .93), (.28, .54, -.80), (.49, .63, .60), (-.10, -.80, -.50), (.00, .39, 1.07),
             (-.02, .00, .84), (-25, -25, 35, 2), (0, 0.2)),
    key_pose((.32, .26, .98), (.14, .83, -.54), (-.05, .55, .83), (.20, -.70, -.60), (-.03, .40, 1.05),
             (.00, .02, .84), (-15, -5, 36, 0), (0, 0.4)),
])  # fmt: skip
_SERVE_BACKHAND = np.stack([
    key_pose((.38, -.06, .94), (.54, .82, .21), (-.84, .50, .20), (.00, -.75, -.60), (.44, .18, 1.00),
             (-.08, .00, .89), (0, 8, 28, 0)),
    key_pose((.39, .07, .94), (.48, .85, .22), (-.87, .44, .21), (.00, -.75, -.60), (.44, .18, .92),
             (-.08, .00, .86), (0, 10, 32, 0)),
    key_pose((.24, .13, .97), (.34, .90, .27), (-.94, .29, .20), (.10, -.80, -.50), (.45, .18, 1.20),
             (-.08, .00, .89), (2, 14, 27, 0)),
    key_pose((.08, .22, .99), (.26, .91, .31), (-.94, .17, .28), (.20, -.85, -.40), (.27, .43, 1.10),
             (-.08, .02, .86), (6, 22, 30, -2)),
    key_pose((.54, .10, .93), (.43, .86, -.26), (-.90, .39, -.18), (.00, -.80, -.50), (.14, .48, 1.03),
             (-.03, .00, .85), (0, 4, 34, 0), (0.1, 0.1)),
    key_pose((.69, -.36, .98), (.93, .11, .35), (-.22, .93, .30), (-.20, -.70, -.60), (.11, .43, 1.02),
             (.00, .00, .86), (-4, -14, 32, 2), (0.2, 0.2)),
])  # fmt: skip
_SERVE_DRIVE = np.stack([
    key_pose((.19, -.45, 1.04), (.87, .40, .30), (-.48, .82, .30), (-.40, -.60, -.70), (.44, -.10, 1.00),
             (-.05, .00, .89), (-25, -35, 27, 0)),
    key_pose((.00, -.59, 1.09), (.93, -.09, .35), (.00, .97, .25), (-.40, -.60, -.70), (.44, -.10, .92),
             (-.05, .00, .86), (-27, -40, 31, 2)),
    key_pose((-.27, -.64, 1.14), (.66, -.66, .35), (.71, .71, .00), (-.50, -.60, -.60), (.46, -.12, 1.20),
             (-.06, -.02, .88), (-30, -52, 26, 4)),
    key_pose((-.31, -.68, 1.04), (.55, -.83, .11), (.83, .55, -.01), (-.50, -.60, -.60), (.17, .36, 1.11),
             (-.07, -.04, .86), (-30, -60, 28, 6)),
    key_pose((.46, -.42, .93), (.68, -.69, -.24), (.71, .70, .01), (-.30, -.70, -.65), (.02, .39, 1.05),
             (-.02, .00, .85), (-8, -15, 33, 4), (0, 0.25)),
    key_pose((.55, .22, 1.06), (.72, .61, .35), (-.56, .80, -.24), (.20, -.60, -.80), (.00, .38, 1.02),
             (.02, .03, .86), (8, 20, 32, 0), (0, 0.4)),
])  # fmt: skip

_STYLES = {
    "serve": (_SERVE_PENDULUM, _SERVE_DRIVE, _SERVE_BACKHAND),
    "forehand": (_FOREHAND_FLAT, _FOREHAND_TOPSPIN, _FOREHAND_PUSH),
    "backhand": (_BACKHAND_FLAT, _BACKHAND_TOPSPIN, _BACKHAND_PUSH),
    "smash": (_SMASH_HIGH, _SMASH_FLAT),
}
# Shortest and longest preparation, forward swing and follow-through, in seconds at a tempo of 1.
_PHASES_S = {
    "serve": ((0.26, 0.38), (0.17, 0.22), (0.20, 0.28)),
    "forehand": ((0.36, 0.46), (0.19, 0.26), (0.23, 0.31)),
    "backhand": ((0.36, 0.46), (0.16, 0.22), (0.21, 0.29)),
    "smash": ((0.44, 0.56), (0.20, 0.26), (0.25, 0.33)),
}
_FEET_YAW_DEG = {"serve": -40.0, "forehand": -16.0, "backhand": 2.0, "smash": -30.0}


@dataclass(frozen=True)
class Swing:
    """One planned stroke; times in seconds after contact.

    Args:
        label: Class name.
        times_s: When each key pose is met.
        keys: The key poses, a row each.
        slopes: Their rates of change, per second.
        start_s: When the movement begins.
        end_s: When the follow-through is over.
        settled_s: When the player is back in the ready stance.
        centre: Middle of the feet at contact, in metres, in a court where the player faces +x.
        feet_yaw: Turn of the stance to the left, in radians.
        side: 1 if the forehand side strikes, -1 if the other does.
        release_s: When the ball leaves the hand; None if it comes from the opponent.

    Shape:
        times_s ``(N,)``, keys and slopes ``(N, 24)``, centre ``(2,)``.
    """

    label: str
    times_s: np.ndarray
    keys: np.ndarray
    slopes: np.ndarray
    start_s: float
    end_s: float
    settled_s: float
    centre: np.ndarray
    feet_yaw: float
    side: int
    release_s: float | None

    def path(self, times_s: np.ndarray) -> np.ndarray:
        """Give the channels at times after contact, by cubic Hermite splines held at both ends.

        Shape:
            ``(T,)`` -> ``(T, 24)``.
        """
        times_s = np.clip(times_s, self.times_s[0], self.times_s[-1])
        i = np.clip(np.searchsorted(self.times_s, times_s, side="right") - 1, 0, len(self.times_s) - 2)
        step = (self.times_s[i + 1] - self.times_s[i])[:, None]
        s = (times_s - self.times_s[i])[:, None] / step
        return np.asarray(
            (1 + 2 * s) * (1 - s) ** 2 * self.keys[i]
            + s * (1 - s) ** 2 * step * self.slopes[i]
            + s**2 * (3 - 2 * s) * self.keys[i + 1]
            + s**2 * (s - 1) * step * self.slopes[i + 1]
        )

    def weight(self, times_s: np.ndarray) -> np.ndarray:
        """Give how much the stroke overrules the ready stance at times after contact, in [0, 1]."""
        rise = smooth_step((times_s - self.start_s) / (self.times_s[0] - self.start_s))
        fall = smooth_step((times_s - self.times_s[-1]) / (self.settled_s - self.times_s[-1]))
        return np.asarray(rise * (1 - fall))


def smooth_step(s: np.ndarray) -> np.ndarray:
    """Rise from 0 at 0 to 1 at 1 with neither speed nor acceleration at the ends.

    >>> smooth_step(np.array([-1.0, 0.5, 2.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    s = np.clip(s, 0, 1)
    return np.asarray(s**3 * (10 - 15 * s + 6 * s**2))


def plan_swing(rng: np.random.Generator, player: Player, label: str) -> Swing:
    """Draw a stroke around the player's own habits.

    Args:
        rng: Where all chance comes from.
        player: Who plays it.
        label: Class name.
    """
    style, keys = _draw_style(rng, player, label)
    contact = len(keys) - 2
    _vary(rng, player, label, keys, contact)
    tempo = player.tempo * rng.uniform(0.9, 1.1)
    prepare_s, swing_s, follow_s = (rng.uniform(*phase) / tempo for phase in _PHASES_S[label])
    times_s = np.array([-swing_s, 0.0, follow_s])
    release_s = None
    if label == "serve":
        release_s = -rng.uniform(0.44, 0.64)
        dip_s = release_s - rng.uniform(0.20, 0.26)
        times_s = np.array([dip_s - rng.uniform(0.14, 0.34), dip_s, release_s, -swing_s, 0.0, follow_s])
    slopes = _slopes(times_s, keys, contact, release_s)
    centre, feet_yaw = _draw_stance(rng, player, label, keys[contact, BLADE])
    return Swing(
        label=label,
        times_s=times_s,
        keys=keys,
        slopes=slopes,
        start_s=float(times_s[0] - prepare_s),
        end_s=float(follow_s + 0.05),
        settled_s=float(follow_s + rng.uniform(0.32, 0.5) / tempo),
        centre=centre,
        feet_yaw=feet_yaw,
        side=-1 if style is _SERVE_BACKHAND or label == "backhand" else 1,
        release_s=release_s,
    )


def _draw_style(rng: np.random.Generator, player: Player, label: str) -> tuple[np.ndarray, np.ndarray]:
    styles = _STYLES[label]
    if label == "serve":
        forehand = 1 - player.backhand_serve
        style = styles[rng.choice(3, p=[0.6 * forehand, 0.4 * forehand, player.backhand_serve])]
        return style, style.copy()
    if label == "smash":
        chances = [0.65, 0.35]
    else:
        chances = [0.8 * (1 - player.spin), 0.8 * player.spin, 0.2]
    main, other = rng.choice(len(styles), size=2, p=chances)
    share = rng.uniform(0, 0.35)
    return styles[main], (1 - share) * styles[main] + share * styles[other]


def _vary(rng: np.random.Generator, player: Player, label: str, keys: np.ndarray, contact: int) -> None:
    """Change the key poses in place to this player's build and habits, and by chance."""
    scale = player.height_m / STANDARD_HEIGHT_M
    for points in (BLADE, FREE_HAND, HIPS):
        keys[:, points] *= scale
    amplitude = player.amplitude * rng.uniform(0.82, 1.15)
    for channels in (BLADE, AXIS, NORMAL, slice(HIP_YAW, CHEST_YAW + 1)):
        size = amplitude if channels is not NORMAL and channels is not AXIS else min(1.0, amplitude)
        keys[:, channels] = keys[contact, channels] + size * (keys[:, channels] - keys[contact, channels])
    keys[:, HIP_YAW : CHEST_YAW + 1] *= player.turn * rng.uniform(0.9, 1.1)
    keys[:, LEAN] += player.lean_rad + rng.normal(0, 0.04)
    keys[:, HIPS] += [0, 0, -player.crouch_m + rng.normal(0, 0.015)]
    spread = np.array([0.04, 0.05, 0.06]) * (0.5 if label == "serve" else 1)
    shift = np.array(player.contact_m) * [1, -1, 1] * (0.5 if label == "serve" else 1) + rng.normal(0, spread)
    along = np.full((len(keys), 1), 0.6)
    along[contact] = 1
    keys[:, BLADE] += along * np.clip(shift, -0.13, 0.13)
    keys[:, BLADE] += rng.normal(0, 0.02, (len(keys), 3))
    keys[:, FREE_HAND] += rng.normal(0, 0.03, 3) + rng.normal(0, 0.012, (len(keys), 3))
    keys[:, AXIS] += rng.normal(0, 0.06, (len(keys), 3))
    keys[:, NORMAL] += rng.normal(0, 0.06, (len(keys), 3))
    keys[:, HIP_YAW : TILT + 1] += rng.normal(0, 0.03, (len(keys), 4))
    keys[contact, BLADE][2] = max(keys[contact, BLADE][2], LOWEST_CONTACT_M)
    if label == "serve":  # the ball falls where it is struck
        drift = keys[contact, BLADE][:2] - keys[contact - 2, FREE_HAND][:2]
        keys[: contact - 1, FREE_HAND] += [*(drift * rng.uniform(0.5, 0.8)), 0]


def _slopes(times_s: np.ndarray, keys: np.ndarray, contact: int, release_s: float | None) -> np.ndarray:
    """Stand still at the ends of backswing and follow-through, and be fastest at contact."""
    rates = np.diff(keys, axis=0) / np.diff(times_s)[:, None]
    slopes = np.zeros_like(keys)
    slopes[contact] = 0.85 * (rates[contact - 1] + rates[contact])
    if release_s is not None:
        release = contact - 2
        slopes[release] = 0.5 * (rates[release - 1] + rates[release])
        slopes[release, FREE_HAND] = [0, 0, -4.905 * release_s]
        slopes[contact - 1, FREE_HAND] = 0.3 * rates[contact - 1, FREE_HAND]
    return slopes


def _draw_stance(
    rng: np.random.Generator, player: Player, label: str, blade: np.ndarray
) -> tuple[np.ndarray, float]:
    home = home_of(player)
    if label == "serve":
        shift = rng.normal([0.0, 0.12], [0.03, 0.12])
    else:
        shift = rng.normal([-0.03, 0.0], [0.07, 0.20])
    centre = home + np.clip(shift, -0.35, 0.35)
    centre[1] = np.clip(centre[1] + blade[1], -0.68, 0.68) - blade[1]
    feet_yaw = np.radians(_FEET_YAW_DEG[label] * player.turn + rng.normal(0, 5))
    return centre, float(feet_yaw)


def home_of(player: Player) -> np.ndarray:
    """Give the middle of the feet in the ready stance, in a court where the player is right-handed.

    Shape:
        ``(2,)``, metres.
    """
    return np.array([END_LINE_M - player.distance_m, 0.22])
