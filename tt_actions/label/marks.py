"""Marks of strokes, and the changes that a person makes to them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, NamedTuple

from tt_actions.clips.records import Hand, check_hand
from tt_actions.clips.strokes import IDLE
from tt_actions.errors import UserError

Status = Literal["proposed", "accepted", "rejected"]

_RANKS: dict[Status, int] = {"rejected": 0, "proposed": 1, "accepted": 2}


@dataclass(frozen=True)
class Mark:
    """A stretch of video in which a player plays a stroke, or may play one.

    Args:
        id: Number of the mark; unique in its video.
        player: Name of the player.
        start_s: Start of the stroke in seconds.
        end_s: End of the stroke in seconds.
        contact_s: When racket and ball meet, or None if it is unknown.
        label: Class name that a person chose, or None.
        status: Whether a person has accepted or rejected the stroke.
        hand: Playing hand, or None if it is unknown.

    Raises:
        UserError: If the times are not 0 <= start <= contact <= end with start < end.
    """

    id: int
    player: str
    start_s: float
    end_s: float
    contact_s: float | None = None
    label: str | None = None
    status: Status = "proposed"
    hand: Hand | None = None

    def __post_init__(self) -> None:
        contact_s = self.start_s if self.contact_s is None else self.contact_s
        if not (0 <= self.start_s < self.end_s < math.inf and self.start_s <= contact_s <= self.end_s):
            raise UserError(
                f"Expected a mark with 0 <= start <= contact <= end and start < end, but got {self.start_s}, "
                f"{self.contact_s} and {self.end_s} s. Move another of its times first."
            )


class Name(NamedTuple):
    """What a model, or a group of similar strokes, calls a mark.

    Args:
        label: Class name.
        confidence: Probability of the class, or None if it is unknown.
        margin: Difference of the probabilities of the first and the second class, or None if it is unknown.
    """

    label: str
    confidence: float | None = None
    margin: float | None = None


Marks = Mapping[int, Mark]
Change = Mapping[int, Mark | None]
"""New marks by their numbers; None removes a mark."""


def apply_change(marks: Marks, change: Change) -> Marks:
    """Return the marks after a change.

    Args:
        marks: The marks before it.
        change: The change.

    >>> one = Mark(1, "left", 0.0, 1.0)
    >>> sorted(apply_change({1: one}, {1: None, 2: replace(one, id=2)}))
    [2]
    """
    new = {**marks, **change}
    return MappingProxyType({number: mark for number, mark in new.items() if mark is not None})


def invert(marks: Marks, change: Change) -> Change:
    """Return the change that undoes a change.

    Args:
        marks: The marks before the change.
        change: The change.

    >>> one = Mark(1, "left", 0.0, 1.0)
    >>> invert({1: one}, {1: None, 2: replace(one, id=2)}) == {1: one, 2: None}
    True
    """
    return {number: marks.get(number) for number in change}


def find_mark(marks: Marks, number: int) -> Mark:
    """Return the mark with a number.

    Args:
        marks: The marks.
        number: Its number.

    Raises:
        UserError: If there is none.
    """
    if number not in marks:
        raise UserError(
            f"Expected `mark` to be one of {len(marks)} marks, but got {number}. Load the marks again."
        )
    return marks[number]


def check_label(label: str) -> str:
    """Return a class name without spaces at its ends.

    Args:
        label: The class name.

    Raises:
        UserError: If nothing is left, it contains characters that a CSV file can't hold, or it is the name
            of the time between strokes.
    """
    label = label.strip()
    if not label or not label.isprintable() or label == IDLE:
        raise UserError(
            f"Expected `label` to be a class name in one line other than '{IDLE}', but got {label!r}. Use "
            "another name."
        )
    return label


def accept(mark: Mark, label: str | None, proposed: str | None = None) -> Change:
    """Accept a mark as a stroke.

    Args:
        mark: The mark.
        label: Its class; None for the class that was chosen before or, failing that, the proposed one.
        proposed: The proposed class, or None.

    Raises:
        UserError: If no class is known.
    """
    chosen = label or mark.label or proposed
    if chosen is None:
        raise UserError(
            f"Expected a `label` to accept mark {mark.id}, for which none is proposed, but got none. Choose "
            "a class."
        )
    return {mark.id: replace(mark, label=check_label(chosen), status="accepted")}


def reject(mark: Mark) -> Change:
    """Reject a mark: it is no stroke.

    Args:
        mark: The mark.
    """
    return {mark.id: replace(mark, status="rejected")}


def relabel(mark: Mark, label: str) -> Change:
    """Choose the class of a mark, whose status stays as it is.

    Args:
        mark: The mark.
        label: The class.

    Raises:
        UserError: If it is no class name.
    """
    return {mark.id: replace(mark, label=check_label(label))}


def split(mark: Mark, time_s: float, number: int) -> Change:
    """Divide a mark in two, which have its class, status and hand.

    The contact stays with the part that it is in.

    Args:
        mark: The mark; it becomes the first part.
        time_s: Where to divide it, in seconds.
        number: Number of the second part.

    Raises:
        UserError: If the time is not within the mark.
    """
    if not mark.start_s < time_s < mark.end_s:
        raise UserError(
            f"Expected `time_s` between {mark.start_s:g} and {mark.end_s:g} s, where mark {mark.id} is, but "
            f"got {time_s:g}. Choose a time within the mark."
        )
    is_first = mark.contact_s is not None and mark.contact_s < time_s
    first = replace(mark, end_s=time_s, contact_s=mark.contact_s if is_first else None)
    second = replace(mark, id=number, start_s=time_s, contact_s=None if is_first else mark.contact_s)
    return {mark.id: first, number: second}


def merge(mark: Mark, other: Mark) -> Change:
    """Join two marks of one player.

    The result reaches from the first start to the last end. What both know, it has from the one that a person
    has accepted or, failing that, from the first.

    Args:
        mark: The mark that stays.
        other: The mark that becomes a part of it.

    Raises:
        UserError: If they are the same, or of different players.
    """
    if mark.id == other.id or mark.player != other.player:
        raise UserError(
            f"Expected two marks of one player to merge, but got {mark.id} of {mark.player} and {other.id} "
            f"of {other.player}. Choose another mark."
        )
    first, second = (other, mark) if _RANKS[other.status] > _RANKS[mark.status] else (mark, other)
    joined = replace(
        first,
        id=mark.id,
        start_s=min(mark.start_s, other.start_s),
        end_s=max(mark.end_s, other.end_s),
        contact_s=second.contact_s if first.contact_s is None else first.contact_s,
        label=first.label or second.label,
        hand=first.hand or second.hand,
    )
    return {mark.id: joined, other.id: None}


def move(mark: Mark, times_s: Mapping[str, float | None], duration_s: float) -> Change:
    """Move the start, the contact or the end of a mark.

    Args:
        mark: The mark.
        times_s: New ``start_s``, ``contact_s`` or ``end_s``, or several of them; a contact may be None.
        duration_s: Length of the video, beyond which a mark can't reach.

    Raises:
        UserError: If the times are not in order, or not within the video.
    """
    return {mark.id: check_within(replace(mark, **times_s), duration_s)}  # type: ignore[arg-type]


def check_within(mark: Mark, duration_s: float) -> Mark:
    """Return a mark if it is within the video.

    Args:
        mark: The mark.
        duration_s: Length of the video.

    Raises:
        UserError: If it ends later.
    """
    if mark.end_s > duration_s + 1e-6:
        raise UserError(
            f"Expected times within the {duration_s:g} s of the video, but got {mark.end_s:g} s. Choose an "
            "earlier time."
        )
    return mark


def hold(mark: Mark, hand: str | None) -> Change:
    """Set the playing hand of a mark.

    Args:
        mark: The mark.
        hand: ``left``, ``right`` or None for unknown.

    Raises:
        UserError: If it is something else.
    """
    if hand is not None:
        check_hand(hand, f"mark {mark.id}")
    return {mark.id: replace(mark, hand=hand)}  # type: ignore[arg-type]
