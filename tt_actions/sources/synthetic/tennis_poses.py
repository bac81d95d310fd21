"""Key poses of tennis: the body at the turning points of each stroke, with the times between them.

As in :mod:`tt_actions.sources.synthetic.key_poses`, they describe a right-handed player of 1.75 m who faces
+x. What is the blade there is here the throat of the racket, as far from the hand. They follow what teachers
of tennis describe: unit turn, backswing, contact in front of the body, follow-through over the shoulder; for
a serve toss, trophy pose and racket drop.
"""

from typing import NamedTuple

import numpy as np

from tt_actions.sources.synthetic.key_poses import key_pose

Seconds = tuple[float, float]
"""Shortest and longest time at a tempo of 1."""


class Style(NamedTuple):
    """One way to play a stroke.

    Args:
        keys: The key poses; the second-to-last is the contact.
        steps_s: Time from each key pose to the next.
        prepare_s: Time from the ready stance to the first key pose.
        feet_deg: Turn of the stance to the left, in degrees.
        chance: How often it is played, relative to the other styles of the stroke.
        two_handed: Whether the free hand holds the racket too.
        side: 1 if the forehand side of the racket hits the ball, -1 for the backhand side.
        release: Which key pose is the release of the ball; None unless the stroke is a serve.
    """

    keys: np.ndarray
    steps_s: tuple[Seconds, ...]
    prepare_s: Seconds
    feet_deg: float
    chance: float
    two_handed: bool = False
    side: int = 1
    release: int | None = None


READY = key_pose((.50, .05, 1.02), (.90, .25, .30), (-.25, .95, -.10), (-.20, -.60, -.75), (.46, .10, 1.00),
                 (-.03, .00, .86), (0, 0, 20, 0), (.1, .1))  # fmt: skip
"""The ready stance, with the free hand at the throat of the racket."""
RELAXED = key_pose((.36, -.22, .86), (.85, .30, -.30), (-.19, .98, .10), (-.40, -.40, -.85), (.10, .27, .86),
                   (-.01, .00, .94), (0, 0, 6, 0))  # fmt: skip
"""Standing between two points."""

# Unit turn, end of the backswing, contact, end of the follow-through.
_FOREHAND_OVER = np.stack([
    key_pose((-.04, -.50, 1.36), (.30, -.10, .94), (.60, .80, .00), (-.40, -.70, -.50), (.16, -.32, 1.26),
             (-.05, -.05, .85), (-42, -72, 14, 5), (.1, 0)),
    key_pose((-.62, -.52, 1.00), (.45, -.85, -.10), (.80, .50, -.30), (-.50, -.60, -.60), (.42, -.28, 1.18),
             (-.07, -.07, .83), (-48, -88, 16, 9), (.1, 0)),
    key_pose((.44, -.66, 1.00), (.45, -.88, .05), (.85, .45, -.10), (-.40, -.60, -.70), (.26, .30, 1.14),
             (.00, .02, .87), (-4, -14, 14, 5), (0, .4)),
    key_pose((.10, .40, 1.50), (.20, .85, .35), (-.80, .30, .30), (.10, -.80, -.20), (.14, .36, 1.18),
             (.06, .05, .90), (32, 58, 10, -4), (0, .7)),
])  # fmt: skip
_FOREHAND_OPEN = np.stack([
    key_pose((-.06, -.50, 1.42), (.30, .00, .95), (.60, .80, .00), (-.40, -.75, -.45), (.14, -.36, 1.24),
             (-.03, -.08, .84), (-34, -74, 12, 8), (.1, 0)),
    key_pose((-.56, -.62, .92), (.45, -.80, -.35), (.70, .55, -.45), (-.50, -.60, -.60), (.44, -.22, 1.14),
             (-.04, -.10, .81), (-38, -90, 16, 14), (.1, 0)),
    key_pose((.46, -.64, 1.04), (.45, -.88, .10), (.85, .45, -.15), (-.40, -.60, -.70), (.22, .34, 1.16),
             (.00, .00, .88), (8, -6, 12, 4), (.1, .3)),
    key_pose((.20, .46, 1.18), (.35, .90, -.10), (-.80, .45, .30), (.10, -.85, -.10), (.02, .36, 1.14),
             (.02, .04, .91), (36, 66, 10, -5), (.2, .5)),
])  # fmt: skip
_FOREHAND_SLICE = np.stack([
    key_pose((.00, -.52, 1.40), (.40, -.20, .88), (.60, .75, .20), (-.40, -.70, -.50), (.26, -.22, 1.22),
             (-.05, -.04, .85), (-36, -60, 14, 3), (.1, 0)),
    key_pose((-.34, -.60, 1.44), (.40, -.40, .80), (.60, .70, .30), (-.45, -.75, -.40), (.40, -.14, 1.16),
             (-.06, -.05, .85), (-40, -70, 14, 3), (.1, 0)),
    key_pose((.44, -.62, 1.02), (.55, -.80, .15), (.75, .50, .40), (-.40, -.60, -.70), (.16, .34, 1.10),
             (.02, .00, .85), (-6, -20, 20, 4), (0, .3)),
    key_pose((.62, -.08, .92), (.80, .20, .00), (.20, .50, .80), (-.20, -.70, -.65), (-.02, .40, 1.06),
             (.06, .02, .86), (8, 10, 24, 2), (0, .5)),
])  # fmt: skip
_FOREHAND_TIMES: tuple[Seconds, ...] = ((.16, .34), (.20, .30), (.24, .38))  # fmt: skip

