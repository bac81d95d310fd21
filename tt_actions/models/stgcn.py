"""Adaptive graph convolutions over joints and time, with streams for joints, bones and their motion."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tt_actions.errors import UserError
from tt_actions.models.averages import frame_log_probabilities, valid_frames
from tt_actions.models.causal import CausalModel
from tt_actions.models.checks import check_positive
from tt_actions.models.frame_cnn import is_unpadded, normalise_valid
from tt_actions.models.graph_convolution import GraphConvolution
from tt_actions.skeleton.layouts import Layout, find_layout
from tt_actions.skeleton.streams import Stream, check_joints, check_streams, make_stream


class _Past(NamedTuple):
    """The state of a causal block: the past frames that its convolution needs, and the running mean."""

    frames: Tensor
    total: Tensor
    num_frames: int


class Block(nn.Module):
    """A graph convolution and a temporal convolution, each normalised, with a residual connection.

    Args:
        in_channels: Width of the input.
        out_channels: Width of the output.
        layout: Layout of the joints, with their bones.
        kernel_size: Number of frames covered by the temporal convolution.
        stride: Number of input frames per output frame.
        causal: Whether the block uses no later frames.
        dropout: Dropout rate of the output.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        layout: Layout,
        kernel_size: int,
        stride: int,
        causal: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.graph = GraphConvolution(in_channels, out_channels, layout, max(4, out_channels // 4))
        self.graph_norm = nn.BatchNorm1d(out_channels)
        self.before = kernel_size - 1 if causal else kernel_size // 2
        padding = (0, 0 if causal else self.before)
        self.time = nn.Conv2d(out_channels, out_channels, (1, kernel_size), (1, stride), padding, bias=False)
        nn.init.kaiming_normal_(self.time.weight, nonlinearity="relu")
        self.time_norm = nn.BatchNorm1d(out_channels)
        self.dropout = nn.Dropout(dropout)
        same = in_channels == out_channels
        self.past_graph = nn.Identity() if same else nn.Linear(in_channels, out_channels, bias=False)
        self.stride, self.causal = stride, causal
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in its stub

    def forward(
        self, x: Tensor, lengths: Tensor | None, past: _Past | None = None
    ) -> tuple[Tensor, _Past | None]:
        """Return the convolved features and the state for the next call.

        Args:
            x: Features of each joint at each frame, 0 in padding.
            lengths: Number of valid frames of each clip; all if None.
            past: State that the previous call returned, in a causal network.

        Returns:
            Features, 0 in padding, and the state for the next call.

        Shape:
            x ``(B, V, T, C)``, lengths ``(B,)`` -> ``(B, V, ceil(T / stride), D)``.
        """
        mean, total, count = self._mean(x, lengths, past)
        h = self._norm(self.graph_norm, self.graph(x, mean), lengths).add_(self.past_graph(x))
        h = seen = zero_padding(h.relu_(), lengths)
        if self.causal:
            start = h.new_zeros(*h.shape[:2], self.before, h.shape[3]) if past is None else past.frames
            seen = torch.cat([start, h], 2)
        y = self.time(seen.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)  # (B, V, T, D), in memory too
        left = strided(lengths, self.stride)
        y = self._norm(self.time_norm, y, left).add_(h[:, :, :: self.stride])
        y = self.dropout(zero_padding(y.relu_(), left))
        return y, _Past(seen[:, :, seen.shape[2] - self.before :], total, count) if self.causal else None

    @staticmethod
    def _norm(norm: nn.BatchNorm1d, x: Tensor, lengths: Tensor | None) -> Tensor:
        valid = None if lengths is None else valid_frames(lengths, x.shape[2])[:, None].expand(x.shape[:3])
        return normalise_valid(norm, x, valid)

    def _mean(self, x: Tensor, lengths: Tensor | None, past: _Past | None) -> tuple[Tensor, Tensor, int]:
        """Return the mean over the clip, or over the frames so far, with the sum and the count."""
        num_frames = x.shape[2]
        if not self.causal:
            total = x.sum(2, keepdim=True)
            return total / (num_frames if lengths is None else lengths.view(-1, 1, 1, 1)), total, 0
        before, count = (0.0, 0) if past is None else (past.total, past.num_frames)
        totals = x.cumsum(2) + before
        counts = torch.arange(count + 1, count + num_frames + 1, device=x.device).view(-1, 1)
        return totals / counts, totals[:, :, -1:], count + num_frames


def strided(lengths: Tensor | None, stride: int) -> Tensor | None:
    """Return the number of frames left after keeping every ``stride``-th frame.

    Args:
        lengths: Numbers of frames, or None for all frames.
        stride: Distance between the frames that are kept, starting with the first.

    >>> strided(torch.tensor([4, 5]), 2)
    tensor([2, 3])
    """
    return None if lengths is None else torch.div(lengths + stride - 1, stride, rounding_mode="floor")


def zero_padding(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Set padding to 0.

    Args:
        x: Features over time.
        lengths: Number of valid frames of each clip; all if None.

    Shape:
        x ``(B, V, T, C)``, lengths ``(B,)`` -> the same.
    """
    if lengths is None:
        return x
    return x * valid_frames(lengths, x.shape[2])[:, None, :, None]


class _Backbone(nn.Module):
    """The network of one stream, from joints to per-frame logits, at the frame rate of the last stage."""

    def __init__(
        self,
        num_classes: int,
        layout: Layout,
        channels: Sequence[int],
        blocks: int,
        make_block: Callable[..., Block],
        stride: int,
        dropout: float,
    ) -> None:
        super().__init__()
        num_joints = len(layout.joints)
        self.norm = nn.BatchNorm1d(layout.num_coordinates * num_joints)
        self.embed = nn.Linear(layout.num_coordinates, channels[0])
        self.names = nn.Parameter(torch.randn(num_joints, 1, channels[0]) * 0.5)
        self.blocks, self.strides = nn.ModuleList(), list[int]()
        width = channels[0]
        for stage, size in enumerate(channels):
            for i in range(blocks):
                self.strides.append(stride if stage and not i else 1)
                self.blocks.append(make_block(width, size, self.strides[-1]))
                width = size
        self.pool = nn.Parameter(torch.full((num_joints, 1, width), 1 / num_joints))
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, num_classes))

    def forward(self, x: Tensor, lengths: Tensor | None, state: list[Any] | None) -> tuple[Tensor, list[Any]]:
        valid = None if lengths is None else valid_frames(lengths, x.shape[1])
        x = normalise_valid(self.norm, x.flatten(2), valid).view(x.shape)
        x = zero_padding(self.embed(x.permute(0, 3, 1, 2)) + self.names, lengths)  # (B, V, T, C)
        after = []
        for i, (block, stride) in enumerate(zip(self.blocks, self.strides, strict=True)):
            x, past = block(x, lengths, None if state is None else state[i])
            lengths = strided(lengths, stride)
            after.append(past)
        return self.head((x * self.pool).sum(1)), after


class STGCN(CausalModel):
    """Two-stream adaptive spatio-temporal graph convolution with late fusion.

    The skeleton model of table-tennis stroke recognition (Song et al.), after 2s-AGCN (Shi et al. 2019,
    arXiv:1805.07694): separate networks for joints and bones, and optionally for their motions, whose softmax
    probabilities are averaged. Our reading: each network has stages of blocks, and ``stride`` reduces the
    frame rate from stage to stage. Joints are pooled at every remaining frame, and the logits are repeated to
    restore the frame rate of the clip. The loss is the mean of the loss of the fused probabilities and the
    losses of the streams.

    With ``causal``, no frame uses later frames, the frame rate is not reduced, and :meth:`step` processes a
    stream.

    Args:
        num_classes: Number of classes *K*.
        layout: Name of the joint layout.
        streams: Input streams: any of ``joint``, ``bone``, ``joint_motion`` and ``bone_motion``.
        channels: Width of each stage.
        blocks: Number of blocks per stage.
        kernel_size: Number of frames covered by a temporal convolution; must be odd.
        stride: Factor by which each stage reduces the temporal resolution. Must be 1 with ``causal``.
        causal: Whether the network is causal: no frame uses later frames.
        dropout: Dropout rate of each block's output and of the final features.
        delay: Delay in frames between a frame and its logits; only with ``causal``.

    Shape:
        joints ``(B, T, C, V)`` and lengths ``(B,)`` -> logits ``(B, T, K)``.

    Raises:
        ValueError: If a size is below 1, ``kernel_size`` is even, the layout or a stream is unknown,
            ``stride`` is above 1 with ``causal``, or ``delay`` is set without ``causal``.
    """

    layout: Layout

    def __init__(
        self,
        num_classes: int,
        layout: str,
        streams: Sequence[Stream] = ("joint", "bone"),
        channels: Sequence[int] = (32, 48, 96),
        blocks: int = 2,
        kernel_size: int = 9,
        stride: int = 2,
        causal: bool = False,
        dropout: float = 0.1,
        delay: int = 0,
    ) -> None:
        super().__init__(num_classes, delay=delay)
        check_streams(streams)
        check_positive(channels=min(channels, default=0), blocks=blocks, stride=stride)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise UserError(f"Expected `kernel_size` to be odd, but got {kernel_size}.")
        if (causal and stride > 1) or (delay and not causal):
            raise UserError(
                "Expected `stride` 1 with `causal`, and `delay` 0 without `causal`, but got "
                f"{stride} and {delay}."
            )
        self.layout, self.streams, self.causal = find_layout(layout), tuple(streams), causal
        self.shrinkage = stride ** (len(channels) - 1)  # input frames per frame of the last stage

        def make_block(width: int, size: int, stride: int) -> Block:
            return Block(width, size, self.layout, kernel_size, stride, causal, dropout)

        self.networks = nn.ModuleList(
            _Backbone(num_classes, self.layout, channels, blocks, make_block, stride, dropout)
            for _ in streams
        )

    @property
    def is_causal(self) -> bool:
        """Whether the network is causal: no frame uses later frames."""
        return self.causal

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

        Raises:
            ValueError: If there is a state, but the model is not causal.
        """
        if state is not None and not self.causal:
            raise UserError("Expected `causal: true` for frame-by-frame processing, but it is false.")
        logits, state = self._streams(inputs, state, lengths)
        return fuse(logits), state

    def _streams(
        self, inputs: Tensor, state: Any = None, lengths: Tensor | None = None
    ) -> tuple[list[Tensor], Any]:
        """Return the per-frame logits of each stream, and the state for the next call."""
        check_joints(inputs, self.layout)
        t = inputs.shape[1]
        if lengths is not None and is_unpadded(lengths, t):
            lengths = None
        before, states = (None, [None] * len(self.networks)) if state is None else state
        logits, after = [], []
        for network, name, own in zip(self.networks, self.streams, states, strict=True):
            coarse, past = network(make_stream(inputs, self.layout, name, before), lengths, own)
            logits.append(coarse.repeat_interleave(self.shrinkage, 1)[:, :t])
            after.append(past)
        return logits, (inputs[:, -1:], after)

    def objective(
        self,
        inputs: Tensor,
        lengths: Tensor,
        class_loss: Callable[[Tensor], Tensor],
        frame_labels: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the mean of the fused loss and the loss of each stream, and the fused logits.

        Args:
            inputs: Clips of one batch, padded to the longest.
            lengths: Number of valid frames of each clip.
            class_loss: Function that returns the loss of per-frame logits.
            frame_labels: Class of each frame, or None.

        Shape:
            inputs ``(B, T, C, V)``, lengths ``(B,)`` -> loss ``()``, logits ``(B, T, K)``.
        """
        if self.delay or len(self.streams) == 1:
            return super().objective(inputs, lengths, class_loss, frame_labels)
        streams, _ = self._streams(inputs, None, lengths)
        fused = fuse(streams)
        losses = [class_loss(logits) for logits in (fused, *streams)]
        return torch.stack(losses).mean(), fused


def fuse(logits: Sequence[Tensor]) -> Tensor:
    """Return the log of the averaged probabilities of several networks.

    Args:
        logits: Logits of each network.

    Shape:
        one tensor ``(..., K)`` per network -> ``(..., K)``.
    """
    if len(logits) == 1:
        return logits[0]
    return torch.stack([frame_log_probabilities(x) for x in logits]).logsumexp(0) - math.log(len(logits))
