"""Beginning with another training's weights, and going on with a run."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule

from tt_actions.errors import UserError
from tt_actions.models.base import ActionModel
from tt_actions.recognition.checkpoint import read_checkpoint

FOR_CLASSES = re.compile(r"(.*\.)?(head|average)\.|initial|transitions")
"""The parts of a network that belong to the classes it names."""


def load_network_weights(network: ActionModel, path: str, class_names: Sequence[str]) -> None:
    """Give a network the weights of a checkpoint, but for those of the head where that is for other classes.

    A conditional random field may begin with the weights of the model below it alone.

    Args:
        network: What to fill; its last layers are called ``head``, weights of an average ``average``.
        path: The checkpoint.
        class_names: The classes that the network is for.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds the weights of another network.
    """
    content = read_checkpoint(path)
    prefix, keeps_head = "network.", tuple(content["hyper_parameters"]["class_names"]) != tuple(class_names)
    given = {k.removeprefix(prefix): w for k, w in content["state_dict"].items() if k.startswith(prefix)}
    if network.chain is not None and "transitions" not in given:
        network = network.frame_network  # the weights of the model below; those of the chain begin at 0
    own = network.state_dict()
    if keeps_head:
        own, given = ({k: w for k, w in x.items() if not FOR_CLASSES.match(k)} for x in (own, given))
    if {k: w.shape for k, w in own.items()} != {k: w.shape for k, w in given.items()}:
        raise UserError(
            f"Expected `init_from` to hold the weights of the same {type(network).__name__}, but '{path}' "
            f"holds those of {content['hyper_parameters'].get('network')}. Give the model the same arguments."
        )
    network.load_state_dict(given, strict=False)


def check_fits(model: LightningModule, checkpoint: dict[str, Any]) -> None:
    """Refuse to go on with a run whose checkpoint is of another network or of other classes.

    Args:
        model: The model; it takes the checkpoint's weights.
        checkpoint: What :func:`read_checkpoint` returned.

    Raises:
        ValueError: If they don't fit.
    """
    model.on_load_checkpoint(checkpoint)
    try:
        model.load_state_dict(checkpoint["state_dict"])
    except RuntimeError as error:
        raise UserError(
            "Expected the run's own network with `--resume`, but its checkpoint is of another: "
            f"{' '.join(str(error).split())[:300]} Take back what has changed, or start a new run."
        ) from error


def lineage(path: Path | str | None) -> list[Path]:
    """Return a checkpoint and those by whose weights its training, and theirs, began.

    Args:
        path: The checkpoint, or None for none.

    Returns:
        Their absolute paths, up to the first that is not there any more.
    """
    found: list[Path] = []
    while path is not None and Path(path).is_file() and Path(path).resolve() not in found:
        found.append(Path(path).resolve())
        path = read_checkpoint(path)["hyper_parameters"].get("init_from")
    return found
