"""Everything that the coach reports about one stroke."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tt_actions.coach.closeness import Closeness
from tt_actions.coach.diagnosis import FALSE_FINDINGS, Coach, Finding
from tt_actions.coach.measures import Measure
from tt_actions.coach.stroke import StrokeMotion

_FEW = 30
_FAR = 0.6  # share of the score that 9 in 10 references reach


@dataclass(frozen=True, eq=False)
class Review:
    """The results for one stroke.

    Args:
        name: Name of the stroke.
        label: Class of the stroke.
        confidence: Probability of the class.
        stroke: The stroke.
        findings: What to change, the strongest first.
        score: How close it is to the references, from 0 to 100.
        usual_scores: 10th and 90th percentile of the references' scores, each computed from the others.
        num_references: Number of references.
        remarks: What a reader should know before trusting the rest, in sentences.
        alike: The most similar references, the nearest first.
        measures: The measures.
        values: Values of the stroke.
        usual: Typical values of the similar references.
        spread: Spread of these values.
        pictures: Frames of the video, by phase, as data URLs.
        false_findings: Share of the references that would get a finding.

    Shape:
        values, usual and spread ``(M,)``.
    """

    name: str
    label: str
    confidence: float
    stroke: StrokeMotion
    findings: tuple[Finding, ...]
    score: float
    usual_scores: tuple[float, float]
    num_references: int
    remarks: tuple[str, ...]
    alike: tuple[StrokeMotion, ...]
    measures: tuple[Measure, ...]
    values: np.ndarray
    usual: np.ndarray
    spread: np.ndarray
    pictures: Mapping[str, str] = field(default_factory=dict)
    false_findings: float = FALSE_FINDINGS


def review_stroke(
    coach: Coach,
    stroke: StrokeMotion,
    confidence: float,
    pictures: Mapping[str, str] | None = None,
    remarks: Sequence[str] = (),
) -> Review:
    """Judge a stroke, and collect everything that the page shows about it.

    Args:
        coach: The coach who judges.
        stroke: The stroke.
        confidence: Probability of its class.
        pictures: Frames of the video, by phase, as data URLs.
        remarks: What else a reader should know.
    """
    references, closeness, yardstick = coach.references, Closeness(coach.references), coach.yardstick(stroke)
    numbers = references.alike(stroke, np.arange(len(references.strokes)))
    low, high = np.percentile(closeness.own_scores, (10, 90)).tolist()
    score = closeness.score(stroke)
    if len(references.strokes) < _FEW:
        remarks = [*remarks, f"Only {len(references.strokes)} references: add more for a reliable range."]
    if score < _FAR * low:
        remarks = [*remarks, f"This stroke is unlike all references. Check that it is a {references.label}."]
    return Review(
        name=stroke.name,
        label=references.label,
        confidence=confidence,
        stroke=stroke,
        findings=tuple(coach.judge(stroke)),
        score=score,
        usual_scores=(low, high),
        num_references=len(references.strokes),
        remarks=tuple(remarks),
        alike=tuple(references.strokes[number] for number in numbers.tolist()),
        measures=references.measures,
        values=references.read(stroke),
        usual=yardstick.middle,
        spread=yardstick.spread,
        pictures=pictures or {},
    )
