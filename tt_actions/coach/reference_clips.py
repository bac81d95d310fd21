"""Reference strokes from clips: lists the clips, and reads the strokes in them."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.pose_spec import PoseSpec
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.splits import read_split_clips
from tt_actions.coach.diagnosis import Coach
from tt_actions.coach.landmarks import find_strokes, of_hand
from tt_actions.coach.references import MIN_REFERENCES, FewReferencesError, make_references
from tt_actions.coach.stroke import NoStrokeError, StrokeMotion, read_candidates
from tt_actions.errors import UnreadableError, UserError
from tt_actions.files import file_digest
from tt_actions.pose.video import pose_rate
from tt_actions.skeleton.files import SUFFIXES as JOINT_SUFFIXES
from tt_actions.skeleton.layouts import find_layout
from tt_actions.sources.folders import SUFFIXES as VIDEO_SUFFIXES
from tt_actions.sources.user_clips import contains_videos
from tt_actions.video.types import Timed

_MOST_NAMES = 3


@dataclass(frozen=True)
class ClipReader:
    """Reads the strokes in clips, which are videos or joint files.

    Args:
        preprocessing: The preprocessing of the model, which gives the layout, the rate and the region.
        cache: Where the landmarks of videos are kept; those of the training clips are there already.
        fps: Frames per second of joint files that do not state it.
    """

    preprocessing: JointPreprocessing
    cache: FrameCache
    fps: float

    @property
    def spec(self) -> PoseSpec:
        """How landmarks are found in videos; the same as in training."""
        return PoseSpec(self.preprocessing.fps, self.preprocessing.roi, self.preprocessing.pose)

    def read_landmarks(self, record: ClipRecord) -> Timed:
        """Return the landmarks of a video clip, from the cache if they are there.

        Args:
            record: The clip.

        Raises:
            UnreadableError: If the clip can't be read, or shows no person.
        """
        values = self.cache.frames(record, self.spec)
        return Timed(values, record.start_s + np.arange(len(values)) / pose_rate(record.path, self.spec.fps))

    def read_strokes(self, record: ClipRecord) -> list[StrokeMotion]:
        """Return the strokes that a clip may show, only those of its ``hand`` if that is known.

        Args:
            record: The clip.

        Raises:
            UnreadableError: If the clip can't be read, or shows no complete stroke.
        """
        layout = find_layout(self.preprocessing.layout)
        if self.preprocessing.has_pixels(record.path):
            return find_strokes(record.name, self.read_landmarks(record), layout, hand=record.hand)
        candidates = read_candidates(record.path, layout, self.fps, record.start_s, record.end_s)
        return of_hand(record.name, candidates, record.hand)


def make_coach(
    reader: ClipReader, records: Sequence[ClipRecord], origin: str, label: str, judged: Path
) -> tuple[Coach, list[str]]:
    """Create the coach of a class from clips, without duplicates and the file that is judged.

    Args:
        reader: Reads the clips.
        records: The clips, also of other classes.
        origin: Where the clips come from; see :class:`~tt_actions.coach.references.References`.
        label: The class.
        judged: The file of the stroke to judge.

    Returns:
        The coach, and remarks about clips that are left out.

    Raises:
        FewReferencesError: If there are too few references.
        FileNotFoundError: If a clip is missing.
    """
    own = _list_different(records, label, judged, origin)
    unreadable: dict[str, str] = {}
    incomplete: dict[str, str] = {}
    if videos := [record for record in own if reader.preprocessing.has_pixels(record.path)]:
        reader.spec.prepare()
        unreadable |= reader.cache.decode_missing(videos, reader.spec)
    found: list[tuple[ClipRecord, list[StrokeMotion]]] = []
    for record in own:
        if record.name not in unreadable:
            try:
                found.append((record, reader.read_strokes(record)))
            except NoStrokeError as error:
                incomplete[record.name] = str(error)
            except UnreadableError as error:
                unreadable[record.name] = str(error)
    if len(found) < MIN_REFERENCES:
        held = ", ".join(sorted({record.label for record in records if record.label is not None})) or "none"
        raise FewReferencesError(
            f"Expected at least {MIN_REFERENCES} different reference strokes of '{label}' {origin}, not "
            f"counting the input, but got {len(found)} (classes found: {held}). Add reference strokes of "
            "this class, or pass another `--class`."
            + "".join(f"\n  {error}" for error in [*unreadable.values(), *incomplete.values()])
        )
    strokes, groups = [own for _, own in found], [record.group or record.name for record, _ in found]
    return Coach(make_references(label, strokes, groups, origin)), _list_left_out(own, unreadable, incomplete)


def _list_left_out(
    records: Sequence[ClipRecord], unreadable: Mapping[str, str], incomplete: Mapping[str, str]
) -> list[str]:
    remarks = []
    if unreadable:
        reason = next(iter(unreadable.values()))
        names = _list_names(records, unreadable)
        remarks.append(f"These reference clips could not be read: {names}. The first reason: {reason}")
    if incomplete:
        names = _list_names(records, incomplete)
        remarks.append(f"No complete stroke was found in these reference clips: {names}.")
    return remarks


def _list_names(records: Sequence[ClipRecord], errors: Mapping[str, str]) -> str:
    names = [record.path.name for record in records if record.name in errors]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _list_different(records: Sequence[ClipRecord], label: str, judged: Path, origin: str) -> list[ClipRecord]:
    """Return the clips of a class, without those in the judged file and without duplicates."""
    own_digest, seen, different = file_digest(judged), set(), []
    for record in records:
        if not record.path.is_file():
            raise FileNotFoundError(
                f"Expected the reference stroke '{record.path}' {origin}, but there is no such file. Run the "
                "command in the folder in which the model was trained, or pass `--reference`."
            )
        if record.label != label or (digest := file_digest(record.path)) == own_digest:
            continue
        content = (digest, record.start_s, record.end_s, record.roi)
        if content not in seen:
            seen.add(content)
            different.append(record)
    return different


def list_training_clips(checkpoint: Path) -> tuple[list[ClipRecord], str]:
    """List the clips on which a model was trained, and say where they come from.

    Args:
        checkpoint: The checkpoint, in the directory of its run.

    Raises:
        UserError: If the run does not list its clips.
    """
    table = checkpoint.absolute().parent.parent / "splits.csv"
    if not table.is_file():
        raise UserError(
            f"Expected '{table}', which lists the model's training clips, but there is no such file. Pass "
            "`--reference`."
        )
    records = [record for record in read_split_clips(table) if record.split == "train"]
    folders = [record.path.absolute().parent for record in records]
    return records, f"on which the model was trained, from '{os.path.commonpath(folders or [Path()])}'"


def list_references(reference: Path) -> tuple[list[ClipRecord], str]:
    """List the clips of a folder or a manifest, and say where they come from.

    Args:
        reference: A folder with one subfolder per class, or a manifest CSV, of videos or joint files.

    Raises:
        UserError: If it is another file, contains no clips, or is a manifest without any label.
    """
    origin = f"from '{reference}'"
    if reference.is_file():
        if reference.suffix.lower() != ".csv":
            raise UserError(
                "Expected `--reference` to be a folder with one subfolder per class, or a manifest CSV, but "
                f"got the file '{reference}'. Pass the folder."
            )
        records = read_manifest(reference)
        if all(record.label is None for record in records):
            raise UserError(
                f"Expected the class of each reference stroke in '{reference}', but no row has a label. "
                "Fill in the column `label`."
            )
        return records, origin
    suffixes = VIDEO_SUFFIXES if contains_videos(reference) else JOINT_SUFFIXES
    records = [
        ClipRecord(path, folder.name)
        for folder in sorted(reference.iterdir())
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in suffixes and not path.name.startswith(".")
    ]
    if not records:
        raise UserError(
            f"Expected '{reference}' to contain one subfolder of videos or of joint files "
            f"({', '.join(JOINT_SUFFIXES)}) per class, but found none. Sort the reference strokes into such "
            "subfolders."
        )
    return records, origin


def find_cache(checkpoint: Path) -> Path:
    """Return the cache folder with which a model was trained, or the default one.

    Args:
        checkpoint: The checkpoint, in the directory of its run.
    """
    config = checkpoint.absolute().parent.parent / "config.yaml"
    folder = None
    with suppress(OSError, yaml.YAMLError):
        content = yaml.safe_load(config.read_text("utf-8"))
        data = content.get("data") if isinstance(content, dict) else None
        folder = data.get("cache_dir") if isinstance(data, dict) else None
    return Path(folder or "data/cache")
