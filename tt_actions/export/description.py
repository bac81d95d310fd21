"""The description of an exported model: the contents of ``model.json``."""

import json
from dataclasses import asdict
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.export.graphs import Leaves, has_step_graph, state_leaves
from tt_actions.files import file_digest
from tt_actions.recognition.onnx_description import Format, ModelDescription
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.skeleton.layouts import find_layout


def describe_model(model: Recognizer, checkpoint: Path, format: Format) -> ModelDescription:  # noqa: A002
    """Return the description of a model to export.

    Args:
        model: The trained model.
        checkpoint: Its checkpoint.
        format: Format of its graphs.
    """
    network, chain, average = model.network.frame_network, model.network.chain, model.network.average
    has_steps = has_step_graph(model)
    leaves = state_leaves(model) if has_steps else []
    return ModelDescription(
        format=format,
        network=type(network).__name__,
        class_names=model.class_names,
        preprocessing=json.loads(json.dumps(asdict(model.preprocessing))),
        delay=network.delay,
        state={name: list(part.shape[1:]) for name, part in leaves} if has_steps else None,
        average=None if average is None else average.score.weight[0].tolist(),
        chain=None if chain is None else {name: part.tolist() for name, part in chain._asdict().items()},
        timing=None if model.timing is None else model.timing.to_plain(),
        typical_clip=None if model.typical_clip is None else model.typical_clip.to_plain(),
        checkpoint={"name": checkpoint.name, "sha256": file_digest(checkpoint)},
        versions=_versions(),
        has_regions=model.has_regions,
        graphs=_describe_graphs(model, leaves if has_steps else None),
        typical_swing=None if model.typical_swing is None else model.typical_swing.to_plain(),
    )


def _describe_graphs(model: Recognizer, state: Leaves | None) -> dict[str, Any]:
    """Describe the inputs and outputs of each graph, in their order."""
    logits = _tensor("logits", "float32", ["batch", "time", len(model.class_names)])
    preprocessing = model.preprocessing
    if isinstance(preprocessing, JointPreprocessing):
        layout = find_layout(preprocessing.layout)
        inputs = [
            _tensor("joints", "float32", ["batch", "time", layout.num_coordinates, len(layout.joints)]),
            _tensor("lengths", "int64", ["batch"], [1, None]),
            _tensor("hands", "int64", ["batch"], [-1, 1]),
        ]
        return {"model": {"inputs": inputs, "outputs": [logits]}}
    size = [len(model.normalise.mean), *model.frame_preprocessing.size]
    frames = _tensor("frames", "uint8", ["batch", "time", *size], [0, 255])
    lengths = _tensor("lengths", "int64", ["batch"], [1, None])
    graphs = {"model": {"inputs": [frames, lengths], "outputs": [logits]}}
    if state is not None:
        shapes = {name: ["batch", *part.shape[1:]] for name, part in state}
        before = [_tensor(name, "float32", shape) for name, shape in shapes.items()]
        after = [_tensor(f"new_{name}", "float32", shape) for name, shape in shapes.items()]
        first = _tensor("is_first", "bool", ["batch"])
        graphs["step"] = {"inputs": [frames, first, *before], "outputs": [logits, *after]}
    return graphs


def _tensor(name: str, kind: str, shape: list[Any], span: list[int | None] | None = None) -> dict[str, Any]:
    """Describe a tensor; ``range`` is its lowest and highest value, null where there is no limit."""
    return {"name": name, "type": kind, "shape": shape, "range": span}


def _versions() -> dict[str, str]:
    """Return the installed versions; TorchScript needs none of the packages of the extra ``export``."""
    wanted = ("tt-actions", "torch", "onnx", "onnxscript", "onnxruntime")
    return {name: one.version for name in wanted for one in distributions(name=name)}
