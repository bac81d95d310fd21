"""A trained model from its checkpoint."""

import warnings
from pathlib import Path

from tt_actions.checkpoint import read_checkpoint, refusal
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
        raise refusal(path, error) from error
    return model.eval()
