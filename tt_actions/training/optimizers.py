"""How a network learns: parts of it slower than others or not at all, or without gradient."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from tt_actions.errors import UserError
from tt_actions.training.parser import refused_by_library


def group_parameters(network: nn.Module, lr_scales: Mapping[str, float]) -> dict[float, list[nn.Parameter]]:
    """Group a network's parameters by the factor on their learning rate, and freeze those whose factor is 0.

    Args:
        network: The network.
        lr_scales: Factors by the beginning of the parameters' names; the longest that fits counts, else 1.

    Returns:
        The parameters that learn, by factor.

    Raises:
        ValueError: If a factor is negative or not finite, a name fits no parameter, or nothing learns.

    >>> network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4))
    >>> {scale: len(group) for scale, group in group_parameters(network, {"1.": 0.1, "1.bias": 0}).items()}
    {1.0: 2, 0.1: 1}
    """
    names = [name for name, _ in network.named_parameters()]
    for part, scale in lr_scales.items():
        if not 0 <= scale < math.inf or not any(name.startswith(part) for name in names):
            parts = ", ".join(dict(network.named_children()))
            raise UserError(
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
    if not groups:
        raise UserError(
            f"Expected `lr_scales` to leave a part of the network to learn, but got {dict(lr_scales)}. "
            "Give one a factor above 0."
        )
    return dict(groups)


def freeze_statistics(network: nn.Module) -> None:
    """Keep the running means and variances of batch normalisation whose parameters are frozen.

    Args:
        network: The network, in training mode.
    """
    for module in network.modules():
        if isinstance(module, _BatchNorm) and module.affine and not module.weight.requires_grad:
            module.eval()


def make_optimizer(
    network: nn.Module,
    lr_scales: Mapping[str, float],
    make: OptimizerCallable,
    schedule: LRSchedulerCallable | None,
) -> Any:
    """Make the optimizer of a network's parts, and its schedule where there is one.

    Args:
        network: The network.
        lr_scales: Factor by the beginning of the parameters' names.
        make: Makes the optimizer.
        schedule: Makes the schedule, or None for constant rates.

    Returns:
        What Lightning's ``configure_optimizers`` returns.

    Raises:
        UserError: If an argument is refused, or the schedule does not keep to the factors.
    """
    groups = group_parameters(network, lr_scales)
    with refused_by_library("optimizer"):
        optimizer = make([{"params": group} for group in groups.values()])
    for group, scale in zip(optimizer.param_groups, groups, strict=True):
        group["lr"] *= scale
    if schedule is None:
        return optimizer
    with refused_by_library("scheduler"):
        scheduler = schedule(optimizer)
    check_rates(optimizer, list(groups), type(scheduler).__name__)
    monitor = getattr(scheduler, "monitor", "val/loss")  # what ReduceLROnPlateau looks at
    return {"optimizer": optimizer, "lr_scheduler": scheduler, "monitor": monitor}


def check_rates(optimizer: Optimizer, scales: Sequence[float], scheduler: str) -> None:
    """Refuse a schedule that sets the same rate for all parts in place of scaling each one's own.

    Args:
        optimizer: With a group of parameters a factor, after the schedule has set its first rates.
        scales: The factors.
        scheduler: What the schedule is called.

    Raises:
        ValueError: If the rates are not apart by the factors.
    """
    rates = [group["lr"] / scale for group, scale in zip(optimizer.param_groups, scales, strict=True)]
    if not all(math.isclose(rate, rates[0]) for rate in rates):
        raise UserError(
            f"Expected a `scheduler` that scales the rates of `lr_scales`, but {scheduler} sets rates of its "
            "own. Use another, such as CosineAnnealingLR, or leave `lr_scales` out."
        )
