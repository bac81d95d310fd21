"""Occlusion: hide a part of a clip, and measure by how much the log-odds of a class fall.

Occlusion (Zeiler & Fergus 2014, arXiv:1311.2901) needs no gradient and no feature map, so it works with every
model, also with those that are fitted in closed form. The score is the class's log-odds. Unlike its
probability, they still change where the model is certain.
"""

import numpy as np
import torch
from torch import Tensor

from tt_actions.models.base import ActionModel

SCORE = "log-odds of the class"
NORMALISATION = "positive falls of the score, divided by the maximum of the clip"

MAX_WINDOWS = 12
"""Number of windows of time in which joints are hidden; of a clip with fewer frames, one per frame."""

MAX_TIMES = 6
"""The same for parts of frames, of which there are many more."""

GRID = 8
"""Number of windows along the longer side of a frame."""

_BATCH = 16


def smooth_windows(size: int, max_windows: int = MAX_WINDOWS) -> np.ndarray:
    """Return evenly spaced windows that overlap smoothly and sum to 1 everywhere.

    Args:
        size: Number of positions *S*, such as the frames of a clip.
        max_windows: Number of windows; of fewer positions, there is one window per position.

    Shape:
        ``(W, S)``, from 0 to 1.

    >>> smooth_windows(3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    num = min(size, max_windows)
    centres = np.linspace(0, size - 1, num)
    hop = (size - 1) / (num - 1) if num > 1 else 1.0
    distance = np.abs(np.arange(size) - centres[:, None]) / hop
    return np.asarray(np.cos(np.pi / 2 * distance.clip(max=1)) ** 2).round(9)


def log_odds(log_probs: Tensor, index: int) -> Tensor:
    """Return the log-odds of a class against all others.

    Args:
        log_probs: Logits or log-probabilities.
        index: Index of the class.

    Shape:
        log_probs ``(..., K)`` -> ``(...)``.

    >>> log_odds(torch.tensor([0.75, 0.25]).log(), 0).exp().item()
    3.0
    """
    others = torch.arange(log_probs.shape[-1], device=log_probs.device) != index
    return log_probs[..., index] - log_probs[..., others].logsumexp(-1)


def pixel_falls(network: ActionModel, clip: Tensor, rest: Tensor, index: int) -> Tensor:
    """Return by how much the log-odds of a class fall if a part of the frames is hidden.

    A part is a window of space and time. The falls are interpolated between the windows.

    Args:
        network: The network, in eval mode.
        clip: The normalised frames of one clip.
        rest: Neutral value of each channel in each frame: see :meth:`ActionModel.forward_hidden`.
        index: Index of the class.

    Shape:
        clip ``(T, C, H, W)``, rest ``(T, C)`` -> ``(T, H, W)``; negative where the log-odds rise.
    """
    num, _, height, width = clip.shape
    across = max(1, round(GRID * width / max(height, width)))
    down = max(1, round(GRID * height / max(height, width)))
    sizes = ((num, MAX_TIMES), (height, down), (width, across))
    t, y, x = (torch.from_numpy(smooth_windows(*each)).to(clip) for each in sizes)
    places = torch.einsum("by,cx->bcyx", y, x).flatten(0, 1)  # (windows of space, H, W)
    found = [hidden_log_odds(network, clip, a[:, None, None] * places[:, None], rest, index) for a in t]
    now = hidden_log_odds(network, clip, torch.zeros_like(clip[None, :, 0]), rest, index)
    falls = (now - torch.stack(found)).view(len(t), len(y), len(x))
    return torch.einsum("at,by,cx,abc->tyx", t, y, x, falls)


@torch.no_grad()
def hidden_log_odds(network: ActionModel, clip: Tensor, masks: Tensor, rest: Tensor, index: int) -> Tensor:
    """Return the log-odds of a class with parts of the frames hidden.

    Args:
        network: The network, in eval mode.
        clip: The normalised frames of one clip.
        masks: How far each pixel is hidden, from 0 to 1, in several ways.
        rest: Neutral value of each channel in each frame: see :meth:`ActionModel.forward_hidden`.
        index: Index of the class.

    Shape:
        clip ``(T, C, H, W)``, masks ``(N, T, H, W)``, rest ``(T, C)`` -> ``(N,)``.
    """
    found = []
    for some in torch.split(masks, _BATCH):
        logits = network.forward_hidden(clip, some, rest)
        lengths = torch.full((len(some),), len(clip), device=clip.device)
        found.append(log_odds(network.clip_log_probability(logits, lengths), index))
    return torch.cat(found)
