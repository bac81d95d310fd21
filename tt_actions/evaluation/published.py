"""What the authors of the CNN-LSTM print of it and of what they compare it with."""

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
"""By experiment: the authors' figures on their 565 private clips; keyed like ``metrics.json``.

The source doesn't define its "accuracy" by action or its "temporal consistency"; what is measured here
is defined at :func:`tt_actions.evaluation.clip_scores.measure`. Shown beside measured figures, never
compared with them by a program.
"""

PUBLISHED_TIMES = {30: (0.75, 0.85), 60: (1.20, 1.30), 120: (2.40, 2.50), 180: (3.60, 3.70)}
"""By length of the video in seconds: the authors' average processing time and feedback delay in seconds, on a
GTX 1080 Ti; what they decode, and at which size, they don't say."""

PUBLISHED_NOTE = (
    "published (private data): the figures that the CNN-LSTM's authors print, on clips of their own. "
    "Nothing here can be held against them."
)
