"""The marks of several videos, and the events that change them, as plain types for a file."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tt_actions.clips.records import ClipRecord
from tt_actions.label.journal import Event
from tt_actions.label.marks import Change, Mark, Name
from tt_actions.label.sheet import Sheet


class Lesson(NamedTuple):
    """How well the marks of one training predict each other.

    Args:
        num_marks: Number of marks.
        accuracy: Share of them that is named correctly by a model of the others.
    """

    num_marks: int
    accuracy: float | None


@dataclass(frozen=True)
class Book:
    """The marks of several videos and the course of the learning.

    Args:
        sheets: The marks of each video.
        lessons: The trainings.
    """

    sheets: tuple[Sheet, ...] = ()
    lessons: tuple[Lesson, ...] = ()

    def records(self) -> list[ClipRecord]:
        """Return the accepted marks as the rows of a manifest: by video, in the order of their starts."""
        return [
            ClipRecord(
                path=sheet.video,
                label=mark.label,
                start_s=mark.start_s,
                end_s=mark.end_s,
                roi=sheet.rois[sheet.players.index(mark.player)],
                hand=mark.hand,
                contact_s=mark.contact_s,
                player=mark.player,
            )
            for sheet in self.sheets
            for mark in sorted(sheet.marks.values(), key=lambda mark: (mark.start_s, mark.id))
            if mark.status == "accepted"
        ]

    @property
    def labels(self) -> list[str]:
        """The class names that a person has used in any video, in alphabetical order."""
        marks = [mark for sheet in self.sheets for mark in sheet.marks.values()]
        return sorted({mark.label for mark in marks if mark.label is not None})

    def find(self, video: Path) -> int | None:
        """Return the number of a video's sheet, or None if it has none.

        Args:
            video: The video.
        """
        path = video.resolve()
        return next((i for i, sheet in enumerate(self.sheets) if sheet.video.resolve() == path), None)

    def _with_sheet(self, number: int, sheet: Sheet) -> "Book":
        return replace(self, sheets=(*self.sheets[:number], sheet, *self.sheets[number + 1 :]))


def apply_event(book: Book, event: Event, folder: Path) -> Book:
    """Return the book after an event.

    Args:
        book: The book before it.
        event: The event: see the functions below.
        folder: Folder at which relative paths of videos start.

    Raises:
        UserError: If there is nothing to undo or redo.
    """
    kind = event["kind"]
    if kind == "video":
        return replace(book, sheets=(*book.sheets, _read_sheet(event, folder)))
    if kind == "anew":
        number = event["number"]
        fresh = replace(_read_sheet(event, folder), revision=book.sheets[number].revision + 1)
        return book._with_sheet(number, replace(fresh, decided=fresh.revision))
    if kind == "names":
        lesson = Lesson(*event["lesson"])
        names = {int(number): _read_names(own) for number, own in event["names"].items()}
        sheets = tuple(
            sheet.rename(names[number]) if number in names else sheet
            for number, sheet in enumerate(book.sheets)
        )
        return replace(book, sheets=sheets, lessons=(*book.lessons, lesson))
    number = event["video"]
    sheet = book.sheets[number]
    if kind == "moved":
        return book._with_sheet(number, replace(sheet, video=folder / event["path"]))
    if kind == "change":
        return book._with_sheet(number, sheet.change(_read_change(event["marks"])))
    return book._with_sheet(number, sheet.undo() if kind == "undo" else sheet.redo())


def video_event(sheet: Sheet, folder: Path) -> Event:
    """Return the event that adds a video with its proposals.

    Args:
        sheet: The video's marks.
        folder: Folder at which relative paths start.
    """
    return {
        "kind": "video",
        "video": _write_path(sheet.video, folder),
        "content": sheet.content,
        "duration_s": sheet.duration_s,
        "players": sheet.players,
        "rois": sheet.rois,
        "class_names": sheet.class_names,
        "marks": _write_change(sheet.marks),
        "names": _write_names(sheet.names),
    }


def anew_event(number: int, sheet: Sheet, folder: Path) -> Event:
    """Return the event that replaces the proposals of a video on which nobody has decided anything.

    Args:
        number: Number of the video.
        sheet: The video's marks.
        folder: Folder at which relative paths start.
    """
    return {**video_event(sheet, folder), "kind": "anew", "number": number}


def moved_event(number: int, video: Path, folder: Path) -> Event:
    """Return the event that a video has another path.

    Args:
        number: Number of the video.
        video: Its new path.
        folder: Folder at which relative paths start.
    """
    return {"kind": "moved", "video": number, "path": _write_path(video, folder)}


def _write_path(video: Path, folder: Path) -> str:
    video, folder = video.absolute(), folder.absolute()
    return os.fspath(video.relative_to(folder) if video.is_relative_to(folder) else video)


def change_event(number: int, change: Change) -> Event:
    """Return the event that changes marks.

    Args:
        number: Number of the video.
        change: The change.
    """
    return {"kind": "change", "video": number, "marks": _write_change(change)}


def step_event(number: int, kind: str) -> Event:
    """Return the event that undoes or redoes a change.

    Args:
        number: Number of the video.
        kind: ``undo`` or ``redo``.
    """
    return {"kind": kind, "video": number}


def names_event(names: Mapping[int, Mapping[int, Name]], lesson: Lesson) -> Event:
    """Return the event of a training.

    Args:
        names: New names of proposals by the number of the video and of the mark.
        lesson: What was measured.
    """
    return {
        "kind": "names",
        "names": {str(number): _write_names(own) for number, own in names.items()},
        "lesson": lesson,
    }


def _write_change(change: Change) -> dict[str, Any]:
    return {str(number): None if mark is None else asdict(mark) for number, mark in change.items()}


def _read_change(marks: Mapping[str, Any]) -> Change:
    return {int(number): None if mark is None else Mark(**mark) for number, mark in marks.items()}


def _write_names(names: Mapping[int, Name]) -> dict[str, Name]:
    return {str(number): name for number, name in names.items()}


def _read_names(names: Mapping[str, Sequence[Any]]) -> dict[int, Name]:
    return {int(number): Name(*name) for number, name in names.items()}


def _read_sheet(event: Event, folder: Path) -> Sheet:
    marks = {number: mark for number, mark in _read_change(event["marks"]).items() if mark is not None}
    return Sheet(
        video=folder / event["video"],
        duration_s=event["duration_s"],
        players=tuple(event["players"]),
        rois=tuple(None if roi is None else tuple(roi) for roi in event["rois"]),
        class_names=tuple(event["class_names"]),
        marks=MappingProxyType(marks),
        names=MappingProxyType(_read_names(event["names"])),
        next_id=1 + max(marks, default=0),
        content=event.get("content"),
    )
