"""Train, validation and test: stratified by class, disjoint by group."""

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import cast, get_args

import numpy as np

from tt_actions.clips.records import ClipRecord, Split
from tt_actions.errors import UserError
from tt_actions.files import write_atomically


def share_out(labels: Sequence[str], groups: Sequence[str], shares: Sequence[float], seed: int) -> np.ndarray:
    """Deal whole groups of clips into parts of given shares, each class spread as evenly as groups allow.

    Groups are taken in a random order, those with many clips first; each goes to the part that then lacks
    most of what the group brings: the step that most lowers the squared distance to the wanted counts, those
    of the classes and of all clips.

    Args:
        labels: Class of each clip.
        groups: Group of each clip.
        shares: Wanted share of each part; they add up to 1.
        seed: Seed of the random order.

    Returns:
        The part's index of each clip, shape ``(N,)``.

    >>> share_out(["a", "b"] * 4, ["p", "p", "q", "q", "r", "r", "s", "s"], [0.5, 0.5], seed=0).tolist()
    [1, 1, 0, 0, 0, 0, 1, 1]
    """
    _, label_index = np.unique(labels, return_inverse=True)
    names, group_index = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), label_index.max() + 1))
    np.add.at(counts, (group_index, label_index), 1)
    counts = np.column_stack([counts, counts.sum(1)])  # (groups, classes + 1)
    lacking = np.outer(shares, counts.sum(0))  # (parts, classes + 1)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-counts[order, -1], kind="stable")]
    part = np.empty(len(names), dtype=int)
    for group in order:
        part[group] = (lacking @ counts[group]).argmax()
        lacking[part[group]] -= counts[group]
    return part[group_index]


def split_clips(
    records: Sequence[ClipRecord],
    val_share: float,
    test_share: float,
    seed: int,
    num_folds: int | None = None,
    fold: int | None = None,
) -> list[ClipRecord]:
    """Give every clip its split.

    A clip's own ``split`` is honoured, and its whole group follows; the rest is dealt by :func:`share_out` to
    train and to those of val and test that no clip prescribes. Where all clips come with a split but none is
    val, val is taken out of train, unless its share is 0. With folds, fold ``fold`` is the test set and val
    is taken out of the others. Clips without a group form one by file. A set that is all for test, or has no
    labels, stays whole: all of it is test.

    Args:
        records: The clips.
        val_share: Share of the clips for validation, 0 for none.
        test_share: Share of the clips for test; not used with folds.
        seed: Seed of the random choice.
        num_folds: Number of cross-validation folds *k*, or None for one split.
        fold: Which fold is the test set, 0 to k - 1.

    Returns:
        The records in the same order, each with a split.

    Raises:
        ValueError: If a group is prescribed two splits, folds and prescribed splits are mixed, an option is
            out of range, or a class is missing from the training set.
    """
    _check_options(records, val_share, test_share, num_folds, fold)
    if all(record.split == "test" or not record.labels for record in records):
        return [replace(record, split="test") for record in records]
    labels = [record.label or "" for record in records]
    groups = [record.group or record.path.as_posix() for record in records]
    prescribed = _prescribed_splits(records, groups)
    splits: list[Split | None] = [prescribed.get(group) for group in groups]
    free = [i for i, split in enumerate(splits) if split is None]

    def deal(chosen: list[int], names: Sequence[Split], shares: Sequence[float]) -> None:
        parts = share_out([labels[i] for i in chosen], [groups[i] for i in chosen], shares, seed)
        for i, part in zip(chosen, parts, strict=True):
            splits[i] = names[part]

    if num_folds is not None:
        parts = share_out(labels, groups, [1 / num_folds] * num_folds, seed)
        splits = ["test" if part == fold else "train" for part in parts]
    elif free:
        shares: dict[Split, float] = {"val": val_share, "test": test_share}
        left = {s: share for s, share in shares.items() if share and s not in prescribed.values()}
        deal(free, ("train", *left), (1 - sum(left.values()), *left.values()))
    if val_share and "val" not in splits:
        train = [i for i, split in enumerate(splits) if split == "train"]
        share = min(0.5, val_share * len(splits) / max(1, len(train)))
        deal(train, ("train", "val"), (1 - share, share))
    done = [replace(record, split=split) for record, split in zip(records, splits, strict=True)]
    check_splits(done, needed=get_args(Split) if val_share else ("train", "test"))
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
            "Expected `val_share` of at least 0 and `test_share` above 0 to leave something for training, "
            f"but got {val_share} and {test_share}."
        )
    if (num_folds is None) != (fold is None):
        raise UserError("Expected `num_folds` and `fold` together or neither. Give the missing one.")
    if num_folds is not None and fold is not None:
        num_groups = len({record.group or record.path.as_posix() for record in records})
        if not (2 <= num_folds <= num_groups and 0 <= fold < num_folds):
            raise UserError(
                f"Expected 2 <= `num_folds` <= {num_groups} (the number of groups) and "
                f"0 <= `fold` < `num_folds`, but got {num_folds} and {fold}."
            )
        if any(record.split for record in records):
            raise UserError(
                "Expected no prescribed splits with `num_folds`. Empty the split column or drop folds."
            )


