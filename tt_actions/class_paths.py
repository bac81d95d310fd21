"""Which classes a YAML file or a checkpoint may name; the list is closed, because an import runs code."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from jsonargparse import set_parsing_settings

from tt_actions.errors import UserError

IN_CHECKPOINTS = (
    "tt_actions.training.augmentation.Augmentation",
    "tt_actions.training.joint_augmentation.JointAugmentation",
    "pytorch_lightning.cli.ReduceLROnPlateau",
)
"""Class paths that a checkpoint may name in addition to the classes of :func:`allow_in_checkpoints`."""

IN_EXPERIMENTS = (
    "tt_actions.clips.preprocessing.Preprocessing",
    "tt_actions.clips.joint_preprocessing.JointPreprocessing",
    "pytorch_lightning.callbacks",
    "pytorch_lightning.plugins",
    "pytorch_lightning.profilers",
    "pytorch_lightning.strategies",
    "lightning_fabric.plugins",  # where some of these plugins are defined
)
"""Class paths that an experiment's YAML may name in addition to these and to the sources of clips."""

RENAMED = {
    "tt_actions.preprocessing.Preprocessing": "tt_actions.clips.preprocessing.Preprocessing",
    "tt_actions.skeleton.augmentation.JointAugmentation": (
        "tt_actions.training.joint_augmentation.JointAugmentation"
    ),
    "tt_actions.skeleton.preprocessing.JointPreprocessing": (
        "tt_actions.clips.joint_preprocessing.JointPreprocessing"
    ),
    "tt_actions.sources.manifest.ManifestSource": "tt_actions.sources.ManifestSource",
    "tt_actions.sources.rallies.UserRallies": "tt_actions.sources.UserRallies",
    "tt_actions.transforms.Augmentation": "tt_actions.training.augmentation.Augmentation",
}
"""Current paths of classes that older checkpoints and configurations name by an earlier path."""

IMPORTED_KEYS = (
    "class_path",
    "_class_path",
    "_instantiator",
    "network",
    "optimizer",
    "scheduler",
    "augmentation",
)
"""Keys of a checkpoint's hyperparameters whose value is imported if it is a string."""

ADVICE = "If it belongs to a package that you trust, add `--trust` with the name of the package."

TRUST_VARIABLE = "TT_ACTIONS_TRUST"
"""Environment variable that passes the packages of ``--trust``, separated by commas, to child processes."""

DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
"""Text that could be the path of something to import."""

OWN_PATH = re.compile(r"(?<![\w./])tt_actions(\.\w+)+")
"""Text that could be the path of one of our classes."""

_trusted: set[str] = set()
_allowed: set[str] = set(IN_CHECKPOINTS)

set_parsing_settings(import_path_denylist=["*"], import_path_allowlist=list(IN_CHECKPOINTS))


def trust(packages: Iterable[str]) -> None:
    """Allow YAML files and checkpoints to name classes of these packages, for the rest of the process.

    Packages that an installed distribution lists as entry points of the group ``tt_actions`` are trusted
    without ``--trust``: see :func:`trust_installed`.

    Args:
        packages: Import names of packages, such as ``my_package``.

    Raises:
        ValueError: If a name is not an import name.
    """
    for package in [packages] if isinstance(packages, str) else packages:
        if not all(part.isidentifier() for part in package.split(".")) or package.startswith("jsonargparse"):
            raise UserError(
                f"Expected `--trust` to be the import name of a package, such as my_package, but got "
                f"'{package}'."
            )
        _trusted.add(package)
        set_parsing_settings(import_path_allowlist=[package])


def is_trusted(path: str) -> bool:
    """Return whether a class path belongs to a package that the user trusts.

    Args:
        path: The class path.
    """
    return any(path == root or path.startswith(f"{root}.") for root in _trusted)


def trust_installed() -> None:
    """Trust the packages that installed distributions list as entry points of the group ``tt_actions``."""
    trust(entry.module for entry in entry_points(group="tt_actions"))


