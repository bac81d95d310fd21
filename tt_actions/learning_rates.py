"""Parts of a network that learn slower than others, or not at all."""

from collections import defaultdict
from collections.abc import Mapping

from torch import nn


def group_parameters(network: nn.Module, lr_scales: Mapping[str, float]) -> dict[float, list[nn.Parameter]]:
    """Group a network's parameters by the factor on their learning rate, and freeze those whose factor is 0.

    Args:
        network: The network.
        lr_scales: Factors by the beginning of the parameters' names; the longest that fits counts, else 1.

    Returns:
        The parameters that learn, by factor.

    Raises:
        ValueError: If a factor is negative, or a name fits no parameter.

    >>> network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4))
    >>> {scale: len(group) for scale, group in group_parameters(network, {"1.": 0.1, "1.bias": 0}).items()}
    {1.0: 2, 0.1: 1}
    """
    names = [name for name, _ in network.named_parameters()]
    for part, scale in lr_scales.items():
        if scale < 0 or not any(name.startswith(part) for name in names):
            parts = ", ".join(dict(network.named_children()))
            raise ValueError(
                f"Expected `lr_scales` to give parts of the network ({parts}) factors of at least 0, "
                f"but got {part}: {scale}."
            )
    groups = defaultdict(list)
    for name, parameter in network.named_parameters():
        fitting = [part for part in lr_scales if name.startswith(part)]
        scale = lr_scales[max(fitting, key=len)] if fitting else 1.0
        parameter.requires_grad_(scale > 0)
        if scale > 0:
            groups[scale].append(parameter)
    return dict(groups)
