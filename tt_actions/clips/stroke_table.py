"""The strokes of an analysis as a manifest: ``strokes.csv`` with the files beside it."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tt_actions.errors import UserError

COLUMNS = ("start_s", "contact_s", "end_s", "label", "confidence", "player")
"""Columns of the strokes of an analysis."""

INPUTS_FILE = "analysis.json"
"""The file that records the inputs of an analysis, among them the path of its video."""

FACTS_FILE = "strokes.json"
"""The file that describes an analysis: its players, with their regions."""


def is_stroke_table(names: Sequence[str]) -> bool:
    """Return whether the columns of a CSV file are those of the strokes of an analysis.

    Args:
        names: The columns.

    >>> is_stroke_table(COLUMNS), is_stroke_table(["path", "start_s", "end_s", "label"])
    (True, False)
    """
    return {"start_s", "end_s", "label"} <= set(names) <= set(COLUMNS)


@dataclass(frozen=True)
class Places:
    """What the strokes of an analysis lack as a manifest.

    Args:
        video: Path of the video.
        regions: The cells with the region of each player.
        duration_s: Length of the video in seconds.
    """

    video: str
    regions: Mapping[str, Mapping[str, str]]
    duration_s: float

    def complete(self, row: Mapping[str, str]) -> dict[str, str]:
        """Return the cells of a stroke with those of the video and the region.

        The last stroke may end some frames after the video, where no clip can be read; it ends with it.

        Args:
            row: The cells of the stroke.

        Raises:
            UserError: If the analysis has no such player.
        """
        only = next(iter(self.regions)) if len(self.regions) == 1 else ""
        player = row.get("player") or only
        if player not in self.regions:
            raise UserError(
                f"Expected a player of the analysis ({', '.join(self.regions)}), but got '{player}'. Correct "
                "the name."
            )
        cells = {**row, "path": self.video, **self.regions[player]}
        with suppress(ValueError):  # the reader of the cell says so
            if float(row["end_s"]) > self.duration_s:
                cells["end_s"] = str(self.duration_s)
        return cells


def find_places(path: Path) -> Places:
    """Find the video and the regions of the strokes of an analysis.

    Args:
        path: The file with the strokes.

    Raises:
        UserError: If the files of the analysis are not beside it, or damaged.
    """
    facts, inputs = (_read(path.with_name(name)) for name in (FACTS_FILE, INPUTS_FILE))
    video = inputs.get("video") or facts.get("video")
    players, rois, duration_s = (facts.get(name) for name in ("players", "rois", "duration_s"))
    if not (
        isinstance(video, str)
        and isinstance(players, list)
        and isinstance(rois, list)
        and isinstance(duration_s, int | float)
        and len(rois) in (0, len(players))
    ):
        raise UserError(
            f"Expected '{path}' with the column `path`, or beside the files '{FACTS_FILE}' and "
            f"'{INPUTS_FILE}' of its analysis, but got neither. Move it back, or add the column."
        )
    beside = path.with_name(Path(video).name)
    is_moved = not Path(video).is_file() and beside.is_file()
    regions = map(_corners, rois or [None] * len(players))
    by_player = dict(zip(map(str, players), regions, strict=True))
    return Places(str(beside.absolute()) if is_moved else video, by_player, duration_s)


def _corners(region: Any) -> dict[str, str]:
    if not isinstance(region, list) or len(region) != 4:
        return {}
    return dict(zip(("x0", "y0", "x1", "y1"), map(str, region), strict=True))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
