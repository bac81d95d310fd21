"""Table of a comparison: precision, recall and F1 of each class and model."""

from collections.abc import Mapping, Sequence
from typing import Any

from tt_actions.evaluation.class_table import SCORES
from tt_actions.evaluation.tables import Table
from tt_actions.studies.score_cells import BOLD_NOTE, bold_in_groups, plain_numbers, spread


def class_comparison_table(models: Mapping[str, Mapping[str, Any]], made_by: Sequence[str]) -> Table:
    """Make the table of precision, recall, F1 and support of each class, one row per class and model.

    Args:
        models: The results of each model, as in ``comparison.json``.
        made_by: Sentences that say how the table was produced.
    """
    classes = next(iter(models.values()))["per_class"]
    rows, records, means = [], [], []
    for name in classes:
        for model, results in models.items():
            own = results["per_class"][name]
            rows.append([f"{name}, {model}", *(spread(own[key]) for key in SCORES), f"{own['support']}"])
            means.append([own[key]["mean"] for key in SCORES])
            scores = plain_numbers(own, tuple(SCORES))
            bare = {key: value for key, value in scores.items() if not key.endswith(("_low", "_high"))}
            records.append({"class": name, "model": model, **bare, "support": own["support"]})
    notes = [
        "Mean ± standard deviation over seeds. Support: number of test clips of the class. A model "
        f"that never predicts a class has no precision for it. {BOLD_NOTE}",
    ]
    bold = bold_in_groups(means, [record["class"] for record in records])
    headings = ["class, model", *SCORES.values(), "support"]
    return Table("Table 4: classes", headings, rows, records, notes, list(made_by), bold)
