"""3D convolutions on joint heat maps."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tt_actions.errors import UserError
from tt_actions.models.base import ActionModel, FeatureMaps
from tt_actions.models.c3d import C3D
from tt_actions.models.checks import check_positive
from tt_actions.skeleton.layouts import Layout, find_layout
from tt_actions.skeleton.streams import check_joints


class SkeletonC3D(ActionModel):
    """3D convolutions and 3D max pooling on joint heat maps, which need no skeleton graph.

    After PoseConv3D (Duan et al. 2022, arXiv:2104.13586): each joint is a Gaussian spot in its own heat map,
    and a clip is a volume of such maps over time. Here the body is seen from the front and, with 3D joints,
    also from the side. The first layer of the source, which combines the maps of all joints, is split: a 1x1
    convolution first mixes the joints of a view into a few maps. It is computed as a product of rows and
    columns, without drawing the map of any single joint. The rest is :class:`~tt_actions.models.c3d.C3D`,
    whose pooling reduces space and time together and whose logits are repeated for their frames. The model is
    not causal.

    Args:
        num_classes: Number of classes *K*.
        layout: Name of the joint layout.
        size: Rows and columns of a heat map.
        reach: How far a heat map extends from the body's centre to each side, in trunk lengths.
        spread: Standard deviation of the spot of a joint, in trunk lengths.
        maps: Number of maps into which the joints of a view are mixed.
        channels: Output channels of each convolutional layer.
        feature_size: Number of features per time step.
        fc_size: Width of the first fully connected layer of the head.
        dropout: Dropout rate of the features and of the output of the first fully connected layer.

    Shape:
        joints ``(B, T, C, V)`` and lengths ``(B,)`` -> logits ``(B, T, K)``.

    Raises:
        ValueError: If a number is out of range or the layout is unknown.
    """

    centres: Tensor

    layout: Layout

    def __init__(
        self,
        num_classes: int,
        layout: str,
        size: int = 24,
        reach: float = 2.5,
        spread: float = 0.2,
        maps: int = 8,
        channels: Sequence[int] = (16, 32, 64),
        feature_size: int = 128,
        fc_size: int = 64,
        dropout: float = 0.3,
    ) -> None:
        super().__init__(num_classes)
        check_positive(maps=maps)
        if min(reach, spread) <= 0 or size < 2 ** len(channels):
            raise UserError(
                "Expected `reach` and `spread` above 0, and `size` of at least 2 to the power of the number "
                f"of `channels`, but got {reach}, {spread}, {size} and {list(channels)}."
            )
        self.layout, self.spread = find_layout(layout), spread
        cell = 2 * reach / size
        self.register_buffer("centres", cell * (torch.arange(size) + 0.5) - reach, persistent=False)
        num_joints, num_views = len(self.layout.joints), self.layout.num_coordinates - 1
        self.mix = nn.Parameter(torch.randn(num_views, maps, num_joints) * num_joints**-0.5)
        self.network = C3D(
            num_classes,
            channels,
            feature_size=feature_size,
            fc_size=fc_size,
            dropout=dropout,
            in_channels=num_views * maps,
        )

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits; logits past ``lengths`` are meaningless.

        Args:
            inputs: Joints of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, C, V)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        check_joints(inputs, self.layout)
        logits: Tensor = self.network(self.draw(inputs), lengths)
        return logits

    def draw(self, joints: Tensor) -> Tensor:
        """Draw the mixed heat maps, with the first row at the top.

        Args:
            joints: Joints of each clip.

        Shape:
            joints ``(B, T, C, V)`` -> ``(B, T, views * maps, size, size)``.
        """
        across = joints[:, :, [0, 2][: len(self.mix)]]  # (B, T, views, V): sideways and in depth
        columns, rows = self._spots(across), self._spots(-joints[:, :, 1])  # (.., V, size)
        weighted = self.mix[..., None] * rows[:, :, None, None]  # (B, T, views, maps, V, size)
        maps = weighted.mT.flatten(3, 4) @ columns  # (B, T, views, maps * size, size)
        return maps.reshape(*maps.shape[:2], -1, len(self.centres), len(self.centres))

    def _spots(self, positions: Tensor) -> Tensor:
        """Gaussian profiles around positions along one axis: ``(...) -> (..., size)``."""
        return torch.exp(-(((positions[..., None] - self.centres) / self.spread) ** 2) / 2)

    def feature_maps(self) -> FeatureMaps | None:
        """Return how to obtain the last feature maps: the last layer, before its pooling."""
        return self.network.feature_maps()
