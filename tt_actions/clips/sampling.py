"""Sampling: which frames of a clip a network reads."""

from typing import Literal, get_args

import numpy as np
import torch

from tt_actions.errors import UserError

Sampling = Literal["uniform", "dense", "all"]


def sample_indices(
    num_available: int,
    num_frames: int,
    sampling: Sampling,
    training: bool,
    rng: torch.Generator | None = None,
) -> np.ndarray:
    """Choose the frames of a clip that a network reads.

    - ``uniform`` divides the clip into T equal segments and takes one frame from each: the centre or, in
      training, a random one. Frames of a clip shorter than T are repeated.
    - ``dense`` takes T neighbouring frames: from the middle or, in training, from a random start. It takes
      all frames of a shorter clip.
    - ``all`` takes every frame. If there are more than T, it takes the centres of T segments.

    Args:
        num_available: Number of frames of the clip.
        num_frames: Number of frames *T* to choose.
        sampling: How to choose.
        training: Whether to choose at random.
        rng: Random generator; None for torch's global one.

    Returns:
        Indices in increasing order.

    Shape:
        ``(T,)`` int64; ``dense`` and ``all`` return fewer if the clip has fewer frames.

    Raises:
        ValueError: If a number is below 1 or ``sampling`` is unknown.

    >>> sample_indices(10, 4, "uniform", training=False)
    array([1, 3, 6, 8])
    >>> sample_indices(10, 4, "dense", training=False)
    array([3, 4, 5, 6])
    >>> sample_indices(3, 4, "all", training=False)
    array([0, 1, 2])
    """
    if min(num_available, num_frames) < 1 or sampling not in get_args(Sampling):
        raise UserError(
            f"Expected `num_available` and `num_frames` to be at least 1 and `sampling` to be one of "
            f"{get_args(Sampling)}, but got {num_available}, {num_frames} and '{sampling}'."
        )
    if sampling != "uniform" and num_available <= num_frames:
        return np.arange(num_available)
    if sampling == "dense":
        last = num_available - num_frames
        start = int(torch.randint(last + 1, (), generator=rng)) if training else last // 2
        return np.arange(start, start + num_frames)
    random = training and sampling == "uniform"
    within = torch.rand(num_frames, generator=rng, dtype=torch.float64).numpy() if random else 0.5
    indices = ((np.arange(num_frames) + within) * num_available / num_frames).astype(np.int64)
    return indices.clip(max=num_available - 1)  # a random number close to 1 can round up
