"""The record of a clip: its video, label, times, region, group and split."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from tt_actions.clips.strokes import IDLE, NO_STROKE, STROKES, Stroke, is_stroke
from tt_actions.errors import UserError
from tt_actions.video.frames import check_roi
from tt_actions.video.types import Roi

Split = Literal["train", "val", "test"]
Hand = Literal["left", "right"]

_NUMBER = r"\d[\d.]*(?:e[+-]\d+)?"
_NAME = re.compile(rf"(.+?)(?:\[({_NUMBER})-({_NUMBER})?\])?(?:\((\d+),(\d+),(\d+),(\d+)\))?", re.DOTALL)


@dataclass(frozen=True)
class ClipRecord:
    """A stretch of a video, with its label, region, group and split.

    Args:
        path: The video file.
        label: Class name, or None if it is unknown.
        start_s: Start in seconds from the beginning of the video.
        end_s: End in seconds (exclusive), or None for the end of the file.
        roi: Region (x0, y0, x1, y1) in pixels of the upright frame, x1 and y1 exclusive, or None for all.
        group: Player, match or scene. Clips of one group are always in the same split.
        split: The split that the dataset prescribes, or None.
        strokes: The strokes of an untrimmed recording, in chronological order; None for a clip of one stroke,
            whose class is ``label``.
        hand: The player's playing hand, or None if it is unknown. Joints of left-handers are mirrored.
        contact_s: When the racket hits the ball, in seconds from the beginning of the video, or None if it is
            unknown.
        player: Name of the player, or None if it is unknown. Unlike ``group``, it has no effect on splits.

    Raises:
        ValueError: If the times are not 0 <= start < end, the contact is not within them, the region is
            empty, the split or the hand is unknown, or there are strokes together with a label, out of order
            or outside the stretch.
    """

    path: Path
    label: str | None = None
    start_s: float = 0.0
    end_s: float | None = None
    roi: Roi | None = None
    group: str | None = None
    split: Split | None = None
    strokes: tuple[Stroke, ...] | None = None
    hand: Hand | None = None
    contact_s: float | None = None
    player: str | None = None

    def __post_init__(self) -> None:
        end = math.inf if self.end_s is None else self.end_s
        if not 0 <= self.start_s < end or math.inf in (self.start_s, self.end_s):
            raise UserError(
                f"Expected `start_s` and `end_s` with 0 <= start < end for '{self.path}', "
                f"but got {self.start_s} and {self.end_s}. Correct them."
            )
        contact_s = self.start_s if self.contact_s is None else self.contact_s
        if contact_s == math.inf or not self.start_s <= contact_s <= end:
            raise UserError(
                f"Expected `contact_s` between `start_s` and `end_s` for '{self.path}', but got "
                f"{self.contact_s}, {self.start_s} and {self.end_s}. Correct it, or leave it empty."
            )
        check_roi(self.roi)
        if self.split is not None and self.split not in get_args(Split):
            raise UserError(
                f"Expected `split` of '{self.path}' to be train, val, test or empty, but got '{self.split}'."
            )
        if self.hand is not None:
            check_hand(self.hand, self.path)
        if self.strokes is not None:
            self._check_strokes(self.strokes, end)

    def _check_strokes(self, strokes: tuple[Stroke, ...], end_s: float) -> None:
        starts = [stroke.start_s for stroke in strokes]
        is_inside = all(self.start_s <= stroke.start_s and stroke.end_s <= end_s for stroke in strokes)
        if self.label is not None or starts != sorted(starts) or not is_inside:
            raise UserError(
                f"Expected the strokes of '{self.path}' in chronological order, from {self.start_s} to "
                f"{end_s} s, and no label for the whole clip, but got '{self.label}' and {strokes}."
            )

    @property
    def labels(self) -> set[str]:
        """The classes that the clip shows; for an untrimmed recording, these include idle."""
        if self.strokes is not None:
            return {IDLE, *(stroke.label for stroke in self.strokes)}
        return set() if self.label is None else {self.label}

    @property
    def name(self) -> str:
        """The file's path, followed by the time range and the region if given; unique within a dataset."""
        stretch = f"[{self.start_s:.9g}-{'' if self.end_s is None else f'{self.end_s:.9g}'}]"
        region = "" if self.roi is None else f"({','.join(map(str, self.roi))})"
        return f"{self.path}{stretch if self.start_s or self.end_s is not None else ''}{region}"

    @classmethod
    def from_name(cls, name: str, label: str | None = None) -> "ClipRecord":
        """Return the clip with a given name, as it appears in the tables of a run.

        Args:
            name: Its :attr:`name`, in which times have nine digits.
            label: Its class name, or None.

        >>> clip = ClipRecord.from_name("b.mp4[1.5-](0,0,40,30)")
        >>> clip.path.name, clip.start_s, clip.end_s, clip.roi
        ('b.mp4', 1.5, None, (0, 0, 40, 30))
        """
        found = _NAME.fullmatch(name)
        assert found, "every name contains at least a path"
        path, start, end, *corners = found.groups()
        roi = cast(Roi, tuple(map(int, corners))) if corners[0] else None
        return cls(Path(path), label, float(start or 0), float(end) if end else None, roi)


