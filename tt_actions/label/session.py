"""What the page works with: the marks of one or several videos, saved after each change."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock, RLock
from typing import Any

import numpy as np

from tt_actions.errors import UserError
from tt_actions.files import file_digest
from tt_actions.label.actions import depends_on_names, perform
from tt_actions.label.book import (
    Lesson,
    anew_event,
    change_event,
    moved_event,
    names_event,
    step_event,
    video_event,
)
from tt_actions.label.learning import MarkModel
from tt_actions.label.marks import Mark, Name
from tt_actions.label.moved import find_moved
from tt_actions.label.proposals import by_uncertainty, check_name, propose
from tt_actions.label.sheet import Sheet
from tt_actions.label.store import Store
from tt_actions.label.stroke_joints import StrokeJoints, choose_preprocessing
from tt_actions.recognition.analysis import MatchAnalysis
from tt_actions.video.info import probe

_Posed = tuple[int, Mark, np.ndarray]


class StaleRevisionError(UserError):
    """An action was made on marks, or on names of proposals, that have changed since."""


class LabelSession:
    """Marks of strokes in one or several videos, with everything on disk after each change.

    A video on which a person has decided anything keeps its marks and proposals; only its joints are taken
    from the new analysis. All methods may be called from several threads.

    Args:
        path: The manifest of the accepted marks: see :class:`tt_actions.label.store.Store`.
        analyses: The analysis of each video, whose strokes are the proposals; see
            :func:`tt_actions.label.proposals.unmarked` for a video without one.

    Attributes:
        remarks: What a person should know about the marks that were there: a video that was found again at
            another place by its content, one whose content has changed, or strokes of a new analysis that are
            not taken.

    Raises:
        UserError: If a video appears twice, the files of the marks can't be used, or a video has replaced the
            one that was marked.
        VideoError: If a video can't be read.
        OSError: If the files of the marks can't be locked.
    """

    def __init__(self, path: Path, analyses: Sequence[MatchAnalysis]) -> None:
        self.videos = tuple(analysis.video for analysis in analyses)
        twice = [
            video for video, count in Counter(video.resolve() for video in self.videos).items() if count > 1
        ]
        if twice or not analyses:
            found = f"'{twice[0]}' twice" if twice else "none"
            raise UserError(
                f"Expected at least one video, and each only once, but got {found}. Correct the list."
            )
        self._fps = [probe(video).fps for video in self.videos]
        self._lock, self._training = RLock(), Lock()
        self.remarks: list[str] = []
        self._store = Store(path)
        try:
            self._numbers = [self._find_sheet(analysis) for analysis in analyses]
        except BaseException:
            self._store.close()
            raise
        motions = [analysis.motion for analysis in analyses]
        self._preprocessing = choose_preprocessing(motion for motion in motions if motion is not None)
        self._joints = {
            number: StrokeJoints(analysis, motion, self._preprocessing)
            for number, analysis, motion in zip(self._numbers, analyses, motions, strict=True)
            if motion is not None
        }
        self._wanted: str | None = None
        self._message = self._first_message()

    def _find_sheet(self, analysis: MatchAnalysis) -> int:
        """Return the number of a video's sheet, which is added if there is none."""
        store, folder = self._store, self._store.path.parent
        number, content = store.book.find(analysis.video), None
        if number is None:
            content = file_digest(analysis.video)
            number = find_moved(store.book, analysis, content)
            if number is not None:
                check_name(analysis.video)
                old = store.book.sheets[number].video
                self.remarks.append(
                    f"'{analysis.video}' is the video that was marked as '{old}'; its marks in "
                    f"'{store.path}' are kept."
                )
                store.push(moved_event(number, analysis.video, folder))
        fresh = propose(analysis)
        if number is None:
            store.push(video_event(replace(fresh, content=content), folder))
            return len(store.book.sheets) - 1
        sheet = store.book.sheets[number]
        if sheet.is_begun:
            sheet.check_same(analysis.video, analysis.duration_s, analysis.players)
        if not sheet.has_proposals_of(fresh):
            self._keep_or_replace(number, replace(fresh, content=content or file_digest(analysis.video)))
        return number

    def _keep_or_replace(self, number: int, fresh: Sheet) -> None:
        """Take the proposals of a new analysis, or say why those of an earlier one stay."""
        store = self._store
        sheet = store.book.sheets[number]
        if not sheet.is_begun:
            store.push(anew_event(number, fresh, store.path.parent))
        elif sheet.content not in (None, fresh.content):
            self.remarks.append(
                f"'{sheet.video}' has another content than when its marks in '{store.path}' were made. If it "
                "shows another match, they do not fit: choose another `--out` to begin anew."
            )
        else:
            self.remarks.append(
                f"The strokes of '{sheet.video}' in '{store.path}' stay those of the analysis with which you "
                "began. To begin with those of the new one, choose another `--out`."
            )

    def _first_message(self) -> str:
        if self._joints and (lessons := self._store.book.lessons):
            return (
                f"The last training was on {lessons[-1].num_marks} marks. Train again to name strokes anew."
            )
        if self._joints:
            return "Mark some strokes of each class, then train."
        return "The joints of the players are not known, so nothing is learnt from the marks."

    def _sheet(self, video: int) -> Sheet:
        if not isinstance(video, int) or not 0 <= video < len(self._numbers):
            raise UserError(f"Expected `video` from 0 to {len(self._numbers) - 1}, but got {video!r}.")
        return self._store.book.sheets[self._numbers[video]]

    def state(self, video: int) -> dict[str, Any]:
        """Return the marks of a video and the state of the learning, as plain types for JSON.

        Args:
            video: Number of the video in :attr:`videos`.

        Returns:
            ``revision``, ``name``, ``duration_s``, ``fps``, ``class_names``, ``players``, ``marks`` by start,
            ``order`` (the numbers of proposed marks, most uncertain first), ``can_undo``, ``can_redo`` and
            ``learning``: ``history`` of trainings, ``num_by_class`` of accepted marks in all videos,
            ``wanted_class`` and ``message``.

        Raises:
            UserError: If there is no such video.
        """
        with self._lock:
            sheet = self._sheet(video)
            marks = sorted(sheet.marks.values(), key=lambda mark: (mark.start_s, mark.id))
            return {
                "revision": sheet.revision,
                "name": sheet.video.name,
                "duration_s": sheet.duration_s,
                "fps": self._fps[video],
                "class_names": list(dict.fromkeys([*sheet.class_names, *self._store.book.labels])),
                "players": list(sheet.players),
                "marks": [_describe(mark, sheet.names.get(mark.id)) for mark in marks],
                "order": by_uncertainty(sheet),
                "can_undo": bool(sheet.past),
                "can_redo": bool(sheet.future),
                "learning": self._learning(),
            }

    def _learning(self) -> dict[str, Any]:
        book = self._store.book
        counts = Counter(str(mark.label) for _, mark in self._accepted())
        return {
            "history": [lesson._asdict() for lesson in book.lessons],
            "num_by_class": dict(sorted(counts.items())),
            "wanted_class": self._wanted,
            "message": self._message,
        }

    def _accepted(self) -> list[tuple[int, Mark]]:
        """Return the accepted marks of all videos, also of those that are not open, with their sheets."""
        return [
            (number, mark)
            for number, sheet in enumerate(self._store.book.sheets)
            for mark in sheet.marks.values()
            if mark.status == "accepted"
        ]

    def apply(self, video: int, action: dict[str, Any], revision: int) -> dict[str, Any]:
        """Change the marks of a video, and save the change.

        The kinds of actions, with what belongs to them:

        - ``accept``: ``mark`` and, unless one is known, ``label``
        - ``reject``: ``mark``
        - ``label``: ``mark`` and ``label``, any class name
        - ``group``: ``group``, the name of proposals, and ``label``, their new name; they stay proposals
        - ``move``: ``mark`` and one or several of ``start_s``, ``contact_s`` and ``end_s``
        - ``split``: ``mark`` and ``time_s``
        - ``merge``: ``mark`` and ``other``, which becomes a part of it
        - ``add``: ``player``, ``start_s``, ``end_s`` and, if known, ``contact_s`` and ``label``; with a label
          the new mark is accepted, without one it is proposed
        - ``player``: ``mark`` and ``player``
        - ``hand``: ``mark`` and ``hand``, which is left, right or None
        - ``undo`` and ``redo``

        Args:
            video: Number of the video in :attr:`videos`.
            action: ``kind`` and what belongs to it.
            revision: Revision of the state to which the action belongs. A training since then matters only
                to actions that take up the names of proposals: ``group``, and ``accept`` without a label.

        Returns:
            The new state.

        Raises:
            StaleRevisionError: If the marks, or names on which the action depends, have changed since this
                revision.
            UserError: If the action can't be applied or saved; the marks then are as before.
        """
        with self._lock:
            sheet, number = self._sheet(video), self._numbers[video]
            kind = action.get("kind") if isinstance(action, dict) else None
            oldest = sheet.revision if kind is None or depends_on_names(action) else sheet.decided
            if not oldest <= revision <= sheet.revision:
                raise StaleRevisionError(
                    f"Expected an action on revision {sheet.revision} of the marks, but got {revision}: they "
                    "were changed in another window or by a training. Load them again."
                )
            if kind in ("undo", "redo"):
                self._store.push(step_event(number, kind))
            elif change := perform(sheet, action):
                self._store.push(change_event(number, change))
            return self.state(video)

    def train(self) -> dict[str, Any]:
        """Learn from the accepted marks of all open videos, and name all other marks anew.

        Marks can be changed meanwhile. The names are a change of every video whose joints are known.

        Returns:
            The part ``learning`` of the state.

        Raises:
            UserError: If the joints are unknown, there are too few marks or classes, or the result can't be
                saved.
        """
        if not self._joints:
            raise UserError(
                "Expected the joints of the players to learn from, but there are none. Analyse the video "
                "with a model of joints, such as one of EXP=strokes."
            )
        with self._training:
            return self._train()

    def _train(self) -> dict[str, Any]:
        with self._lock:
            sheets = {number: self._store.book.sheets[number] for number in self._joints}
        known, others = self._read_joints(sheets)
        model = MarkModel(
            [mark for _, mark, _ in known],
            [joints for _, _, joints in known],
            self._preprocessing.layout,
        )
        found = model.name([mark for _, mark, _ in others], [joints for _, _, joints in others])
        names: dict[int, dict[int, Name]] = {number: {} for number in sheets}
        for (number, mark, _), name in zip(others, found, strict=True):
            names[number][mark.id] = name
        with self._lock:
            self._store.push(names_event(names, Lesson(len(known), model.accuracy)))
            self._wanted = model.wanted_class
            self._message = _summarise(model, len(known), len(self._accepted()), self._wanted)
            return self._learning()

    def _read_joints(self, sheets: Mapping[int, Sheet]) -> tuple[list[_Posed], list[_Posed]]:
        """Return number of the sheet, mark and joints of the accepted marks, and of the others."""
        known: list[_Posed] = []
        others: list[_Posed] = []
        for number, sheet in sheets.items():
            for mark in sheet.marks.values():
                joints = self._joints[number].read(mark)
                if joints is not None:
                    (known if mark.status == "accepted" else others).append((number, mark, joints))
        return known, others

    def close(self) -> None:
        """Wait for the end of a training, and let other processes use the files.

        Raises:
            UserError: If the manifest can't be written.
        """
        with self._training, self._lock:
            self._store.close()


def _describe(mark: Mark, name: Name | None) -> dict[str, Any]:
    return {
        "id": mark.id,
        "player": mark.player,
        "start_s": mark.start_s,
        "contact_s": mark.contact_s,
        "end_s": mark.end_s,
        "label": mark.label,
        "proposed_label": None if name is None else name.label,
        "confidence": None if name is None else name.confidence,
        "status": mark.status,
        "hand": mark.hand,
    }


def _summarise(model: MarkModel, num_known: int, num_accepted: int, wanted: str | None) -> str:
    low, high = model.interval
    sentences = [
        f"Learnt from {num_known} marks. A model of all others names {model.accuracy:.0%} of them correctly "
        f"(95 % interval: {low:.0%} to {high:.0%})."
    ]
    if num_known < num_accepted:
        sentences.append(f"Of {num_accepted - num_known} more marks the joints are unknown.")
    if wanted is not None:
        sentences.append(
            f"Next, mark more strokes of {wanted}: {model.counts[wanted]} so far, of which "
            f"{model.recalls[wanted]:.0%} are named correctly."
        )
    return " ".join(sentences)
