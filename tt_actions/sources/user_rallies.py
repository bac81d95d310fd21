"""Untrimmed recordings of a user, with annotations in one of several formats."""

import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from tt_actions.clips.records import ClipRecord, check_labels
from tt_actions.clips.source import ClipSource
from tt_actions.clips.strokes import Stroke
from tt_actions.errors import UserError
from tt_actions.sources.annotations import Annotation
from tt_actions.sources.folders import SUFFIXES
from tt_actions.sources.openttgames import SIDES, read_events
from tt_actions.sources.rally_manifest import read_recordings
from tt_actions.sources.ttstroke import read_moves
from tt_actions.video.info import VideoInfo, probe
from tt_actions.video.types import Roi

_PATTERNS = ("events_markup*.json", "game_*.json", "test_*.json", "video_*.json", "*.xml")


class UserRallies(ClipSource):
    """Untrimmed recordings with annotated strokes, each of one player.

    The annotations are one of three formats: a manifest CSV with one row per stroke (see
    :func:`tt_actions.sources.rally_manifest.read_recordings`); files of OpenTTGames with its extension (see
    :func:`tt_actions.sources.openttgames.read_events`), in which each half of the frame is a recording; or
    files of TTStroke-21 (see :func:`tt_actions.sources.ttstroke.read_moves`). A warning lists the labels that
    are not understood.

    Args:
        path: The CSV, JSON or XML file, or a folder that contains such JSON or XML files (also in
            subfolders).
        videos: The folder of the video files, if they are not next to the annotations. The video of
            ``events_markup1.json`` must be named video_1, game_1, test_1 or 1; the video of
            ``events_markup.json`` must have the name of its folder; any other video must have the name of its
            annotation file.
        before_s: Seconds from the start of a stroke to its contact, used if only the contact is annotated.
        after_s: Seconds from the contact of a stroke to its end, used if only the contact is annotated.
        fine: Whether to use the dataset's own stroke names instead of the four basic strokes. Names in a
            manifest stay as they are.

    Raises:
        ValueError: If the path is missing, ``before_s`` is negative or ``after_s`` is not positive.
    """

    is_untrimmed = True

    def __init__(
        self,
        path: Path,
        videos: Path | None = None,
        before_s: float = 0.6,
        after_s: float = 0.4,
        fine: bool = False,
    ) -> None:
        if str(path) == "???":  # OmegaConf's mark of a missing value
            raise UserError(
                "Expected a manifest CSV with one row per stroke, or a file or folder of annotations, but "
                "got none. Pass its path: `--data.source.path my_rallies.csv`."
            )
        if not (0 <= before_s < float("inf") and 0 < after_s < float("inf")):
            raise UserError(
                f"Expected `before_s` to be at least 0 and `after_s` positive, but got {before_s} and "
                f"{after_s}."
            )
        self.path = path
        self.videos = videos
        self.before_s, self.after_s = before_s, after_s
        self.fine = fine

    def records(self) -> list[ClipRecord]:
        """List the recordings in the order of the manifest, or sorted by file name.

        Raises:
            FileNotFoundError: If the annotations or a video do not exist.
            OSError: If annotations can't be read.
            VideoError: If the video of a JSON or XML file can't be read.
            ValueError: If the annotations are invalid, don't fit the video or can't be used for training.
        """
        if self.path.suffix.lower() == ".csv":
            folder = self.path.parent if self.videos is None else self.videos
            records = read_recordings(self.path, folder, self.before_s, self.after_s)
        else:
            unknown: dict[Path, Mapping[str, list[int]]] = {}
            records = [record for path in self._files() for record in self._read(path, unknown)]
            _warn(unknown)
        check_labels(self.path, records)
        return records

    def _files(self) -> list[Path]:
        if not self.path.exists():
            raise FileNotFoundError(
                f"Expected a manifest CSV or a file or folder of annotations, but there is no '{self.path}'."
            )
        if self.path.is_file():
            if self.path.suffix.lower() not in (".json", ".xml"):
                raise UserError(f"Expected a .csv, .json or .xml file, but got '{self.path}'.")
            return [self.path]
        files = annotation_files(self.path)
        if not files:
            raise UserError(
                f"Expected {', '.join(_PATTERNS)} in '{self.path}' or its subfolders, but found none."
            )
        return files

    def _read(self, path: Path, unknown: dict[Path, Mapping[str, list[int]]]) -> list[ClipRecord]:
        """Read the recordings of one video, and collect the labels that are not understood."""
        video = find_video(path, path.parent if self.videos is None else self.videos)
        info = probe(video)
        if path.suffix.lower() == ".json":
            annotation = read_events(path, self.before_s, self.after_s, self.fine)
        else:
            annotation = read_moves(path, info.fps, self.fine)
        unknown[path] = annotation.unknown
        return _recordings(path, info, annotation)


