"""The ``export`` command."""

import sys
from pathlib import Path
from typing import Literal

from tt_actions.errors import UserError
from tt_actions.files import check_writable


def export(
    *,
    checkpoint: Path,
    out: Path | None = None,
    format: Literal["onnx", "torchscript"] = "onnx",  # noqa: A002 - the option's name
    int8: bool = False,
    data: Path | None = None,
) -> Path:
    """Write a model as ONNX or TorchScript graphs, checked against the model.

    Args:
        checkpoint: Checkpoint of a trained model.
        out: Folder to write to; it is created if needed (default: for example best_onnx next to best.ckpt).
        format: Format of the graphs (default: onnx).
        int8: Write int8 graphs too, and measure their speed and accuracy.
        data: Folder or manifest of labelled clips to calibrate and evaluate int8 on, or to check the graph
            of a model of joints on (default: the clips of the training).

    Returns:
        The folder with ``model.json``, the graph ``model``, for a causal network the graph ``step``, and with
        int8 both graphs with the suffix ``_int8``.

    Raises:
        ValueError: If the extra `export` is not installed, the model can't be exported, the logits of a graph
            differ from the model's, or the data are unsuitable.
        OSError: If the checkpoint or the data do not exist, or a file can't be written.
    """
    if int8 and format != "onnx":
        raise UserError(
            f"Expected `format` to be onnx, or torchscript without `int8`, but got '{format}' with `int8`."
        )
    check_writable(out)
    from tt_actions.export.export import export_model
    from tt_actions.recognition.onnx_recognizer import check_installed, default_folder

    if format == "onnx":
        check_installed()
    folder = out or default_folder(checkpoint, format)
    lines = export_model(checkpoint, folder, format, int8, data)
    sys.stdout.write("\n".join(lines) + "\n")
    return folder
