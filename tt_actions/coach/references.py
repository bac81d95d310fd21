"""Reference strokes of a class: picks the stroke in each file, and finds similar references."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tt_actions.coach.measures import Measure, measures_of
from tt_actions.coach.phases import hand_speed
from tt_actions.coach.stroke import RATE_HZ, StrokeMotion
from tt_actions.errors import UserError
from tt_actions.skeleton.hands import hand_of
from tt_actions.skeleton.layouts import Layout

MIN_REFERENCES = 6
"""Minimum number of reference strokes: fewer can't show what is typical."""

_ARM_TIMES_S = (-0.35, -0.25, -0.15, -0.08, 0.0, 0.08, 0.15, 0.25)
_DIRECTIONS = {"forehand": -1, "backhand": 1}  # of the playing hand: inwards or outwards
_CROSSING_S = 0.05
_TOGETHER_S = 0.3  # the fastest moments of the two hands of a stroke are at most this far apart
_ALIKE = 0.3  # share of the references that count as similar
_MIN_ALIKE = 30


class FewReferencesError(UserError):
    """A class has too few reference strokes."""


@dataclass(frozen=True, eq=False)
class References:
    """Well-played strokes of a class, for comparison.

    Args:
        label: Name of the class.
        strokes: The strokes.
        groups: For each stroke, its player or another group; references of one group are never compared with
            each other.
        origin: Where they come from, to follow the number of strokes, such as "from 'good_strokes'".
    """

    label: str
    strokes: tuple[StrokeMotion, ...]
    groups: tuple[str, ...]
    origin: str = ""

    @property
    def layout(self) -> Layout:
        """Layout of the joints."""
        return self.strokes[0].layout

    def describe(self) -> str:
        """Say in a sentence what the strokes are."""
        num = len(self.strokes)
        return f"Compared with {num} strokes of class {self.label} {self.origin}".rstrip() + "."

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        """The measures that the joints of these strokes allow."""
        return tuple(m for m in measures_of(self.label) if m.read(self.strokes[0]) is not None)

    @cached_property
    def _turns(self) -> np.ndarray:
        """Sign of each measure: -1 for turns that these strokes make to the right, otherwise 1: ``(M,)``."""
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
    def _reference_arms(self) -> np.ndarray:
        return np.stack([_arms(stroke) for stroke in self.strokes])

    def read(self, stroke: StrokeMotion) -> np.ndarray:
        """Return the measures of a stroke.

        Args:
            stroke: A stroke of the same layout.

        Shape:
            ``(M,)``.
        """
        return np.asarray(self._turns * self._read(stroke))

    def _read(self, stroke: StrokeMotion) -> np.ndarray:
        return np.array([measure.read(stroke) for measure in self.measures], np.float64)

    def choose(self, candidates: Sequence[StrokeMotion]) -> StrokeMotion:
        """Choose the candidate that looks most like these strokes.

        Args:
            candidates: The strokes that a file may show.
        """
        fitting = _of_class(self.label, candidates)
        return fitting[_choose(fitting, self._reference_arms)]

    def alike(self, stroke: StrokeMotion, among: np.ndarray) -> np.ndarray:
        """Find the references that are most similar to a stroke in style.

        Args:
            stroke: The stroke.
            among: Indices of the references to choose from.

        Returns:
            Indices of the nearest 30 %, but at least 30, the nearest first. Distance is the mean distance
            of the joints at the three phases.

        Shape:
            among ``(N,)``, int -> ``(K,)``.
        """
        distances = np.linalg.norm(self._poses[among] - _pose(stroke), axis=-1).mean((1, 2))
        return np.asarray(
            among[np.argsort(distances, kind="stable")[: max(_MIN_ALIKE, int(_ALIKE * len(among)))]]
        )


