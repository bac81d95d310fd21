"""Dividing the clips of a single video, which can't be split by video, into stretches of time."""

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tt_actions.clips.records import ClipRecord

NUM_STRETCHES = 20
"""Greatest number of stretches."""


def divide_video(records: Sequence[ClipRecord], is_for_folds: bool) -> list[ClipRecord] | None:
    """Group the clips of a single video by stretches of time, so that training and test can share it.

    Clips that overlap are in one stretch. A stretch with all clips of a class is prescribed for training.

    Args:
        records: The clips.
        is_for_folds: Whether they are for cross-validation, in which no split is prescribed.

    Returns:
        The clips with their groups; None for clips of several videos, without labels, with groups or
        prescribed splits, for untrimmed recordings, and if there is only one stretch.

    Warns:
        UserWarning: That the test clips are from the video of the training.
    """
    is_divided = any(record.group or record.split or record.strokes is not None for record in records)
    has_labels = any(record.label for record in records)
    if is_divided or not has_labels or len({record.path for record in records}) != 1:
        return None
    stretches = find_stretches(records)
    if len(set(stretches)) < 2:
        return None
    warnings.warn(
        f"All {len(records)} clips are from '{records[0].path.name}', so the test clips show the same "
        "players and match as the training. Expect less on other videos.",
        UserWarning,
        stacklevel=2,
    )
    only = {
        stretch
        for label in {record.label for record in records}
        if len(own := {s for s, r in zip(stretches, records, strict=True) if r.label == label}) == 1
        for stretch in own
    }
    return [
        replace(
            record,
            group=f"stretch {stretch + 1}",
            split=None if is_for_folds or stretch not in only else "train",
        )
        for record, stretch in zip(records, stretches, strict=True)
    ]


def find_stretches(records: Sequence[ClipRecord]) -> list[int]:
    """Return the number of the stretch of each clip: neighbouring clips, as equally many as overlaps allow.

    Args:
        records: Clips of one video.

    >>> from pathlib import Path
    >>> times_s = [(4, 5), (0, 1), (2, 3.5), (3, 4)]
    >>> find_stretches([ClipRecord(Path("a.mp4"), start_s=start, end_s=end) for start, end in times_s])
    [2, 0, 1, 1]
    """
    size = -(-len(records) // NUM_STRETCHES)
    numbers, number, inside, latest_s = [0] * len(records), -1, size, -np.inf
    for i in sorted(range(len(records)), key=lambda i: records[i].start_s):
        if inside >= size and records[i].start_s >= latest_s:
            number, inside = number + 1, 0
        numbers[i], inside = number, inside + 1
        end_s = records[i].end_s
        latest_s = max(latest_s, np.inf if end_s is None else end_s)
    return numbers