def check_hand(hand: str, path: Path | str) -> None:
    """Raise an error for an unknown playing hand.

    Args:
        hand: The hand.
        path: The clip, for the message.

    Raises:
        UserError: If it is neither left nor right.
    """
    if hand not in get_args(Hand):
        raise UserError(f"Expected `hand` of '{path}' to be left or right, or none, but got '{hand}'.")


def class_names(records: Iterable[ClipRecord]) -> list[str]:
    """List the classes of labelled clips: in the order of STROKES if all are strokes, otherwise by name.

    For untrimmed recordings, the last class is idle.

    Args:
        records: The clips; clips without a label don't count.

    >>> class_names([ClipRecord(Path("a.mp4"), "smash"), ClipRecord(Path("b.mp4"), "serve")])
    ['serve', 'smash']
    >>> class_names([ClipRecord(Path("a.mp4"), "walk"), ClipRecord(Path("b.mp4"), "run")])
    ['run', 'walk']
    >>> class_names([ClipRecord(Path("a.mp4"), strokes=(Stroke("serve", 0.5, 1.5),))])
    ['serve', 'idle']
    """
    names: set[str] = set().union(*(record.labels for record in records))
    order = (*STROKES, IDLE)
    return sorted(names, key=order.index if names <= set(order) else lambda name: (name == IDLE, name))


def have_regions(records: Iterable[ClipRecord]) -> bool:
    """Return whether most clips have a region of their own.

    Args:
        records: The clips.

    >>> have_regions([ClipRecord(Path("a.mp4"), roi=(0, 0, 90, 120))])
    True
    >>> have_regions([ClipRecord(Path("a.mp4"), roi=(0, 0, 90, 120)), ClipRecord(Path("b.mp4"))])
    False
    """
    given = [record.roi is not None for record in records]
    return 2 * sum(given) > len(given)


def check_labels(source: Path, records: Sequence[ClipRecord]) -> None:
    """Raise an error for clips that can't be used for training.

    Two kinds of datasets may have fewer than two classes: one without labels, which can be predicted, and one
    whose clips are all for test.

    Args:
        source: The folder or file that the clips come from.
        records: The clips.

    Raises:
        ValueError: If only some clips have a label, all clips are of one class, a clip appears twice, a
            clip's name can't be written to a CSV file, clips of one stroke and untrimmed recordings are
            mixed, or a stroke of a recording is labelled idle.
    """
    for record in records:
        try:
            record.name.encode()
        except UnicodeEncodeError as error:
            raise UserError(
                f"Expected file names that can be written as UTF-8, like the CSV files of a run, but got "
                f"{record.name!a}. Rename the file or its folder."
            ) from error
    _check_recordings(source, records)
    labelled = any(record.labels for record in records)
    if labelled and (unlabelled := [record.name for record in records if not record.labels]):
        raise UserError(
            f"Expected a label for every clip of '{source}', but {len(unlabelled)} of {len(records)} have "
            f"none, for example '{unlabelled[0]}'. Fill in the `label` column."
        )
    is_for_training = labelled and any(record.split != "test" for record in records)
    if is_for_training and len(names := class_names(records)) < 2:
        raise UserError(
            f"Expected clips of at least two classes in '{source}', but got only {names}. "
            "Add clips of another class."
        )
    if duplicates := [name for name, count in Counter(r.name for r in records).items() if count > 1]:
        raise UserError(
            f"Expected every clip only once in '{source}', but '{duplicates[0]}' appears twice. Remove one."
        )


def _check_recordings(source: Path, records: Sequence[ClipRecord]) -> None:
    recordings = [record for record in records if record.strokes is not None]
    clips = [record for record in records if record.strokes is None]
    if recordings and clips:
        raise UserError(
            f"Expected either clips of one stroke or untrimmed recordings in '{source}', but got "
            f"{len(clips)} clips, such as '{clips[0].name}', and {len(recordings)} recordings, such as "
            f"'{recordings[0].name}'. Use one kind at a time."
        )
    if idle := [r.name for r in recordings if not all(is_stroke(stroke.label) for stroke in r.strokes or ())]:
        raise UserError(
            f"Expected no stroke in '{idle[0]}' to be labelled '{IDLE}' or '{NO_STROKE}', but got one. "
            "Remove it: the time between the strokes of a recording has no label."
        )
