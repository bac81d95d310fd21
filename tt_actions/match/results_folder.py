"""A folder of results: whole or not there at all, and what it was made of."""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tt_actions.errors import UserError
from tt_actions.files import explain_failure

DONE = "analysis.json"
"""The file that tells what a folder of results was made of; it is written last."""

ANNOTATED = "annotated.mp4"

RESULTS = (DONE, ANNOTATED, "strokes.csv", "strokes.json", "frames.npz", "report.html")
"""All that a folder of results may hold."""


def is_done(folder: Path, made_of: dict[str, Any]) -> bool:
    """Return whether a folder holds the results of the same video, checkpoint and options.

    Args:
        folder: The folder.
        made_of: What the results depend on.
    """
    return read_done(folder) == made_of


def check_same_video(folder: Path, made_of: dict[str, Any]) -> None:
    """Refuse to put a video's results in the place of those of another.

    Args:
        folder: The folder.
        made_of: What the results depend on.

    Raises:
        ValueError: If the folder holds those of another video.
    """
    found = read_done(folder)
    if found and found.get("video") != made_of["video"] and found.get("bytes") != made_of["bytes"]:
        raise UserError(
            f"Expected '{folder}' to be free for the results of '{made_of['video']}', but it holds those of "
            f"'{found.get('video')}'. Choose another `--out`."
        )


def read_done(folder: Path) -> dict[str, Any]:
    """Read what a folder's results were made of: nothing where there are none.

    Args:
        folder: The folder.
    """
    try:
        found = json.loads((folder / DONE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to write to that takes its name once the block ends without an error.

    Results that were there before make way then. What a process that was killed has left is removed.

    Args:
        folder: The folder, absent or of the results of an analysis.

    Yields:
        A folder beside it.

    Raises:
        ValueError: If it is a file, or holds other files.
        OSError: If it can't be written.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"Expected a folder to write to, but '{folder}' is a file. Choose another `--out`.")
    others = [path.name for path in folder.iterdir() if path.name not in RESULTS] if folder.exists() else []
    if others:
        raise UserError(
            f"Expected '{folder}' to be new or to hold the results of an analysis, but it holds other files, "
            f"such as '{min(others)}'. Move them, or choose another `--out`."
        )
    left_behind = re.compile(rf"\.{re.escape(folder.name)}-[a-z0-9_]{{8}}\.part")  # as mkdtemp names them
    for stale in folder.parent.iterdir():
        if left_behind.fullmatch(stale.name):
            shutil.rmtree(stale, ignore_errors=True)
    with explain_failure(folder, "or choose another `--out`"):
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-", suffix=".part"))
        temporary.chmod(0o755)
    try:
        try:
            yield temporary
        except OSError as error:  # the file that it names is gone by the time that one looks for it
            raise OSError(str(error).replace(str(temporary), str(folder))) from error
        if folder.exists():
            shutil.rmtree(folder)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
