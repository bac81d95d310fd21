"""The description of an exported model: the contents of ``model.json``."""

import json
from dataclasses import asdict
from importlib.metadata import distributions
from pathlib import Path

from tt_actions.export.graphs import example_state, flatten, has_step_graph
from tt_actions.files import file_digest
from tt_actions.recognition.onnx_description import Format, ModelDescription
from tt_actions.recognition.recognizer import Recognizer


def describe_model(model: Recognizer, checkpoint: Path, format: Format) -> ModelDescription:  # noqa: A002
    """Return the description of a model to export.

    Args:
        model: The trained model.
        checkpoint: Its checkpoint.
        format: Format of its graphs.
    """
    network, chain, average = model.network.frame_network, model.network.chain, model.network.average
    has_steps = has_step_graph(model)
    leaves = flatten(example_state(model)) if has_steps else []
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
        typical_swing=None if model.typical_swing is None else model.typical_swing.to_plain(),
    )


def _versions() -> dict[str, str]:
    """Return the installed versions; TorchScript needs none of the packages of the extra ``export``."""
    wanted = ("tt-actions", "torch", "onnx", "onnxscript", "onnxruntime")
    return {name: one.version for name in wanted for one in distributions(name=name)}
