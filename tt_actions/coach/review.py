"""All that a coach says of one stroke."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tt_actions.coach.closeness import Closeness
from tt_actions.coach.diagnosis import FALSE_FINDINGS, Coach, Finding
from tt_actions.coach.measures import Measure
from tt_actions.coach.stroke import StrokeMotion

_FEW = 30
_FAR = 0.6  # of the score that nine references in ten reach


@dataclass(frozen=True, eq=False)
class Review:
    """What was found in a stroke.

    Args:
        name: What the stroke is called.
        label: Its class.
        confidence: Probability of the class.
        stroke: The stroke.
        findings: What to change, the strongest first.
        score: How close it is to the references, from 0 to 100.
        usual_scores: What one reference in ten lies below and above, by the others.
        num_references: How many there are.
        remarks: What a reader should know before trusting the rest, in sentences.
        alike: Those that play most alike, the nearest first.
        measures: What was measured.
        values: Of the stroke.
        usual: Of the references that play alike.
        spread: Of these.
        pictures: Of the video, by phase, as data URLs.
        false_findings: Share of the references that the limits let have a finding.

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
    """Judge a stroke and gather all that a page tells of it.

    Args:
        coach: Who judges.
        stroke: The stroke.
        confidence: Probability of its class.
        pictures: Of the video, by phase, as data URLs.
        remarks: What else a reader should know.
    """
    references, closeness, yardstick = coach.references, Closeness(coach.references), coach.yardstick(stroke)
    numbers = references.alike(stroke, np.arange(len(references.strokes)))
    low, high = np.percentile(closeness.own_scores, (10, 90)).tolist()
    score = closeness.score(stroke)
    if len(references.strokes) < _FEW:
        remarks = [*remarks, f"{len(references.strokes)} references know little of what is usual."]
    if score < _FAR * low:
        remarks = [*remarks, f"This is unlike all references: look whether it is a {references.label}."]
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
