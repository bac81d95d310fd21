"""How the libraries of a training behave in its process: what they print, and how memory is freed."""

import ctypes
import logging
import os
import warnings


def quieten_libraries() -> None:
    """Silence what libraries print that is no use to a user, or that we say ourselves."""
    os.environ.setdefault("WANDB_SILENT", "true")
    for name in ("pytorch_lightning", "lightning_fabric"):
        # hardware, advertisements and paths that we say ourselves
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # Lightning 2.6 on torch 2.13
        r".*does not have many workers",  # none is right on a CPU: see `default_num_workers`
        r"The number of training batches .* is smaller than the logging interval",  # we log by epoch
        r"``instantiate_classes`` was deprecated",  # Lightning 2.6 on jsonargparse 4.49
        r"It is recommended to use `self.log\(.*sync_dist",  # all processes log the same: see `_log_epoch`
        r"You passed `Trainer\(accelerator='cpu', precision='16-mixed'\)`",  # refused: see `check_trainer`
        r"Total length of `list` across ranks is zero",  # no clip is for validation
        r"Checkpoint directory .* exists and is not empty",  # a resumed run's
        r"`LightningModule.configure_optimizers` returned `None`",  # a model that learns without gradient
        r"`training_step` returned `None`",
        r"\s*Dump of a value that does not round-trip",  # the tuples of a checkpoint's preprocessing
    ):
        warnings.filterwarnings("ignore", message)


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next step instead of giving it back to the system.

    Otherwise the large tensors of a training step on the CPU are mapped, zeroed and unmapped anew at every
    step: two fifths of the CNN-LSTM's step. Does nothing where the C library is another.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(-4, 0)  # M_MMAP_MAX: take everything from the heap
        mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: don't shrink it
