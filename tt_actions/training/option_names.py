"""The names of an experiment's options, read from the source code: importing it would take seconds."""

import ast
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

PARTS = {
    "trainer": ("pytorch_lightning", "trainer/trainer.py", "Trainer"),
    "data": ("tt_actions", "clips/datamodule.py", "ClipDataModule"),
    "model": ("tt_actions", "training/task.py", "StrokeTask"),
    "wandb": ("tt_actions", "training/wandb_logger.py", "WandbOptions"),
}
"""Package, file and name of the class whose parameters are the options that begin with each word."""


LINKS = (
    ("plain_preprocessing", "preprocessing"),
    ("class_names", "class_names"),
    ("num_classes", "network.init_args.num_classes"),
    ("num_channels", "network.init_args.in_channels"),
    ("layout", "network.init_args.layout"),
    ("layout", "augmentation.init_args.layout"),
)
"""Pairs of a data attribute and the model argument that it sets.

A link is skipped if the network or augmentation has no such argument.
"""


@cache
def names_of(part: str) -> frozenset[str]:
    """Return the names of the options of one part of an experiment.

    Args:
        part: First word of the options: ``trainer`` for ``--trainer.max_epochs``.

    Returns:
        The names after the first dot; empty if the part is none with a class of its own.

    >>> "max_epochs" in names_of("trainer"), names_of("monitor")
    (True, frozenset())
    """
    if part not in PARTS:
        return frozenset()
    package, file, name = PARTS[part]
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).parent.joinpath(file).read_text("utf-8"))
    (found,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    return frozenset(_arguments(found) or _fields(found))


def _arguments(found: ast.ClassDef) -> list[str]:
    """Return the arguments of a class that has an ``__init__`` of its own."""
    for node in found.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            places = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            return [place.arg for place in places if place.arg != "self"]
    return []


def _fields(found: ast.ClassDef) -> list[str]:
    fields = [node.target for node in found.body if isinstance(node, ast.AnnAssign)]
    return [field.id for field in fields if isinstance(field, ast.Name)]


OWN_CLASSES = {
    "model.network": ("models/*.py",),
    "model.augmentation": ("training/*augmentation.py",),
    "data.source": ("sources/*.py", "sources/synthetic/*.py"),
    "data.preprocessing": ("clips/preprocessing.py", "clips/joint_preprocessing.py", "clips/specs.py"),
}
"""For each option whose value is a class of ours, the files that may define the class."""

PREPROCESSINGS = ("Preprocessing", "JointPreprocessing")
"""The classes of ``data.preprocessing``, which an experiment need not name."""


@cache
def arguments_of(part: str, name: str) -> tuple[str, ...]:
    """Return the arguments of a class of ours that has an ``__init__`` of its own.

    Args:
        part: The option whose value it is, such as ``model.network``.
        name: Name of the class.

    Returns:
        The names; empty if the class is unknown, or takes more than it names.

    >>> arguments_of("model.network", "CNN")[:3], arguments_of("model.network", "ElsewhereNet")
    (('num_classes', 'channels', 'batch_norm'), ())
    """
    folder = Path(__file__).parents[1]
    for path in (path for pattern in OWN_CLASSES[part] for path in sorted(folder.glob(pattern))):
        text = path.read_text("utf-8")
        if f"class {name}(" in text or f"class {name}:" in text:
            nodes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
            return next((_all_arguments(part, node) for node in nodes if node.name == name), ())
    return ()


def _all_arguments(part: str, found: ast.ClassDef) -> tuple[str, ...]:
    """Return the arguments of a class; those of a dataclass are its fields and those of its bases."""
    if any(isinstance(node, ast.arg) and node.arg == "kwargs" for node in ast.walk(found)):
        return ()
    if not any("dataclass" in ast.unparse(decorator) for decorator in found.decorator_list):
        return tuple(_arguments(found))
    bases = [base.id for base in found.bases if isinstance(base, ast.Name)]
    return (*(name for base in bases for name in arguments_of(part, base)), *_fields(found))


def linked_to(part: str) -> set[str]:
    """Return the arguments of a part of the model that the data set.

    Args:
        part: The option whose value is the part, such as ``model.network``.

    >>> sorted(linked_to("model.augmentation"))
    ['layout']
    """
    targets = [f"model.{target}".replace(".init_args", "").rpartition(".") for _, target in LINKS]
    return {name for owner, _, name in targets if owner == part}


def chosen_class(part: str, words: Sequence[str], contents: Sequence[Mapping[str, object]]) -> str | None:
    """Return the name of the class of ours that an option chooses, without checking it.

    Args:
        part: The option, such as ``model.network``.
        words: The words of the command line.
        contents: The contents of the experiment's YAML files.

    Returns:
        The name, or None if the class is not known to be ours.

    >>> chosen_class("model.network", ["--model.network=CNN"], [{"model": {"network": "LSTM"}}])
    'CNN'
    """
    chosen: object = None
    first, second = part.split(".")
    for content in contents:
        outer = content.get(first)
        value = outer.get(second) if isinstance(outer, Mapping) else None
        chosen = (value.get("class_path") if isinstance(value, Mapping) else value) or chosen
    for word, following in pairwise([*words, ""]):
        flag, is_joined, value = word.partition("=")
        if flag in (f"--{part}", f"--{part}.class_path"):
            chosen = value if is_joined else following
    if not isinstance(chosen, str) or not ("." not in chosen or chosen.startswith("tt_actions.")):
        return None
    return chosen.rpartition(".")[2]