def _prescribed_splits(records: Sequence[ClipRecord], groups: Sequence[str]) -> dict[str, Split]:
    found: dict[str, set[Split]] = defaultdict(set)
    for record, group in zip(records, groups, strict=True):
        if record.split:
            found[group].add(record.split)
    leaking = {group: sorted(splits) for group, splits in found.items() if len(splits) > 1}
    if leaking:
        shown = ", ".join(
            f"'{group}' in {' and '.join(splits)}" for group, splits in list(leaking.items())[:5]
        )
        raise UserError(
            f"Expected every group in one split, but {len(leaking)} stand in several: {shown}. "
            "Clips of one player or match on both sides flatter the result: mend the split column."
        )
    return {group: splits.pop() for group, splits in found.items()}


def check_splits(records: Sequence[ClipRecord], needed: Sequence[Split] = get_args(Split)) -> None:
    """Refuse splits that leak or can't be trained on.

    Args:
        records: Clips with their splits.
        needed: The splits that must hold clips.

    Raises:
        ValueError: If a group or a video stands in two splits, one that is needed is empty, or train lacks a
            class.
    """
    for what in ("group", "path"):
        places: dict[object, set[Split | None]] = defaultdict(set)
        for record in records:
            if (key := getattr(record, what)) is not None:
                places[key].add(record.split)
        leaking = [str(key) for key, splits in places.items() if len(splits) > 1]
        if leaking:
            raise UserError(
                f"Expected every {what} in one split, but got in several: {', '.join(leaking[:5])}. "
                "Give all clips of one video the same group."
            )
    classes = {
        split: set[str]().union(*(record.labels for record in records if record.split == split))
        for split in get_args(Split)
    }
    if missing := (classes["val"] | classes["test"]) - classes["train"]:
        raise UserError(
            f"Expected every class in the training set, but {sorted(missing)} have no group left "
            "for it. Add clips of more groups, or lower `val_share` and `test_share`."
        )
    if empty := [split for split in needed if not classes[split]]:
        raise UserError(
            f"Expected clips for {', '.join(needed)}, but none is left for {' and '.join(empty)}. "
            "Add clips of more groups, raise their shares, or fill the manifest's split column."
        )


