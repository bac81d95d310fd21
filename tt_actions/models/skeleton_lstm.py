"""A peephole LSTM on batch-normalised joints."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tt_actions.models.causal import CausalModel
from tt_actions.models.checks import check_positive
from tt_actions.models.frame_cnn import FrameHead, map_valid_frames
from tt_actions.models.peephole_lstm import PeepholeLSTM
from tt_actions.skeleton.layouts import Layout, find_layout
from tt_actions.skeleton.streams import Stream, check_joints, check_streams, make_stream


class SkeletonLSTM(CausalModel):
    """The published recurrent network on skeletons: an LSTM on all batch-normalised joints of a frame.

    The streams of all joints pass through batch normalisation, a linear layer with rectifier, and one or more
    peephole LSTM layers. The head is the same as in the CNN-LSTM.

    Args:
        num_classes: Number of classes *K*.
        layout: Name of the joint layout.
        streams: Input streams: any of ``joint``, ``bone``, ``joint_motion`` and ``bone_motion``.
        feature_size: Width of the linear layer.
        hidden_size: Number of LSTM units.
        num_layers: Number of LSTM layers.
        peepholes: Whether the LSTM has peephole connections (the cell state feeds the gates).
        fc_size: Size of the first layer of the head.
        dropout: Dropout rate of the outputs of the linear layer, the LSTM and the head.
        delay: Delay in frames between a frame and its logits.

    Shape:
        joints ``(B, T, C, V)`` and lengths ``(B,)`` -> logits ``(B, T, K)``.

    Raises:
        ValueError: If a size is below 1, or the layout or a stream is unknown.
    """

    layout: Layout

    def __init__(
        self,
        num_classes: int,
        layout: str,
        streams: Sequence[Stream] = ("joint", "joint_motion"),
        feature_size: int = 128,
        hidden_size: int = 128,
        num_layers: int = 1,
        peepholes: bool = True,
        fc_size: int = 64,
        dropout: float = 0.3,
        delay: int = 0,
    ) -> None:
        super().__init__(num_classes, delay=delay)
        check_streams(streams)
        check_positive(feature_size=feature_size, num_layers=num_layers)
        self.layout, self.streams = find_layout(layout), tuple(streams)
        num_inputs = len(streams) * self.layout.num_coordinates * len(self.layout.joints)
        self.features = nn.Sequential(
            nn.BatchNorm1d(num_inputs),
            nn.Linear(num_inputs, feature_size),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
        )
        sizes = [feature_size, *[hidden_size] * (num_layers - 1)]
        self.layers = nn.ModuleList(PeepholeLSTM(size, hidden_size, peepholes) for size in sizes)
        self.head = FrameHead(hidden_size, fc_size, num_classes, dropout)

    def advance(self, inputs: Tensor, state: Any = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]:
        """Process the next frames, without delay.

        Args:
            inputs: The next frames of each clip.
            state: State that the previous call returned; None at the start.
            lengths: Number of valid frames of each clip; all if None.

        Returns:
            The logits of each frame, and the state for the next call.

        Shape:
            inputs ``(B, T, C, V)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        check_joints(inputs, self.layout)
        before, states = (None, [None] * len(self.layers)) if state is None else state
        streams = [make_stream(inputs, self.layout, name, before) for name in self.streams]
        h = map_valid_frames(self.features, torch.cat(streams, 2).flatten(2), lengths)  # (B, T, D)
        after = []
        for layer, layer_state in zip(self.layers, states, strict=True):
            h, layer_state = layer(h, layer_state, lengths)  # noqa: PLW2901 - the state after the layer
            after.append(layer_state)
        return self.head(h), (inputs[:, -1:], after)
