"""What the processes of one training agree on."""

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
    """Return what started the processes of this training: torchrun or srun; None where it starts its own."""
    for environment in (TorchElasticEnvironment, SLURMEnvironment):
        if environment.detect():
            started: ClusterEnvironment = environment()
            return started
    return None


def launched_processes() -> tuple[int, int] | None:
    """Return how many processes torchrun or srun started a node, and on how many nodes; None if neither."""
    started = launcher()
    if started is None:
        return None
    variable = "GROUP_WORLD_SIZE" if isinstance(started, TorchElasticEnvironment) else "SLURM_NNODES"
    num_nodes = int(os.environ.get(variable, "1"))
    return started.world_size() // num_nodes, num_nodes


def decided_by_first(name: str, decide: Callable[[], str]) -> str:
    """Let the first process that torchrun or srun started decide for all of them.

    Processes that nobody started decide for themselves.

    Args:
        name: What is decided.
        decide: Decides it; called in one process.
    """
    if launcher() is None:
        return decide()
    if is_first_process():
        _store().set(f"tt_actions/{name}", decide())
    told: bytes = _store().get(f"tt_actions/{name}")  # waits for it
    return told.decode()


@cache  # for as long as the process lives: the first one's serves all others
def _store() -> Any:
    started = launcher()
    assert started is not None
    address, rank, size = (
        f"{started.main_address}:{started.main_port}",
        started.global_rank(),
        started.world_size(),
    )
    # where the process group is made later, torch finds this store again
    store, _, _ = next(rendezvous(f"tcp://{address}?rank={rank}&world_size={size}"))
    return store


def leave_group() -> None:
    """Close what processes talk through, before the interpreter ends; nothing to do where one trains alone.

    Threads of Gloo may still hold tensors. An interpreter that frees those as it ends aborts now and then
    ("terminate called without an active exception"), and a training that ended well looks like a failure;
    torch does not close the group itself (https://github.com/pytorch/pytorch/pull/179291).
    """
    if distributed.is_available() and distributed.is_initialized():
        gc.collect()  # models wrapped for the group hold on to it
        distributed.destroy_process_group()
