"""Loading a trained model from its checkpoint."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser

from tt_actions.class_paths import trust, trust_installed
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.preprocessing import Preprocessing, make_preprocessing
from tt_actions.clips.timing import StrokeTiming
from tt_actions.clips.typical import TypicalClip
from tt_actions.clips.typical_swing import TypicalSwing
from tt_actions.errors import UserError
from tt_actions.models.base import ActionModel
from tt_actions.pose.choice import find_own_model
from tt_actions.recognition.checkpoint import checkpoint_error, read_checkpoint
from tt_actions.recognition.recognizer import Recognizer


def load(path: Path | str, trust_packages: Sequence[str] = (), pose: str | None = None) -> Recognizer:
    """Load a trained model from a checkpoint; no other file is needed.

    Only the network is built: neither optimizer, schedule nor augmentation.

    Args:
        path: A checkpoint, such as ``runs/cnn_lstm/version_0/checkpoints/best.ckpt``.
        trust_packages: Other packages whose networks the checkpoint may name; naming one imports it. Packages
            that an installed distribution lists under the entry point group ``tt_actions`` are always
            trusted.
        pose: What finds the joints in videos, for a model that reads joints: ``blazepose``, or ``onnx:`` and
            the path of a model; None for that of the training, which the checkpoint names.

    Returns:
        The model, ready to predict, on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a tt_actions checkpoint, contains more than plain types, or names a
            class that is not allowed, or ``pose`` can't be used.
    """
    trust(trust_packages)
    trust_installed()
    content = read_checkpoint(path)
    trained = content["hyper_parameters"]
    if not all(isinstance(trained.get(part), dict) for part in ("network", "preprocessing")):
        raise checkpoint_error(path, UserError("it describes no network and no preprocessing"))
    weights = {k.removeprefix("network."): w for k, w in content["state_dict"].items()}
    try:
        network = _build_network(trained["network"])
        preprocessing = _build_preprocessing(trained["preprocessing"])
        model = Recognizer(network, trained["class_names"], preprocessing)
        network.load_state_dict(weights)
    except (ArgumentError, RuntimeError, UserError) as error:  # RuntimeError: weights of another network
        raise checkpoint_error(path, error) from error
    restore_training_facts(model, content)
    if pose is not None:
        model.preprocessing = with_pose(model.preprocessing, pose)
    return model.eval()


def with_pose(preprocessing: Preprocessing | JointPreprocessing, pose: str) -> JointPreprocessing:
    """Return the preprocessing of joints with another pose model.

    Args:
        preprocessing: The preprocessing of a trained model.
        pose: ``blazepose``, or ``onnx:`` and the path of a model.

    Raises:
        UserError: If the trained model reads frames, or there is no such pose model for its layout.
    """
    if not isinstance(preprocessing, JointPreprocessing):
        raise UserError(
            f"Expected no `pose`, because the model reads video frames, but got '{pose}'. Remove it."
        )
    find_own_model(pose)
    return replace(preprocessing, pose=pose)


def restore_training_facts(model: Recognizer, content: dict[str, Any]) -> None:
    """Restore the statistics of the training set that a checkpoint stores next to the weights.

    Args:
        model: The model that gets them.
        content: The contents of its checkpoint.
    """
    timing, typical = content.get("timing"), content.get("typical_clip")
    model.timing = None if timing is None else StrokeTiming.from_plain(timing)
    model.typical_clip = None if typical is None else TypicalClip(**typical)
    swing = content.get("typical_swing")
    model.typical_swing = None if swing is None else TypicalSwing(**swing)
    model.has_regions = content.get("has_regions", False)


def _build_preprocessing(plain: dict[str, Any]) -> Preprocessing | JointPreprocessing:
    try:
        return make_preprocessing(plain)
    except TypeError as error:  # a field that is missing or unknown
        raise UserError("its preprocessing has other fields") from error


def _build_network(spec: dict[str, Any]) -> ActionModel:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--network", type=ActionModel)
    network = parser.instantiate(parser.parse_object({"network": spec})).network
    assert isinstance(network, ActionModel)
    return network
