"""Training, validation and test splits, stratified by class and disjoint by group."""

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import cast, get_args

import numpy as np

from tt_actions.clips.one_video import divide_video
from tt_actions.clips.records import ClipRecord, Hand, Split
from tt_actions.errors import UserError
from tt_actions.files import write_atomically


def distribute_groups(
    labels: Sequence[str], groups: Sequence[str], shares: Sequence[float], seed: int
) -> np.ndarray:
    """Distribute whole groups of clips over parts of given shares, with each class as balanced as possible.

    Groups are taken in random order, but those with many clips come first. Each group goes to the part where
    it most reduces the squared distance to the wanted counts, which are those of each class and of all clips.
    If a part would stay empty, it gets the smallest group of the part with most groups.

    Args:
        labels: Class of each clip.
        groups: Group of each clip.
        shares: Wanted share of each part; they add up to 1.
        seed: Seed of the random order.

    Returns:
        Index of each clip's part, shape ``(N,)``.

    >>> groups = ["p", "p", "q", "q", "r", "r", "s", "s"]
    >>> distribute_groups(["a", "b"] * 4, groups, [0.5, 0.5], seed=0).tolist()
    [1, 1, 0, 0, 0, 0, 1, 1]
    >>> distribute_groups(["a"] * 5, ["p", "p", "p", "q", "q"], [0.8, 0.2], seed=0).tolist()
    [0, 0, 0, 1, 1]
    """
    _, label_index = np.unique(labels, return_inverse=True)
    names, group_index = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), label_index.max() + 1))
    np.add.at(counts, (group_index, label_index), 1)
    counts = np.column_stack([counts, counts.sum(1)])  # (groups, classes + 1)
    needed = np.outer(shares, counts.sum(0))  # (parts, classes + 1)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-counts[order, -1], kind="stable")]
    part = np.empty(len(names), dtype=int)
    for group in order:
        part[group] = (needed @ counts[group]).argmax()
        needed[part[group]] -= counts[group]
    for empty in [i for i, share in enumerate(shares) if share > 0 and i not in part]:
        num_groups = np.bincount(part, minlength=len(shares))
        if num_groups.max() > 1:
            inside = np.flatnonzero(part == num_groups.argmax())
            part[inside[counts[inside, -1].argmin()]] = empty
    return part[group_index]


def split_clips(
    records: Sequence[ClipRecord],
    val_share: float,
    test_share: float,
    seed: int,
    num_folds: int | None = None,
    fold: int | None = None,
) -> list[ClipRecord]:
    """Assign a split to every clip.

    A clip's own ``split`` is kept, and its whole group follows. :func:`distribute_groups` distributes the
    other groups over train and over those of val and test that no clip prescribes. If all clips prescribe a
    split but none prescribes val, val is taken from train, unless its share is 0. With folds, fold ``fold``
    is the test set, and val is taken from the other folds. Clips without a group are grouped by file, or,
    if there is only one file, by stretches of time. If all clips are for test, or no clip has a label, all
    clips are test.

    Args:
        records: The clips.
        val_share: Share of the clips for validation, 0 for none.
        test_share: Share of the clips for test; ignored with folds.
        seed: Seed of the random choice.
        num_folds: Number of cross-validation folds *k*, or None for a single split.
        fold: Number of the fold that is the test set, from 0 to k - 1.

    Returns:
        The records in the same order, each with a split.

    Raises:
        ValueError: If the clips of one group prescribe two splits, folds and prescribed splits are mixed, an
            option is out of range, or a class is missing from the training set.
    """
    stretches = divide_video(records, is_for_folds=num_folds is not None)
    records = stretches or records
    _check_options(records, val_share, test_share, num_folds, fold)
    if all(record.split == "test" or not record.labels for record in records):
        return [replace(record, split="test") for record in records]
    labels = [record.label or "" for record in records]
    groups = [record.group or record.path.as_posix() for record in records]
    prescribed = _prescribed_splits(records, groups)
    splits: list[Split | None] = [prescribed.get(group) for group in groups]
    free = [i for i, split in enumerate(splits) if split is None]

    def assign(chosen: list[int], names: Sequence[Split], shares: Sequence[float]) -> None:
        parts = distribute_groups([labels[i] for i in chosen], [groups[i] for i in chosen], shares, seed)
        for i, part in zip(chosen, parts, strict=True):
            splits[i] = names[part]

    if num_folds is not None:
        parts = distribute_groups(labels, groups, [1 / num_folds] * num_folds, seed)
        splits = ["test" if part == fold else "train" for part in parts]
    elif free:
        shares: dict[Split, float] = {"val": val_share, "test": test_share}
        left = {s: share for s, share in shares.items() if share and s not in prescribed.values()}
        assign(free, ("train", *left), (1 - sum(left.values()), *left.values()))
    if val_share and "val" not in splits:
        train = [i for i, split in enumerate(splits) if split == "train"]
        share = min(0.5, val_share * len(splits) / max(1, len(train)))
        assign(train, ("train", "val"), (1 - share, share))
    done = [replace(record, split=split) for record, split in zip(records, splits, strict=True)]
    needed = get_args(Split) if val_share else ("train", "test")
    check_splits(done, needed, ("group",) if stretches else ("group", "path"))
    return done


