"""Cross-entropy over whatever has a target: clips, and frames of which some have none."""

import torch.nn.functional as F
from torch import Tensor


def class_distributions(labels: Tensor, num_classes: int, smoothing: float = 0.0) -> Tensor:
    """Return one distribution over the classes a label; all zero where the label is negative (none).

    Args:
        labels: Class indices.
        num_classes: Number of classes *K*.
        smoothing: Share that is spread over all classes.

    Shape:
        labels ``(...)``, int64 -> distributions ``(..., K)``, float32.

    >>> import torch
    >>> class_distributions(torch.tensor([1, -1]), 2, smoothing=0.5)
    tensor([[0.2500, 0.7500],
            [0.0000, 0.0000]])
    """
    one_hot = F.one_hot(labels.clamp(min=0), num_classes).float()
    smoothed = one_hot * (1 - smoothing) + smoothing / num_classes
    return smoothed * (labels >= 0)[..., None]


def weighted_cross_entropy(
    log_probs: Tensor, targets: Tensor, class_weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy as a sum and the weight to divide it by, which give the mean.

    Args:
        log_probs: Log-probability of each class.
        targets: Distribution over the classes; all zero where there is none.
        class_weights: Weight of each class.

    Shape:
        log_probs ``(..., K)``, targets ``(..., K)``, class_weights ``(K,)`` -> sum ``()`` and weight ``()``.
    """
    weighted = targets * class_weights
    return -(weighted * log_probs).sum(), weighted.sum()


def sum_of_means(sums: Tensor, weights: Tensor) -> Tensor:
    """Divide sums by their weights and add up; what nothing has contributed to counts 0.

    Args:
        sums: The sums.
        weights: What to divide each by.

    Shape:
        sums ``(N,)``, weights ``(N,)`` -> ``()``.
    """
    return (sums / weights.clamp(min=1e-12)).sum()
