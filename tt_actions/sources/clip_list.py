"""The clips to predict: one file, the files of a folder, or the rows of a manifest."""

import csv
from collections.abc import Sequence
from pathlib import Path

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.stroke_table import is_stroke_table
from tt_actions.errors import UserError
from tt_actions.skeleton.files import SUFFIXES as JOINT_SUFFIXES
from tt_actions.sources.folders import SUFFIXES
from tt_actions.video.depth_files import SUFFIX as DEPTH_SUFFIX

RESULT_FILES = ("predictions.csv", "predictions.json")
"""What ``tt-actions predict`` writes, maybe into the folder of the clips."""


def list_clips(
    source: Path, preprocessing: Preprocessing | JointPreprocessing, class_names: Sequence[str]
) -> list[ClipRecord]:
    """List the clips that a model can classify.

    In a folder, a clip that lies in a folder with the name of a class has this label. Hidden files are
    ignored.

    Args:
        source: A clip, a folder that is searched for clips, or a manifest CSV.
        preprocessing: What the model reads.
        class_names: The classes of the model.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        UserError: If a folder contains no clips, or a manifest can't be used.
    """
    if not source.exists():
        raise FileNotFoundError(
            f"Expected a clip, a folder or a manifest, but there is no '{source}'. Check the path."
        )
    if _is_clip(source, preprocessing):
        return [ClipRecord(source)]
    if not source.is_dir():
        return read_manifest(source) if source.suffix.lower() == ".csv" else [ClipRecord(source)]
    clips = _find_clips(source, preprocessing)
    if not clips:
        raise UserError(
            f"Expected clips ({', '.join(_suffixes(preprocessing))}) in '{source}', but found none. Check "
            "the path."
        )
    return [ClipRecord(clip, clip.parent.name if clip.parent.name in class_names else None) for clip in clips]


def _find_clips(folder: Path, preprocessing: Preprocessing | JointPreprocessing) -> list[Path]:
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.name not in RESULT_FILES
        and _is_clip(path, preprocessing)
    ]
    others = {path.with_suffix("") for path in found if path.suffix.lower() not in SUFFIXES}
    # as in training, a joint file beside a video of the same name is the clip
    return [
        path for path in found if path.suffix.lower() not in SUFFIXES or path.with_suffix("") not in others
    ]


def _is_clip(path: Path, preprocessing: Preprocessing | JointPreprocessing) -> bool:
    if path.is_dir():  # of depth images
        is_depth = isinstance(preprocessing, Preprocessing) and preprocessing.picture == "depth"
        return is_depth and next(path.glob("*.png"), None) is not None
    suffix = path.suffix.lower()
    return suffix in _suffixes(preprocessing) and (suffix != ".csv" or not _is_manifest(path))


def _suffixes(preprocessing: Preprocessing | JointPreprocessing) -> tuple[str, ...]:
    if isinstance(preprocessing, JointPreprocessing):
        return (*SUFFIXES, *JOINT_SUFFIXES)
    return (DEPTH_SUFFIX,) if preprocessing.picture == "depth" else SUFFIXES


def _is_manifest(path: Path) -> bool:
    """Return whether a CSV file lists clips or the strokes of an analysis, and is no table of joints."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        names = next(csv.reader(file), [])
    return "path" in names or is_stroke_table(names)
