"""Histograms of gradients and motion with a kernel classifier, for a few dozen clips."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from tt_actions.errors import UserError
from tt_actions.models.checks import check_frames, check_positive
from tt_actions.models.kernel_model import KernelModel

Descriptor = Literal["hog", "hof", "mbh"]


class HistogramKernel(KernelModel):
    """Kernel ridge regression on histograms of edge and motion directions.

    A clip is described as in Laptev et al. (2008) and Wang et al. (2011): by histograms of the directions of
    the brightness gradient (HOG), of the optical flow (HOF) and of the gradients of the two flow components,
    the motion boundaries (MBH), in the cells of a grid over the frame and in temporal parts of the clip. A
    pixel counts in the nearest cells and parts, with more weight in the nearer ones (Dalal & Triggs 2005), so
    that a small shift of the player changes little. The square root of each descriptor has length 1. A
    Gaussian kernel of the distances between descriptors compares clips.

    Args:
        num_classes: Number of classes *K*.
        descriptors: Any of ``hog``, ``hof`` and ``mbh``.
        grid: Rows and columns of the grid of cells over the frame.
        parts: Number of temporal parts that a clip is divided into.
        num_directions: Number of direction bins.
        min_speed: Motion slower than this, in frame heights per second, does not count in ``hof``.
        gamma: Factor for the squared distance between the descriptors of two clips in the exponent of the
            kernel.

    Shape:
        frames ``(B, T, 5, H, W)``, RGB and flow in frame heights per second, and lengths ``(B,)`` -> logits
        ``(B, T, K)``.

    Raises:
        ValueError: If a number is out of range or a descriptor is unknown.
    """

    in_channels = 5
    graph_obstacle = "it describes each clip separately over all of its frames"

    def __init__(
        self,
        num_classes: int,
        descriptors: Sequence[Descriptor] = ("mbh",),
        grid: tuple[int, int] = (4, 4),
        parts: int = 3,
        num_directions: int = 8,
        min_speed: float = 0.06,
        gamma: float = 2.0,
    ) -> None:
        check_positive(grid=min(grid), parts=parts)
        unknown = [name for name in descriptors if name not in get_args(Descriptor)]
        if unknown or not descriptors:
            raise UserError(
                f"Expected `descriptors` to be any of {get_args(Descriptor)}, but got {list(descriptors)}."
            )
        if num_directions < 3 or min_speed < 0 or gamma <= 0:
            raise UserError(
                "Expected `num_directions` >= 3, `min_speed` >= 0 and `gamma` > 0, but got "
                f"{num_directions}, {min_speed} and {gamma}."
            )
        num_fields = sum(2 if name == "mbh" else 1 for name in descriptors)
        super().__init__(num_classes, num_fields * parts * num_directions * grid[0] * grid[1])
        self.descriptors, self.grid, self.parts = tuple(descriptors), (grid[0], grid[1]), parts
        self.num_directions, self.min_speed, self.gamma = num_directions, min_speed, gamma

    def describe(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the descriptors by which clips are compared.

        Args:
            inputs: Frames of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, 5, H, W)``, lengths ``(B,)`` -> ``(B, D)``.
        """
        check_frames(inputs, self.in_channels, max(2, *self.grid))
        with torch.autocast(inputs.device.type, enabled=False):
            clips = zip(inputs, lengths.tolist(), strict=True)
            return torch.stack([self._describe(clip[:length].float()) for clip, length in clips])

    def forward_hidden(self, clip: Tensor, masks: Tensor, rest: Tensor) -> Tensor:  # noqa: ARG002
        """Return the logits of one clip as if what is hidden stood still, without an edge.

        The hidden part of each pixel's edges and motion does not count in the histograms. A changed picture
        would have motion boundaries of its own, where it changes.

        Args:
            clip: The frames of the clip.
            masks: How far each pixel is hidden, from 0 to 1, in several ways.
            rest: Not used.

        Shape:
            clip ``(T, 5, H, W)``, masks ``(N, T, H, W)``, rest ``(T, 5)`` -> logits ``(N, T, K)``.
        """
        with torch.autocast(clip.device.type, enabled=False):
            maps = self._direction_maps(clip.float())
            sums = [self._sum(one) for one in maps]
            features = []
            for mask in masks:
                hidden = [self._sum(one, mask) if mask.any() else 0 for one in maps]
                left = [(total - part).clamp(min=0) for total, part in zip(sums, hidden, strict=True)]
                features.append(self._join(left))
        return self.regress(torch.stack(features), len(clip))

    def _describe(self, clip: Tensor) -> Tensor:
        """Return the descriptors ``(D,)`` of the frames ``(T, 5, H, W)`` of one clip."""
        return self._join([self._sum(maps) for maps in self._direction_maps(clip)])

    def _direction_maps(self, clip: Tensor) -> list[Tensor]:
        """Return the direction bins ``(F, T, num_directions, H, W)`` of the fields of each descriptor."""
        fields: dict[Descriptor, list[Tensor]] = {
            "hog": [gradient(clip[:, :3].mean(1))],
            "hof": [clip[:, 3:]],
            "mbh": [gradient(clip[:, 3]), gradient(clip[:, 4])],
        }
        slowest = {"hog": 0.0, "hof": self.min_speed, "mbh": 0.0}
        return [
            torch.stack([direction_bins(field, self.num_directions, slowest[name]) for field in fields[name]])
            for name in self.descriptors
        ]

    def _sum(self, maps: Tensor, mask: Tensor | None = None) -> Tensor:
        """Sum direction bins ``(F, T, num_directions, H, W)`` in all cells and temporal parts.

        With a mask ``(T, H, W)``, each pixel counts by its share in the mask.
        """
        cells = {1: self.parts, 3: self.grid[0], 4: self.grid[1]}
        weights = [cell_weights(maps.shape[dim], num).to(maps) for dim, num in cells.items()]
        if mask is not None:  # most masks are small
            t, y, x = extent = [slice(int(at.min()), int(at.max()) + 1) for at in mask.nonzero().T]
            maps = maps[:, t, :, y, x] * mask[t, None, y, x]
            weights = [of_all[:, part] for of_all, part in zip(weights, extent, strict=True)]
        for dim, of_cells in zip(cells, weights, strict=True):
            maps = torch.tensordot(maps, of_cells, ([dim], [1])).movedim(-1, dim)
        return maps

    def _join(self, sums: list[Tensor]) -> Tensor:
        """Return the descriptors ``(D,)`` of a clip, each of length 1."""
        return torch.cat([F.normalize((one.flatten() + BIN_OFFSET).sqrt(), dim=0) for one in sums])

    def compare(self, some: Tensor, others: Tensor) -> Tensor:
        """Return the Gaussian kernel between descriptors, each made of unit vectors.

        Args:
            some: Descriptors.
            others: Other descriptors.

        Shape:
            some ``(M, D)``, others ``(N, D)`` -> ``(M, N)``.
        """
        return torch.exp(2 * self.gamma * (some @ others.T - len(self.descriptors)))


