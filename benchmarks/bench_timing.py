"""What the benchmarks share: how much they measure, a training with one more callback, and the clock."""

import time
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from tt_actions.training.cli import ActionCLI

Repeats = dict[str, list[float]]
"""What was measured, by name, each repeat a number."""


class Plan(NamedTuple):
    """How much is measured."""

    drawn: int = 64  # four a player
    """Number of drawn clips."""
    size: tuple[int, int] = (320, 240)
    """Width and height of them."""
    stretches: int = 16
    """Stretches of each clip, so that an epoch has nearly as many steps as the experiment's."""
    epochs: int = 4
    """Epochs beside the first, which does not count."""
    repeats: int = 7
    """Repeats of everything else."""
    options: tuple[str, ...] = ()
    """Further options of each training."""


QUICK = Plan(24, (160, 120), 2, 1, 1, ("--data.batch_size", "3", "--data.preprocessing.size", "[32, 32]"))
"""Seconds: whether everything runs, not how fast."""


class TimedCLI(ActionCLI):
    """The command line's own training with one more callback."""

    def __init__(self, args: list[str], callback: Callback) -> None:
        self.callback = callback
        super().__init__(args)

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Make the trainer as ever and add the callback."""
        trainer = super().instantiate_trainer(**kwargs)
        trainer.callbacks.append(self.callback)  # type: ignore[attr-defined]
        return trainer


def now_s(device: torch.device) -> float:
    """Return the time once the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
