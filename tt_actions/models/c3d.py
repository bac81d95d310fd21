"""C3D: convolutions over space and time."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.jit._trace import is_tracing

from tt_actions.models.averages import valid_frames
from tt_actions.models.base import ActionModel, FeatureMaps
from tt_actions.models.checks import check_frames, check_positive
from tt_actions.models.frame_cnn import FrameHead, initialise_for_relu


class C3D(ActionModel):
    """3D convolutions and 3D max pooling, which reduces space and time together.

    After Tran et al. (2015, arXiv:1412.0767), small enough for a CPU: every layer has a 3x3x3 convolution,
    batch normalisation, a rectifier and max pooling. The first layer pools only space, the others pool 2x2x2,
    so later layers cost less. The head classifies each of the remaining time steps, and the logits of a step
    are repeated for its frames: the resolution in time is no finer. The model is not causal.

    Args:
        num_classes: Number of classes *K*.
        channels: Output channels of each convolutional layer.
        grid: Rows and columns of the grid that the last feature map is pooled to.
        feature_size: Number of features per time step.
        fc_size: Width of the first fully connected layer of the head.
        dropout: Dropout rate of the features and of the output of the first fully connected layer.
        in_channels: Number of channels *C* per frame.

    Shape:
        frames ``(B, T, C, H, W)``, floating point, and lengths ``(B,)`` -> logits ``(B, T, K)``.

    Raises:
        ValueError: If there is no layer or a size is below 1.
    """

    def __init__(
        self,
        num_classes: int,
        channels: Sequence[int] = (16, 32, 64),
        grid: tuple[int, int] = (4, 4),
        feature_size: int = 128,
        fc_size: int = 64,
        dropout: float = 0.0,
        in_channels: int = 3,
    ) -> None:
        super().__init__(num_classes)
        check_positive(
            in_channels=in_channels,
            channels=min(channels, default=0),
            grid=min(grid),
            feature_size=feature_size,
        )
        self.in_channels, self.min_size = in_channels, 2 ** len(channels)
        widths = list(zip((in_channels, *channels), channels, strict=False))
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv3d(w_in, w_out, 3, padding=1, bias=False), nn.BatchNorm3d(w_out), nn.ReLU())
            for w_in, w_out in widths
        )
        self.steps = [1 if i == 0 else 2 for i in range(len(widths))]  # pooling steps in time
        self.adjust_scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(tuple(grid)),
            nn.Flatten(),
            nn.Linear(channels[-1] * grid[0] * grid[1], feature_size),
            nn.ReLU(inplace=True),
        )
        self.head = FrameHead(feature_size, fc_size, num_classes, dropout)
        self.apply(initialise_for_relu)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits; logits past ``lengths`` are meaningless.

        Args:
            inputs: Frames of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, C, H, W)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        check_frames(inputs, self.in_channels, self.min_size)
        x = zero_padding(inputs.transpose(1, 2), lengths)  # (B, C, T, H, W)
        for layer, step in zip(self.layers, self.steps, strict=True):
            x = F.max_pool3d(zero_padding(layer(x), lengths), (step, 2, 2), ceil_mode=True)
            lengths = torch.div(lengths + step - 1, step, rounding_mode="floor")
        b, t = x.shape[0], x.shape[2]
        features = self.adjust_scale(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (b, t))  # (B, T/4, D)
        logits: Tensor = self.head(features)
        return logits.repeat_interleave(math.prod(self.steps), dim=1)[:, : inputs.shape[1]]

    def feature_maps(self) -> FeatureMaps:
        """Return how to obtain the last feature maps: the last layer, before its pooling."""
        return FeatureMaps(self.layers[-1], math.prod(self.steps[:-1]))


def zero_padding(x: Tensor, lengths: Tensor) -> Tensor:
    """Set everything past the end of each clip to zero, as a convolution on the clip alone sees it.

    Args:
        x: Feature maps over time.
        lengths: Number of valid steps of each clip.

    Shape:
        x ``(B, C, T, ...)``, lengths ``(B,)`` -> the same.
    """
    is_valid = valid_frames(lengths, x.shape[2])
    is_traced = is_tracing() or torch.compiler.is_exporting()  # type: ignore[no-untyped-call]  # in torch
    if not is_traced and is_valid.all():
        return x
    return x * is_valid.view(x.shape[0], 1, -1, *(1,) * (x.ndim - 3)).to(x.dtype)
