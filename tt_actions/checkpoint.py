"""Trained models from their files."""

import pickle
import warnings
from pathlib import Path
from typing import Any

import torch

from tt_actions.task import StrokeRecognizer


def load(path: Path | str) -> StrokeRecognizer:
    """Load a trained model; the checkpoint alone is enough.

    Args:
        path: A checkpoint, such as ``runs/cnn_lstm/version_0/checkpoints/best.ckpt``.

    Returns:
        The model in eval mode, on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no checkpoint of ours, or holds more than plain types.
    """
    read_checkpoint(path)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".* is an instance of `nn.Module`")  # one is built, not stored
            model = StrokeRecognizer.load_from_checkpoint(path, map_location="cpu", weights_only=True)
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise _refusal(path, error) from error
    return model.eval()


def read_checkpoint(path: Path | str) -> dict[str, Any]:
    """Read what a checkpoint holds.

    Only tensors and plain types are read (``weights_only``), so a file from a stranger can't run code.

    Args:
        path: The checkpoint.

    Returns:
        Lightning's contents, tensors on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no checkpoint of ours, or holds more than plain types.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"Expected a checkpoint, but there is no file '{path}'.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(content, dict) or "class_names" not in content.get("hyper_parameters", {}):
            raise ValueError("it holds no class names.")
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, KeyError, ValueError) as error:
        raise _refusal(path, error) from error
    return content


def _refusal(path: Path | str, error: Exception) -> ValueError:
    if isinstance(error, pickle.UnpicklingError):
        reason = "it holds something else."  # torch's text advises to load it unsafely
    else:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return ValueError(
        f"Expected '{path}' to be a checkpoint of tt_actions, of tensors and plain types alone, "
        f"but: {reason} Train one with `make train`."
    )
