"""Normalising frames for a network."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Normalisation(nn.Module):
    """Normalises frames for a network; joints pass through unchanged.

    Args:
        means: Mean of each channel, in [0, 1], which is subtracted; empty for joints.
        stds: Standard deviation of each channel, by which the difference is divided.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, means: Sequence[float] = (), stds: Sequence[float] = ()) -> None:
        super().__init__()
        for name, values in (("mean", means), ("std", stds)):
            self.register_buffer(name, torch.tensor(values).float().view(-1, 1, 1), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the normalised inputs.

        Args:
            inputs: Raw frames, uint8 or float in [0, 1], or joints.

        Shape:
            frames ``(..., C, H, W)`` -> the same.
        """
        return normalise(inputs, self.mean, self.std) if len(self.mean) else inputs


def normalise(frames: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Normalise frames for a network.

    It works row by row; pixel by pixel takes four times as long.

    Args:
        frames: The clips, uint8 or float in [0, 1].
        mean: Mean of each channel, which is subtracted from pixels in [0, 1].
        std: Standard deviation of each channel, by which the difference is divided.

    Shape:
        frames ``(B, T, C, H, W)``, mean and std ``(C, 1, 1)`` -> ``(B, T, C, H, W)``, with the memory layout
        of :class:`tt_actions.clips.dataset.Batch`.

    >>> half, quarter = torch.full((3, 1, 1), 0.5), torch.full((3, 1, 1), 0.25)
    >>> normalise(torch.full((1, 1, 3, 1, 1), 255, dtype=torch.uint8), half, quarter).flatten().tolist()
    [2.0, 2.0, 2.0]
    """
    b, t, num_channels, height, width = frames.shape
    mean, std = (value.expand(num_channels, 1, 1).flatten().repeat(width) for value in (mean, std))
    rows = frames.permute(0, 1, 3, 4, 2).flatten(3)  # (B, T, H, W*C), a view of a loader's batch
    if not rows.is_floating_point():
        rows = rows.to(mean.dtype).div_(255)
    rows = (rows.to(mean.dtype) - mean).div_(std)
    return rows.view(b, t, height, width, num_channels).permute(0, 1, 4, 2, 3)
