"""Reading the results of finished runs, and the check that they use the same clips."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tt_actions.errors import UserError
from tt_actions.evaluation.predictions import count_confusions, probability_of_truth

Shares = NDArray[np.float64]


class FinishedRun(NamedTuple):
    """Test results of a finished run, with the test clips sorted by name.

    Args:
        folder: The run directory.
        metrics: Contents of ``metrics.json``.
        names: Names of the *N* test clips.
        labels: True class of each test clip.
        predicted: Predicted class of each test clip.
        probabilities: Probabilities of the *K* classes for each test clip.
        consistency: Temporal consistency of each test clip; nan for a clip of one frame.
        groups: Group of each test clip; None for a clip without one.
        clips: Name, label and digest of every clip of the run, and whether it is a test clip.

    Shape:
        labels, predicted, consistency ``(N,)``; probabilities ``(N, K)``.
    """

    folder: Path
    metrics: dict[str, Any]
    names: list[str]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    probabilities: Shares
    consistency: Shares
    groups: list[str | None]
    clips: frozenset[tuple[str, str, str, bool]]

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Number of clips by true class (row) and predicted class (column), ``(K, K)``."""
        return count_confusions(self.labels, self.predicted, self.probabilities.shape[1])

    @property
    def worst(self) -> NDArray[np.int64]:
        """Indices of the clips ``(N,)``, sorted by the probability of their true class, lowest first."""
        return probability_of_truth(self.probabilities, self.labels).argsort(kind="stable")


def read_finished_run(folder: Path) -> FinishedRun:
    """Read the report of a finished run.

    Args:
        folder: The run directory.

    Raises:
        FileNotFoundError: If the run has no report.
    """
    path = folder / "report" / "metrics.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected the directory of a tested run, but there is no '{path}'. "
            "Use one such as runs/cnn_lstm/version_0."
        )
    metrics = json.loads(path.read_text("utf-8"))
    with (folder / "splits.csv").open(newline="", encoding="utf-8") as file:
        splits = list(csv.DictReader(file))
    groups = {row["name"]: row["group"] or None for row in splits}
    clips = frozenset((row["name"], row["label"], row["digest"], row["split"] == "test") for row in splits)
    with (folder / "report" / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["name"])
    classes = list(metrics["per_class"])
    return FinishedRun(
        folder=folder,
        metrics=metrics,
        names=[row["name"] for row in rows],
        labels=np.array([classes.index(row["label"]) for row in rows]),
        predicted=np.array([classes.index(row["predicted"]) for row in rows]),
        probabilities=np.array([[float(row[f"p_{name}"]) for name in classes] for row in rows]),
        consistency=np.array([float(row["temporal_consistency"] or "nan") for row in rows]),
        groups=[groups[row["name"]] for row in rows],
        clips=clips,
    )


_ADVICE = (
    "Compare experiments on one set of clips with the same `split_seed`, `val_share` and `test_share`. If "
    "the clips changed in the meantime, run the same command again."
)


def check_same_clips(runs: Sequence[FinishedRun]) -> None:
    """Check that all runs were trained and tested on the same clips of the same classes.

    Clips are identified by name, label and content. The share of validation clips may differ.

    Args:
        runs: At least one run.

    Raises:
        ValueError: If the clips or classes differ.
    """
    first, *others = runs
    clips = set(zip(first.names, first.labels.tolist(), strict=True))
    for run in others:
        other = set(zip(run.names, run.labels.tolist(), strict=True))
        if other != clips or list(run.metrics["per_class"]) != list(first.metrics["per_class"]):
            example = min(other ^ clips)[0] if other ^ clips else "their classes"
            raise UserError(
                f"Expected all runs to be tested on the same clips, but '{first.folder}' and '{run.folder}' "
                f"differ in {len(other ^ clips)}, such as {example}. {_ADVICE}"
            )
        if changed := run.clips ^ first.clips:
            raise UserError(
                f"Expected all runs to have the same clips, but clips were added, removed or changed between "
                f"'{first.folder}' and '{run.folder}': {len({name for name, *_ in changed})}, such as "
                f"{min(changed)[0]}. {_ADVICE}"
            )
