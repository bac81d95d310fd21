"""Clips in folders, one folder per class: the usual form of user data."""

import re
from pathlib import Path

from tt_actions.clips.records import ClipRecord, check_labels
from tt_actions.clips.source import ClipSource
from tt_actions.errors import UserError

SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm")


class FolderSource(ClipSource):
    """Files ``path/<class>/<name>.{mp4,mov,avi,mkv,webm}``; hidden files and folders are ignored.

    Args:
        path: The folder that contains the class folders.
        group_pattern: Regular expression that finds the group of a clip (player, match or scene) in its file
            name without the suffix: the first capture group or, if there is none, the whole match. None
            treats every clip as its own group.
        suffixes: Suffixes of the files to include.
        folders: Whether a subfolder of images inside a class folder is also a clip, with its images in order.

    Raises:
        ValueError: If ``group_pattern`` is not a regular expression.
    """

    def __init__(
        self,
        path: Path,
        group_pattern: str | None = None,
        suffixes: tuple[str, ...] = SUFFIXES,
        folders: bool = False,
    ) -> None:
        self.path, self.suffixes, self.folders = path, suffixes, folders
        self.group_pattern = group_pattern
        try:
            self._group = None if group_pattern is None else re.compile(group_pattern)
        except re.error as error:
            raise UserError(
                f"Expected `group_pattern` to be a regular expression, but got '{group_pattern}': {error}."
            ) from error

    def records(self) -> list[ClipRecord]:
        """List the clips, sorted by class and name.

        Raises:
            FileNotFoundError: If the folder does not exist.
            ValueError: If the folder contains no class folders with such files, an empty class or only one
                class, or if a file name does not match ``group_pattern``.
        """
        if not self.path.is_dir():
            raise FileNotFoundError(f"Expected a folder of clips, but there is no folder '{self.path}'.")
        classes = sorted(p for p in self.path.iterdir() if p.is_dir() and not p.name.startswith("."))
        videos = {folder: self._videos(folder) for folder in classes}
        if not any(videos.values()):
            raise UserError(
                f"Expected '{self.path}' to contain one subfolder of files ({', '.join(self.suffixes)}) per "
                f"class, but it has {len(classes)} subfolders without such files. Sort the clips into one "
                "subfolder per class."
            )
        if empty := [folder.name for folder in classes if not videos[folder]]:
            raise UserError(
                f"Expected files ({', '.join(self.suffixes)}) in every subfolder of '{self.path}', but found "
                f"none in {', '.join(empty)}. Add clips, or remove the subfolder."
            )
        records = [
            ClipRecord(p, folder.name, group=self._find_group(p))
            for folder in classes
            for p in videos[folder]
        ]
        check_labels(self.path, records)
        return records

    def _videos(self, folder: Path) -> list[Path]:
        return sorted(p for p in folder.iterdir() if self._is_clip(p) and not p.name.startswith("."))

    def _is_clip(self, path: Path) -> bool:
        return self.folders if path.is_dir() else path.suffix.lower() in self.suffixes and path.is_file()

    def _find_group(self, video: Path) -> str | None:
        if self._group is None:
            return None
        found = self._group.search(video.stem)
        group = found and (found[1] if self._group.groups else found[0])
        if not group:
            raise UserError(
                f"Expected `group_pattern` '{self.group_pattern}' to find a group in every file name, but it "
                f"finds none in '{video}'. Correct the pattern, or rename the file."
            )
        return group
