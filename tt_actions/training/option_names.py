"""The names of an experiment's options, read from the source code: importing it would take seconds."""

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PARTS = {
    "trainer": ("pytorch_lightning", "trainer/trainer.py", "Trainer"),
    "data": ("tt_actions", "clips/datamodule.py", "ClipDataModule"),
    "model": ("tt_actions", "training/task.py", "StrokeTask"),
    "wandb": ("tt_actions", "training/wandb_logger.py", "WandbOptions"),
}
"""Package, file and name of the class whose parameters are the options that begin with each word."""


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
    for node in found.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            places = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            return frozenset(place.arg for place in places) - {"self"}
    fields = [node.target for node in found.body if isinstance(node, ast.AnnAssign)]
    return frozenset(field.id for field in fields if isinstance(field, ast.Name))