def annotation_files(folder: Path) -> list[Path]:
    """List the JSON and XML annotation files in a folder and its subfolders.

    Args:
        folder: Folder to search.
    """
    found = {path for pattern in _PATTERNS for path in folder.rglob(pattern) if path.is_file()}
    return sorted(path for path in found if not path.name.startswith("."))


def is_annotation(path: Path) -> bool:
    """Return whether a path contains annotations for :class:`UserRallies`, not clips of one stroke.

    Args:
        path: A manifest of recordings, with a column ``contact_s`` but no column ``player``; a JSON or XML
            file; or a folder with such files and their videos.
    """
    if path.suffix.lower() == ".csv" and path.is_file():
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            columns = file.readline()
        return "contact_s" in columns and "player" not in columns
    return path.suffix.lower() in (".json", ".xml") or any(map(_has_video, annotation_files(path)))


def _has_video(path: Path) -> bool:
    try:
        find_video(path, path.parent)
    except FileNotFoundError:
        return False  # for example the metadata of a camera
    except ValueError:
        return True  # several videos match
    return True


def _recordings(path: Path, info: VideoInfo, annotation: Annotation) -> list[ClipRecord]:
    middle = info.width // 2
    halves = ((0, 0, middle, info.height), (middle, 0, info.width, info.height))
    regions: dict[str | None, Roi | None] = {None: None, **dict(zip(SIDES, halves, strict=True))}
    return [
        ClipRecord(
            info.path,
            roi=regions[player],
            group=info.path.stem,
            strokes=tuple(_end_within(path, info, strokes)),
        )
        for player, strokes in annotation.strokes.items()
    ]


def _end_within(path: Path, info: VideoInfo, strokes: Iterable[Stroke]) -> Iterable[Stroke]:
    """Clip strokes to the end of the video, and raise an error for strokes after it."""
    for stroke in strokes:
        last_s = stroke.start_s if stroke.contact_s is None else stroke.contact_s
        if last_s >= info.duration_s:
            raise UserError(
                f"Expected the strokes of '{path}' within the duration of '{info.path}' "
                f"({info.duration_s:.3f} s), but got a {stroke.label} at {last_s:.3f} s. Use the video to "
                "which the annotations belong."
            )
        yield replace(stroke, end_s=min(stroke.end_s, info.duration_s))


def find_video(path: Path, folder: Path) -> Path:
    """Find the video that belongs to an annotation file.

    Args:
        path: The JSON or XML file.
        folder: Folder that contains the video.

    Raises:
        FileNotFoundError: If there is no such video.
        ValueError: If several videos match.
    """
    names = video_names(path)
    videos = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [v for v in videos if v.stem.lower() in names and v.suffix.lower() in SUFFIXES and v.is_file()]
    if not found:
        raise FileNotFoundError(
            f"Expected the video of '{path}' in the folder '{folder}', named {', '.join(names)} with one of "
            f"the suffixes {', '.join(SUFFIXES)}, but there is none. Rename the video, or set `videos` "
            "to its folder."
        )
    if len(found) > 1:
        raise UserError(
            f"Expected one video for '{path}' in '{folder}', but found {', '.join(v.name for v in found)}. "
            "Name the annotation file after its video."
        )
    return found[0]


def video_names(path: Path) -> list[str]:
    """List the possible names of the video of an annotation file, in lower case and without suffix.

    Args:
        path: The JSON or XML file.

    >>> video_names(Path("events_markup7.json"))
    ['video_7', 'game_7', 'test_7', '7']
    >>> video_names(Path("game_2/events_markup.json")), video_names(Path("0042.xml"))
    (['game_2'], ['0042'])
    """
    name = path.stem.lower()
    if path.suffix.lower() == ".json":
        name = name.removeprefix("events_markup").strip("_- ") or path.absolute().parent.name.lower()
        if re.fullmatch("[0-9]+", name):
            return [f"video_{name}", f"game_{name}", f"test_{name}", name]
    return [name]


def _warn(unknown: Mapping[Path, Mapping[str, list[int]]]) -> None:
    listed = [
        f"'{label}' ({path.name}, {'frame' if len(frames) == 1 else 'frames'} {', '.join(map(str, frames))})"
        for path, labels in unknown.items()
        for label, frames in labels.items()
    ]
    if listed:
        warnings.warn(
            f"Expected only labels that the dataset documents, but got {'; '.join(listed)}. A label that "
            "begins with a documented stroke counts as that stroke, any other label as idle.",
            UserWarning,
            stacklevel=3,
        )
