"""What the benchmarks share: a training of the command line's own with one more callback, and the clock."""

import time
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from tt_actions.training.cli import ActionCLI

Repeats = dict[str, list[float]]
"""What was measured, by name, each repeat a number."""


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