def _check_options(
    records: Sequence[ClipRecord],
    val_share: float,
    test_share: float,
    num_folds: int | None,
    fold: int | None,
) -> None:
    if not (0 <= val_share < 1 and 0 < test_share < 1 and val_share + test_share < 1):
        raise UserError(
            "Expected `val_share` of at least 0 and `test_share` above 0, with a sum below 1 to leave clips "
            f"for training, but got {val_share} and {test_share}."
        )
    if (num_folds is None) != (fold is None):
        raise UserError(
            f"Expected both `num_folds` and `fold` or neither, but got {num_folds} and {fold}. "
            "Set the missing one."
        )
    if num_folds is not None and fold is not None:
        num_groups = len({record.group or record.path.as_posix() for record in records})
        if not (2 <= num_folds <= num_groups and 0 <= fold < num_folds):
            raise UserError(
                f"Expected 2 <= `num_folds` <= {num_groups} (the number of groups) and "
                f"0 <= `fold` < `num_folds`, but got {num_folds} and {fold}."
            )
        if any(record.split for record in records):
            raise UserError(
                "Expected no prescribed splits with `num_folds`, but some clips have one. Clear the `split` "
                "column, or remove `num_folds`."
            )


def _prescribed_splits(records: Sequence[ClipRecord], groups: Sequence[str]) -> dict[str, Split]:
    found: dict[str, set[Split]] = defaultdict(set)
    for record, group in zip(records, groups, strict=True):
        if record.split:
            found[group].add(record.split)
    conflicts = {group: sorted(splits) for group, splits in found.items() if len(splits) > 1}
    if conflicts:
        examples = ", ".join(
            f"'{group}' in {' and '.join(splits)}" for group, splits in list(conflicts.items())[:5]
        )
        raise UserError(
            f"Expected every group in only one split, but {len(conflicts)} are in several: {examples}. If "
            "clips of one player or match are both in training and in test, results look better than they "
            "are. Correct the `split` column."
        )
    return {group: splits.pop() for group, splits in found.items()}


def check_splits(
    records: Sequence[ClipRecord],
    needed: Sequence[Split] = get_args(Split),
    whole: Sequence[str] = ("group", "path"),
) -> None:
    """Raise an error for splits that leak or can't be used for training.

    Args:
        records: Clips with their splits.
        needed: The splits that must contain clips.
        whole: Fields of which no value may be in two splits.

    Raises:
        ValueError: If a group or a video is in two splits, a needed split is empty, or train lacks a class.
    """
    for field in whole:
        found: dict[object, set[Split | None]] = defaultdict(set)
        for record in records:
            if (key := getattr(record, field)) is not None:
                found[key].add(record.split)
        leaking = [str(key) for key, splits in found.items() if len(splits) > 1]
        if leaking:
            raise UserError(
                f"Expected every {field} in only one split, but these are in several: "
                f"{', '.join(leaking[:5])}. Give all clips of one video the same group."
            )
    classes = {
        split: set[str]().union(*(record.labels for record in records if record.split == split))
        for split in get_args(Split)
    }
    if missing := (classes["val"] | classes["test"]) - classes["train"]:
        raise UserError(
            f"Expected every class in the training set, but no group is left there for {sorted(missing)}. "
            "Add clips of more groups, or lower `val_share` and `test_share`."
        )
    if empty := [split for split in needed if not classes[split]]:
        raise UserError(
            f"Expected clips for {', '.join(needed)}, but none is left for {' and '.join(empty)}. "
            "Add clips of more groups, raise their shares, or fill in the manifest's `split` column."
        )


