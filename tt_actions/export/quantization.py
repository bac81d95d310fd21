"""Int8 graphs, made with ONNX Runtime's static quantisation."""

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
"""The operators to quantise, which take most of the time.

The recurrence stays in float, since its errors would add up over time.
"""


def clip_feeds(samples: Sequence[Sample]) -> list[Feed]:
    """Return the inputs of the clip graph, one clip at a time.

    Args:
        samples: The clips.
    """
    return [{"frames": _frames(s), "lengths": np.array([s.length])} for s in samples]


def step_feeds(samples: Sequence[Sample], state: dict[str, list[int]]) -> list[Feed]:
    """Return the inputs of the step graph, with each clip as the start of a stream.

    Args:
        samples: The clips.
        state: Shape of each state tensor by name, without the first dimension.
    """
    before = dict(zip(state, first_state(state, 1), strict=True))
    return [{"frames": _frames(s), "is_first": np.array([True]), **before} for s in samples]


def _frames(sample: Sample) -> np.ndarray:
    return np.ascontiguousarray(sample.frames[None].numpy())


def quantise(graph: bytes, feeds: Sequence[Feed]) -> bytes:
    """Return a graph with its convolutions and matrix products in int8.

    Weights get one scale per output channel. They use only seven bits, because sums of products could
    overflow on a CPU without VNNI instructions.

    Args:
        graph: The graph.
        feeds: Inputs from which the range of each value is calibrated.
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
    """Silence the quantiser's messages about biases, which have no channels with separate scales."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
