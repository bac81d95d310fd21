"""The coaches of a match: for each class, strokes with which to compare those of a player."""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from tt_actions.clips.records import ClipRecord
from tt_actions.clips.strokes import Stroke
from tt_actions.coach.closeness import Closeness
from tt_actions.coach.diagnosis import Coach
from tt_actions.coach.reference_clips import ClipReader, make_coach
from tt_actions.coach.references import MIN_REFERENCES, FewReferencesError, References, make_references
from tt_actions.coach.review import FEW
from tt_actions.coach.stroke import StrokeMotion

TYPICAL = 0.75
"""Share of a player's strokes of a class that are references in :class:`OwnCoaches`; faulty ones would hide
faults."""

Candidates = Mapping[Stroke, Sequence[StrokeMotion]]
"""For each stroke of a match that is complete, the movements of a hand that it may be, the fastest first."""


class Coaches(Protocol):
    """Finds the coach for each stroke of a match."""

    def find(self, stroke: Stroke) -> Coach | None:
        """Return the coach for a stroke; None if its class has too few references.

        Args:
            stroke: A stroke of the match.
        """

    def describe(self) -> dict[str, str]:
        """Say for each class that has references what they are."""


class ReferenceCoaches:
    """Compares the strokes of a match with clips.

    Args:
        reader: Reads the clips.
        records: The clips, also of other classes.
        origin: Where the clips come from; see :class:`~tt_actions.coach.references.References`.
        labels: The classes of the strokes of the match, at least one.
        video: The match; clips from it are no references.

    Attributes:
        remarks: Remarks about clips that are left out.

    Raises:
        FewReferencesError: If no class has enough references.
        FileNotFoundError: If a clip is missing.
    """

    def __init__(
        self,
        reader: ClipReader,
        records: Sequence[ClipRecord],
        origin: str,
        labels: Sequence[str],
        video: Path,
    ) -> None:
        self.remarks: list[str] = []
        self._coaches: dict[str, Coach] = {}
        errors = []
        for label in labels:
            try:
                self._coaches[label], left_out = make_coach(reader, records, origin, label, video)
            except FewReferencesError as error:
                errors.append(error)
            else:
                self.remarks += left_out
        if not self._coaches:
            raise errors[0]

    def find(self, stroke: Stroke) -> Coach | None:
        """Return the coach for a stroke; None if its class has too few references.

        Args:
            stroke: A stroke of the match.
        """
        return self._coaches.get(stroke.label)

    def describe(self) -> dict[str, str]:
        """Say for each class that has references what they are."""
        return {label: describe_references(coach.references) for label, coach in self._coaches.items()}


class OwnCoaches:
    """Compares the strokes of a player with the player's most typical strokes in the same match.

    Of each class, the strokes nearest to the others are references: three quarters of all, but more than
    :data:`~tt_actions.coach.references.MIN_REFERENCES`. A stroke is never its own reference.

    Args:
        candidates: The complete strokes of the player.
        player: Name of the player.

    Raises:
        FewReferencesError: If no class has enough strokes.
    """

    def __init__(self, candidates: Candidates, player: str) -> None:
        labels = sorted({stroke.label for stroke in candidates})
        counts = {label: sum(stroke.label == label for stroke in candidates) for label in labels}
        self._own = {
            label: _OwnStrokes(label, {s: c for s, c in candidates.items() if s.label == label})
            for label, count in counts.items()
            if count > MIN_REFERENCES
        }
        if not self._own:
            counted = ", ".join(f"{label} {count}" for label, count in counts.items()) or "none"
            raise FewReferencesError(
                f"Expected at least {MIN_REFERENCES + 1} complete strokes of one class by '{player}' in the "
                f"match, but got {counted}. Use a longer match, or compare with other strokes: remove "
                "`--against own`."
            )

    def find(self, stroke: Stroke) -> Coach | None:
        """Return the coach for a stroke, without that stroke; None if its class has too few strokes.

        Args:
            stroke: A stroke of the match.
        """
        own = self._own.get(stroke.label)
        return None if own is None else own.find(stroke)

    def describe(self) -> dict[str, str]:
        """Say for each class that has references what they are."""
        return {
            label: f"{describe_references(own.references)} A stroke is never compared with itself."
            for label, own in self._own.items()
        }


class _OwnStrokes:
    """The strokes of a player of one class, and the most typical of them."""

    def __init__(self, label: str, candidates: Candidates) -> None:
        names = [str(number) for number in range(len(candidates))]
        chosen = make_references(label, list(candidates.values()), names)
        distances = Closeness(chosen).own_distances
        num = max(MIN_REFERENCES + 1, math.ceil(TYPICAL * len(names)))
        self._typical = np.sort(np.argsort(distances, kind="stable")[:num])
        self._numbers = {stroke: number for number, stroke in enumerate(candidates)}
        self._chosen = chosen
        self._origin = f"of this match, the most typical of {len(names)}"

    def find(self, stroke: Stroke) -> Coach:
        number = self._numbers.get(stroke, -1)
        return Coach(self._select(number)) if number in self._typical else self._coach

    @cached_property
    def _coach(self) -> Coach:
        return Coach(self.references)

    @cached_property
    def references(self) -> References:
        return self._select(-1)

    def _select(self, without: int) -> References:
        kept = [number for number in self._typical.tolist() if number != without]
        strokes = tuple(self._chosen.strokes[number] for number in kept)
        groups = tuple(self._chosen.groups[number] for number in kept)
        return References(self._chosen.label, strokes, groups, self._origin)


def describe_references(references: References) -> str:
    """Say what the references of a class are, and whether they are few.

    Args:
        references: The references.
    """
    few = " These are few, so their range is uncertain." if len(references.strokes) < FEW else ""
    return references.describe() + few
