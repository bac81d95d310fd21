"""The options and the provenance of a run in a few readable rows."""

from collections.abc import Mapping
from typing import Any

import yaml

PARTS = {
    "data": "data.source",
    "preprocessing": "data.preprocessing",
    "split": "data",
    "network": "model.network",
    "augmentation": "model.augmentation",
    "optimizer": "model.optimizer",
    "scheduler": "model.scheduler",
    "training": "trainer",
}
"""Title of each row, and the part of the configuration that it shows."""

_SHOWN = {
    "data": ("val_share", "test_share", "split_seed", "num_folds", "fold", "balanced", "batch_size"),
    "trainer": ("max_epochs", "max_steps", "max_time", "precision", "gradient_clip_val"),
}
_UNSET: tuple[Any, ...] = (None, "", [], {}, -1)


def describe_options(config: str) -> list[tuple[str, str]]:
    """Return the title and the text of each row.

    Options that are not set are left out.

    Args:
        config: The configuration of a run as YAML.

    >>> describe_options("data: {source: {class_path: a.UserClips, init_args: {path: clips, seed: null}}}")
    [('data', 'UserClips: path clips')]
    """
    settings = yaml.safe_load(config) or {}
    rows = []
    for title, name in PARTS.items():
        part: Any = settings
        for key in name.split("."):
            part = part.get(key) if isinstance(part, Mapping) else None
        if isinstance(part, Mapping):
            shown = {key: part.get(key) for key in _SHOWN[name]} if name in _SHOWN else part
            if text := _write(shown):
                rows.append((title, text))
    others = {"seed": "seed_everything", "monitor": "monitor", "checkpoint": "ckpt_path"}
    return rows + [(title, str(settings[k])) for title, k in others.items() if settings.get(k) is not None]


def describe_provenance(made_by: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the title and the text of each row of what produced a result.

    Args:
        made_by: The result of :func:`tt_actions.evaluation.provenance.provenance`.

    >>> describe_provenance({"commit": None, "seconds": 125.4, "versions": {"av": "18"}})
    [('duration', '125 s'), ('versions', 'av 18')]
    """
    rows = {
        "commit": made_by.get("commit"),
        "seed": made_by.get("seed"),
        "duration": _round(made_by.get("seconds"), "s"),
        "processor time": _round(made_by.get("processor_seconds"), "s"),
        "date": made_by.get("date"),
        "device": made_by.get("device"),
        "peak memory": _round(made_by.get("peak_memory_mb"), "MB"),
        "versions": ", ".join(f"{name} {text}" for name, text in made_by.get("versions", {}).items()),
        "config hash": made_by.get("config_hash"),
    }
    return [(title, str(text)) for title, text in rows.items() if text not in _UNSET]


def _round(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:.0f} {unit}"


def _write(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_write(item) for item in value) + "]"
    if not isinstance(value, Mapping):
        return str(value)
    if "class_path" not in value:
        return ", ".join(f"{key} {_write(item)}" for key, item in value.items() if item not in _UNSET)
    name, options = str(value["class_path"]).rpartition(".")[2], _write(value.get("init_args") or {})
    return f"{name}: {options}" if options else name
