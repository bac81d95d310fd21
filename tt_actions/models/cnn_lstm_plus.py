"""A modern variant of the hybrid network, for few clips and no GPU."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tt_actions.errors import UserError
from tt_actions.models.base import Average, FeatureMaps
from tt_actions.models.causal import CausalModel
from tt_actions.models.checks import check_frames, check_positive
from tt_actions.models.frame_cnn import initialise_for_relu
from tt_actions.models.peephole_lstm import PeepholeLSTM, State


class PlusState(NamedTuple):
    """The state of :meth:`CNNLSTMPlus.advance`.

    Shape:
        frame ``(B, C, H, W)``; shifted ``(B, C / 8, H, W)`` for each block; lstm twice ``(B, H)``.
    """

    frame: Tensor
    shifted: list[Tensor]
    lstm: State


class CNNLSTMPlus(CausalModel):
    """A residual CNN with motion input, followed by a peephole LSTM over time.

    It differs from the published ``CNNLSTM`` in four points. Each frame comes with its difference from
    the previous frame, a cheap substitute for optical flow (Wang et al. 2016, arXiv:1608.00859). Residual
    blocks use group normalisation, which does not depend on the batch (He et al. 2016; Wu & He 2018). In
    every block, an eighth of the channels comes from the previous frame, the online temporal shift of Lin et
    al. (2019, arXiv:1811.08383). It has dropout. The model is causal: :meth:`step` processes one frame at a
    time.

    Args:
        num_classes: Number of classes *K*.
        channels: Output channels of each residual block, multiples of 8. Every block except the first halves
            the resolution.
        motion: Whether the difference from the previous frame is an additional input.
        shift: Whether the blocks shift channels from the previous frame (temporal shift).
        grid: Rows and columns of the grid that the last feature map is pooled to.
        feature_size: Number of features per frame.
        hidden_size: Number of LSTM units.
        peepholes: Whether the LSTM has peephole connections (the cell state feeds the gates).
        dropout: Dropout rate of the pooled maps, the features and the LSTM's output.
        average: How per-frame probabilities are combined into the clip's probabilities: their mean, or an
            average with learned weights.
        delay: Delay in frames between a frame and its logits: see :class:`CausalModel`.
        in_channels: Number of channels *C* per frame.

    Shape:
        frames ``(B, T, C, H, W)``, floating point, normalised, and lengths ``(B,)`` -> logits ``(B, T, K)``.

    Raises:
        ValueError: If a size is below 1, a width is not a multiple of 8, or ``average`` is unknown.
    """

    def __init__(
        self,
        num_classes: int,
        channels: Sequence[int] = (16, 32, 64, 96),
        motion: bool = True,
        shift: bool = True,
        grid: tuple[int, int] = (3, 3),
        feature_size: int = 64,
        hidden_size: int = 64,
        peepholes: bool = True,
        dropout: float = 0.3,
        average: Average = "mean",
        delay: int = 0,
        in_channels: int = 3,
    ) -> None:
        super().__init__(num_classes, average, delay)
        check_positive(
            in_channels=in_channels,
            channels=min(channels, default=0),
            grid=min(grid),
            feature_size=feature_size,
        )
        if any(width % 8 for width in channels):
            raise UserError(f"Expected `channels` to be multiples of 8, but got {list(channels)}.")
        self.in_channels, self.motion, self.min_size = in_channels, motion, 2 ** len(channels)
        self.stem = _make_stem(in_channels * (2 if motion else 1), channels[0])
        self.blocks = nn.ModuleList(
            ShiftBlock(before, width, stride=1 if i == 0 else 2, shift=shift)
            for i, (before, width) in enumerate(zip((channels[0], *channels), channels, strict=False))
        )
        self.pool = _make_pool(channels[-1], grid, feature_size, dropout)
        self.lstm = PeepholeLSTM(feature_size, hidden_size, peepholes)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden_size, num_classes))
        for part in (self.stem, self.blocks, self.pool):
            part.apply(initialise_for_relu)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in its stub

    def advance(
        self, inputs: Tensor, state: PlusState | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, PlusState]:
        """Process the next frames, without delay.

        Args:
            inputs: The next frames of each clip.
            state: State that the previous call returned; None at the start.
            lengths: Number of valid frames of each clip; all if None.

        Returns:
            The logits of each frame, and the state for the next call.

        Shape:
            inputs ``(B, T, C, H, W)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        check_frames(inputs, self.in_channels, self.min_size)
        b, t = inputs.shape[:2]
        x = inputs
        if self.motion:
            before = x[:, :1] if state is None else state.frame[:, None]
            x = torch.cat([x, MOTION_GAIN * x.diff(dim=1, prepend=before)], 2)
        x = self.stem(x.flatten(0, 1))  # (B*T, C, H, W)
        shifted = []
        for i, block in enumerate(self.blocks):
            own = x.view(b, t, *x.shape[1:])[:, :, : block.num_shifted]
            first = torch.zeros_like(own[:, :1]) if state is None else state.shifted[i][:, None]
            from_before = torch.cat([first, own[:, :-1]], 1).flatten(0, 1) if block.num_shifted else None
            shifted.append(own[:, -1])
            x = block(x, from_before)
        h, lstm = self.lstm(self.pool(x).view(b, t, -1), state.lstm if state else None, lengths)  # (B, T, H)
        return self.head(h), PlusState(inputs[:, -1], shifted, lstm)

    def feature_maps(self) -> FeatureMaps:
        """Return how to obtain the last feature maps: the last block."""
        return FeatureMaps(self.blocks[-1])


def _make_stem(in_channels: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 5, stride=2, padding=2, bias=False),
        nn.GroupNorm(8, channels),
        nn.ReLU(inplace=True),
    )


def _make_pool(channels: int, grid: tuple[int, int], feature_size: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(tuple(grid)),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(channels * grid[0] * grid[1], feature_size),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
    )


MOTION_GAIN = 2.0
"""Scale for frame differences, which are small compared with the frames."""


class ShiftBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut; some of the input channels come from the previous frame.

    Args:
        in_channels: Channels of the input.
        channels: Channels of the output.
        stride: Factor by which the block reduces the resolution.
        shift: Whether an eighth of the input channels comes from the previous frame.
    """

    def __init__(self, in_channels: int, channels: int, stride: int, shift: bool) -> None:
        super().__init__()
        self.num_shifted = in_channels // 8 if shift else 0
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False),
            nn.GroupNorm(8, channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.GroupNorm(8, channels),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or in_channels != channels:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True),
                nn.Conv2d(in_channels, channels, 1, bias=False),
                nn.GroupNorm(8, channels),
            )

    def forward(self, x: Tensor, before: Tensor | None) -> Tensor:
        """Return the block's feature maps.

        Args:
            x: Feature maps of single frames.
            before: The first channels of the previous frames, or None without shift.

        Shape:
            x ``(N, C, H, W)``, before ``(N, C / 8, H, W)`` -> ``(N, C', H / s, W / s)``.
        """
        shifted = x if before is None else torch.cat([before, x[:, self.num_shifted :]], 1)
        y: Tensor = self.layers(shifted) + self.shortcut(x)
        return y.relu_()
