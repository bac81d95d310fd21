"""What a trained model's file holds."""

import pickle
from pathlib import Path
from typing import Any

import torch

from tt_actions.class_paths import check_class_paths, with_current_paths
from tt_actions.errors import UserError


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
    content["hyper_parameters"] = with_current_paths(content["hyper_parameters"])
    check_class_paths(content["hyper_parameters"], path)
    return content


def refusal(path: Path | str, error: Exception) -> UserError:
    """Return what to raise for a file that is no checkpoint of ours.

    Args:
        path: The file.
        error: What reading it raised.
    """
    if isinstance(error, pickle.UnpicklingError):
        reason = "it holds something else"  # torch's text advises to load it unsafely
    elif isinstance(error, PermissionError):
        return UserError(f"Expected to read '{path}', but got: {error.strerror}. Check the permissions.")
    elif isinstance(error, ValueError):
        reason = str(error).splitlines()[0].rstrip(".")
    else:  # torch tells what it tried in vain
        reason = "it can't be read as one"
    return UserError(
        f"Expected '{path}' to be a checkpoint of tt_actions, of tensors and plain types alone, "
        f"but {reason}. If it was copied, copy it again; else train one with `make train`."
    )
