"""Opening an ONNX graph for inference, whether exported by us or brought by the user."""

from pathlib import Path
from typing import TYPE_CHECKING

from tt_actions.errors import UserError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def missing_package_error(error: ImportError) -> UserError:
    """Return the error to raise if a package of the extra `export` is missing.

    Args:
        error: The error raised by the import.
    """
    return UserError(
        f"Expected ONNX Runtime and ONNX, but '{error.name}' can't be imported. Install them with "
        "`pip install 'tt-actions[export]'`."
    )


def open_session(graph: bytes | Path, num_threads: int) -> "InferenceSession":
    """Load a graph for inference on the CPU.

    Args:
        graph: The graph, or its file.
        num_threads: Number of threads.

    Raises:
        UserError: If ONNX Runtime can't run the graph, or the extra `export` is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise missing_package_error(error) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    # threads that spin while they wait would slow down PyTorch
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = (
        4  # fatal errors only: others are raised, and warnings report folded constants
    )
    try:
        source = graph if isinstance(graph, bytes) else str(graph)
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the error classes of ONNX Runtime have no base class of their own
        name = "the graph" if isinstance(graph, bytes) else f"'{graph}'"
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise UserError(
            f"Expected {name} to be an ONNX model that ONNX Runtime can run, but got: {reason}. Export it "
            "again."
        ) from error
