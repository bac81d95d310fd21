"""A user's own clips, as a folder or a manifest."""

from pathlib import Path
from typing import ClassVar

from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.records import ClipRecord, check_labels
from tt_actions.clips.source import ClipSource
from tt_actions.errors import UserError
from tt_actions.skeleton.files import SUFFIXES as JOINT_SUFFIXES
from tt_actions.sources.folders import SUFFIXES, FolderSource
from tt_actions.video.depth_files import SUFFIX as DEPTH_SUFFIX


class UserClips(ClipSource):
    """User clips: a folder with one subfolder per class, or a manifest CSV.

    Attributes:
        suffixes: Suffixes of the files in a folder.
        folders: Whether folders of images are also clips.
        example: A command that uses such clips.

    Args:
        path: The folder or the CSV file.
        group_pattern: Regular expression that finds the group of a clip in its file name. Only for folders; a
            manifest has a `group` column.

    Raises:
        ValueError: If the path is missing, or ``group_pattern`` is not a regular expression or is set for a
            manifest.
    """

    suffixes: ClassVar[tuple[str, ...]] = SUFFIXES
    folders: ClassVar[bool] = False
    example: ClassVar[str] = "make train EXP=clips DATA=my_clips"

    def __init__(self, path: Path, group_pattern: str | None = None) -> None:
        if str(path) == "???":  # OmegaConf's mark of a missing value
            raise UserError(
                "Expected a folder with one subfolder of clips per class, or a manifest CSV, but got none. "
                f"Pass its path: `{self.example}`, or `--data.source.path my_clips`."
            )
        is_manifest = path.is_file() or path.suffix.lower() == ".csv"
        if is_manifest and group_pattern is not None:
            raise UserError(
                f"Expected no `group_pattern` with the manifest '{path}', but got '{group_pattern}'. "
                "Fill its `group` column instead."
            )
        self.path = path
        self.group_pattern = group_pattern
        self._source: ClipSource = (
            ManifestSource(path)
            if is_manifest
            else FolderSource(path, group_pattern, self.suffixes, self.folders)
        )

    def records(self) -> list[ClipRecord]:
        """List the clips.

        Raises:
            FileNotFoundError: If the folder or the file does not exist.
            ValueError: If it contains no clips for training; see :class:`ManifestSource` and
                :class:`~tt_actions.sources.folders.FolderSource`.
        """
        return self._source.records()


class UserJoints(UserClips):
    """Videos or joint files: a folder with one subfolder per class, or a manifest CSV.

    In videos, a pose model finds the joints. The formats of joint files are those of
    :func:`tt_actions.skeleton.files.read_joints`. If every joint file lies next to a video of the same name,
    the joint files are the clips.

    Args:
        path: The folder or the CSV file.
        group_pattern: Regular expression that finds the group of a clip in its file name. Only for folders; a
            manifest has a `group` column.

    Raises:
        ValueError: If the path is missing, or ``group_pattern`` is not a regular expression or is set for a
            manifest, or a folder contains both videos and other joint files.
    """

    suffixes: ClassVar[tuple[str, ...]] = JOINT_SUFFIXES
    example: ClassVar[str] = "make train EXP=stgcn DATA=my_clips"

    def __init__(self, path: Path, group_pattern: str | None = None) -> None:
        if contains_videos(path):
            self.suffixes = SUFFIXES  # type: ignore[misc] # of an object, not of the class
        super().__init__(path, group_pattern)


def contains_videos(path: Path) -> bool:
    """Return whether the clips of a folder are videos, not joint files.

    Args:
        path: The folder, with one subfolder per class.

    Raises:
        UserError: If it contains both videos and other joint files.
    """
    files = [file for file in path.glob("[!.]*/[!.]*") if file.is_file()]
    videos = {file.with_suffix(""): file.name for file in files if file.suffix.lower() in SUFFIXES}
    joints = [file for file in files if file.suffix.lower() in JOINT_SUFFIXES]
    alone = [file for file in joints if file.with_suffix("") not in videos]
    if videos and alone:
        raise UserError(
            f"Expected '{path}' to contain either videos or joint files, but got the video "
            f"'{min(videos.values())}' and '{alone[0].name}'. Move one kind to another folder."
        )
    return bool(videos) and not joints


class UserDepth(UserClips):
    """Depth clips: a folder with one subfolder per class, or a manifest CSV.

    A clip is an ``.npz`` file or a folder of 16-bit PNG files; see
    :func:`tt_actions.video.depth_files.find_depth`.

    Args:
        path: The folder or the CSV file.
        group_pattern: Regular expression that finds the group of a clip in its file name. Only for folders; a
            manifest has a `group` column.

    Raises:
        ValueError: If the path is missing, or ``group_pattern`` is not a regular expression or is set for a
            manifest.
    """

    suffixes: ClassVar[tuple[str, ...]] = (DEPTH_SUFFIX,)
    folders: ClassVar[bool] = True
    example: ClassVar[str] = "make train EXP=depth_cnn_lstm DATA=my_depth"


class ManifestSource(ClipSource):
    """The rows of a manifest, a CSV file with a row per clip.

    Args:
        path: The CSV file; see :func:`tt_actions.clips.manifest.read_manifest`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def records(self) -> list[ClipRecord]:
        """List the clips in the order of the file.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file can't be read, or its clips can't be used for training; see
                :func:`tt_actions.clips.records.check_labels`.
        """
        records = read_manifest(self.path)
        check_labels(self.path, records)
        return records
