"""A user's own clips, as a folder or as a manifest."""

from pathlib import Path

from tt_actions.clips import ClipRecord
from tt_actions.sources.base import ClipSource
from tt_actions.sources.folders import FolderSource
from tt_actions.sources.manifest import ManifestSource


class UserClips(ClipSource):
    """A folder with a folder of clips for each class, or a manifest CSV, whichever the path is.

    Args:
        path: The folder or the CSV file.
        group_pattern: Regular expression that finds a clip's group in its file name, for a folder; a manifest
            has a column for it.

    Raises:
        ValueError: If there is no path, or ``group_pattern`` is not a regular expression or is given with a
            manifest.
    """

    def __init__(self, path: Path, group_pattern: str | None = None) -> None:
        if str(path) == "???":  # OmegaConf's mark of what must be given
            raise ValueError(
                "Expected a folder with a folder of clips for each class, or a manifest CSV, but got none. "
                "Say where: `make train EXP=clips DATA=my_clips`, or `--data.source.path my_clips`."
            )
        is_manifest = path.is_file() or path.suffix.lower() == ".csv"
        if is_manifest and group_pattern is not None:
            raise ValueError(
                f"Expected no `group_pattern` with the manifest '{path}', but got '{group_pattern}'. "
                "Fill its `group` column instead."
            )
        self.path = path
        self.group_pattern = group_pattern
        self._source: ClipSource = ManifestSource(path) if is_manifest else FolderSource(path, group_pattern)

    def records(self) -> list[ClipRecord]:
        """List the clips.

        Raises:
            FileNotFoundError: If the folder or the file is not there.
            ValueError: If it holds no clips that can be learnt from; see the two sources.
        """
        return self._source.records()