BIN_OFFSET = 1e-6
"""Added to each bin, so that a clip without motion still has a valid descriptor and gradient."""


def direction_bins(field: Tensor, num_directions: int, min_length: float = 0.0) -> Tensor:
    """Distribute vectors over the two nearest direction bins: maps of the share in each bin.

    Args:
        field: Vector fields.
        num_directions: Number of directions. The first points right (x), the next ones turn towards y.
        min_length: Vectors up to this length count as 0.

    Returns:
        The length along each direction: the vector is the sum of its components along its two directions.

    Shape:
        field ``(N, 2, H, W)`` -> ``(N, num_directions, H, W)``.

    >>> right_and_up = torch.tensor([2.0, -2.0]).view(1, 2, 1, 1)
    >>> direction_bins(right_and_up, 4).flatten().round(decimals=4).tolist()
    [2.0, 0.0, 0.0, 2.0]
    """
    step = 2 * math.pi / num_directions
    angles = step * torch.arange(num_directions, device=field.device, dtype=field.dtype)
    x, y = field[:, :1], field[:, 1:]
    beside = x * angles.sin().view(-1, 1, 1) - y * angles.cos().view(-1, 1, 1)  # cross product with each
    shares = torch.minimum(beside.roll(-1, 1), -beside.roll(1, 1)).relu() / math.sin(step)
    return shares * (field.norm(dim=1, keepdim=True) > min_length) if min_length else shares


def cell_weights(size: int, num_cells: int) -> Tensor:
    """Return the weight of each sample in a row for each of the cells along the row.

    Args:
        size: Number of samples.
        num_cells: Number of cells.

    Returns:
        Weights that fall linearly from the centre of a cell to the centres of the neighbouring cells and sum
        to 1.

    Shape:
        ``(num_cells, size)``.

    >>> (7 * cell_weights(4, 2)).round().tolist()
    [[3.0, 3.0, 1.0, 0.0], [0.0, 1.0, 3.0, 3.0]]
    """
    samples, centres = ((torch.arange(num) + 0.5) / num for num in (size, num_cells))
    distance = (samples - centres[:, None]).abs() * min(
        size, num_cells
    )  # with fewer samples than cells, the nearest sample counts
    weights = (1 - distance).clamp(min=0)
    return weights / weights.sum(1, keepdim=True)


def gradient(maps: Tensor) -> Tensor:
    """Return the derivatives of maps to the right and down, by central differences.

    Args:
        maps: The maps.

    Shape:
        maps ``(N, H, W)`` -> ``(N, 2, H, W)``.

    >>> gradient(torch.arange(6.0).view(1, 2, 3))[0, :, 0].tolist()
    [[1.0, 1.0, 1.0], [3.0, 3.0, 3.0]]
    """
    down, right = torch.gradient(maps, dim=(1, 2))
    return torch.stack([right, down], 1)
