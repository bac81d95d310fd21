"""A one-dimensional CNN on a trajectory of any length."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tt_actions.errors import UserError
from tt_actions.models.averages import valid_frames
from tt_actions.models.base import ActionModel
from tt_actions.models.checks import check_positive
from tt_actions.models.frame_cnn import is_unpadded, normalise_valid
from tt_actions.skeleton.layouts import Layout, find_layout
from tt_actions.skeleton.streams import Stream, check_joints, check_streams, make_stream


class TrajectoryCNN(ActionModel):
    """A temporal CNN on the trajectory of a racket or a ball, of any length (after Zhang et al.).

    The source classifies the trajectory of a racket with a CNN whose input may have any length. Our reading:
    position and velocity at each frame pass through temporal convolutions with SAME padding, batch
    normalisation and rectifiers, at the full frame rate. Every frame thus keeps its own logits, and the
    average over valid frames replaces a pooling to a fixed length. Convolutions with growing dilation cover
    seconds.

    Args:
        num_classes: Number of classes *K*.
        layout: Name of the layout: ``racket``, ``ball`` or ``ball2d``, or a body layout, whose joints form
            several trajectories.
        streams: Input streams: any of ``joint``, ``bone``, ``joint_motion`` and ``bone_motion``; a trajectory
            has no bones.
        channels: Output channels of each convolution.
        kernel_size: Number of frames covered by a convolution; must be odd.
        dilations: Dilation of each convolution.
        dropout: Dropout rate of the final features.

    Shape:
        joints ``(B, T, C, V)`` and lengths ``(B,)`` -> logits ``(B, T, K)``.

    Raises:
        ValueError: If a size is below 1, ``kernel_size`` is even, or the numbers of dilations and channels
            differ.
    """

    layout: Layout

    def __init__(
        self,
        num_classes: int,
        layout: str,
        streams: Sequence[Stream] = ("joint", "joint_motion"),
        channels: Sequence[int] = (64, 64, 128, 128),
        kernel_size: int = 5,
        dilations: Sequence[int] = (1, 2, 4, 8),
        dropout: float = 0.3,
    ) -> None:
        super().__init__(num_classes)
        check_positive(channels=min(channels, default=0), dilations=min(dilations, default=0))
        if kernel_size < 1 or kernel_size % 2 == 0 or len(dilations) != len(channels):
            raise UserError(
                "Expected an odd `kernel_size` and as many `dilations` as `channels`, but got "
                f"{kernel_size}, {list(dilations)} and {list(channels)}."
            )
        check_streams(streams)
        self.layout, self.streams = find_layout(layout), tuple(streams)
        width = len(streams) * self.layout.num_coordinates * len(self.layout.joints)
        self.norm = nn.BatchNorm1d(width)
        self.convolutions, self.norms = nn.ModuleList(), nn.ModuleList()
        for size, dilation in zip(channels, dilations, strict=True):
            padding = dilation * (kernel_size // 2)
            self.convolutions.append(nn.Conv1d(width, size, kernel_size, padding=padding, dilation=dilation))
            self.norms.append(nn.BatchNorm1d(size))
            width = size
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, num_classes)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits; logits past ``lengths`` are meaningless.

        Args:
            inputs: Trajectories of one batch, padded to the longest.
            lengths: Number of valid frames of each trajectory.

        Shape:
            inputs ``(B, T, C, V)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        check_joints(inputs, self.layout)
        seen = valid_frames(lengths, inputs.shape[1])  # (B, T)
        mask, valid = seen[:, None].to(inputs), None if is_unpadded(lengths, inputs.shape[1]) else seen
        streams = [make_stream(inputs, self.layout, name) for name in self.streams]
        x = torch.cat(streams, 2).flatten(2)  # (B, T, D)
        x = normalise_valid(self.norm, x, valid).transpose(1, 2) * mask  # every convolution sees padding as 0
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            y = normalise_valid(norm, convolution(x).transpose(1, 2), valid).transpose(1, 2).relu()
            x = (y if y.shape != x.shape else x + y) * mask
        logits: Tensor = self.head(self.dropout(x).transpose(1, 2))
        return logits
