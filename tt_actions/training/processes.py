"""Coordination of the processes of one distributed training."""

import gc
import os
from collections.abc import Callable
from functools import cache
from typing import Any

from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from torch import distributed
from torch.distributed.rendezvous import rendezvous

from tt_actions.files import is_first_process


@cache
def launcher() -> ClusterEnvironment | None:
    """Return the launcher of this training's processes, torchrun or srun; None if Lightning starts them."""
    for environment in (TorchElasticEnvironment, SLURMEnvironment):
        if environment.detect():
            started: ClusterEnvironment = environment()
            return started
    return None


def launched_processes() -> tuple[int, int] | None:
    """Return the processes per node and the nodes that torchrun or srun started; None without launcher."""
    started = launcher()
    if started is None:
        return None
    variable = "GROUP_WORLD_SIZE" if isinstance(started, TorchElasticEnvironment) else "SLURM_NNODES"
    num_nodes = int(os.environ.get(variable, "1"))
    return started.world_size() // num_nodes, num_nodes


def decided_by_first(name: str, decide: Callable[[], str]) -> str:
    """Return a value that the first process computes for all processes of torchrun or srun.

    Without a launcher, the process computes the value itself.

    Args:
        name: Name of the value.
        decide: Function that computes it; only one process calls it.
    """
    if launcher() is None:
        return decide()
    if is_first_process():
        _store().set(f"tt_actions/{name}", decide())
    value: bytes = _store().get(f"tt_actions/{name}")  # waits until it is set
    return value.decode()


@cache  # lives as long as the process: all other processes use the store of the first
def _store() -> Any:
    started = launcher()
    assert started is not None
    address, rank, size = (
        f"{started.main_address}:{started.main_port}",
        started.global_rank(),
        started.world_size(),
    )
    # when the process group is created later, torch reuses this store
    store, _, _ = next(rendezvous(f"tcp://{address}?rank={rank}&world_size={size}"))
    return store


def leave_group() -> None:
    """Destroy the process group before the interpreter ends; does nothing in a single process.

    Threads of Gloo may still hold tensors. If the interpreter frees these while it ends, it sometimes aborts
    ("terminate called without an active exception"), and a successful training looks like a failure. torch
    does not destroy the group itself (https://github.com/pytorch/pytorch/pull/179291).
    """
    if distributed.is_available() and distributed.is_initialized():
        gc.collect()  # models wrapped for the group keep references to it
        distributed.destroy_process_group()
