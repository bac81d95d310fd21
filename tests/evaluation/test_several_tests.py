import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tt_actions.evaluation.several_tests import holm


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_is_the_definition_step_by_step(p_values):
    """The k-th lowest of m p-values, times m - k + 1, and never below one before it."""
    corrected = holm(p_values)
    before = 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        before = max(before, min(1.0, (len(p_values) - rank) * p_values[index]))
        assert corrected[index] == pytest.approx(before)


def test_holm_of_an_example_by_hand():
    assert holm([0.04, 0.01, 0.02, 0.9]) == pytest.approx([0.08, 0.04, 0.06, 0.9])
    assert holm([0.03]) == [0.03]