_BACKHAND_ONE = np.stack([
    key_pose((.04, .36, 1.26), (.45, .30, .80), (-.60, .75, .10), (.10, -.70, -.60), (.05, .40, 1.20),
             (-.04, .04, .86), (46, 72, 12, -4), (0, .1)),
    key_pose((-.28, .46, 1.10), (.35, .90, .20), (-.85, .45, .10), (.10, -.75, -.55), (-.22, .44, 1.08),
             (-.06, .05, .83), (56, 98, 16, -6), (0, .1)),
    key_pose((.56, .26, 1.02), (.85, .50, .10), (-.50, .85, .10), (.00, -.70, -.70), (-.16, .42, 1.04),
             (.02, .02, .86), (34, 42, 14, -2), (.3, .1)),
    key_pose((.44, -.50, 1.66), (.30, -.40, .86), (-.40, .50, .75), (-.20, -.80, -.40), (-.42, .42, 1.12),
             (.05, .00, .90), (22, 14, 4, 2), (.4, .1)),
])  # fmt: skip
_BACKHAND_SLICE = np.stack([
    key_pose((.02, .34, 1.40), (.40, .20, .88), (-.60, .75, .10), (.10, -.75, -.50), (.00, .38, 1.32),
             (-.04, .04, .86), (42, 66, 12, -4), (0, .1)),
    key_pose((-.18, .40, 1.52), (.30, .50, .80), (-.75, .60, -.10), (.20, -.80, -.40), (-.12, .40, 1.44),
             (-.05, .05, .85), (50, 86, 14, -4), (0, .1)),
    key_pose((.54, .20, 1.00), (.85, .50, .10), (-.45, .75, -.45), (.00, -.70, -.70), (-.20, .42, 1.10),
             (.02, .02, .84), (40, 54, 20, -2), (.2, .1)),
    key_pose((.66, -.26, .94), (.90, -.10, .20), (-.10, .60, -.75), (-.10, -.70, -.70), (-.48, .42, 1.12),
             (.08, .00, .85), (36, 44, 20, 0), (.4, .1)),
])  # fmt: skip
_BACKHAND_TWO = np.stack([
    key_pose((.06, .36, 1.16), (.50, .40, .70), (-.60, .75, .10), (.05, -.65, -.70), (.06, .42, 1.20),
             (-.04, .03, .86), (42, 68, 14, -4), (0, .1)),
    key_pose((-.26, .52, .94), (.30, .90, -.15), (-.85, .40, .20), (.00, -.65, -.70), (-.32, .58, .96),
             (-.06, .04, .83), (52, 92, 18, -6), (0, .1)),
    key_pose((.46, .34, 1.00), (.45, .88, .05), (-.88, .45, .10), (.00, -.65, -.70), (.46, .42, 1.00),
             (.00, .02, .87), (10, 14, 14, -2), (.3, .1)),
    key_pose((.10, -.40, 1.50), (.10, -.85, .40), (-.60, -.60, .30), (-.40, -.85, -.10), (.06, -.46, 1.54),
             (.05, -.02, .90), (-26, -52, 8, 3), (.6, .1)),
])  # fmt: skip
_BACKHAND_TIMES: tuple[Seconds, ...] = ((.16, .34), (.20, .28), (.22, .36))  # fmt: skip

