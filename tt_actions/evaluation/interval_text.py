"""Accuracies in words: with their interval, what it is over, and what it leaves out."""

from collections.abc import Mapping
from typing import Any

from tt_actions.evaluation.score_intervals import ends_of

FEW_GROUPS = 10
"""Number of groups below which a bootstrap interval over groups is clearly too narrow."""


def write_interval(scores: Mapping[str, Any], score: str = "accuracy") -> str:
    """Write the interval of a score; empty if it is unknown.

    Args:
        scores: The ends, such as ``accuracy_low`` and ``accuracy_high``, if they are known.
        score: Name of the score.

    >>> write_interval({"accuracy_low": 0.75, "accuracy_high": 1.0})
    '[0.75, 1.00]'
    """
    low, high = (scores.get(end) for end in ends_of(score))
    return "" if low is None or high is None else f"[{low:.2f}, {high:.2f}]"


def write_accuracy(scores: Mapping[str, Any], score: str = "accuracy") -> str:
    """Write an accuracy, or another score, with its interval, if it is known.

    Args:
        scores: ``accuracy`` and, if they are known, ``accuracy_low`` and ``accuracy_high``.
        score: Name of another score.

    >>> write_accuracy({"accuracy": 0.9, "accuracy_low": 0.75, "accuracy_high": 1.0})
    '0.900 [0.75, 1.00]'
    >>> write_accuracy({"accuracy": 0.9})
    '0.900'
    """
    return f"{scores[score]:.3f} {write_interval(scores, score)}".strip()


def count_clips(metrics: Mapping[str, Any]) -> str:
    """Write the number of clips and, if it is known, of their groups.

    Args:
        metrics: The contents of ``metrics.json``.

    >>> count_clips({"num_clips": 1}), count_clips({"num_clips": 16, "num_groups": 4})
    ('1 clip', '16 clips of 4 groups')
    """
    num_clips, num_groups = metrics["num_clips"], metrics.get("num_groups")
    groups = f" of {num_groups} group{'s' * (num_groups != 1)}" if num_groups else ""
    return f"{num_clips} clip{'s' * (num_clips != 1)}{groups}"


def explain_interval(metrics: Mapping[str, Any]) -> list[str]:
    """Say what the intervals of a test are over, and what that leaves out.

    Args:
        metrics: The contents of ``metrics.json``; if there are no intervals, there is no sentence.

    >>> explain_interval({"interval_by": "groups", "num_groups": 24})
    ['In brackets: 95 % interval, bootstrap over the 24 groups.']
    """
    noun = metrics.get("interval_by")
    if noun is None:
        return []
    num_groups = metrics["num_groups"]
    if noun == "groups":
        few = " So few groups make it too narrow." if num_groups < FEW_GROUPS else ""
        return [f"In brackets: 95 % interval, bootstrap over the {num_groups} groups.{few}"]
    alone = "" if num_groups is None else f" All {noun} are of one group."
    alike = f" {noun.capitalize()} of one player are alike, so for new players it is too narrow."
    sentences = [f"In brackets: 95 % interval, bootstrap over {noun}.{alone}{alike}"]
    if num_groups is None:
        sentences.append(
            f"Some {noun} have no group, so the same players may be in the training set and in the test set. "
            "For new players, the accuracy is then lower. Fill in the column 'group' of the manifest."
        )
    return sentences
