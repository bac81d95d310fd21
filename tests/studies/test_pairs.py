import csv

import numpy as np
import pytest
from scipy.stats import binomtest

from tt_actions.evaluation.several_tests import holm
from tt_actions.studies.pairs import compare_pairs, pairs_table, summary


@pytest.fixture
def right():
    """Of 20 clips, `good` classifies 18 correctly, `fair` 17 of the same, and `poor` 5 of them."""
    clips = np.arange(20)
    return {"good": clips < 18, "poor": clips < 5, "fair": clips < 17}


def test_every_pair_is_tested_and_corrected_for_all_pairs(right):
    pairs = compare_pairs(right)
    assert [(p["first"], p["second"], p["only_first"], p["only_second"]) for p in pairs] == [
        ("good", "poor", 13, 0),
        ("good", "fair", 1, 0),
        ("poor", "fair", 0, 12),
    ]
    p_values = [binomtest(*counts).pvalue for counts in ((13, 13), (1, 1), (0, 12))]
    assert [p["p_value"] for p in pairs] == pytest.approx(p_values)
    assert [p["p_holm"] for p in pairs] == pytest.approx(holm(p_values))
    assert [p["better"] for p in pairs] == ["good", None, "fair"]


def test_what_is_significant_alone_may_not_be_among_many_tests(right):
    few = {"a": right["good"], "b": right["good"] & ~(np.arange(20) < 6)}
    assert compare_pairs(few)[0]["better"] == "a"  # p = 0.031
    many = few | dict.fromkeys("cdef", right["good"])
    assert compare_pairs(many)[0]["p_value"] < 0.05
    assert not any(pair["better"] for pair in compare_pairs(many))


def test_the_table_says_it_in_words(right, tmp_path):
    pairs = compare_pairs(right)
    pairs_table(pairs, 20, ["Made here."]).write(tmp_path / "table_5")
    text = (tmp_path / "table_5.md").read_text()
    assert "| good, poor | 13 : 0 | <0.001 | <0.001 | good is better |" in text
    assert "| good, fair | 1 : 0 | 1.000 | 1.000 | no evidence |" in text
    assert "corrected for 3 tests" in text
    assert "Made here." in text
    with (tmp_path / "table_5.csv").open(newline="") as file:
        assert [row["better"] for row in csv.DictReader(file)] == ["good", "", "fair"]
    assert "3 tests: good better than poor, fair better than poor. No evidence for the other 1." in summary(
        pairs
    )
    assert summary(pairs[1:2]).startswith("No evidence that any two models differ")
