"""Gaussians with independent dimensions."""

import math

from torch import Tensor


def standardise(x: Tensor, means: Tensor, spreads: Tensor) -> Tensor:
    """Return the distance of points from the mean of each Gaussian, in standard deviations.

    Args:
        x: Points.
        means: Means of the Gaussians.
        spreads: Standard deviations of the Gaussians.

    Shape:
        x ``(..., D)``, means and spreads ``(M, D)`` -> ``(..., M, D)``.
    """
    return (x[..., None, :] - means) / spreads


def log_density(standardised: Tensor, spreads: Tensor) -> Tensor:
    """Return the log-density of points under each Gaussian.

    Args:
        standardised: The output of :func:`standardise`.
        spreads: Standard deviations of the Gaussians.

    Shape:
        standardised ``(..., M, D)``, spreads ``(M, D)`` -> ``(..., M)``.

    >>> import torch
    >>> log_density(torch.zeros(1, 2), torch.ones(1, 2))  # -log(2 pi)
    tensor([-1.8379])
    """
    constant = spreads.log().sum(-1) + spreads.shape[-1] * math.log(2 * math.pi) / 2
    return -standardised.square().sum(-1) / 2 - constant
