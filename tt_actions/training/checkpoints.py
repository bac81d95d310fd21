"""Initial weights from another run's checkpoint, and the checks before a run resumes."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule

from tt_actions.errors import UserError
from tt_actions.models.base import ActionModel
from tt_actions.recognition.checkpoint import read_checkpoint

FOR_CLASSES = re.compile(r"(.*\.)?(head|average)\.|initial|transitions")
"""Names of the parameters that depend on the classes of a network."""


def load_network_weights(network: ActionModel, path: str, class_names: Sequence[str]) -> None:
    """Initialise a network with the weights of a checkpoint.

    The weights of the head are skipped if the checkpoint has other classes. A conditional random field also
    accepts a checkpoint of the frame network below it.

    Args:
        network: The network. Its last layers are called ``head``, a learnt average ``average``.
        path: The checkpoint.
        class_names: Names of the network's classes.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it contains the weights of another network.
    """
    content = read_checkpoint(path)
    prefix, keeps_head = "network.", tuple(content["hyper_parameters"]["class_names"]) != tuple(class_names)
    given = {k.removeprefix(prefix): w for k, w in content["state_dict"].items() if k.startswith(prefix)}
    if network.chain is not None and "transitions" not in given:
        network = network.frame_network  # only the network below the chain; the chain's weights begin at 0
    own = network.state_dict()
    if keeps_head:
        own, given = ({k: w for k, w in x.items() if not FOR_CLASSES.match(k)} for x in (own, given))
    if {k: w.shape for k, w in own.items()} != {k: w.shape for k, w in given.items()}:
        raise UserError(
            f"Expected `init_from` to contain weights of the same {type(network).__name__}, but '{path}' "
            f"contains weights of {content['hyper_parameters'].get('network')}. "
            "Use the same network with the same arguments."
        )
    network.load_state_dict(given, strict=False)


def check_fits(model: LightningModule, checkpoint: dict[str, Any]) -> None:
    """Check that a run can resume: its checkpoint must fit the model's network and classes.

    Args:
        model: The model; the checkpoint's weights are loaded into it.
        checkpoint: Contents of the checkpoint, from :func:`read_checkpoint`.

    Raises:
        ValueError: If the checkpoint does not fit the model.
    """
    model.on_load_checkpoint(checkpoint)
    try:
        model.load_state_dict(checkpoint["state_dict"])
    except RuntimeError as error:
        raise UserError(
            "Expected `--resume` with the network of the run, but its checkpoint contains another: "
            f"{' '.join(str(error).split())[:300]} Undo the changes to the network, or start a new run."
        ) from error


def lineage(path: Path | str | None) -> list[Path]:
    """Return a checkpoint, the one that its training was initialised with, and so on.

    Args:
        path: The checkpoint, or None.

    Returns:
        The absolute paths, up to the first file that no longer exists.
    """
    found: list[Path] = []
    while path is not None and Path(path).is_file() and Path(path).resolve() not in found:
        found.append(Path(path).resolve())
        path = read_checkpoint(path)["hyper_parameters"].get("init_from")
    return found
