"""A residual 3D CNN followed by a bidirectional transformer."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tt_actions.errors import UserError
from tt_actions.models.averages import valid_frames
from tt_actions.models.base import ActionModel, FeatureMaps
from tt_actions.models.c3d import zero_padding
from tt_actions.models.checks import check_frames, check_positive
from tt_actions.models.frame_cnn import FrameHead, initialise_for_relu


class R3DTransformer(ActionModel):
    """A residual 3D CNN whose snippet features are related by a bidirectional transformer.

    After Chalavadi and Yenduri: a BERT-like transformer aggregates 3D features over time, in place of global
    average pooling. The convolutions are factorised into space and time (Tran et al. 2018, arXiv:1711.11248).
    Our reading: every time step of the last feature map is a snippet with one token, sinusoids encode the
    positions of the tokens (Vaswani et al. 2017), and each token is classified. The logits of a snippet are
    repeated for its frames: the resolution in time is no finer. The model is not causal.

    Args:
        num_classes: Number of classes *K*.
        channels: Output channels of each residual stage. Every stage except the first halves the spatial and
            temporal resolution.
        num_layers: Number of transformer layers.
        num_heads: Number of attention heads. It must divide the last entry of ``channels``.
        fc_size: Width of the first fully connected layer of the head.
        dropout: Dropout rate in the transformer and the head.
        in_channels: Number of channels *C* per frame.

    Shape:
        frames ``(B, T, C, H, W)``, floating point, and lengths ``(B,)`` -> logits ``(B, T, K)``.

    Raises:
        ValueError: If there is no stage, a size is below 1, or ``num_heads`` does not divide the width.
    """

    def __init__(
        self,
        num_classes: int,
        channels: Sequence[int] = (16, 32, 64),
        num_layers: int = 2,
        num_heads: int = 4,
        fc_size: int = 64,
        dropout: float = 0.0,
        in_channels: int = 3,
    ) -> None:
        super().__init__(num_classes)
        check_positive(
            in_channels=in_channels,
            channels=min(channels, default=0),
            num_layers=num_layers,
            num_heads=num_heads,
        )
        width = channels[-1]
        if width % num_heads or width % 2:
            raise UserError(
                f"Expected `num_heads` to divide the last of `channels`, which must be even, but got "
                f"{num_heads} and {width}."
            )
        self.in_channels, self.min_size = in_channels, 2 ** (len(channels) + 1)
        self.stem = nn.Sequential(
            nn.Conv3d(in_channels, channels[0], (1, 5, 5), stride=(1, 2, 2), padding=(0, 2, 2), bias=False),
            nn.BatchNorm3d(channels[0]),
            nn.ReLU(),
        )
        self.stages = nn.ModuleList(
            ResidualBlock(before, width, stride=1 if i == 0 else 2)
            for i, (before, width) in enumerate(zip((channels[0], *channels), channels, strict=False))
        )
        self.stride = 2 ** (len(channels) - 1)  # of the stages, in space and time
        self.transformer = _make_transformer(width, num_layers, num_heads, dropout)
        self.head = FrameHead(width, fc_size, num_classes, dropout)
        self.stem.apply(initialise_for_relu)
        self.stages.apply(initialise_for_relu)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits; logits past ``lengths`` are meaningless.

        Args:
            inputs: Frames of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, C, H, W)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        check_frames(inputs, self.in_channels, self.min_size)
        x, steps = self.stem(inputs.transpose(1, 2)), lengths  # (B, C, T, H, W)
        for stage in self.stages:
            x, steps = stage(x, steps)
        tokens = x.mean((3, 4)).transpose(1, 2)  # (B, T/4, D)
        tokens = tokens + sinusoids(tokens.shape[1], tokens.shape[2]).to(tokens)
        tokens = self.transformer(tokens, src_key_padding_mask=~valid_frames(steps, tokens.shape[1]))
        logits: Tensor = self.head(tokens)
        return logits.repeat_interleave(self.stride, dim=1)[:, : inputs.shape[1]]

    def feature_maps(self) -> FeatureMaps:
        """Return how to obtain the last feature maps: the rectifier of the last block."""
        last = self.stages[-1]
        assert isinstance(last, ResidualBlock)
        return FeatureMaps(last.relu, self.stride)


def _make_transformer(width: int, num_layers: int, num_heads: int, dropout: float) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        width, num_heads, 2 * width, dropout, batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, num_layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)


class ResidualBlock(nn.Module):
    """Two factorised 3D convolutions with a shortcut (He et al. 2016; Tran et al. 2018).

    Args:
        in_channels: Channels of the input.
        channels: Channels of the output.
        stride: Factor by which the block reduces space and time.
    """

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.space = nn.Sequential(
            nn.Conv3d(in_channels, channels, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False),
            nn.BatchNorm3d(channels),
            nn.ReLU(),
        )
        self.time = nn.Sequential(
            nn.Conv3d(channels, channels, (3, 1, 1), (stride, 1, 1), (1, 0, 0), bias=False),
            nn.BatchNorm3d(channels),
        )
        self.shortcut = nn.Sequential(
            nn.Conv3d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm3d(channels)
        )
        self.relu = nn.ReLU()

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the block's output and the number of valid time steps.

        Args:
            x: Feature maps over time.
            lengths: Number of valid steps of each clip.

        Shape:
            x ``(B, C, T, H, W)``, lengths ``(B,)`` -> ``(B, C', T/s, H/s, W/s)``, ``(B,)``.
        """
        y = self.time(zero_padding(self.space(x), lengths)) + self.shortcut(x)
        return self.relu(y), torch.div(lengths + self.stride - 1, self.stride, rounding_mode="floor")


def sinusoids(num_steps: int, width: int) -> Tensor:
    """Return the position encoding of Vaswani et al. (2017), section 3.5.

    Args:
        num_steps: Number of positions.
        width: Number of features, even.

    Shape:
        ``(num_steps, width)``.

    >>> sinusoids(2, 2)
    tensor([[0.0000, 1.0000],
            [0.8415, 0.5403]])
    """
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000) / width))
    angles = torch.arange(num_steps)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)