# Ball and racket together, hands apart, release, trophy pose, racket drop, contact, follow-through.
_SERVE = np.stack([
    key_pose((.46, .02, 1.14), (.70, .60, .30), (-.40, .85, .10), (-.30, -.60, -.70), (.42, -.02, 1.12),
             (-.02, .00, .93), (-58, -62, 8, 0)),
    key_pose((.22, -.42, .80), (.80, -.20, -.50), (.30, .90, .10), (-.30, -.60, -.70), (.40, -.06, .84),
             (-.02, .00, .91), (-60, -68, 14, 4)),
    key_pose((-.36, -.58, .98), (.50, -.80, .10), (.60, .70, .20), (-.40, -.70, -.55), (.50, .02, 1.66),
             (.00, .00, .90), (-62, -78, 4, 6), (0, 0)),
    key_pose((-.28, -.36, 1.62), (.25, -.10, .95), (.75, .60, .10), (-.30, -.85, -.30), (.34, .08, 1.92),
             (.05, .00, .84), (-60, -76, -6, 18), (.1, .2)),
    key_pose((-.26, -.24, 1.42), (-.20, -.15, -.95), (.50, .80, -.10), (-.20, -.95, .10), (.36, .20, 1.44),
             (.06, .02, .93), (-34, -44, 2, 6), (.6, .6)),
    key_pose((.34, -.20, 2.20), (.25, -.05, .96), (.95, .10, -.20), (.10, -.95, .00), (.22, .14, 1.12),
             (.08, .02, .97), (4, 10, 14, -20), (.8, .8)),
    key_pose((.46, .40, .76), (.60, .55, -.60), (-.50, .75, -.30), (.00, -.75, -.45), (.06, .32, 1.06),
             (.16, .06, .86), (30, 56, 36, -8), (.1, .9)),
])  # fmt: skip
_SERVE_ABBREVIATED = _SERVE.copy()  # the racket goes up at once, in front of the body
_SERVE_ABBREVIATED[1] = key_pose(
    (.24, -.44, 1.10), (.60, -.30, .70), (.50, .80, .10), (-.30, -.70, -.60), (.40, -.06, .92),
    (-.02, .00, .91), (-60, -66, 12, 4))  # fmt: skip
_SERVE_ABBREVIATED[2] = key_pose(
    (-.12, -.52, 1.44), (.30, -.30, .90), (.70, .65, .10), (-.35, -.80, -.40), (.50, .02, 1.66),
    (.00, .00, .90), (-62, -74, 2, 8))  # fmt: skip
_SERVE_TIMES: tuple[Seconds, ...] = (
    (.30, .55), (.40, .65), (.38, .66), (.16, .30), (.11, .15), (.32, .46),
)  # fmt: skip

# Racket up while the free hand points to the ball, racket drop, contact, follow-through.
_SMASH = np.stack([
    key_pose((-.16, -.40, 1.58), (.30, -.10, .94), (.70, .65, .10), (-.30, -.85, -.30), (.36, .00, 1.76),
             (-.04, -.02, .88), (-54, -70, 2, 10), (.2, .2)),
    key_pose((-.26, -.26, 1.44), (-.20, -.15, -.95), (.50, .80, -.10), (-.20, -.95, .10), (.40, .14, 1.58),
             (.00, .00, .92), (-34, -46, 2, 6), (.4, .4)),
    key_pose((.36, -.22, 2.14), (.30, -.05, .95), (.95, .10, -.25), (.10, -.95, .00), (.22, .16, 1.12),
             (.04, .02, .95), (4, 8, 14, -16), (.6, .7)),
    key_pose((.50, .32, .84), (.65, .50, -.55), (-.50, .75, -.30), (.00, -.75, -.45), (.06, .34, 1.06),
             (.10, .05, .87), (28, 50, 30, -6), (.1, .8)),
])  # fmt: skip
_SMASH_TIMES: tuple[Seconds, ...] = ((0.25, 1.5), (0.11, 0.16), (0.28, 0.42))  # a lob leaves time to wait

