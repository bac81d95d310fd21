"""A share of the training clips, to see how accuracy depends on their number."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from tt_actions.clips.records import ClipRecord
from tt_actions.errors import UserError


def keep_share(records: Sequence[ClipRecord], share: float, seed: int) -> list[ClipRecord]:
    """Keep only a share of the training clips, in whole groups; validation and test clips stay.

    Clips of a smaller share are also in every larger share with the same seed. Groups with the same classes
    are drawn in proportion. Each class keeps at least one group, so a small share may be exceeded.

    Args:
        records: Clips with their splits.
        share: Wanted share of the training clips, above 0 and at most 1.
        seed: Seed of the random choice.

    Returns:
        The remaining records in the same order.

    Raises:
        ValueError: If the share is out of range.
    """
    if not 0 < share <= 1:
        raise UserError(
            f"Expected `train_share` above 0 and at most 1, but got {share}. Use 1 for all clips."
        )
    training = [record for record in records if record.split == "train"]
    if share == 1 or not training:
        return list(records)
    groups: dict[str, list[ClipRecord]] = defaultdict(list)
    for record in training:
        groups[_group(record)].append(record)
    order, num_needed = _order_groups(groups, seed)
    counts = np.cumsum([len(groups[name]) for name in order])
    closest = int(np.abs(counts - share * len(training)).argmin()) + 1
    kept = set(order[: max(closest, num_needed)])
    return [record for record in records if record.split != "train" or _group(record) in kept]


def _group(record: ClipRecord) -> str:
    return record.group or record.path.as_posix()


def _order_groups(groups: dict[str, list[ClipRecord]], seed: int) -> tuple[list[str], int]:
    """Return the groups in the order in which they are added, and how many first ones cover all classes."""
    classes = {name: frozenset().union(*(r.labels for r in clips)) for name, clips in groups.items()}
    strata: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name in sorted(groups):
        strata[tuple(sorted(classes[name]))].append(name)
    rng = np.random.default_rng(seed)
    place: dict[str, float] = {}
    for _, names in sorted(strata.items()):
        at = rng.random()
        for rank, index in enumerate(rng.permutation(len(names))):
            place[names[index]] = (rank + at) / len(names)
    drawn = sorted(groups, key=lambda name: (place[name], name))
    covered: set[str] = set()
    first = []
    for name in drawn:
        if not classes[name] <= covered:
            first.append(name)
            covered |= classes[name]
    chosen = set(first)
    return first + [name for name in drawn if name not in chosen], len(first)
