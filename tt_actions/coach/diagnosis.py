"""Finds what is wrong in a stroke by comparison with references, and says it in plain words."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tt_actions.coach.closeness import Closeness
from tt_actions.coach.measures import ADVICE, SPANS, Measure, Phase, Unit
from tt_actions.coach.references import References
from tt_actions.coach.stroke import BODY_HEIGHTS, StrokeMotion
from tt_actions.coach.yardstick import Yardstick

FALSE_FINDINGS = 0.04
"""Target share of the references that get a finding when each is judged by the others."""

MAX_FINDINGS = 5

_FAILED = 8.0  # spreads from the middle, beyond which a value is a failed measurement
_LEAST_SPREAD: dict[Unit, float] = {"degrees": 10.0, "turn": 10.0, "length": 0.15, "ms": 40.0, "speed": 2.0}
_MOST_DEGREES = 120.0  # no angle of a stroke of the same class differs more
_MOST_FAILED = 0.25  # share of failed measurements, beyond which a stroke can't be judged
_OWN_QUANTILE = 0.95  # one reference in twenty exceeds the scale of a cause
_FEW = 15  # with fewer references than this, limits are wider; found by measurement
_MIN_SCORE = 1.5  # spreads from the middle; nearer scores never make a finding


@dataclass(frozen=True)
class Finding:
    """One thing to correct.

    Args:
        kind: The cause and its direction; ``elbow-`` is an elbow that is too bent.
        measure: The measure that shows it best.
        phase: Phase of that measure.
        joint: Subject of the sentence.
        value: Value of the stroke, in ``unit``.
        usual: Typical value of the similar references.
        spread: Spread of their values.
        unit: ``degrees``, ``cm``, ``% of body height``, ``ms`` or a speed.
        strength: Deviation divided by its limit, so above 1.
        difference: What differs, in plain words.
        advice: What to do about it, in plain words.
    """

    kind: str
    measure: str
    phase: Phase
    joint: str
    value: float
    usual: float
    spread: float
    unit: str
    strength: float
    difference: str
    advice: str

    @property
    def sentence(self) -> str:
        """The finding in plain words, with advice."""
        return f"{self.difference} {self.advice}."

    @property
    def cause(self) -> str:
        """The cause, without the direction."""
        return self.kind[:-1]


class Coach:
    """Judges strokes of one class by comparison with reference strokes.

    A stroke is compared with the most similar references. A cause is found if its score deviates from the
    value predicted by the scores of all other causes by more than a limit. The limit comes from the
    references, each judged without its own group: at most :data:`FALSE_FINDINGS` of them have any finding.
    The strongest cause is reported first and set aside, and the search is repeated: a further cause must
    exceed the limit both with the earlier ones among the predictors and without them.

    A stroke that is unlike all references gets no findings, because its differences say nothing about its
    technique: the joints, the phases or the class are probably wrong. For the same reason, a value far
    outside the range of the references counts as a failed measurement.

    Args:
        references: The reference strokes.
    """

    def __init__(self, references: References) -> None:
        self.references = references

    @cached_property
    def closeness(self) -> Closeness:
        """The score of how close a stroke is to the references."""
        return Closeness(self.references)

    def is_unlike(self, stroke: StrokeMotion) -> bool:
        """Return whether a stroke is unlike all references, or too few of its measurements succeeded.

        Args:
            stroke: The stroke.
        """
        too_far = self.closeness.distance(stroke) > self.closeness.limit
        return too_far or float(self.failed(stroke).mean()) > _MOST_FAILED

    def failed(self, stroke: StrokeMotion) -> np.ndarray:
        """Return which measures are too far from the similar references to be true.

        Args:
            stroke: The stroke.

        Shape:
            ``(M,)``, bool.
        """
        yardstick = self.yardstick(stroke)
        least = [_LEAST_SPREAD[measure.unit] for measure in self.references.measures]
        is_angle = [measure.unit in ("degrees", "turn") for measure in self.references.measures]
        most = np.minimum(
            _FAILED * np.maximum(yardstick.spread, least), np.where(is_angle, _MOST_DEGREES, np.inf)
        )
        return np.asarray(np.abs(self.references.read(stroke) - yardstick.middle) > most)

    @cached_property
    def limits(self) -> np.ndarray:
        """How far the score of each cause may deviate from its prediction, ``(K,)``."""
        references, numbers = self.references, np.arange(len(self.references.strokes))
        groups = np.array(references.groups)
        deviations = []
        for number, stroke in enumerate(references.strokes):
            others = numbers[groups != groups[number]]
            others = others if len(others) >= 3 else numbers[numbers != number]
            yardstick = self._yardstick(stroke, others)
            scores = yardstick.score(references.values[number])
            deviations.append(np.abs(yardstick.unexpected(scores, range(len(scores)))))
        scale = np.maximum(np.quantile(deviations, _OWN_QUANTILE, axis=0), 1e-3)
        most = np.sort((np.array(deviations) / scale).max(1))
        rank = int(np.ceil((len(most) + 1) * (1 - FALSE_FINDINGS))) - 1
        few = 1.25 * max(1.0, _FEW / len(most)) ** 0.75 if rank >= len(most) else 1.0
        return np.asarray(scale * most[min(rank, len(most) - 1)] * few)

    def _yardstick(self, stroke: StrokeMotion, among: np.ndarray) -> Yardstick:
        alike = self.references.alike(stroke, among)
        return Yardstick(self.references.values[alike], self.references.measures)

    def yardstick(self, stroke: StrokeMotion) -> Yardstick:
        """Return the typical values of the references that are most similar to a stroke.

        Args:
            stroke: The stroke.
        """
        return self._yardstick(stroke, np.arange(len(self.references.strokes)))

    def judge(self, stroke: StrokeMotion) -> list[Finding]:
        """Find what is wrong in a stroke.

        Args:
            stroke: A stroke of the class and layout of the references.

        Returns:
            At most :data:`MAX_FINDINGS`, the strongest first; empty if nothing exceeds its limit, or the
            stroke is unlike all references.
        """
        if self.is_unlike(stroke):
            return []
        yardstick = self.yardstick(stroke)
        values = np.where(self.failed(stroke), yardstick.middle, self.references.read(stroke))
        scores = yardstick.score(values)
        left = list(range(len(scores)))
        initial = yardstick.unexpected(scores, left)
        findings: list[Finding] = []
        while left and len(findings) < MAX_FINDINGS:
            now = yardstick.unexpected(scores, left)
            beyond = np.minimum(np.abs(now), np.abs(initial)) / self.limits
            beyond[(np.abs(scores) < _MIN_SCORE) | (scores * now <= 0)] = 0
            cause = int(beyond.argmax())
            if beyond[cause] <= 1:
                break
            left.remove(cause)
            findings.append(
                self._describe(stroke, yardstick, values, cause, scores[cause], float(beyond[cause]))
            )
        return findings

    def _describe(
        self,
        stroke: StrokeMotion,
        yardstick: Yardstick,
        values: np.ndarray,
        cause: int,
        score: float,
        strength: float,
    ) -> Finding:
        """Describe a cause by the measure that deviates most in its direction."""
        name, direction = yardstick.causes[cause], float(np.sign(score))
        z = (values - yardstick.middle) / yardstick.spread
        own = [i for i, measure in enumerate(self.references.measures) if measure.cause == name]
        strongest = max(own, key=lambda i: self.references.measures[i].sign * direction * z[i])
        measure = self.references.measures[strongest]
        factor, unit = scale_of(measure, stroke)
        value, usual = factor * float(values[strongest]), factor * float(yardstick.middle[strongest])
        return Finding(
            kind=name + ("+" if direction > 0 else "-"),
            measure=measure.name,
            phase=measure.phase,
            joint=measure.joint,
            value=value,
            usual=usual,
            spread=factor * float(yardstick.spread[strongest]),
            unit=unit,
            strength=strength,
            difference=_describe_difference(measure, stroke, value - usual, unit),
            advice=_capitalise(ADVICE[name][int(direction < 0)], stroke.left_handed),
        )


def scale_of(measure: Measure, stroke: StrokeMotion) -> tuple[float, str]:
    """Return the factor and the unit with which a measure is displayed.

    Lengths are those of a body of the size of this stroke's player.

    Args:
        measure: The measure.
        stroke: The stroke whose player gives the size.
    """
    if measure.unit in ("degrees", "turn"):
        return 1.0, "degrees"
    if measure.unit == "ms":
        return 1.0, "ms"
    if stroke.trunk_m is None:
        per_second = " per second" if measure.unit == "speed" else ""
        return 100 * BODY_HEIGHTS, f"% of body height{per_second}"
    return (stroke.trunk_m, "m/s") if measure.unit == "speed" else (100 * stroke.trunk_m, "cm")


_MOMENTS = {
    "backswing": " at the end of the backswing",
    "contact": " at contact",
    "follow_through": " at the end of the follow-through",
}


def _describe_difference(measure: Measure, stroke: StrokeMotion, more: float, unit: str) -> str:
    word = measure.more if more >= 0 else measure.less
    size = f"{abs(more):.1f}" if unit == "m/s" else f"{abs(more):.0f}"
    moment = "" if measure.name in SPANS else _MOMENTS[measure.phase]
    text = f"{measure.joint}: {size} {unit} {word} than in the references{moment}."
    return _capitalise(text, stroke.left_handed)


def _capitalise(text: str, left_handed: bool) -> str:
    """Begin with a capital letter, and swap left and right for a left-handed player."""
    if left_handed:  # the words are those for a right-handed player
        text = re.sub(r"\b(left|right)\b", lambda side: {"left": "right", "right": "left"}[side[0]], text)
    return text[0].upper() + text[1:]
