"""Shared parts of the benchmarks: the plan, a training with an additional callback, and the clock."""

import time
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from tt_actions.training.cli import ActionCLI

Repeats = dict[str, list[float]]
"""Results of all repeats, by name of the measurement."""


class Plan(NamedTuple):
    """Numbers of clips, epochs and repeats of a benchmark."""

    drawn: int = 64
    """Number of synthetic clips."""
    size: tuple[int, int] = (320, 240)
    """Width and height of the clips."""
    stretches: int = 16
    """Number of parts of each clip, so that an epoch has nearly as many steps as in the experiment."""
    epochs: int = 4
    """Number of epochs after the first, which is a warm-up."""
    repeats: int = 7
    """Number of repeats of all other measurements."""
    options: tuple[str, ...] = ()
    """Further options of each training."""


FEW_PIXELS = ("--data.preprocessing.num_frames", "8", "--data.preprocessing.size", "[32, 32]")
QUICK = Plan(20, (160, 120), 2, 1, 1, ("--data.batch_size", "2", *FEW_PIXELS))
"""A smoke test of a few seconds; ignore its numbers."""


class TimedCLI(ActionCLI):
    """The training of the command line with an additional callback."""

    def __init__(self, args: list[str], callback: Callback) -> None:
        self.callback = callback
        super().__init__(args)

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Create the trainer as usual and add the callback."""
        trainer = super().instantiate_trainer(**kwargs)
        trainer.callbacks.append(self.callback)  # type: ignore[attr-defined]
        return trainer


def now_s(device: torch.device) -> float:
    """Return the time after the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
