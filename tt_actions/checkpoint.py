"""Trained models from their files."""

import pickle
from pathlib import Path

import torch

from tt_actions.task import StrokeRecognizer


def load(path: Path | str) -> StrokeRecognizer:
    """Load a trained model; the checkpoint alone is enough.

    Only tensors and plain types are read from the file (``weights_only``), so a file from a stranger can't run code.

    Args:
        path: A checkpoint, such as ``runs/cnn_lstm/version_0/checkpoints/best.ckpt``.

    Returns:
        The model in eval mode, on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no checkpoint of ours, or holds more than plain types.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Expected a checkpoint, but there is no file '{path}'.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(content, dict) or "class_names" not in content.get("hyper_parameters", {}):
            raise ValueError("it holds no class names")
        model = StrokeRecognizer.load_from_checkpoint(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"Expected '{path}' to be a checkpoint of tt_actions, of tensors and plain types alone, but: {reason} "
            "Train one with `make train`."
        ) from error
    return model.eval()
