"""Reference strokes of a class: which reading of a file is the stroke, and which of them play alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tt_actions.coach.measures import Measure, measures_of
from tt_actions.coach.phases import hand_of, hand_speed
from tt_actions.coach.stroke import RATE_HZ, StrokeMotion
from tt_actions.errors import UserError

FEWEST = 6
"""Reference strokes with fewer of which nothing is known of what is usual."""

_LOOKS_S = (-0.35, -0.25, -0.15, -0.08, 0.0, 0.08, 0.15, 0.25)
_ALIKE = 0.3  # share of the references that play most alike
_LEAST_ALIKE = 30


@dataclass(frozen=True, eq=False)
class References:
    """Strokes of a class that are as they should be.

    Args:
        label: The class.
        strokes: The strokes.
        groups: For each the player, or whatever it shares with others; references of one group are never a
            yardstick of each other.
    """

    label: str
    strokes: tuple[StrokeMotion, ...]
    groups: tuple[str, ...]

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        """What is measured: what these strokes show and vary in."""
        return tuple(m for m in measures_of(self.label) if m.read(self.strokes[0]) is not None)

    @cached_property
    def _turns(self) -> np.ndarray:
        """1, or -1 for turns that these strokes make to the right: ``(M,)``."""
        values = np.array([self._read(stroke) for stroke in self.strokes])
        is_turn = np.array([measure.unit == "turn" for measure in self.measures])
        return np.asarray(np.where(is_turn & (np.median(values, axis=0) < 0), -1.0, 1.0))

    @cached_property
    def values(self) -> np.ndarray:
        """The measures of all strokes, ``(N, M)``."""
        return np.stack([self.read(stroke) for stroke in self.strokes])

    @cached_property
    def _poses(self) -> np.ndarray:
        return np.stack([_pose(stroke) for stroke in self.strokes])

    @cached_property
    def _looks(self) -> np.ndarray:
        return np.stack([_look(stroke) for stroke in self.strokes])

    def read(self, stroke: StrokeMotion) -> np.ndarray:
        """Measure a stroke.

        Args:
            stroke: Of the same layout.

        Shape:
            ``(M,)``.
        """
        return np.asarray(self._turns * self._read(stroke))

    def _read(self, stroke: StrokeMotion) -> np.ndarray:
        return np.array([measure.read(stroke) for measure in self.measures], np.float64)

    def choose(self, readings: Sequence[StrokeMotion]) -> StrokeMotion:
        """Choose the reading that looks most like these strokes.

        Args:
            readings: What a file may show.
        """
        return readings[_choose(readings, self._looks)]

    def alike(self, stroke: StrokeMotion, among: np.ndarray) -> np.ndarray:
        """Find the references that play most like a stroke, of the same style.

        Args:
            stroke: The stroke.
            among: Numbers of the references that may be taken.

        Returns:
            Numbers of three in ten, or of thirty, the nearest first, by the mean distance of the joints at
            the three phases.

        Shape:
            among ``(N,)``, int -> ``(K,)``.
        """
        distances = np.linalg.norm(self._poses[among] - _pose(stroke), axis=-1).mean((1, 2))
        return np.asarray(
            among[np.argsort(distances, kind="stable")[: max(_LEAST_ALIKE, int(_ALIKE * len(among)))]]
        )


def make_references(
    label: str, readings: Sequence[Sequence[StrokeMotion]], groups: Sequence[str], rounds: int = 4
) -> References:
    """Choose each file's reading so that the references look alike, beginning with the fastest of each.

    Args:
        label: The class.
        readings: What each file may show, the fastest first.
        groups: For each file the player, or whatever it shares with others.
        rounds: How often to look again.

    Raises:
        ValueError: If there are fewer than :data:`FEWEST` files.
    """
    if len(readings) < FEWEST:
        raise UserError(
            f"Expected at least {FEWEST} reference strokes of '{label}', but got {len(readings)}. Add others."
        )
    chosen = [own[0] for own in readings]
    for _ in range(rounds):
        looks = np.stack([_look(stroke) for stroke in chosen])
        chosen = [own[_choose(own, np.delete(looks, number, axis=0))] for number, own in enumerate(readings)]
    return References(label, tuple(chosen), tuple(groups))


def _choose(readings: Sequence[StrokeMotion], looks: np.ndarray) -> int:
    """The reading that is nearest to its nearest quarter, and fast: number of it."""
    quarter = max(3, len(looks) // 4)
    speeds = np.array([_speed(stroke) for stroke in readings])
    distances = [
        np.sort(np.linalg.norm(looks - _look(stroke), axis=-1).mean((1, 2)))[:quarter].mean()
        for stroke in readings
    ]
    return int((np.array(distances) / np.sqrt(speeds)).argmin())


def _speed(stroke: StrokeMotion) -> float:
    return float(hand_speed(stroke.joints, stroke.layout, "right", RATE_HZ)[stroke.phases.contact])


def _pose(stroke: StrokeMotion) -> np.ndarray:
    """The joints at the phases, seen from the hips: ``(3, V, C)``."""
    hips = stroke.place(*stroke.layout.hips)[:, None]
    return np.asarray((stroke.joints - hips)[list(stroke.phases)])


def _look(stroke: StrokeMotion) -> np.ndarray:
    """Both arms around contact, seen from the shoulders' middle: neither legs nor lean count."""
    moments = stroke.phases.contact + np.round(np.array(_LOOKS_S) * RATE_HZ).astype(int)
    moments = moments.clip(0, len(stroke.joints) - 1)
    layout = stroke.layout
    arms = [f"{side}_{part}" for side in ("left", "right") for part in ("shoulder", "elbow")]
    arms += [hand_of(layout, side) for side in ("left", "right")]
    shoulders = stroke.place(*layout.shoulders)[:, None]
    joints = stroke.joints[:, [layout.index(name) for name in arms]] - shoulders
    return np.asarray(joints[moments])
