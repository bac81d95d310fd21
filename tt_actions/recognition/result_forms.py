"""The forms that results take outside: pictures, and tables of pandas, which is loaded only here."""

from collections.abc import Mapping, Sequence
from typing import Any

from tt_actions.errors import UserError

PICTURES = (".png", ".svg", ".pdf")
"""Suffixes of figures."""


def make_data_frame(columns: Mapping[str, Sequence[Any]]) -> Any:
    """Return columns as a ``pandas.DataFrame``.

    Args:
        columns: The values of each column.

    Raises:
        UserError: If pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise UserError(
            "Expected pandas for `to_pandas`, but it is not installed. Install it with `pip install pandas`, "
            "or use `save`, which writes a CSV file."
        ) from error
    return pd.DataFrame(dict(columns))
