"""Everything that the coach reports about the strokes of a player in a match."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np

from tt_actions.clips.records import Hand
from tt_actions.clips.strokes import Stroke
from tt_actions.coach.coaches import Candidates, Coaches
from tt_actions.coach.diagnosis import Finding
from tt_actions.coach.landmarks import find_strokes
from tt_actions.coach.review import Review, judge_candidates
from tt_actions.errors import UnreadableError
from tt_actions.recognition.analysis import MatchAnalysis, write_clock
from tt_actions.recognition.players import NO_NAME
from tt_actions.skeleton.layouts import Layout
from tt_actions.video.types import Timed

Outcome = Literal["to correct", "nothing to correct", "unlike", "skipped", "no references"]
"""What came of a stroke: it is ``unlike`` all references, or ``skipped`` because it is cut off or the player
is lost during it."""

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

_AGAIN = 2  # strokes of a class with the same finding, from which it recurs


class JudgedStroke(NamedTuple):
    """A stroke of a match, and what the coach says about it.

    Args:
        stroke: The stroke.
        outcome: What came of it.
        review: The review; None if it could not be judged.
        reason: Why it was skipped; empty for other strokes.
    """

    stroke: Stroke
    outcome: Outcome
    review: Review | None = None
    reason: str = ""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What to change in it, the strongest first."""
        return () if self.review is None else self.review.findings

    @property
    def contact_s(self) -> float:
        """Time of contact in seconds."""
        assert self.stroke.contact_s is not None  # the pipeline of joints finds it
        return self.stroke.contact_s


class Recurrence(NamedTuple):
    """The same finding in several strokes of a class.

    Args:
        label: The class.
        kind: Its cause and direction: see :class:`~tt_actions.coach.diagnosis.Finding`.
        strokes: The strokes, in order.
        worst: The stroke in which it is strongest.
        finding: The finding of that stroke.
        num_judged: Number of strokes of the class that could get a finding.
    """

    label: str
    kind: str
    strokes: tuple[JudgedStroke, ...]
    worst: JudgedStroke
    finding: Finding
    num_judged: int


@dataclass(frozen=True, eq=False)
class MatchReview:
    """The results for the strokes of one player.

    Args:
        name: Name of the video.
        player: Name of the player.
        duration_s: Length of the video in seconds.
        hand: Playing hand.
        strokes: The strokes, in order.
        references: For each class that has references, what they are, in a sentence.
        remarks: What a reader should know before trusting the rest, in sentences.
    """

    name: str
    player: str
    duration_s: float
    hand: Hand
    strokes: tuple[JudgedStroke, ...]
    references: dict[str, str]
    remarks: tuple[str, ...]

    @property
    def title(self) -> str:
        """Name of the video and of the player, if the player has one."""
        return self.name if self.player == NO_NAME else f"{self.name}: {self.player}"

    def count(self, label: str | None = None) -> dict[Outcome, int]:
        """Count the strokes by outcome.

        Args:
            label: The class; None for all classes.
        """
        counts = Counter(one.outcome for one in self.strokes if label in (None, one.stroke.label))
        return {outcome: counts[outcome] for outcome in OUTCOMES}

    def find_recurrences(self) -> list[Recurrence]:
        """Group the findings by class and kind; those in most strokes come first."""
        groups: dict[tuple[str, str], list[tuple[Finding, JudgedStroke]]] = {}
        for one in self.strokes:
            for finding in one.findings:
                groups.setdefault((one.stroke.label, finding.kind), []).append((finding, one))
        found = []
        for (label, kind), own in groups.items():
            finding, worst = max(own, key=lambda pair: pair[0].strength)
            counts = self.count(label)
            num_judged = counts["to correct"] + counts["nothing to correct"]
            strokes = tuple(one for _, one in own)
            found.append(Recurrence(label, kind, strokes, worst, finding, num_judged))
        return sorted(found, key=lambda each: (-len(each.strokes), -each.finding.strength))

    def recurring(self) -> list[Recurrence]:
        """Return the findings that several strokes of a class share."""
        return [each for each in self.find_recurrences() if len(each.strokes) >= _AGAIN]


def judge_match(
    analysis: MatchAnalysis,
    strokes: Sequence[Stroke],
    layout: Layout,
    open_coaches: Callable[[Candidates], Coaches],
    hand: Hand | None = None,
) -> MatchReview:
    """Judge strokes of the player of a match.

    A player has one playing hand. If it is unknown, it is the hand that plays most strokes.

    Args:
        analysis: The analysis of the match by a model of joints, for one player.
        strokes: The strokes to judge, in order.
        layout: Layout of a body, in which to compare strokes.
        open_coaches: Returns the coaches, given the strokes that are complete.
        hand: Playing hand; None if it is unknown.

    Raises:
        FewReferencesError: If no class has enough references.
    """
    seen, errors = _find_movements(analysis, strokes, layout, hand)
    coaches, guess = open_coaches(seen), []
    if hand is None:
        hand, num = _guess_hand(seen, coaches)
        guess = [
            f"That the {hand} hand plays is a guess: it plays {num} of {len(seen)} complete strokes. Specify "
            "the hand if you know it."
        ]
        seen, errors = _find_movements(analysis, strokes, layout, hand)
        coaches = open_coaches(seen)
    judged = (_judge(stroke, seen, errors.get(stroke, ""), coaches) for stroke in strokes)
    return MatchReview(
        analysis.name,
        analysis.players[0],
        analysis.duration_s,
        hand,
        tuple(judged),
        coaches.describe(),
        (*analysis.remarks, *guess),
    )


def _find_movements(
    analysis: MatchAnalysis, strokes: Sequence[Stroke], layout: Layout, hand: Hand | None
) -> tuple[Candidates, dict[Stroke, str]]:
    """Find the movements that each stroke may be, and say why there are none, never across a cut."""
    motion, times_s = analysis.motion, analysis.times_s
    assert motion is not None  # a model of joints
    scenes = np.cumsum(motion.is_new_scene)
    seen, errors = {}, {}
    for stroke in strokes:
        assert stroke.contact_s is not None  # as above
        own = scenes == scenes[np.abs(times_s - stroke.contact_s).argmin()]
        name = f"{analysis.name} at {write_clock(stroke.contact_s)}"
        landmarks = Timed(motion.poses[0][own], times_s[own])
        try:
            seen[stroke] = find_strokes(name, landmarks, layout, stroke.contact_s, hand)
        except UnreadableError as error:
            errors[stroke] = str(error)
    return seen, errors


def _guess_hand(seen: Candidates, coaches: Coaches) -> tuple[Hand, int]:
    """Return the hand that plays most strokes, and their number."""
    num_left = 0
    for stroke, candidates in seen.items():
        coach = coaches.find(stroke)
        likely = candidates[0] if coach is None else coach.references.choose(candidates)
        num_left += likely.left_handed
    num_right = len(seen) - num_left
    return ("left", num_left) if num_left > num_right else ("right", num_right)


def _judge(stroke: Stroke, seen: Candidates, error: str, coaches: Coaches) -> JudgedStroke:
    coach = coaches.find(stroke)
    if coach is None:
        return JudgedStroke(stroke, "no references")
    if stroke not in seen:
        return JudgedStroke(stroke, "skipped", reason=error)
    review = judge_candidates(coach, seen[stroke], stroke.confidence or 0.0)
    if review.is_unlike:
        return JudgedStroke(stroke, "unlike", review)
    return JudgedStroke(stroke, "to correct" if review.findings else "nothing to correct", review)