def with_current_paths(content: Any) -> Any:
    """Return the content of a checkpoint or a configuration with every old class path replaced.

    Args:
        content: Text, or plain values in dictionaries and lists.

    >>> with_current_paths({"class_path": "tt_actions.transforms.Augmentation"})
    {'class_path': 'tt_actions.training.augmentation.Augmentation'}
    >>> with_current_paths('augmentation: "tt_actions.transforms.Augmentation"')
    'augmentation: "tt_actions.training.augmentation.Augmentation"'
    """
    if isinstance(content, Mapping):
        return {key: with_current_paths(value) for key, value in content.items()}
    if isinstance(content, list):
        return [with_current_paths(value) for value in content]
    if isinstance(content, str):
        return OWN_PATH.sub(lambda found: RENAMED.get(found[0], found[0]), content)
    return content


def allow_in_checkpoints(*modules: ModuleType) -> None:
    """Allow checkpoints, and YAML files too, to name the public classes of these modules.

    Args:
        modules: Modules whose classes may be named by either of their import paths.
    """
    _allowed.update(path for module in modules for path in _class_paths(module))
    set_parsing_settings(import_path_allowlist=sorted(_allowed))


def allow_in_experiments(*modules: ModuleType) -> None:
    """Allow YAML files to name Lightning's parts and the public classes of these modules.

    Args:
        modules: Modules whose classes may be named by either of their import paths.
    """
    paths = [path for module in modules for path in _class_paths(module)]
    set_parsing_settings(import_path_allowlist=[*IN_EXPERIMENTS, *paths])


def _class_paths(module: ModuleType) -> list[str]:
    """The paths of the classes that a module offers and that its own package defines."""
    classes = {name: member for name, member in vars(module).items() if isinstance(member, type)}
    own = {name: member for name, member in classes.items() if member.__module__.startswith(module.__name__)}
    public = [f"{module.__name__}.{name}" for name in own]
    return public + [f"{member.__module__}.{member.__qualname__}" for member in own.values()]


def refused_import(message: str) -> str | None:
    """Turn jsonargparse's message about a refused import into a sentence for the user.

    Args:
        message: The message of jsonargparse.

    Returns:
        The sentence, or None if the message is about something else.

    >>> refused_import("x: Importing 'os.system' is not allowed, denied by the '*' entry")[:51]
    'Expected a class that tt_actions knows, but got `os'
    """
    found = re.search(r"Importing '([\w.]+)' is not allowed", message)
    if found is None:
        return None
    return f"Expected a class that tt_actions knows, but got `{found[1]}`, which was not imported. {ADVICE}"


def check_class_paths(hyper_parameters: Mapping[str, Any], path: Path | str) -> None:
    """Raise an error if a checkpoint's hyperparameters name anything but known classes.

    Nothing is imported.

    Args:
        hyper_parameters: The hyperparameters in the checkpoint.
        path: The checkpoint, for the message.

    Raises:
        UserError: If a path is not allowed.
    """
    for name in _named_paths(hyper_parameters):
        if not _is_allowed(name):
            raise UserError(
                f"Expected '{path}' to name only parts of models that tt_actions knows, but got `{name}`, "
                f"which was not imported. {ADVICE}"
            )


def _named_paths(content: Any, key: str = "", is_part: bool = False) -> Iterator[str]:
    """Yield each text that would be imported: class paths, and within a part all that look like one."""
    if isinstance(content, Mapping):
        for name, value in content.items():
            yield from _named_paths(value, str(name), is_part or name in IMPORTED_KEYS)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from _named_paths(value, key, is_part)
    elif isinstance(content, str) and (key in IMPORTED_KEYS or (is_part and DOTTED.fullmatch(content))):
        yield content


def _is_allowed(path: str) -> bool:
    if "." not in path or path == "pytorch_lightning.cli.instantiate_module":
        return True  # short for a known class; what Lightning writes, which is not called
    return path in _allowed or is_trusted(path)


trust(filter(None, os.environ.get(TRUST_VARIABLE, "").split(",")))
