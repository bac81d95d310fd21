"""What a trained model's file holds."""

import pickle
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import nn

from tt_actions.class_paths import check_class_paths
from tt_actions.models.crf import CRF


def read_checkpoint(path: Path | str) -> dict[str, Any]:
    """Read what a checkpoint holds.

    Only tensors and plain types are read (``weights_only``), and it may name no class but the parts of a
    model (:mod:`tt_actions.class_paths`), so that a file from a stranger can't run code.

    Args:
        path: The checkpoint.

    Returns:
        Lightning's contents, tensors on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no checkpoint of ours, holds more than plain types, or names another class.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"Expected a checkpoint, but there is no file '{path}'.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(content, dict) or not isinstance(content.get("state_dict"), dict):
            raise ValueError("it holds no weights.")
        if not isinstance(content.get("hyper_parameters", {}).get("class_names"), list | tuple):
            raise ValueError("it holds no class names.")
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, LookupError, ValueError) as error:
        raise refusal(path, error) from error
    check_class_paths(content["hyper_parameters"], path)
    return content


FOR_CLASSES = re.compile(r"(.*\.)?(head|average)\.|initial|transitions")
"""The parts of a network that belong to the classes it names."""


def load_network_weights(network: nn.Module, path: str, class_names: Sequence[str]) -> None:
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
    if isinstance(network, CRF) and "transitions" not in given:
        network = network.network  # the weights of the model below; those of the chain begin at 0
    own = network.state_dict()
    if keeps_head:
        own, given = ({k: w for k, w in x.items() if not FOR_CLASSES.match(k)} for x in (own, given))
    if {k: w.shape for k, w in own.items()} != {k: w.shape for k, w in given.items()}:
        raise ValueError(
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
        raise ValueError(
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


def refusal(path: Path | str, error: Exception) -> ValueError:
    """Return what to raise for a file that is no checkpoint of ours.

    Args:
        path: The file.
        error: What reading it raised.
    """
    if isinstance(error, pickle.UnpicklingError):
        reason = "it holds something else"  # torch's text advises to load it unsafely
    elif isinstance(error, PermissionError):
        return ValueError(f"Expected to read '{path}', but got: {error.strerror}. Check the permissions.")
    elif isinstance(error, ValueError):
        reason = str(error).splitlines()[0].rstrip(".")
    else:  # torch tells what it tried in vain
        reason = "it can't be read as one"
    return ValueError(
        f"Expected '{path}' to be a checkpoint of tt_actions, of tensors and plain types alone, "
        f"but {reason}. If it was copied, copy it again; else train one with `make train`."
    )
