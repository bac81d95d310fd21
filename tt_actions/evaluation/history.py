"""The metrics of a run, epoch by epoch."""

import csv
import math
from pathlib import Path


def read_history(path: Path) -> dict[str, dict[int, float]]:
    """Read the values by epoch that Lightning's CSVLogger wrote.

    Epochs are counted from 1 here, as on the screen, and from 0 in the file.
    A row without an epoch (the learning-rate monitor's) belongs to the next row that has one. Of several
    values of an epoch the last counts; blank and non-finite cells are left out, and so is a last line that
    a training is just writing.

    Args:
        path: The ``metrics.csv``.

    Returns:
        Column name -> epoch -> value.
    """
    history: dict[str, dict[int, float]] = {}
    waiting = []
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
    for row in csv.DictReader(whole.splitlines()):
        waiting.append(row)
        if not row.get("epoch"):
            continue
        epoch = int(float(row["epoch"])) + 1
        for name, cell in (item for earlier in waiting for item in earlier.items()):
            if cell and math.isfinite(float(cell)):
                history.setdefault(name, {})[epoch] = float(cell)
        waiting.clear()
    return history
