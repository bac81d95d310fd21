"""The marks of one video with what can be undone, as a value that never changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from tt_actions.errors import UserError
from tt_actions.label.marks import Change, Marks, Name, apply_change, invert
from tt_actions.video.types import Roi

SAME_LENGTH_S = 0.5
"""Largest difference in length of a video and a copy of it; one in another container may be shorter."""


@dataclass(frozen=True)
class Sheet:
    """The marks of one video.

    Args:
        video: The video.
        duration_s: Its length in seconds.
        players: Names of its players.
        rois: Region of each player in pixels, or None for the whole frame.
        class_names: Classes of the proposals.
        marks: The marks by their numbers.
        names: What the proposals are called, by the numbers of their marks. Undoing does not change it.
        next_id: Number of the next new mark; a number is never used twice.
        past: What undoes each change, the last change last.
        future: What repeats each change that was undone, the next one last.
        revision: Number of times that the sheet has changed.
        decided: Revision after the last change by a person; since then, only names of proposals are new.
        content: Digest of the video's content, or None if it is unknown.
        proposals: The marks and the names at the beginning (default: the present ones).
    """

    video: Path
    duration_s: float
    players: tuple[str, ...]
    rois: tuple[Roi | None, ...]
    class_names: tuple[str, ...]
    marks: Marks = field(default_factory=lambda: MappingProxyType({}))
    names: Mapping[int, Name] = field(default_factory=lambda: MappingProxyType({}))
    next_id: int = 1
    past: tuple[Change, ...] = ()
    future: tuple[Change, ...] = ()
    revision: int = 0
    decided: int = 0
    content: str | None = None
    proposals: tuple[Marks, Mapping[int, Name]] | None = None

    def __post_init__(self) -> None:
        if self.proposals is None:
            object.__setattr__(self, "proposals", (self.marks, self.names))

    @property
    def is_begun(self) -> bool:
        """Whether a person has changed anything, even if it was undone."""
        return bool(self.past or self.future)

    def has_proposals_of(self, other: "Sheet") -> bool:
        """Return whether another sheet began with the same proposals.

        Args:
            other: The other sheet.
        """
        return self.proposals == other.proposals

    def check_same(self, video: Path, duration_s: float, players: Sequence[str]) -> None:
        """Raise an error if the video has another length or other players than when it was marked.

        Args:
            video: The path of the video now.
            duration_s: Its length now.
            players: Names of its players now.

        Raises:
            UserError: If it has.
        """
        if self.players != tuple(players) or abs(self.duration_s - duration_s) > SAME_LENGTH_S:
            raise UserError(
                f"Expected '{video}' as it was when its marks were made, with {self.duration_s:.1f} s and "
                f"the players {', '.join(self.players)}, but got {duration_s:.1f} s and the players "
                f"{', '.join(players)}. Use the same video and `--players`, or choose another `--out`."
            )

    def change(self, change: Change) -> "Sheet":
        """Return the sheet after a change, which can be undone.

        Args:
            change: The change.
        """
        return replace(
            self,
            marks=apply_change(self.marks, change),
            next_id=max([self.next_id, *(number + 1 for number in change)]),
            past=(*self.past, invert(self.marks, change)),
            future=(),
            revision=self.revision + 1,
            decided=self.revision + 1,
        )

    def undo(self) -> "Sheet":
        """Return the sheet without its last change.

        Raises:
            UserError: If there is none.
        """
        if not self.past:
            raise UserError("Expected a change to undo, but there is none.")
        change = self.past[-1]
        return replace(
            self,
            marks=apply_change(self.marks, change),
            past=self.past[:-1],
            future=(*self.future, invert(self.marks, change)),
            revision=self.revision + 1,
            decided=self.revision + 1,
        )

    def redo(self) -> "Sheet":
        """Return the sheet with the change that was undone last.

        Raises:
            UserError: If there is none.
        """
        if not self.future:
            raise UserError("Expected a change to redo, but there is none.")
        change = self.future[-1]
        return replace(
            self,
            marks=apply_change(self.marks, change),
            past=(*self.past, invert(self.marks, change)),
            future=self.future[:-1],
            revision=self.revision + 1,
            decided=self.revision + 1,
        )

    def rename(self, names: Mapping[int, Name]) -> "Sheet":
        """Return the sheet with new names of proposals; the others keep theirs.

        A new name also replaces what a mark that is still to be checked was called.

        Args:
            names: The new names by the numbers of their marks.
        """
        marks = {
            number: replace(mark, label=None) if number in names and mark.status == "proposed" else mark
            for number, mark in self.marks.items()
        }
        return replace(
            self,
            marks=MappingProxyType(marks),
            names=MappingProxyType({**self.names, **names}),
            revision=self.revision + 1,
        )
