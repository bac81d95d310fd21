"""Provenance of a result: configuration, versions, commit and machine."""

import hashlib
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytorch_lightning as pl
import torch
import torchmetrics


def provenance(
    config_text: str,
    seed: int | None,
    device: torch.device | None = None,
    *,
    seconds: float,
    processor_seconds: float,
) -> dict[str, Any]:
    """Describe how a result was produced.

    Args:
        config_text: The complete configuration of the run; only its SHA-256 is stored.
        seed: Random seed of the run.
        device: Device of the run; None for the CPU.
        seconds: Wall time of the run in seconds.
        processor_seconds: Processor time of the run in seconds, over all cores. Other programs that run at
            the same time hardly change it.

    Returns:
        ``config_hash``, ``seed``, ``seconds``, ``processor_seconds``, ``peak_memory_mb`` (of this process so
        far; None if the system doesn't report it), ``date`` (UTC), ``commit`` (with the suffix ``-dirty`` if
        files were changed; None outside a checkout), ``device`` and ``versions``.
    """
    if device is not None and device.type == "cuda":
        device_name = torch.cuda.get_device_name(device)
    else:
        device_name = f"{_cpu_name()}, {os.cpu_count()} cores"
    modules = {"torch": torch, "pytorch-lightning": pl, "torchmetrics": torchmetrics, "numpy": np}
    modules |= {"opencv": cv2, "av": av}
    return {
        "config_hash": hashlib.sha256(config_text.encode()).hexdigest(),
        "seed": seed,
        "seconds": round(seconds, 1),
        "processor_seconds": round(processor_seconds, 1),
        "peak_memory_mb": _peak_memory_mb(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(Path(__file__).parents[2]),
        "device": device_name,
        "versions": {
            "python": platform.python_version(),
            "tt-actions": version("tt-actions"),
            **{name: str(module.__version__) for name, module in modules.items()},
        },
    }


def _peak_memory_mb() -> float | None:
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")  # Linux only; elsewhere `platform` has the name
    lines = cpuinfo.read_text("utf-8").splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _commit(checkout: Path) -> str | None:
    if not (checkout / ".git").exists():  # the package may be installed inside another project's checkout
        return None
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None  # git is missing, or doesn't trust this folder
    return run.stdout.strip() or None
