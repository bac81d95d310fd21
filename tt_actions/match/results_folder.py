"""A result folder: written completely or not at all, with a record of its inputs."""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tt_actions.clips import stroke_table
from tt_actions.errors import UserError
from tt_actions.files import explain_failure

INPUTS_FILE = stroke_table.INPUTS_FILE
"""The file that records the inputs of a result folder; it is written last."""

ANNOTATED = "annotated.mp4"

RESULT_FILES = (
    INPUTS_FILE,
    ANNOTATED,
    "strokes.csv",
    "strokes.json",
    "frames.npz",
    "joints.npz",
    "report.html",
)
"""All files that a result folder may contain."""


def is_done(folder: Path, inputs: dict[str, Any]) -> bool:
    """Return whether a folder contains the results of the same video, checkpoint and options.

    Args:
        folder: The folder.
        inputs: Everything that the results depend on.
    """
    return read_inputs(folder) == inputs


def check_same_video(folder: Path, inputs: dict[str, Any]) -> None:
    """Raise an error if the folder contains the results of another video.

    Args:
        folder: The folder.
        inputs: Everything that the results depend on.

    Raises:
        ValueError: If it does.
    """
    found = read_inputs(folder)
    if found and found.get("video") != inputs["video"] and found.get("bytes") != inputs["bytes"]:
        raise UserError(
            f"Expected '{folder}' to be free for the results of '{inputs['video']}', but it contains "
            f"those of '{found.get('video')}'. Choose another `--out`."
        )


def read_inputs(folder: Path) -> dict[str, Any]:
    """Read the inputs of a result folder; empty if it contains no results.

    Args:
        folder: The folder.
    """
    try:
        found = json.loads((folder / INPUTS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes the result folder when the block ends without an error.

    It then replaces earlier results. Temporary folders of killed processes are removed.

    Args:
        folder: The result folder: absent, or with the results of an earlier analysis.

    Yields:
        The temporary folder, next to it.

    Raises:
        ValueError: If it is a file, or contains other files.
        OSError: If it can't be written.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"Expected a folder to write to, but '{folder}' is a file. Choose another `--out`.")
    others = (
        [path.name for path in folder.iterdir() if path.name not in RESULT_FILES] if folder.exists() else []
    )
    if others:
        raise UserError(
            f"Expected '{folder}' to be new or to contain only results, but it contains other files, "
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
        except OSError as error:  # name the final folder: the temporary one is removed
            raise OSError(str(error).replace(str(temporary), str(folder))) from error
        if folder.exists():
            shutil.rmtree(folder)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
