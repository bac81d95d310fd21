"""Reading and checking checkpoints."""

import pickle
from pathlib import Path
from typing import Any

import torch

import tt_actions.models
from tt_actions.class_paths import allow_in_checkpoints, check_class_paths, with_current_paths
from tt_actions.errors import UserError

allow_in_checkpoints(tt_actions.models, torch.optim, torch.optim.lr_scheduler)


def read_checkpoint(path: Path | str) -> dict[str, Any]:
    """Load the contents of a checkpoint, without running any code from it.

    Only tensors and plain types are read (``weights_only``), and the only classes that the file may name are
    parts of a model (:mod:`tt_actions.class_paths`). A file from a stranger therefore can't run code.

    Args:
        path: The checkpoint.

    Returns:
        The contents that Lightning saved, with tensors on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a tt_actions checkpoint, contains more than plain types, or names
            another class.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"Expected a checkpoint, but there is no file '{path}'. Check the path.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(content, dict) or not isinstance(content.get("state_dict"), dict):
            raise ValueError("it contains no weights.")
        if not all(isinstance(key, str) for key in content["state_dict"]):
            raise ValueError("its weights have no names.")
        trained = content.get("hyper_parameters")
        if not isinstance(trained, dict) or not isinstance(trained.get("class_names"), list | tuple):
            raise ValueError("it contains no class names.")
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, LookupError, ValueError) as error:
        raise checkpoint_error(path, error) from error
    content["hyper_parameters"] = with_current_paths(content["hyper_parameters"])
    check_class_paths(content["hyper_parameters"], path)
    return content


def checkpoint_error(path: Path | str, error: Exception) -> UserError:
    """Return the error to raise for a file that is not a tt_actions checkpoint.

    Args:
        path: The file.
        error: The error raised while reading it.
    """
    if isinstance(error, pickle.UnpicklingError):
        reason = "it contains other objects"  # torch's own text recommends loading it unsafely
    elif isinstance(error, PermissionError):
        return UserError(
            f"Expected '{path}' to be readable, but got: {error.strerror}. Check the permissions."
        )
    elif isinstance(error, ValueError):
        reason = str(error).splitlines()[0].rstrip(".")
        if reason.startswith("Expected"):
            return UserError(f"{reason}. This is what '{path}' contains. Train the model again.")
    else:  # torch's own text lists the formats that it tried
        reason = "it can't be parsed"
    return UserError(
        f"Expected '{path}' to be a tt_actions checkpoint, which contains only tensors and plain types, "
        f"but {reason}. If you copied the file, copy it again; otherwise train a model with `make train`."
    )