def check_copies(records: Sequence[ClipRecord], digest: Callable[[Path], str]) -> None:
    """Raise an error if copies of one video, whatever their names, are in different splits.

    Args:
        records: Clips with their splits.
        digest: Returns the digest of a file's content.

    Raises:
        ValueError: If copies of one video are in different splits.
    """
    found: dict[str, dict[Path, Split | None]] = defaultdict(dict)
    for record in records:
        found[digest(record.path)][record.path] = record.split
    leaking = [" = ".join(map(str, copies)) for copies in found.values() if len(set(copies.values())) > 1]
    if leaking:
        raise UserError(
            f"Expected every video in only one split, but {len(leaking)} have copies with other names in "
            f"another: {', '.join(leaking[:5])}. Remove the copies, or give them the same group."
        )


def write_splits(path: Path, records: Sequence[ClipRecord], digest: Callable[[Path], str]) -> None:
    """Write the split of each clip to a CSV file.

    Args:
        path: The CSV file to write: columns ``name,label,group,split,digest``, and ``hand``
            if it is known of some clips.
        records: Clips with their splits.
        digest: Returns the digest of a file's content.
    """
    with write_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(split_rows(records, digest))


def read_splits(path: Path) -> list[list[str]]:
    """Read the rows that :func:`write_splits` wrote; empty if the file is missing or not valid CSV.

    Args:
        path: The file.
    """
    if path.is_file():
        with path.open(newline="", encoding="utf-8", errors="replace") as file, suppress(csv.Error):
            return list(csv.reader(file))
    return []


def read_split_clips(path: Path) -> list[ClipRecord]:
    """Read the clips that :func:`write_splits` wrote, with their groups and splits.

    Args:
        path: The file, which must exist.
    """
    with path.open(newline="", encoding="utf-8") as file:
        return [
            replace(
                ClipRecord.from_name(row["name"], row["label"]),
                group=row["group"],
                split=cast(Split, row["split"]),
                hand=cast(Hand, row.get("hand") or None),
            )
            for row in csv.DictReader(file)
        ]


def split_rows(records: Sequence[ClipRecord], digest: Callable[[Path], str]) -> list[list[str]]:
    """Return the rows that :func:`write_splits` writes.

    Args:
        records: Clips with their splits.
        digest: Returns the digest of a file's content.
    """
    clips = [[r.name, r.label or "", r.group or "", cast(str, r.split), digest(r.path)] for r in records]
    rows = [["name", "label", "group", "split", "digest"], *clips]
    if any(record.hand for record in records):
        rows = [
            [*row, hand] for row, hand in zip(rows, ["hand", *(r.hand or "" for r in records)], strict=True)
        ]
    return rows


def check_same_splits(path: Path, records: Sequence[ClipRecord]) -> None:
    """Raise an error if clips or splits differ from those at the start of a run.

    Otherwise the resumed run could be tested on clips that it was trained on. Clips are compared by label,
    split and file name, so that a dataset may be moved.

    Args:
        path: The file that :func:`write_splits` wrote when the run started.
        records: The current clips with their splits.

    Raises:
        ValueError: If they differ.
    """
    with path.open(newline="", encoding="utf-8") as file:
        before = Counter((Path(row["name"]).name, row["label"], row["split"]) for row in csv.DictReader(file))
    now = Counter((Path(r.name).name, r.label or "", cast(str, r.split)) for r in records)
    if changed := (before - now) + (now - before):
        name, _, split = min(changed)
        raise UserError(
            f"Expected the clips and splits of '{path}', with which this run started, but {changed.total()} "
            f"entries differ, such as '{name}' in {split}. Restore the clips and options, or start a new run."
        )
