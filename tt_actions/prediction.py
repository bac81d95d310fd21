"""What a model says of a clip."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClipPrediction:
    """What a model says of one clip.

    Args:
        label: The likeliest class.
        probabilities: Probability of each class.
        frame_probabilities: Probability of each class at each frame.
        times_s: When each frame is shown, in seconds from the beginning of the video.

    Shape:
        frame_probabilities ``(T, K)``, times_s ``(T,)``.
    """

    label: str
    probabilities: dict[str, float]
    frame_probabilities: np.ndarray
    times_s: np.ndarray
