"""Optimizers with a learning rate per part of the network, and frozen parts."""

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
    """Group a network's parameters by their learning-rate factor, and freeze those with factor 0.

    Args:
        network: The network.
        lr_scales: Factors by prefix of the parameter names. The longest matching prefix applies; without
            one, the factor is 1.

    Returns:
        The parameters that are not frozen, by factor.

    Raises:
        ValueError: If a factor is negative or not finite, a prefix matches no parameter, or everything is
            frozen.

    >>> network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4))
    >>> {scale: len(group) for scale, group in group_parameters(network, {"1.": 0.1, "1.bias": 0}).items()}
    {1.0: 2, 0.1: 1}
    """
    names = [name for name, _ in network.named_parameters()]
    for part, scale in lr_scales.items():
        if not 0 <= scale < math.inf or not any(name.startswith(part) for name in names):
            parts = ", ".join(dict(network.named_children()))
            raise UserError(
                f"Expected `lr_scales` to map parts of the network ({parts}) to factors of at least 0, "
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
            f"Expected `lr_scales` to leave at least one part of the network trainable, but got "
            f"{dict(lr_scales)}. Set one factor above 0."
        )
    return dict(groups)


def freeze_statistics(network: nn.Module) -> None:
    """Freeze the running means and variances of batch normalisation layers with frozen parameters.

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
    """Create the optimizer with one learning rate per part of the network, and its schedule if there is one.

    Args:
        network: The network.
        lr_scales: Learning-rate factors by prefix of the parameter names.
        make: Function that creates the optimizer.
        schedule: Function that creates the schedule, or None for constant rates.

    Returns:
        The value that Lightning expects from ``configure_optimizers``.

    Raises:
        UserError: If an argument is invalid, or the schedule overwrites the factors.
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
    for period in ("T_max", "step_size"):  # torch divides by them after the first epoch
        if getattr(scheduler, period, 1) < 1:
            raise UserError(
                f"Expected `{period}` of `scheduler` to be at least 1, but got {getattr(scheduler, period)}."
            )
    check_rates(optimizer, list(groups), type(scheduler).__name__)
    monitor = getattr(scheduler, "monitor", "val/loss")  # the metric that ReduceLROnPlateau watches
    return {"optimizer": optimizer, "lr_scheduler": scheduler, "monitor": monitor}


def check_rates(optimizer: Optimizer, scales: Sequence[float], scheduler: str) -> None:
    """Check that a schedule scales the learning rate of each part instead of setting one rate for all.

    Args:
        optimizer: Optimizer with one parameter group per factor, after the schedule has set its first rates.
        scales: The factors.
        scheduler: Name of the schedule.

    Raises:
        ValueError: If the rates do not differ by the factors.
    """
    rates = [group["lr"] / scale for group, scale in zip(optimizer.param_groups, scales, strict=True)]
    if not all(math.isclose(rate, rates[0]) for rate in rates):
        raise UserError(
            f"Expected a `scheduler` that keeps the factors of `lr_scales`, but {scheduler} sets its own "
            "rates. Use another, such as CosineAnnealingLR, or remove `lr_scales`."
        )
