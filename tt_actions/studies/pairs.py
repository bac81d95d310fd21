"""Which models of a comparison differ: McNemar's test of every pair, corrected for the number of tests."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tt_actions.evaluation.several_tests import holm
from tt_actions.evaluation.significance import mcnemar
from tt_actions.evaluation.tables import Table

LEVEL = 0.05
"""Corrected p-values below it are called significant."""


def compare_pairs(right: Mapping[str, NDArray[np.bool_]]) -> list[dict[str, Any]]:
    """Test for every pair of models if they are correct equally often.

    Args:
        right: For each model, whether it classifies each test clip correctly.

    Shape:
        each ``(N,)``, for the same clips in the same order.

    Returns:
        For each pair ``first``, ``second``, ``only_first`` and ``only_second`` (the number of clips that only
        one of them classifies correctly), ``p_value``, ``p_holm`` (corrected for the number of pairs) and
        ``better``: the name of the significantly better model, or None.
    """
    pairs = list(combinations(right, 2))
    tests = [mcnemar(right[first], right[second]) for first, second in pairs]
    corrected = holm([test.p_value for test in tests])
    return [
        {
            "first": first,
            "second": second,
            **test._asdict(),
            "p_holm": p_holm,
            "better": (first if test.only_first > test.only_second else second) if p_holm < LEVEL else None,
        }
        for (first, second), test, p_holm in zip(pairs, tests, corrected, strict=True)
    ]


def pairs_table(
    pairs: Sequence[Mapping[str, Any]], num_clips: int, made_by: Sequence[str], number: int = 5
) -> Table:
    """Make the table of the tests of all pairs, with the result in words.

    Args:
        pairs: The result of :func:`compare_pairs`, at least one.
        num_clips: Number of test clips.
        made_by: Sentences that say how the table was produced.
        number: Number of the table.
    """
    rows = [
        [
            f"{pair['first']}, {pair['second']}",
            f"{pair['only_first']} : {pair['only_second']}",
            _p_value(pair["p_value"]),
            _p_value(pair["p_holm"]),
            f"{pair['better']} is better" if pair["better"] else "no evidence",
        ]
        for pair in pairs
    ]
    headings = ["models", "only one correct", "p", "p (Holm)", "result"]
    notes = [
        f"Only one correct: of {num_clips} test clips, those that only the first model of the pair "
        "classifies correctly : those that only the second does. p: exact two-sided test of McNemar. p "
        f"(Holm): corrected for {len(pairs)} {'test' if len(pairs) == 1 else 'tests'}. Result: at the level "
        f"{LEVEL} of p (Holm). No evidence does not mean that the two models are equally good. The "
        "prediction of a model is the class with the highest mean probability over its seeds. The test "
        "treats clips as independent. Clips of one player are alike, so for new players the p-values are too "
        "low.",
    ]
    return Table(
        f"Table {number}: pairs of models", headings, rows, [*map(dict, pairs)], notes, list(made_by)
    )


def summary(pairs: Sequence[Mapping[str, Any]]) -> str:
    """Say in a sentence which models differ.

    Args:
        pairs: The result of :func:`compare_pairs`.

    >>> summary([{"first": "a", "second": "b", "better": "b"}, {"first": "a", "second": "c", "better": None}])
    'Significantly different after correction for 2 tests: b better than a. No evidence for the other 1.'
    """
    different = [
        f"{pair['better']} better than {pair['second' if pair['better'] == pair['first'] else 'first']}"
        for pair in pairs
        if pair["better"]
    ]
    if not different:
        return "No evidence that any two models differ, after correction for the number of tests."
    rest = len(pairs) - len(different)
    return (
        f"Significantly different after correction for {len(pairs)} tests: {', '.join(different)}."
        + f" No evidence for the other {rest}." * (rest > 0)
    )


def _p_value(p_value: float) -> str:
    """Write a p-value.

    >>> [_p_value(value) for value in (1.0, 0.04999, 0.00002)]
    ['1.000', '0.050', '<0.001']
    """
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"
