"""Cross-entropy over everything that has a target: clips, and frames, of which some have none."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, distributed

from tt_actions.errors import UserError


def weights_by_class(class_weights: Sequence[float] | None, class_names: Sequence[str]) -> Tensor:
    """Return the weight of each class in the loss.

    Args:
        class_weights: The weights, or None for equal ones.
        class_names: Names of the *K* classes.

    Shape:
        ``(K,)``.

    Raises:
        ValueError: If the number of weights is not the number of classes, a weight is negative or not finite,
            or all are 0.
    """
    weights = torch.ones(len(class_names)) if class_weights is None else torch.tensor(class_weights)
    is_weight = weights.isfinite() & (weights >= 0)
    if len(weights) != len(class_names) or not is_weight.all() or not weights.any():
        raise UserError(
            f"Expected `class_weights` for {', '.join(class_names)}, finite, not negative and not all 0, "
            f"but got {class_weights}."
        )
    return weights


def check_loss_options(frame_loss: float, label_smoothing: float) -> None:
    """Raise an error for invalid loss options.

    Args:
        frame_loss: Weight of the cross-entropy of the frames.
        label_smoothing: Share of the target that is spread over all classes.

    Raises:
        ValueError: If an option is out of range.
    """
    if frame_loss < 0 or not 0 <= label_smoothing < 1:
        raise UserError(
            "Expected `frame_loss` >= 0 and 0 <= `label_smoothing` < 1, but got "
            f"{frame_loss} and {label_smoothing}."
        )


def class_distributions(labels: Tensor, num_classes: int, smoothing: float = 0.0) -> Tensor:
    """Return one class distribution per label, or zeros for a negative label (no label).

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
    """Return the sum of the cross-entropy and of its weights, whose ratio is the mean.

    Args:
        log_probs: Log-probability of each class.
        targets: Distribution over the classes; all zero if there is no label.
        class_weights: Weight of each class.

    Shape:
        log_probs ``(..., K)``, targets ``(..., K)``, class_weights ``(K,)`` -> sum ``()`` and weight ``()``.
    """
    weighted = targets * class_weights
    return -(weighted * log_probs).sum(), weighted.sum()


def sum_of_means(sums: Tensor, weights: Tensor) -> Tensor:
    """Divide each sum by its weight and add the results; a part without contributions counts as 0.

    Args:
        sums: The sums.
        weights: Divisor of each sum.

    Shape:
        sums ``(N,)``, weights ``(N,)`` -> ``()``.
    """
    return (sums / weights.clamp(min=1e-12)).sum()


def mean_over_processes(counts: Tensor) -> Tensor:
    """Average counts over all training processes; every process must call it.

    Training averages gradients over processes. A loss that is a mean over clips or frames therefore divides
    by this average instead of its own count. The averaged gradient is then the gradient of the mean over all
    clips or frames, however they are distributed over the processes.

    Args:
        counts: The counts of this process, or sums of weights.

    Returns:
        The mean of the counts as floating point, without gradients; for a single process, the counts
        themselves.

    Shape:
        any -> the same.

    >>> import torch
    >>> mean_over_processes(torch.tensor([3, 4]))
    tensor([3., 4.])
    """
    counts = counts.detach().clone()
    counts = counts if counts.is_floating_point() else counts.float()
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(counts)
        counts /= distributed.get_world_size()
    return counts
