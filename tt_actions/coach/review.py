"""Everything that the coach reports about one stroke."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tt_actions.clips.records import Hand
from tt_actions.coach.diagnosis import FALSE_FINDINGS, Coach, Finding
from tt_actions.coach.landmarks import find_strokes
from tt_actions.coach.measures import Measure
from tt_actions.coach.stroke import StrokeMotion, key_times
from tt_actions.video.types import Timed

FEW = 30
"""Number of references below which a remark asks for more."""

_APART_S = 0.5  # minimum time between two strokes


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
        references: What the references are, in a sentence.
        is_unlike: Whether the stroke is unlike all references, so that there is no advice.
        remarks: What a reader should know before trusting the rest, in sentences.
        alike: The most similar references, the nearest first.
        measures: The measures.
        values: Values of the stroke.
        usual: Typical values of the similar references.
        spread: Spread of these values.
        failed: Which values are too far from the references to be true.
        pictures: Frames of the video, by phase, as data URLs.
        false_findings: Share of the references that would get a finding.

    Shape:
        values, usual, spread and failed ``(M,)``.
    """

    name: str
    label: str
    confidence: float
    stroke: StrokeMotion
    findings: tuple[Finding, ...]
    score: float
    usual_scores: tuple[float, float]
    num_references: int
    references: str
    is_unlike: bool
    remarks: tuple[str, ...]
    alike: tuple[StrokeMotion, ...]
    measures: tuple[Measure, ...]
    values: np.ndarray
    usual: np.ndarray
    spread: np.ndarray
    failed: np.ndarray
    pictures: Mapping[str, str] = field(default_factory=dict)
    false_findings: float = FALSE_FINDINGS


def judge_stroke(
    coach: Coach,
    name: str,
    landmarks: Timed,
    confidence: float,
    contact_s: float | None = None,
    hand: Hand | None = None,
) -> Review:
    """Judge one stroke from the landmarks of its player, without any file.

    Args:
        coach: The coach for the class of the stroke.
        name: Name of the stroke.
        landmarks: Landmarks of a stretch around the stroke: see :func:`tt_actions.pose.video.find_poses`. In
            video time; more than :data:`tt_actions.coach.landmarks.AROUND_S` around ``contact_s`` is ignored.
        confidence: Probability of the class.
        contact_s: Time of contact in seconds; None to find it.
        hand: Playing hand of the player; None if it is unknown.

    Raises:
        UnreadableError: If the landmarks show no complete stroke.

    Shape:
        landmarks ``(T, 33, 6)``.
    """
    candidates = find_strokes(name, landmarks, coach.references.layout, contact_s, hand)
    review = judge_candidates(coach, candidates, confidence)
    if hand is not None:
        return review
    guess = (
        f"That the {'left' if review.stroke.left_handed else 'right'} hand plays is a guess. Specify "
        "the hand if you know it."
    )
    return replace(review, remarks=(*review.remarks, guess))


def judge_candidates(coach: Coach, candidates: Sequence[StrokeMotion], confidence: float) -> Review:
    """Judge the candidate that looks most like the references, with a remark if there are others.

    Args:
        coach: The coach for the class of the stroke.
        candidates: The strokes that a file may show.
        confidence: Probability of the class.
    """
    stroke = coach.references.choose(candidates)
    at_s = key_times(stroke)["contact"]
    remarks = []
    if any(abs(key_times(one)["contact"] - at_s) >= _APART_S for one in candidates):
        remarks.append(
            f"There are several fast hand movements. The result is about the one at {at_s:.2f} s, which "
            f"looks most like a {coach.references.label}."
        )
    return review_stroke(coach, stroke, confidence, remarks)


def review_stroke(
    coach: Coach, stroke: StrokeMotion, confidence: float, remarks: Sequence[str] = ()
) -> Review:
    """Judge a stroke, and collect everything that the page shows about it.

    Args:
        coach: The coach who judges.
        stroke: The stroke.
        confidence: Probability of its class.
        remarks: What else a reader should know.
    """
    references, yardstick = coach.references, coach.yardstick(stroke)
    numbers = references.alike(stroke, np.arange(len(references.strokes)))
    low, high = np.percentile(coach.closeness.own_scores, (10, 90)).tolist()
    failed, is_unlike = coach.failed(stroke), coach.is_unlike(stroke)
    return Review(
        name=stroke.name,
        label=references.label,
        confidence=confidence,
        stroke=stroke,
        findings=tuple(coach.judge(stroke)),
        score=coach.closeness.score(stroke),
        usual_scores=(low, high),
        num_references=len(references.strokes),
        references=references.describe(),
        is_unlike=is_unlike,
        remarks=(*remarks, *_list_doubts(len(references.strokes), references.label, is_unlike, failed)),
        alike=tuple(references.strokes[number] for number in numbers.tolist()),
        measures=references.measures,
        values=references.read(stroke),
        usual=yardstick.middle,
        spread=yardstick.spread,
        failed=failed,
    )


def _list_doubts(num_references: int, label: str, is_unlike: bool, failed: np.ndarray) -> list[str]:
    """Say what limits the trust in a result."""
    doubts = []
    if is_unlike:
        doubts.append(
            f"This stroke is unlike all references, so there is no advice. Check that it is a {label}, and "
            "that the skeleton and the three phases are right."
        )
    if failed.any():
        doubts.append(
            f"{failed.sum()} of {len(failed)} measurements failed: their values are too far from those of "
            "the references to be true."
        )
    if num_references < FEW:
        doubts.append(f"Only {num_references} references: add more for a reliable range.")
    return doubts
