"""Shape, structure and motion features of the player's silhouette, read by a peephole LSTM."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tt_actions.models.causal import CausalModel
from tt_actions.models.checks import check_frames, check_positive
from tt_actions.models.frame_cnn import FrameHead, map_valid_frames
from tt_actions.models.peephole_lstm import PeepholeLSTM

NUM_BINS = 12
"""Number of bins of a profile along one side of the frame."""

NUM_ANGLES = 16
"""Number of directions in which the distance of the contour from the centre is measured."""

CHANGE_GRID = (6, 4)
"""Rows and columns of the grid in which changes of the mask are measured."""


class SilhouetteLSTM(CausalModel):
    """A peephole LSTM on batch-normalised silhouette features.

    The published tennis system computes motion features, the structure of the whole body and its outer shape
    from the silhouette, and gives no further details. For our reading see :func:`describe_silhouettes`.
    Layers and head are the same as in ``SkeletonLSTM``.

    Args:
        num_classes: Number of classes *K*.
        feature_size: Width of the linear layer.
        hidden_size: Number of LSTM units.
        peepholes: Whether the LSTM has peephole connections (the cell state feeds the gates).
        fc_size: Size of the first layer of the head.
        dropout: Dropout rate of the outputs of the linear layer, the LSTM and the head.
        delay: Delay in frames between a frame and its logits: see :class:`CausalModel`.

    Shape:
        masks ``(B, T, 1, H, W)``, from 0 to 1, and lengths ``(B,)`` -> logits ``(B, T, K)``.

    Raises:
        ValueError: If a size is below 1.
    """

    in_channels = 1

    def __init__(
        self,
        num_classes: int,
        feature_size: int = 128,
        hidden_size: int = 128,
        peepholes: bool = True,
        fc_size: int = 64,
        dropout: float = 0.3,
        delay: int = 0,
    ) -> None:
        super().__init__(num_classes, delay=delay)
        check_positive(feature_size=feature_size)
        num_features = describe_silhouettes(torch.zeros(1, 2, 1, 8, 8)).shape[-1]
        self.features = nn.Sequential(
            nn.BatchNorm1d(num_features),
            nn.Linear(num_features, feature_size),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
        )
        self.lstm = PeepholeLSTM(feature_size, hidden_size, peepholes)
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
            inputs ``(B, T, 1, H, W)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        check_frames(inputs, self.in_channels, min_size=1)
        before, state = (inputs[:, :1], None) if state is None else state
        described = describe_silhouettes(torch.cat([before, inputs], 1))
        h = map_valid_frames(self.features, described, lengths)  # (B, T, D)
        h, state = self.lstm(h, state, lengths)  # (B, T, H)
        return self.head(h), (inputs[:, -1:], state)


def describe_silhouettes(masks: Tensor) -> Tensor:
    """Compute shape, structure and motion features of each silhouette, relative to the previous one.

    The first silhouette only serves as the previous one of the second. Shape: area, standard deviations along
    both axes and their covariance, and the distance of the contour from the centre in sixteen directions, in
    units of the root of the area. Structure: the centre, the profiles along rows and columns, the shares of
    the left and the upper half around the centre, and the asymmetry of each profile. Motion: the change of
    all these, and of the mask in a grid.

    Args:
        masks: Share of each pixel that the figure covers.

    Returns:
        Features, as shares of the frame's sides unless stated otherwise.

    Shape:
        masks ``(B, T + 1, 1, H, W)``, from 0 to 1 -> ``(B, T, D)``.
    """
    of_frame = _of_single_frames(masks[:, :, 0])  # (B, T + 1, D')
    change = masks.diff(dim=1)[:, :, 0]  # (B, T, H, W)
    grids = [
        F.adaptive_avg_pool2d(part, CHANGE_GRID).flatten(2)
        for part in (change.clamp(min=0), -change.clamp(max=0))
    ]
    return torch.cat([of_frame[:, 1:], of_frame.diff(dim=1), *grids], -1)


def _of_single_frames(masks: Tensor) -> Tensor:
    height, width = masks.shape[-2:]
    down = (torch.arange(height, device=masks.device, dtype=masks.dtype) + 0.5) / height - 0.5
    across = ((torch.arange(width, device=masks.device, dtype=masks.dtype) + 0.5) / width - 0.5) * (
        width / height
    )
    rows, columns = masks.sum(-1), masks.sum(-2)  # (B, T, H), (B, T, W)
    total = rows.sum(-1, keepdim=True).clamp(min=1)
    y, x = (rows @ down)[..., None] / total, (columns @ across)[..., None] / total  # (B, T, 1)
    away_y, away_x = down[:, None] - y[..., None], across - x[..., None]  # (B, T, H, 1), (B, T, 1, W)
    spread_y = ((rows * away_y[..., 0] ** 2).sum(-1, keepdim=True) / total + 1e-6).sqrt()
    spread_x = ((columns * away_x[..., 0, :] ** 2).sum(-1, keepdim=True) / total + 1e-6).sqrt()
    both = (masks * (away_y * away_x)).sum((-2, -1))[..., None] / total
    area = total / (height * height)
    left = (columns * (away_x[..., 0, :] < 0)).sum(-1, keepdim=True) / total
    upper = (rows * (away_y[..., 0] < 0)).sum(-1, keepdim=True) / total
    profiles = [F.adaptive_avg_pool1d(one, NUM_BINS) * (NUM_BINS / total) for one in (rows, columns)]
    lopsided = [(profile - profile.flip(-1)).abs().sum(-1, keepdim=True) for profile in profiles]
    reach = _reach(masks > 0.5, away_y, away_x) / area.sqrt()
    return torch.cat([area, spread_y, spread_x, both, y, x, left, upper, *profiles, *lopsided, reach], -1)


def _reach(inside: Tensor, away_y: Tensor, away_x: Tensor) -> Tensor:
    """The maximum extent of the figure from the centre in each direction: ``(B, T, 16)``."""
    angle = torch.atan2(away_y, away_x)  # (B, T, H, W)
    sector = ((angle / (2 * torch.pi) + 0.5) * NUM_ANGLES).long().clamp(max=NUM_ANGLES - 1)
    distance = torch.hypot(away_y, away_x) * inside
    reach = distance.new_zeros(*distance.shape[:2], NUM_ANGLES)
    return reach.scatter_reduce(-1, sector.flatten(2), distance.flatten(2), "amax")
