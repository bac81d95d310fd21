"""Settings of third-party libraries in a training process: their messages and the freeing of memory."""

import ctypes
import logging
import os
import warnings


def quieten_libraries() -> None:
    """Silence library messages that are useless to users or that tt_actions prints itself."""
    os.environ.setdefault("WANDB_SILENT", "true")
    for name in ("pytorch_lightning", "lightning_fabric"):
        # hardware, advertisements and paths that tt_actions prints itself
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # Lightning 2.6 on torch 2.13
        r".*does not have many workers",  # no worker is right on a CPU: see `default_num_workers`
        r"The number of training batches .* is smaller than the logging interval",  # we log per epoch
        r"``instantiate_classes`` was deprecated",  # Lightning 2.6 on jsonargparse 4.49
        r"It is recommended to use `self.log\(.*sync_dist",  # all processes log the same: see `_log_epoch`
        r"You passed `Trainer\(accelerator='cpu', precision='16-mixed'\)`",  # an error: see `check_trainer`
        r"Total length of `list` across ranks is zero",  # no validation clips
        r"Checkpoint directory .* exists and is not empty",  # a resumed run
        r"`LightningModule.configure_optimizers` returned `None`",  # a model that learns without gradients
        r"`training_step` returned `None`",
        r"\s*Dump of a value that does not round-trip",  # the tuples of a checkpoint's preprocessing
    ):
        warnings.filterwarnings("ignore", message)


def keep_freed_memory() -> None:
    """Make glibc keep freed memory for the next training step instead of returning it to the system.

    Otherwise, every training step on the CPU maps, zeroes and unmaps its large tensors again, which takes two
    fifths of the time of a CNN-LSTM step. This has no effect with another C library.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(-4, 0)  # M_MMAP_MAX: take everything from the heap
        mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: don't shrink it
