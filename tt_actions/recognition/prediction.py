"""The prediction of a model for a clip."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tt_actions.models.base import ActionModel


@dataclass(frozen=True)
class ClipPrediction:
    """The prediction of a model for one clip.

    Args:
        label: The most likely class.
        probabilities: Probability of each class.
        frame_probabilities: Probability of each class at each frame.
        times_s: When each frame is shown, in seconds from the start of the video.

    Shape:
        frame_probabilities ``(T, K)``, times_s ``(T,)``.
    """

    label: str
    probabilities: dict[str, float]
    frame_probabilities: np.ndarray
    times_s: np.ndarray

    @property
    def ranking(self) -> list[tuple[str, float]]:
        """The classes with their probabilities, the most likely first."""
        return sorted(self.probabilities.items(), key=lambda item: -item[1])

    @property
    def temporal_consistency(self) -> float | None:
        """Share of adjacent frame pairs of one predicted class; None for a single frame."""
        classes = self.frame_probabilities.argmax(1)
        return float((classes[1:] == classes[:-1]).mean()) if len(classes) > 1 else None


def make_prediction(
    network: ActionModel, class_names: Sequence[str], logits: Tensor, times_s: np.ndarray
) -> ClipPrediction:
    """Create a prediction from the logits of one clip.

    Args:
        network: The network that computed the logits.
        class_names: Names of the classes, in the order of the logits.
        logits: Logits of the clip's frames, without gradient.
        times_s: When each frame is shown, in seconds.

    Shape:
        logits ``(1, T, K)``, times_s ``(T,)``.
    """
    lengths = torch.tensor([logits.shape[1]], device=logits.device)
    probabilities = network.clip_log_probability(logits, lengths)[0].exp().tolist()
    by_class = dict(zip(class_names, probabilities, strict=True))
    return ClipPrediction(
        label=max(by_class, key=lambda name: by_class[name]),
        probabilities=by_class,
        frame_probabilities=logits[0].softmax(-1).cpu().numpy(),
        times_s=times_s,
    )
