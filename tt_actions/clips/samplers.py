"""The order in which clips are loaded, and the number of loader processes."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DistributedSampler, Sampler


class EpochSampler(Sampler[tuple[int, int]]):
    """A training order that depends only on seed and epoch, so that a resumed run sees the same clips.

    Each item is a clip's index and the seed of its random choice of frames.

    Args:
        labels: Class of each clip.
        balanced: Whether to draw clips with replacement, every class equally often, instead of each clip
            once.
        epoch: Number of the first epoch.
    """

    def __init__(self, labels: Sequence[str | int | None], balanced: bool, epoch: int = 0) -> None:
        counts = Counter(labels)
        self.weights = torch.tensor([1 / counts[label] for label in labels], dtype=torch.float64)
        self.balanced = balanced
        self.epoch = epoch

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch whose order is used; Lightning calls this before each epoch.

        Args:
            epoch: Number of the epoch.
        """
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        seed = int(os.environ.get("PL_GLOBAL_SEED", "0"))
        rng = torch.Generator().manual_seed(seed * 1_000_003 + self.epoch)
        if self.balanced:
            order = torch.multinomial(self.weights, len(self), replacement=True, generator=rng)
        else:
            order = torch.randperm(len(self), generator=rng)
        seeds = torch.randint(2**31, (len(self),), generator=rng)
        return iter(list(zip(order.tolist(), seeds.tolist(), strict=True)))

    def __len__(self) -> int:
        return len(self.weights)


class PartSampler(DistributedSampler[Any]):
    """The items of one process, dealt out in turn: all batches together equal those of a single process.

    All parts are equally long, because otherwise processes would wait for each other forever. If the number
    of clips is not a multiple of the number of processes, None fills up the parts; it does not count
    anywhere. Lightning's own samplers repeat clips instead.

    Args:
        order: The items of all processes.
        num_processes: Number of processes.
        process: Number of this process, from 0.
    """

    def __init__(self, order: Sampler[Any] | range, num_processes: int, process: int) -> None:
        super().__init__(order, num_processes, process, shuffle=False)  # type: ignore[arg-type]  # a sampler with a length
        self.order = order

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch whose order is used; Lightning calls this before each epoch.

        Args:
            epoch: Number of the epoch.
        """
        if isinstance(self.order, EpochSampler):
            self.order.set_epoch(epoch)

    def __iter__(self) -> Iterator[Any]:
        items = list(self.order)
        items += [None] * (self.total_size - len(items))
        return iter(items[self.rank :: self.num_replicas])


def default_num_workers() -> int:
    """Return a suitable number of loader processes for this machine.

    It is 0 without a GPU: cached frames load in a fraction of a training step, and workers would take its
    cores. With GPUs, it is the number of spare cores per GPU, up to 8.
    """
    if not torch.cuda.is_available():
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, cores // max(1, torch.cuda.device_count()) - 1))
