"""The joints of an analysis, in pieces that the page draws on the video."""

from itertools import pairwise
from typing import Any

import numpy as np

from tt_actions.pose.video import POINTS
from tt_actions.recognition.analysis import MatchAnalysis
from tt_actions.skeleton.layouts import BLAZEPOSE33

MAX_STRETCH_S = 20.0
"""Longest stretch of one answer in seconds."""

_ARM = ("shoulder", "elbow", "wrist", "fingertips")
_LEG = ("hip", "knee", "ankle", "foot")
_SIDES = ("left", "right")
_DRAWN = [f"{side}_{name}" for side in _SIDES for name in (*_ARM, *_LEG)]
_INDICES = [BLAZEPOSE33.index(name) for name in _DRAWN]


def list_lines() -> list[tuple[int, int, str]]:
    """Return the lines of the drawing: two points, and the side of the body or ``trunk``."""
    lines = [
        (_DRAWN.index(f"{side}_{one}"), _DRAWN.index(f"{side}_{other}"), side)
        for side in _SIDES
        for limb in (_ARM, _LEG)
        for one, other in pairwise(limb)
    ]
    trunk = ("left_shoulder", "right_shoulder", "right_hip", "left_hip", "left_shoulder")
    lines += [(_DRAWN.index(one), _DRAWN.index(other), "trunk") for one, other in pairwise(trunk)]
    return lines


class JointSeries:
    """The drawn joints of all players of a video.

    Args:
        analysis: The analysis; without joints, nothing is drawn.
    """

    def __init__(self, analysis: MatchAnalysis) -> None:
        self.times_s = analysis.times_s
        self.points = None if analysis.motion is None else analysis.motion.poses[:, :, _INDICES, POINTS]

    def between(self, start_s: float, end_s: float) -> dict[str, Any]:
        """Return the joints of a stretch of time as plain numbers.

        None stands for a player who is not found, and for a joint that the pose model does not know.

        Args:
            start_s: Start in seconds.
            end_s: End in seconds; a stretch ends after :data:`MAX_STRETCH_S` at the latest.
        """
        if self.points is None:
            return {"times": [], "players": []}
        end_s = min(end_s, start_s + MAX_STRETCH_S)
        first, last = np.searchsorted(self.times_s, [start_s, end_s])
        players = [[_as_numbers(body) for body in np.round(own[first:last], 1)] for own in self.points]
        return {"times": np.round(self.times_s[first:last], 4).tolist(), "players": players}


def _as_numbers(body: np.ndarray) -> list[list[float] | None] | None:
    is_known = ~np.isnan(body).any(1)
    if not is_known.any():
        return None
    return [point if known else None for point, known in zip(body.tolist(), is_known, strict=True)]
