"""Shared parts of networks of single frames: convolutional features, a head, and masking of padding."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from tt_actions.models.averages import valid_frames
from tt_actions.models.checks import check_positive

PART_BYTES = 2**25
"""Size of the first layer's output up to which a processor trains on a batch at once. The C library returns
larger blocks to the system each time, and so pays for every page again; they do not fit into caches either.
512 frames of 64x48 train 1.45 times as fast in four parts."""


class FrameCNN(nn.Module):
    """Convolutional features of single frames, with the same width for every frame size.

    Each layer is a 3x3 convolution of stride 1 with SAME padding, a rectifier and a 2x2 max-pooling. The
    source leaves two points open. Our reading: pooling has a stride of 2 pixels (the source prints 0), and
    the "scale adjustment" is adaptive average pooling to a fixed grid, a linear layer and a rectifier.
    Pooling runs before the rectifier: both are monotone, so the result is the same for a quarter of the work.
    Convolutions are initialised as in He et al. (2015), equation 10, and run in channels-last memory. A
    processor trains on large batches in parts: see ``PART_BYTES``.

    Args:
        in_channels: Number of channels *C* per frame.
        channels: Output channels of each layer.
        batch_norm: Whether batch normalisation follows each convolution.
        grid: Rows and columns of the grid that the last feature map is pooled to.
        feature_size: Width *D* of the features.

    Shape:
        frames ``(N, C, H, W)`` -> features ``(N, D)``; H and W of at least ``min_size``.

    Raises:
        ValueError: If there is no layer or a size is below 1.
    """

    def __init__(
        self,
        in_channels: int = 3,
        channels: Sequence[int] = (16, 32, 64),
        batch_norm: bool = False,
        grid: tuple[int, int] = (4, 4),
        feature_size: int = 128,
    ) -> None:
        super().__init__()
        check_positive(
            in_channels=in_channels,
            channels=min(channels, default=0),
            grid=min(grid),
            feature_size=feature_size,
        )
        layers: list[nn.Module] = []
        for width, width_before in zip(channels, (in_channels, *channels), strict=False):
            layers.append(nn.Conv2d(width_before, width, kernel_size=3, padding=1, bias=not batch_norm))
            layers += [nn.BatchNorm2d(width)] if batch_norm else []
            layers += [nn.MaxPool2d(2), nn.ReLU(inplace=True)]
        self.min_size = 2 ** len(channels)
        self._bytes_per_pixel = None if batch_norm else 4 * channels[0]  # statistics need the whole batch
        self.layers = nn.Sequential(*layers)
        self.adjust_scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(tuple(grid)),
            nn.Flatten(),
            nn.Linear(channels[-1] * grid[0] * grid[1], feature_size),
            nn.ReLU(inplace=True),
        )
        self.apply(initialise_for_relu)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in its stub

    def forward(self, frames: Tensor) -> Tensor:
        """Return the features of each frame.

        Args:
            frames: Single frames.

        Shape:
            frames ``(N, C, H, W)`` -> features ``(N, D)``.
        """
        num_parts = self._num_parts(frames)
        parts = (frames,) if num_parts == 1 else frames.chunk(num_parts)
        features = [self.adjust_scale(self.layers(part)) for part in parts]
        return features[0] if num_parts == 1 else torch.cat(features)

    def _num_parts(self, frames: Tensor) -> int:
        """Return in how many parts to process a batch; only one if a GPU or nobody waits for gradients."""
        if not self.training or frames.device.type != "cpu" or self._bytes_per_pixel is None:
            return 1
        num_bytes = self._bytes_per_pixel * len(frames) * frames.shape[2] * frames.shape[3]
        return max(1, math.ceil(num_bytes / PART_BYTES))


class FrameHead(nn.Sequential):
    """Two fully connected layers per frame, with a rectifier between them.

    Args:
        feature_size: Width *D* of the input.
        fc_size: Width of the first layer.
        num_classes: Number of classes *K*.
        dropout: Dropout rate of the input and of the output of the first layer.

    Shape:
        features ``(..., D)`` -> logits ``(..., K)``.

    Raises:
        ValueError: If a size is below 1.
    """

    def __init__(self, feature_size: int, fc_size: int, num_classes: int, dropout: float = 0.0) -> None:
        check_positive(feature_size=feature_size, fc_size=fc_size)
        super().__init__(
            nn.Dropout(dropout),
            nn.Linear(feature_size, fc_size),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(fc_size, num_classes),
        )
        initialise_for_relu(self[1])


def is_unpadded(lengths: Tensor, num_frames: int) -> bool:
    """Return whether all frames of a batch are valid; False during an export, whose graph suits every batch.

    Args:
        lengths: Number of valid frames of each clip.
        num_frames: Length *T* of the batch.
    """
    return not torch.compiler.is_exporting() and bool((lengths == num_frames).all())


def map_valid_frames(network: Callable[[Tensor], Tensor], frames: Tensor, lengths: Tensor | None) -> Tensor:
    """Apply a network of single frames to the valid frames of a batch of clips.

    This way, padding costs no computation and does not enter the statistics of batch normalisation.

    Args:
        network: Maps single frames to features of width *D*.
        frames: Frames of each clip, padded to the longest.
        lengths: Number of valid frames of each clip; all if None.

    Returns:
        The features of each frame, zero past ``lengths``.

    Shape:
        frames ``(B, T, ...)``, lengths ``(B,)`` -> features ``(B, T, D)``.
    """
    valid = None if lengths is None else valid_frames(lengths, frames.shape[1])
    if valid is None or valid.all():
        return network(frames.flatten(0, 1)).view(*frames.shape[:2], -1)
    features = network(frames[valid])  # (N, D)
    return features.new_zeros(*valid.shape, features.shape[1]).index_put((valid,), features)


def normalise_valid(norm: nn.Module, x: Tensor, valid: Tensor | None) -> Tensor:
    """Batch-normalise features; in training, the statistics use only valid positions.

    Args:
        norm: The normalisation layer.
        x: Features of each position.
        valid: Mask of the positions that are not padding; all if None.

    Returns:
        The features; in training, padding is 0.

    Shape:
        x ``(..., C)``, valid ``(...)``, bool -> ``(..., C)``.
    """
    if valid is None or not norm.training:
        every: Tensor = norm(x.flatten(0, -2)).view(x.shape)
        return every
    normed: Tensor = norm(x[valid])  # (N, C)
    return normed.new_zeros(x.shape).index_put((valid,), normed)


def initialise_for_relu(layer: nn.Module) -> None:
    """Initialise a layer that precedes a rectifier as in He et al. (2015), equation 10, with zero bias.

    Args:
        layer: The layer; other layers than convolutions and linear ones are not changed.
    """
    if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.Linear):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
