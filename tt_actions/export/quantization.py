"""Graphs in eight bits, by ONNX Runtime's static quantisation."""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tt_actions.clips.dataset import Sample
from tt_actions.recognition.onnx_recognizer import first_state

Feed = dict[str, np.ndarray]
"""A graph's inputs by name."""

QUANTISED = ("Conv", "MatMul", "Gemm")
"""The operators that take most of the time. The recurrence stays in float: errors would add up over time."""


def clip_feeds(samples: Sequence[Sample]) -> list[Feed]:
    """Return the inputs of a graph of clips, one clip at a time.

    Args:
        samples: The clips.
    """
    return [{"frames": _frames(s), "lengths": np.array([s.length])} for s in samples]


def step_feeds(samples: Sequence[Sample], state: dict[str, list[int]]) -> list[Feed]:
    """Return the inputs of a step graph, each clip as a stream that begins.

    Args:
        samples: The clips.
        state: Shape of each tensor of the state by its name, without its first dimension.
    """
    before = dict(zip(state, first_state(state, 1), strict=True))
    return [{"frames": _frames(s), "is_first": np.array([True]), **before} for s in samples]


def _frames(sample: Sample) -> np.ndarray:
    return np.ascontiguousarray(sample.frames[None].numpy())


def quantise(graph: bytes, feeds: Sequence[Feed]) -> bytes:
    """Return a graph whose convolutions and products of matrices are in eight bits.

    Weights get a scale for each output channel and seven bits, as sums of products overflow where a CPU
    has no instructions for them (VNNI).

    Args:
        graph: The graph.
        feeds: Inputs that tell the range of each value.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # untyped
        def __init__(self) -> None:
            self.remaining = iter(feeds)

        def get_next(self) -> Feed | None:
            return next(self.remaining, None)

    with tempfile.TemporaryDirectory(prefix="tt_actions-") as folder, _quiet():
        source, prepared, target = (Path(folder) / f"{name}.onnx" for name in ("source", "prepared", "int8"))
        source.write_bytes(graph)
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(target),
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            op_types_to_quantize=list(_present(prepared)),
        )
        return target.read_bytes()


def _present(graph: Path) -> Iterator[str]:
    import onnx

    found = {node.op_type for node in onnx.load(graph).graph.node}
    yield from (name for name in QUANTISED if name in found)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the quantiser from telling of biases, which have no channels to scale one by one."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