# Racket set beside the body, contact, a short follow-through.
_VOLLEY_FOREHAND = np.stack([
    key_pose((.22, -.54, 1.32), (.50, -.35, .80), (.60, .70, .20), (-.40, -.70, -.55), (.40, .14, 1.16),
             (-.02, -.02, .84), (-20, -36, 20, 4), (.1, .1)),
    key_pose((.60, -.48, 1.16), (.60, -.55, .60), (.70, .60, .30), (-.40, -.65, -.65), (.34, .28, 1.10),
             (.06, -.02, .82), (-8, -18, 24, 4), (0, .4)),
    key_pose((.72, -.32, 1.06), (.70, -.40, .50), (.55, .60, .55), (-.35, -.65, -.70), (.28, .32, 1.08),
             (.10, -.01, .82), (-2, -8, 26, 3), (0, .5)),
])  # fmt: skip
_VOLLEY_BACKHAND = np.stack([
    key_pose((.22, .26, 1.34), (.50, .30, .80), (-.60, .75, .10), (.10, -.75, -.55), (.16, .30, 1.28),
             (-.02, .02, .84), (24, 40, 20, -4), (.1, .1)),
    key_pose((.60, .14, 1.16), (.70, .40, .55), (-.60, .75, -.20), (.00, -.70, -.70), (.04, .40, 1.12),
             (.06, .02, .82), (18, 26, 24, -3), (.4, 0)),
    key_pose((.72, -.06, 1.04), (.80, .20, .45), (-.40, .75, -.45), (-.10, -.70, -.70), (-.14, .44, 1.10),
             (.10, .01, .82), (16, 20, 26, -2), (.5, 0)),
])  # fmt: skip
_VOLLEY_TIMES: tuple[Seconds, ...] = ((.13, .22), (.10, .20))  # fmt: skip

_GROUND_S, _SERVE_S, _SMASH_S, _VOLLEY_S = (.28, .44), (.40, .60), (.30, .50), (.16, .30)  # fmt: skip

STYLES: dict[str, tuple[Style, ...]] = {
    "serve": (
        Style(_SERVE, _SERVE_TIMES, _SERVE_S, -58, 0.7, release=2),
        Style(_SERVE_ABBREVIATED, _SERVE_TIMES, _SERVE_S, -58, 0.3, release=2),
    ),
    "forehand": (
        Style(_FOREHAND_OVER, _FOREHAND_TIMES, _GROUND_S, -44, 0.4),
        Style(_FOREHAND_OPEN, _FOREHAND_TIMES, _GROUND_S, -8, 0.4),
        Style(_FOREHAND_SLICE, _FOREHAND_TIMES, _GROUND_S, -40, 0.2),
    ),
    "backhand": (
        Style(_BACKHAND_ONE, _BACKHAND_TIMES, _GROUND_S, 50, 0.3, side=-1),
        Style(_BACKHAND_SLICE, _BACKHAND_TIMES, _GROUND_S, 50, 0.25, side=-1),
        Style(_BACKHAND_TWO, _BACKHAND_TIMES, _GROUND_S, 36, 0.45, two_handed=True, side=-1),
    ),
    "smash": (Style(_SMASH, _SMASH_TIMES, _SMASH_S, -50, 1.0),),
    "volley": (
        Style(_VOLLEY_FOREHAND, _VOLLEY_TIMES, _VOLLEY_S, -22, 0.5),
        Style(_VOLLEY_BACKHAND, _VOLLEY_TIMES, _VOLLEY_S, 26, 0.5, side=-1),
    ),
}
"""The styles of each stroke."""
