"""An exported network that reads joints."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tt_actions.models.base import ActionModel, Average
from tt_actions.skeleton.layouts import Layout

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

INPUTS = ("joints", "lengths", "hands")
"""Names of the graph's inputs, in order."""


class OnnxJointNetwork(ActionModel):
    """A network for clips of joints that runs as an ONNX Runtime graph.

    Args:
        num_classes: Number of classes *K*.
        session: The graph.
        layout: Layout of the joints.
        average: How per-frame probabilities are averaged into those of a clip.

    Shape:
        joints ``(B, T, C, V)`` and lengths ``(B,)`` -> logits ``(B, T, K)``.
    """

    def __init__(
        self, num_classes: int, session: "InferenceSession", layout: Layout, average: Average = "mean"
    ) -> None:
        super().__init__(num_classes, average)
        self.session, self.layout = session, layout

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits of clips whose playing hand is unknown.

        Args:
            inputs: Joints of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, C, V)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        return run_joints(self.session, inputs, lengths, torch.zeros_like(lengths))

    def forward_with_hands(self, inputs: Tensor, lengths: Tensor, hands: Tensor | None) -> Tensor:
        """Return per-frame logits of clips whose playing hands may be given.

        Args:
            inputs: Joints of each clip, padded to the longest; those of given left-handers are mirrored.
            lengths: Number of valid frames of each clip.
            hands: Playing hand of each clip: 1 for right, -1 for left, 0 if unknown; None if all are.

        Shape:
            inputs ``(B, T, C, V)``, lengths and hands ``(B,)`` -> logits ``(B, T, K)``.
        """
        hands = torch.zeros_like(lengths) if hands is None else hands
        return run_joints(self.session, inputs, lengths, hands)


def run_joints(session: "InferenceSession", joints: Tensor, lengths: Tensor, hands: Tensor) -> Tensor:
    """Run a graph on clips of joints.

    Args:
        session: The graph.
        joints: Joints of each clip, padded to the longest.
        lengths: Number of valid frames of each clip.
        hands: Playing hand of each clip: 1 for right, -1 for left, 0 if unknown.

    Shape:
        joints ``(B, T, C, V)``, float32, lengths and hands ``(B,)`` -> logits ``(B, T, K)``.
    """
    values = (np.ascontiguousarray(part.numpy(force=True)) for part in (joints, lengths, hands))
    (logits,) = session.run(["logits"], dict(zip(INPUTS, values, strict=True)))
    return torch.from_numpy(logits)