def make_references(
    label: str,
    candidates: Sequence[Sequence[StrokeMotion]],
    groups: Sequence[str],
    origin: str = "",
    rounds: int = 4,
) -> References:
    """Choose one candidate of each file so that the references look alike, starting with the fastest ones.

    Args:
        label: Name of the class.
        candidates: For each file, the strokes that it may show, the fastest first.
        groups: For each file, its player or another group.
        origin: Where they come from; see :class:`References`.
        rounds: Number of times to choose again.

    Raises:
        FewReferencesError: If there are fewer than :data:`MIN_REFERENCES` files.
    """
    if len(candidates) < MIN_REFERENCES:
        raise FewReferencesError(
            f"Expected at least {MIN_REFERENCES} reference strokes of '{label}', but got "
            f"{len(candidates)}. Add more."
        )
    candidates = [_of_class(label, own) for own in candidates]
    chosen = [own[0] for own in candidates]
    for _ in range(rounds):
        arms = np.stack([_arms(stroke) for stroke in chosen])
        chosen = [own[_choose(own, np.delete(arms, number, axis=0))] for number, own in enumerate(candidates)]
    return References(label, tuple(chosen), tuple(groups), origin)


def _of_class(label: str, candidates: Sequence[StrokeMotion]) -> Sequence[StrokeMotion]:
    """Return the candidates without the other hand of a two-handed stroke, which moves at the same time.

    The playing hand moves inwards in a forehand and outwards in a backhand. In 2D, that is not visible.
    """
    directions = [sign for name, sign in _DIRECTIONS.items() if name in label.lower()]
    if len(directions) != 1 or candidates[0].layout.num_coordinates == 2:
        return candidates
    fits = [directions[0] * _outwards(stroke) > 0 for stroke in candidates]
    fitting = [stroke for stroke, is_fitting in zip(candidates, fits, strict=True) if is_fitting]
    return [
        stroke
        for stroke, is_fitting in zip(candidates, fits, strict=True)
        if is_fitting or not any(_is_other_hand(stroke, other) for other in fitting)
    ]


def _is_other_hand(stroke: StrokeMotion, other: StrokeMotion) -> bool:
    apart_s = abs(stroke.phases.contact - other.phases.contact) / RATE_HZ
    return stroke.left_handed != other.left_handed and apart_s < _TOGETHER_S


def _outwards(stroke: StrokeMotion) -> float:
    """Return how far the playing hand moves along the line of the shoulders around contact."""
    layout, contact = stroke.layout, stroke.phases.contact
    left, right = (stroke.place(shoulder)[contact] for shoulder in layout.shoulders)
    hand = stroke.place(hand_of(layout, "right")) - stroke.place(*layout.shoulders)
    around = round(_CROSSING_S * RATE_HZ)
    first, last = max(0, contact - around), min(len(hand) - 1, contact + around)
    return float((hand[last] - hand[first]) @ (right - left))


def _choose(candidates: Sequence[StrokeMotion], arms: np.ndarray) -> int:
    """Return the index of the candidate that is fast and closest to its nearest quarter of the references."""
    quarter = max(3, len(arms) // 4)
    speeds = np.array([_speed(stroke) for stroke in candidates])
    distances = [
        np.sort(np.linalg.norm(arms - _arms(stroke), axis=-1).mean((1, 2)))[:quarter].mean()
        for stroke in candidates
    ]
    return int((np.array(distances) / np.sqrt(speeds)).argmin())


def _speed(stroke: StrokeMotion) -> float:
    return float(hand_speed(stroke.joints, stroke.layout, "right", RATE_HZ)[stroke.phases.contact])


def _pose(stroke: StrokeMotion) -> np.ndarray:
    """Return the joints at the phases, relative to the hips: ``(3, V, C)``."""
    hips = stroke.place(*stroke.layout.hips)[:, None]
    return np.asarray((stroke.joints - hips)[list(stroke.phases)])


def _arms(stroke: StrokeMotion) -> np.ndarray:
    """Return both arms around contact, relative to the shoulders, so that legs and lean don't count."""
    moments = stroke.phases.contact + np.round(np.array(_ARM_TIMES_S) * RATE_HZ).astype(int)
    moments = moments.clip(0, len(stroke.joints) - 1)
    layout = stroke.layout
    arms = [f"{side}_{part}" for side in ("left", "right") for part in ("shoulder", "elbow")]
    arms += [hand_of(layout, side) for side in ("left", "right")]
    shoulders = stroke.place(*layout.shoulders)[:, None]
    joints = stroke.joints[:, [layout.index(name) for name in arms]] - shoulders
    return np.asarray(joints[moments])
