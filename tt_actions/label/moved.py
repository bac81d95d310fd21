"""Marked videos that have another path now: they are found again by their content."""

import json
import warnings
from pathlib import Path
from typing import Any

from tt_actions.errors import UserError
from tt_actions.files import file_digest
from tt_actions.label.book import Book
from tt_actions.label.sheet import SAME_LENGTH_S, Sheet
from tt_actions.recognition.analysis import MatchAnalysis


def find_moved(book: Book, analysis: MatchAnalysis, content: str) -> int | None:
    """Return the number of the sheet of a video that had another path, or None if there is none.

    The old path must be free: a copy of a video has marks of its own. Logs of earlier versions don't have the
    content, so that name and length must be enough.

    Args:
        book: The marks.
        analysis: The analysis of the video.
        content: Digest of the video's content.

    Raises:
        UserError: If a video of the same name and length has replaced the one that was marked.
    """
    gone = [(number, sheet) for number, sheet in enumerate(book.sheets) if not sheet.video.exists()]
    for number, sheet in gone:
        if content == sheet.content or (sheet.content is None and _is_alike(sheet, analysis)):
            return number
    for _, sheet in gone:
        if sheet.is_begun and _is_alike(sheet, analysis):
            raise UserError(
                f"Expected the marked video '{sheet.video}', but there is no such file, and "
                f"'{analysis.video}' has the same name and length but another content. Put the video back "
                "where it was, or choose another `--out` to begin anew."
            )
    return None


def _is_alike(sheet: Sheet, analysis: MatchAnalysis) -> bool:
    is_as_long = abs(sheet.duration_s - analysis.duration_s) <= SAME_LENGTH_S
    return is_as_long and sheet.video.name == analysis.video.name


def find_marks(folder: Path, video: Path) -> Path | None:
    """Return the manifest with the marks of a video, under its name or an earlier one; None without marks.

    Args:
        folder: The folder of manifests and their logs.
        video: The video.
    """
    path, content = video.resolve(), None
    for log in sorted(path for path in folder.glob("*.csv.log") if path.is_file()):
        for marked, own in _list_videos(log):
            if marked.resolve() == path:
                return log.with_suffix("")
            if own is not None and not marked.exists():
                content = content or file_digest(video)
                if own == content:
                    return log.with_suffix("")
    return None


def _list_videos(log: Path) -> list[tuple[Path, str | None]]:
    """Return path and content of the videos of a log, with a warning if a line about one is damaged."""
    videos: list[tuple[Path, str | None]] = []
    for line in log.read_bytes().splitlines():
        if not line.startswith((b'{"kind":"video"', b'{"kind":"anew"', b'{"kind":"moved"')):
            continue
        try:
            event: dict[str, Any] = json.loads(line)
            if event["kind"] == "moved":
                number = event["video"]
                videos[number] = log.parent / event["path"], videos[number][1]
                continue
            video = log.parent / event["video"], event.get("content")
            if event["kind"] == "video":
                videos.append(video)
            else:
                videos[event["number"]] = video
        except (ValueError, KeyError, IndexError, TypeError):
            warnings.warn(
                f"A video in the log '{log}' can't be read, so its marks are not looked for there. To use "
                f"them, pass `--out {log.with_suffix('')}`.",
                stacklevel=2,
            )
    return videos
