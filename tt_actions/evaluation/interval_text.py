"""Accuracies in words: with their interval, what it is over, and what it leaves out."""

from collections.abc import Mapping
from typing import Any

from tt_actions.evaluation.clip_scores import ENDS

FEW_GROUPS = 10
"""Number of groups below which a bootstrap interval over groups is clearly too narrow."""

NO_GROUPS = (
    "Clips without a group: the same players may be in the training set and in the test set, and then the "
    "accuracy for new players is lower. Fill in the manifest's `group` column."
)


def write_accuracy(scores: Mapping[str, Any]) -> str:
    """Write an accuracy with its interval, if it is known.

    Args:
        scores: ``accuracy`` and, if they are known, ``accuracy_low`` and ``accuracy_high``.

    >>> write_accuracy({"accuracy": 0.9, "accuracy_low": 0.75, "accuracy_high": 1.0})
    '0.900 [0.750, 1.000]'
    >>> write_accuracy({"accuracy": 0.9}), write_accuracy({"accuracy": None})
    ('0.900', '-')
    """
    if scores["accuracy"] is None:
        return "-"
    low, high = (scores.get(end) for end in ENDS)
    ends = "" if low is None or high is None else f" [{low:.3f}, {high:.3f}]"
    return f"{scores['accuracy']:.3f}{ends}"


def explain_interval(metrics: Mapping[str, Any]) -> list[str]:
    """Say what the intervals of a test are over, and what that leaves out.

    Args:
        metrics: The contents of ``metrics.json``; of a version that wrote no intervals, there is no sentence.

    >>> explain_interval({"interval_by": "groups", "num_groups": 24})
    ['Intervals: 95 %, bootstrap over the 24 groups of the test clips.']
    """
    if "interval_by" not in metrics:
        return []
    num_groups = metrics["num_groups"]
    if metrics["interval_by"] == "groups":
        few = " So few groups make them too narrow." if num_groups < FEW_GROUPS else ""
        return [f"Intervals: 95 %, bootstrap over the {num_groups} groups of the test clips.{few}"]
    alone = "" if num_groups is None else " All test clips are of one group."
    alike = " Clips of one player are alike, so for new players the intervals are too narrow."
    return [f"Intervals: 95 %, bootstrap over clips.{alone}{alike}", *[NO_GROUPS] * (num_groups is None)]
