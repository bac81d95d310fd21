"""The command ``pose``."""

import sys
from pathlib import Path
from typing import Literal

from tt_actions.pose.weights import fetch_weights


def pose(action: Literal["fetch"], from_: Path | None = None) -> None:
    """Get the pose model that finds the joints of players in videos.

    Args:
        action: fetch downloads the model once, 36 MB; commands that need it do the same.
        from_: Wheel of mediapipe 0.10.21, or folder of its two .tflite files (default: download with pip).
    """
    del action  # the only one
    sys.stdout.write(f"pose model: {fetch_weights(from_)}\n")
