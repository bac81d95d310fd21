"""Clips that a manifest CSV lists."""

from pathlib import Path

from tt_actions.clips.records import ClipRecord, check_labels, read_manifest
from tt_actions.clips.source import ClipSource


class ManifestSource(ClipSource):
    """The rows of a CSV file with the columns ``path,label,start_s,end_s,x0,y0,x1,y1,group,split``.

    Args:
        path: The CSV file; see :func:`tt_actions.clips.records.read_manifest`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def records(self) -> list[ClipRecord]:
        """List the clips in the file's order.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it can't be read or learnt from; see :func:`tt_actions.clips.records.check_labels`.
        """
        records = read_manifest(self.path)
        check_labels(self.path, records)
        return records
