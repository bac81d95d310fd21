"""The ``check`` command."""

from pathlib import Path


def check(data: Path, layout: str | None = None) -> int:
    """Summarise a folder of clips, a manifest or annotations, and list the unreadable files.

    Tables count clips by class and by group, and files by format.

    The command reads the header of every file and decodes its first frame. The strokes of recordings count as
    clips.

    Args:
        data: A folder with one subfolder of clips per class, a manifest CSV of clips or recordings, or a file
            or folder of annotations.
        layout: Joint layout, such as ntu25, if the clips are joint files (default: the clips are videos).

    Returns:
        The exit code: 1 if a clip can't be read, otherwise 0.

    Raises:
        FileNotFoundError: If the path does not exist.
        ValueError: If the path contains no clips for training.
    """
    from tt_actions.sources.check import check_joints, check_videos

    return check_videos(data) if layout is None else check_joints(data, layout)
