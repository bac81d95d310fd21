"""Precision, recall and F1 of each class, as a table for papers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tt_actions.evaluation.tables import Table

SCORES = {"precision": "precision", "recall": "recall", "f1": "F1"}
"""Headings of the scores of a class."""

AVERAGES_NOTE = (
    "Macro average: every class counts equally; a score that is undefined counts as 0, as in scikit-learn. "
    "Weighted average: every class counts by its support."
)


class ClassScores(NamedTuple):
    """Scores of each class, nan where one is undefined.

    Args:
        precision: Share of what is predicted as the class that is of the class.
        recall: Share of what is of the class that is predicted as the class.
        f1: Harmonic mean of precision and recall.
        support: How often the class occurs.

    Shape:
        all ``(K,)``.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]


def class_scores(confusion: NDArray[np.int64]) -> ClassScores:
    """Compute the scores of each class from a confusion matrix.

    Args:
        confusion: Counts by true class (row) and predicted class (column).

    Shape:
        ``(K, K)``.

    >>> scores = class_scores(np.array([[3, 1], [0, 2]]))
    >>> scores.precision.round(3).tolist(), scores.recall.tolist(), scores.f1.round(3).tolist()
    ([1.0, 0.667], [0.75, 1.0], [0.857, 0.8])
    """
    correct, support, predicted = np.diagonal(confusion), confusion.sum(1), confusion.sum(0)
    with np.errstate(invalid="ignore"):  # 0 / 0 = nan
        return ClassScores(
            correct / predicted, correct / support, 2 * correct / (support + predicted), support
        )


def class_table(
    confusion: NDArray[np.int64],
    class_names: Sequence[str],
    provenance: Mapping[str, Any],
    more: Mapping[str, Sequence[float | None]] | None = None,
    things: str = "clips",
    interval: str = "",
    macro: Sequence[str] = (),
) -> Table:
    """Make the table of precision, recall, F1 and support of each class, with their averages below.

    Nothing is in bold: the classes of one model do not compete.

    Args:
        confusion: Counts by true class (row) and predicted class (column).
        class_names: Names of the *K* classes.
        provenance: How the predictions were produced.
        more: Further columns of the CSV file, by class.
        things: What is counted: clips or frames.
        interval: The 95 % interval of the accuracy in words.
        macro: The 95 % intervals of the macro averages in words, empty ones for unknown intervals.

    Shape:
        confusion ``(K, K)``, with at least one clip.
    """
    scores = class_scores(confusion)
    columns = [_known(values) for values in scores[:3]]
    rows = [
        [name, *(_cell(values[index]) for values in columns), str(scores.support[index])]
        for index, name in enumerate(class_names)
    ]
    total = int(scores.support.sum())
    rows += [[name, *map(_cell, values), str(total)] for name, values in _averages(scores).items()]
    for number, ends in enumerate(macro, 1):
        rows[len(class_names)][number] = f"{rows[len(class_names)][number]} {ends}".strip()
    listed = {key: list(values) for key, values in (more or {}).items()}
    listed |= dict(zip(SCORES, columns, strict=True)) | {"support": scores.support.tolist()}
    records = [
        {"class": name, **{key: values[index] for key, values in listed.items()}}
        for index, name in enumerate(class_names)
    ]
    ends = f" {interval}" if interval else ""
    accuracy = f"Accuracy {np.trace(confusion) / total:.3f}{ends} on {total} {things}."
    brackets = " In brackets: 95 % interval." if interval or any(macro) else ""
    notes = [
        f"{accuracy}{brackets} Support: number of {things} of the class. {AVERAGES_NOTE}",
        made_by(provenance),
    ]
    headings = ["class", *SCORES.values(), "support"]
    return Table("Results by class", headings, rows, records, notes, made_by=[])


def _averages(scores: ClassScores) -> dict[str, list[float]]:
    """Return macro and weighted averages over the classes that occur in the labels or the predictions."""
    occurs = ~np.isnan(scores.f1)
    values = np.nan_to_num(np.stack(scores[:3]))[:, occurs]
    weighted = np.average(values, axis=1, weights=scores.support[occurs])
    return {"macro average": values.mean(1).tolist(), "weighted average": weighted.tolist()}


def _known(values: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else round(value, 6) for value in values.tolist()]


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def made_by(provenance: Mapping[str, Any]) -> str:
    """Write in one sentence how a result was produced.

    Args:
        provenance: The result of :func:`tt_actions.evaluation.provenance.provenance`; parts may be missing.

    >>> made_by({"commit": "0123456789abcdef", "seed": 3, "config_hash": "fedcba9876543210"})
    'Made by tt_actions: commit 0123456789, seed 3, configuration fedcba9876.'
    """
    version = provenance.get("versions", {}).get("tt-actions")
    commit, dash, state = (provenance.get("commit") or "unknown").partition("-")
    parts = [f"commit {commit[:10]}{dash}{state}"]
    if provenance.get("seed") is not None:
        parts.append(f"seed {provenance['seed']}")
    if provenance.get("config_hash"):
        parts.append(f"configuration {provenance['config_hash'][:10]}")
    if provenance.get("date"):
        parts.append(str(provenance["date"]))
    return f"Made by tt_actions{f' {version}' if version else ''}: {', '.join(parts)}."
