"""Whether clips were seen by a run that trained a checkpoint."""

import csv
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from tt_actions.clips.records import ClipRecord, Split
from tt_actions.errors import UserError


def check_unseen(run_dir: Path, records: Sequence[ClipRecord], digest: Callable[[Path], str]) -> None:
    """Raise an error if clips to evaluate on were used to train or to select a checkpoint.

    Videos are compared by content. Validation clips of the run may be evaluated again as validation clips:
    those results are optimistic anyway, because the checkpoint was selected by them.

    Args:
        run_dir: Directory of the run that trained the checkpoint. The check is skipped if it has no file of
            :func:`tt_actions.clips.splits.write_splits`, or one without digests, as in older runs.
        records: The clips to evaluate on, from the validation or the test split.
        digest: Returns the digest of a file's content.

    Raises:
        ValueError: If the run used one of the clips for training or selection.
    """
    used = find_used(run_dir, records, digest)
    if used:
        record, split = next(iter(used.items()))
        raise UserError(
            f"Expected to evaluate on clips that the run '{run_dir}' was not trained on, but {len(used)} of "
            f"{len(records)} were used there. For example, '{record.name}' is now in {record.split}, but was "
            f"in {split}. Use the clips and split options of its config.yaml, or new clips."
        )


def find_used(
    run_dir: Path, records: Sequence[ClipRecord], digest: Callable[[Path], str]
) -> dict[ClipRecord, Split | None]:
    """Return the clips that a run trained with or selected its checkpoint by, with their split there.

    Args:
        run_dir: Directory of the run; no clip is found if it does not say which clips it used.
        records: The clips; those that the run used in the same split don't count.
        digest: Returns the digest of a file's content.
    """
    path = run_dir / "splits.csv"
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        before: dict[str, list[ClipRecord]] = defaultdict(list)
        for row in csv.DictReader(file):
            if row.get("digest"):
                clip = ClipRecord.from_name(row["name"])
                before[row["digest"]].append(replace(clip, split=cast(Split, row["split"])))
    seen = [(r, clip.split) for r in records for clip in _find_seen(r, before.get(digest(r.path), []))]
    return {r: split for r, split in seen if split not in ("test", r.split)}


def _find_seen(record: ClipRecord, before: Sequence[ClipRecord]) -> list[ClipRecord]:
    """Return the clips of the same video that a run used: if it divided the video, those that overlap."""
    if len({clip.split for clip in before}) < 2:
        return list(before[:1])
    end_s = math.inf if record.end_s is None else record.end_s
    return [
        clip
        for clip in before
        if clip.start_s < end_s and record.start_s < (math.inf if clip.end_s is None else clip.end_s)
    ]