def check_copies(records: Sequence[ClipRecord], digest: Callable[[Path], str]) -> None:
    """Refuse copies of one video, whatever their names, in two splits.

    Args:
        records: Clips with their splits.
        digest: Gives the digest of a file's content.

    Raises:
        ValueError: If a copy is tested that was trained on.
    """
    places: dict[str, dict[Path, Split | None]] = defaultdict(dict)
    for record in records:
        places[digest(record.path)][record.path] = record.split
    leaking = [" = ".join(map(str, copies)) for copies in places.values() if len(set(copies.values())) > 1]
    if leaking:
        raise UserError(
            f"Expected every video in one split, but {len(leaking)} stand in several as copies of other "
            f"names: {', '.join(leaking[:5])}. Remove the copies, or give them the same group."
        )


def write_splits(path: Path, records: Sequence[ClipRecord], digest: Callable[[Path], str]) -> None:
    """Write which clip went where.

    Args:
        path: The CSV file to write: columns ``name,label,group,split,digest``.
        records: Clips with their splits.
        digest: Gives the digest of a file's content.
    """
    with write_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(split_rows(records, digest))


def read_splits(path: Path) -> list[list[str]]:
    """Read what :func:`write_splits` wrote, row by row; nothing of a file that is not there or broken.

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
        path: The file, which exists.
    """
    with path.open(newline="", encoding="utf-8") as file:
        return [
            replace(
                ClipRecord.from_name(row["name"], row["label"]),
                group=row["group"],
                split=cast(Split, row["split"]),
            )
            for row in csv.DictReader(file)
        ]


def split_rows(records: Sequence[ClipRecord], digest: Callable[[Path], str]) -> list[list[str]]:
    """Return the rows that :func:`write_splits` writes.

    Args:
        records: Clips with their splits.
        digest: Gives the digest of a file's content.
    """
    clips = [[r.name, r.label or "", r.group or "", cast(str, r.split), digest(r.path)] for r in records]
    return [["name", "label", "group", "split", "digest"], *clips]


def check_unseen(run_dir: Path, records: Sequence[ClipRecord], digest: Callable[[Path], str]) -> None:
    """Refuse to measure on clips that a checkpoint was trained on or chosen by.

    Videos are told by their content. Validation clips may be measured again on validation, whose figures
    the choice of the checkpoint flatters anyway.

    Args:
        run_dir: Where the checkpoint was trained; passed over where :func:`write_splits` left nothing there,
            or no digests, as in older runs.
        records: The clips to measure, of the validation or the test split.
        digest: Gives the digest of a file's content.

    Raises:
        ValueError: If the checkpoint has seen one of them.
    """
    path = run_dir / "splits.csv"
    if not path.is_file():
        return
    with path.open(newline="", encoding="utf-8") as file:
        before = {row["digest"]: row["split"] for row in csv.DictReader(file) if row.get("digest")}
    seen = [(r, before[d]) for r in records if (d := digest(r.path)) in before]
    if used := [(r, split) for r, split in seen if split not in ("test", r.split)]:
        record, split = used[0]
        raise UserError(
            f"Expected clips to measure on that the run '{run_dir}' has not learnt from, but {len(used)} of "
            f"{len(records)} were used there, the first of them '{record.name}', now for {record.split}, in "
            f"{split}. Give the same clips and split options as in its config.yaml, or clips that are new."
        )


def check_same_splits(path: Path, records: Sequence[ClipRecord]) -> None:
    """Refuse clips or splits other than those that a run began with: it would be tested on what it learnt.

    Clips are told by label, split and file name, so that a set may be moved.

    Args:
        path: What :func:`write_splits` wrote when the run began.
        records: The clips of now with their splits.

    Raises:
        ValueError: If they differ.
    """
    with path.open(newline="", encoding="utf-8") as file:
        before = Counter((Path(row["name"]).name, row["label"], row["split"]) for row in csv.DictReader(file))
    now = Counter((Path(r.name).name, r.label or "", cast(str, r.split)) for r in records)
    if changed := (before - now) + (now - before):
        name, _, split = min(changed)
        raise UserError(
            f"Expected the clips and splits of '{path}', with which this run began, but {changed.total()} "
            f"entries differ, such as '{name}' in {split}. Bring clips and options back, or start a new run."
        )
