"""The metrics of a run, epoch by epoch."""

import csv
import math
from pathlib import Path


def read_history(path: Path) -> dict[str, dict[int, float]]:
    """Read the per-epoch values that Lightning's CSVLogger wrote.

    Epochs are counted from 1 here, as on the screen, but from 0 in the file. A row without an epoch (from the
    learning-rate monitor) belongs to the next row that has one. If an epoch has several values, the last
    counts. Blank and non-finite cells are ignored, and so is an unfinished last line, which a running
    training may be writing.

    Args:
        path: The ``metrics.csv``.

    Returns:
        A mapping from column name to epoch to value.
    """
    history: dict[str, dict[int, float]] = {}
    pending = []
    complete_lines = path.read_text(encoding="utf-8").rpartition("\n")[0]
    for row in csv.DictReader(complete_lines.splitlines()):
        pending.append(row)
        if not row.get("epoch"):
            continue
        epoch = int(float(row["epoch"])) + 1
        for name, cell in (item for earlier in pending for item in earlier.items()):
            if cell and math.isfinite(float(cell)):
                history.setdefault(name, {})[epoch] = float(cell)
        pending.clear()
    return history
