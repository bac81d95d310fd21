"""What is wrong in a stroke, in plain words, by what the references do."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tt_actions.coach.measures import ADVICE, SPANS, Measure, Phase
from tt_actions.coach.references import References
from tt_actions.coach.stroke import BODY_HEIGHTS, StrokeMotion
from tt_actions.coach.yardstick import Yardstick

FALSE_FINDINGS = 0.04
"""Share of the references that would get a finding when each is judged by the others."""

MOST_FINDINGS = 5

_OWN_QUANTILE = 0.95  # each cause's own scale: what one reference in twenty exceeds
_FEW = 15  # references that don't tell what one in so many does: fewer, and limits are wider, as measured
_LEAST_SCORE = 1.5  # spreads from the middle within which nothing is told, however it fits the rest


@dataclass(frozen=True)
class Finding:
    """One thing to correct.

    Args:
        kind: The cause and its direction, such as ``elbow-`` for a bent one.
        measure: What tells it best.
        phase: When.
        joint: What it is told of.
        value: Of the stroke, in ``unit``.
        usual: What the references that play alike have.
        spread: How much they differ.
        unit: ``degrees``, ``cm``, ``% of body height``, ``ms`` or a speed.
        strength: How far beyond what references show among each other, 1 at the limit.
        sentence: In plain words, with what to change.
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
    sentence: str

    @property
    def cause(self) -> str:
        """The cause without its direction."""
        return self.kind[:-1]


class Coach:
    """Judges strokes of one class by reference strokes.

    A stroke is compared with the references that play most alike. A cause is found where its score lies
    outside of what the scores of all other causes let expect, by more than the references do among each
    other, each judged without its own group; the limit is set so that at most :data:`FALSE_FINDINGS` of them
    have any finding. The strongest is told first, set aside, and the others are looked at again: another has
    to stand out with the first as its explanation and without.

    Args:
        references: The strokes.
    """

    def __init__(self, references: References) -> None:
        self.references = references

    @cached_property
    def limits(self) -> np.ndarray:
        """How far each cause may lie from what is expected, ``(K,)``."""
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
        """Return what is usual in the references that play most like a stroke.

        Args:
            stroke: The stroke.
        """
        return self._yardstick(stroke, np.arange(len(self.references.strokes)))

    def judge(self, stroke: StrokeMotion) -> list[Finding]:
        """Find what is wrong in a stroke.

        Args:
            stroke: Of the references' class and layout.

        Returns:
            At most :data:`MOST_FINDINGS`, the strongest first; none where all is within the spread.
        """
        yardstick, values = self.yardstick(stroke), self.references.read(stroke)
        scores = yardstick.score(values)
        left = list(range(len(scores)))
        at_first = yardstick.unexpected(scores, left)
        findings: list[Finding] = []
        while left and len(findings) < MOST_FINDINGS:
            now = yardstick.unexpected(scores, left)
            beyond = np.minimum(np.abs(now), np.abs(at_first)) / self.limits
            beyond[(np.abs(scores) < _LEAST_SCORE) | (scores * now <= 0)] = 0
            cause = int(beyond.argmax())
            if beyond[cause] <= 1:
                break
            left.remove(cause)
            findings.append(self._tell(stroke, yardstick, values, cause, scores[cause], float(beyond[cause])))
        return findings

    def _tell(
        self,
        stroke: StrokeMotion,
        yardstick: Yardstick,
        values: np.ndarray,
        cause: int,
        score: float,
        strength: float,
    ) -> Finding:
        """Put a cause into words by the measure that lies furthest out in its direction."""
        name, direction = yardstick.causes[cause], float(np.sign(score))
        z = (values - yardstick.middle) / yardstick.spread
        own = [i for i, measure in enumerate(self.references.measures) if measure.cause == name]
        told = max(own, key=lambda i: self.references.measures[i].sign * direction * z[i])
        measure = self.references.measures[told]
        factor, unit = scale_of(measure, stroke)
        value, usual = factor * float(values[told]), factor * float(yardstick.middle[told])
        return Finding(
            kind=name + ("+" if direction > 0 else "-"),
            measure=measure.name,
            phase=measure.phase,
            joint=measure.joint,
            value=value,
            usual=usual,
            spread=factor * float(yardstick.spread[told]),
            unit=unit,
            strength=strength,
            sentence=_sentence(measure, stroke, value - usual, unit, ADVICE[name][int(direction < 0)]),
        )


def scale_of(measure: Measure, stroke: StrokeMotion) -> tuple[float, str]:
    """Return what a measure is multiplied by to be told, and in which unit.

    Lengths are those of a body of this stroke's size.

    Args:
        measure: The measure.
        stroke: Whose.
    """
    if measure.unit in ("degrees", "turn"):
        return 1.0, "degrees"
    if measure.unit == "ms":
        return 1.0, "ms"
    if stroke.trunk_m is None:
        per_second = " a second" if measure.unit == "speed" else ""
        return 100 * BODY_HEIGHTS, f"% of body height{per_second}"
    return (stroke.trunk_m, "m/s") if measure.unit == "speed" else (100 * stroke.trunk_m, "cm")


_MOMENTS = {
    "backswing": " at the end of the backswing",
    "contact": " at contact",
    "follow_through": " at the end of the follow-through",
}


def _sentence(measure: Measure, stroke: StrokeMotion, more: float, unit: str, advice: str) -> str:
    word = measure.more if more >= 0 else measure.less
    size = f"{abs(more):.1f}" if unit == "m/s" else f"{abs(more):.0f}"
    moment = "" if measure.name in SPANS else _MOMENTS[measure.phase]
    text = f"{measure.joint} {size} {unit} {word} than the references{moment}: {advice}."
    if stroke.left_handed:  # it was judged as a right-hander's
        text = re.sub(r"\b(left|right)\b", lambda side: {"left": "right", "right": "left"}[side[0]], text)
    return text[0].upper() + text[1:]
