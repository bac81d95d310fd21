"""Scores over several seeds as cells of a table."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tt_actions.evaluation.tables import best_cells

BOLD_NOTE = "Bold: the highest measured mean; it need not differ significantly from the others."


def spread(score: Mapping[str, Any], form: str = ".3f") -> str:
    """Write a score as ``mean ± std [low, high]``; missing parts are omitted.

    Args:
        score: The score.
        form: Format of a number.

    >>> spread({"mean": 0.5, "std": 0.1, "interval": [0.4, 0.625]})
    '0.500 ± 0.100 [0.400, 0.625]'
    """
    if score["mean"] is None:
        return "-"
    std = "" if score["std"] is None else f" ± {score['std']:{form}}"
    ends = (
        "" if score["interval"] is None else " [{:{form}}, {:{form}}]".format(*score["interval"], form=form)
    )
    return f"{score['mean']:{form}}{std}{ends}"


def plain_numbers(scores: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, float | None]:
    """Return scores as plain numbers by column; a published score is a single number.

    Args:
        scores: The scores by name.
        keys: Names of the wanted scores.
    """
    bare: dict[str, float | None] = {}
    for key in keys:
        score = scores.get(key)
        parts = score if isinstance(score, Mapping) else {"mean": score, "std": None, "interval": None}
        low, high = parts["interval"] or (None, None)
        bare |= {key: parts["mean"], f"{key}_std": parts["std"], f"{key}_low": low, f"{key}_high": high}
    return bare


def bold_in_groups(
    means: Sequence[Sequence[float | None] | None], groups: Sequence[str]
) -> frozenset[tuple[int, int]]:
    """Return row and column of the best value of each column within each group of rows.

    Args:
        means: The values of each row, without its name; None for a row that does not compete.
        groups: The group of each row.

    >>> sorted(bold_in_groups([[0.9], [0.8], None, [0.7], [0.6]], ["a", "a", "a", "b", "b"]))
    [(0, 1), (3, 1)]
    """
    return frozenset().union(*(_bold_in_group(means, groups, group) for group in dict.fromkeys(groups)))


def _bold_in_group(
    means: Sequence[Sequence[float | None] | None], groups: Sequence[str], group: str
) -> Iterable[tuple[int, int]]:
    own = [row for row, values in enumerate(means) if values is not None and groups[row] == group]
    best = best_cells([values for row in own if (values := means[row]) is not None])
    return {(own[row], column) for row, column in best}
