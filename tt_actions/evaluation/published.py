"""The results that the authors of the CNN-LSTM report for it and for the models they compare it with."""

from collections.abc import Iterable, Mapping
from typing import Any

PUBLISHED: dict[str, dict[str, Any]] = {
    "cnn": {"accuracy": 0.875, "precision": 0.869, "recall": 0.880, "f1": 0.874},
    "lstm": {"accuracy": 0.892, "precision": 0.887, "recall": 0.895, "f1": 0.891},
    "mof": {"accuracy": 0.802, "precision": 0.795, "recall": 0.808, "f1": 0.801},
    "cnn_lstm": {
        "accuracy": 0.923,
        "precision": 0.918,
        "recall": 0.925,
        "f1": 0.921,
        "per_class": {
            "serve": {"accuracy": 0.930, "temporal_consistency": 0.895},
            "forehand": {"accuracy": 0.915, "temporal_consistency": 0.872},
            "backhand": {"accuracy": 0.920, "temporal_consistency": 0.884},
            "smash": {"accuracy": 0.907, "temporal_consistency": 0.867},
        },
    },
}
"""Results by experiment, as the authors report them for their 565 private clips; keyed like ``metrics.json``.

The paper doesn't define its "accuracy" by action or its "temporal consistency";
:func:`tt_actions.evaluation.clip_scores.measure` defines ours. Reports show the published results next to the
measured ones, but no program compares the two.
"""

PUBLISHED_TIMES = {30: (0.75, 0.85), 60: (1.20, 1.30), 120: (2.40, 2.50), 180: (3.60, 3.70)}
"""The authors' average processing time and feedback delay in seconds, by video length in seconds.

They measured on a GTX 1080 Ti. They don't report what they decode, or at which size.
"""

PUBLISHED_NOTE = (
    "published (private data): results that the authors of the CNN-LSTM report for their own clips. "
    "They are not comparable with the results here."
)


def published_results(
    experiment: str, class_names: Iterable[str], asked: bool | None = None
) -> Mapping[str, Any]:
    """Return the published results to show next to those of a run; empty for none.

    Args:
        experiment: Name of the experiment.
        class_names: Names of the classes.
        asked: Whether to show them. None shows them for ``cnn_lstm`` on the four published strokes alone.

    >>> published_results("cnn_lstm", ["serve", "forehand", "backhand", "smash"])["accuracy"]
    0.923
    >>> published_results("stgcn", ["serve", "forehand", "backhand", "smash"])
    {}
    """
    original = PUBLISHED["cnn_lstm"]
    if asked is None:
        asked = experiment == "cnn_lstm" and set(class_names) == set(original["per_class"])
    return PUBLISHED.get(experiment, original) if asked else {}
