"""What every explanation of a prediction has, whether of pixels or of joints."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.figure import Figure
from torch import nn

from tt_actions.clips.records import ClipRecord
from tt_actions.recognition.prediction import ClipPrediction
from tt_actions.recognition.recognizer import Recognizer

Method = Literal["hirescam", "grad-cam", "occlusion"]


@dataclass(frozen=True)
class Explanation(ABC):
    """Which parts of a clip support a class.

    Args:
        clip: The clip; its label is the name of its folder if that is one of the model's classes, else None.
        prediction: The model's prediction for the clip.
        class_name: The explained class.
        heat: Heat of each frame and pixel, or of each frame and limb; 1 is the maximum of the clip. All
            values are 0 if nothing supports the class.
        method: ``hirescam``, ``grad-cam`` or ``occlusion``.

    Shape:
        heat ``(T, h, w)`` of pixels or ``(T, L)`` of limbs, float32 in [0, 1].
    """

    clip: ClipRecord
    prediction: ClipPrediction
    class_name: str
    heat: np.ndarray
    method: str

    @abstractmethod
    def note(self, model: Recognizer) -> str:
        """Return sentences that say what the heat is and how it was computed.

        Args:
            model: The explained model.
        """

    @abstractmethod
    def draw(self, model: Recognizer) -> Figure:
        """Draw the figure.

        Args:
            model: The explained model.
        """

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Return, as plain types, what is known about the method besides its name."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the numbers of the explanation by name."""
        prediction = self.prediction
        return {
            "heat": self.heat,
            "times_s": prediction.times_s,
            "frame_probabilities": prediction.frame_probabilities,
            "class_names": np.array(list(prediction.probabilities)),
        }

    @property
    def title(self) -> str:
        """The predicted class, and the true and the explained one if they are known or differ."""
        prediction = self.prediction
        parts = [f"predicted: {prediction.label} {prediction.probabilities[prediction.label]:.2f}"]
        if self.clip.label is not None:
            parts.append(f"true: {self.clip.label}")
        if self.class_name != prediction.label:
            parts.append(f"heat: {self.class_name}")
        return "     ".join(parts)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Switch the whole network to eval mode, and restore the mode of each part afterwards.

    Args:
        network: The network.
    """
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
