"""Explaining a prediction of any model, and writing the explanation."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.clips.records import ClipRecord, Hand, check_hand
from tt_actions.errors import UserError
from tt_actions.evaluation.explanation import Explanation, Method
from tt_actions.evaluation.joint_explanation import explain_joints
from tt_actions.evaluation.pixel_explanation import explain_pixels
from tt_actions.evaluation.style import write_figure
from tt_actions.files import write_atomically
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.video.types import Roi

PIXEL_METHODS: tuple[Method, ...] = ("hirescam", "grad-cam", "occlusion")
JOINT_METHODS: tuple[Method, ...] = ("occlusion",)


def explain(
    model: Recognizer,
    path: Path | str,
    start_s: float = 0.0,
    end_s: float | None = None,
    roi: Roi | None = None,
    class_name: str | None = None,
    method: Method | None = None,
    hand: Hand | None = None,
) -> Explanation:
    """Compute which pixels of a clip, or which limbs and when, support a class.

    See :func:`tt_actions.evaluation.pixel_explanation.explain_pixels` for models of frames, and
    :func:`tt_actions.evaluation.joint_explanation.explain_joints` for models of joints.

    Args:
        model: A trained model.
        path: The video file; for a model that reads joints, a joint file or a video.
        start_s: Start of the clip in seconds.
        end_s: End of the clip in seconds, or None for the end of the file.
        roi: Region (x0, y0, x1, y1) in pixels; None for that of the preprocessing, if it has one.
        class_name: The class to explain, or None for the most likely class.
        method: For frames, ``hirescam`` or ``grad-cam``, which need a network with feature maps and weight
            them position by position or by their mean gradient over the frame; or ``occlusion``. For joints,
            ``occlusion``. None for the first that fits.
        hand: Playing hand of the player, for a model that reads joints; None if it is unknown.

    Raises:
        ValueError: If the class or the method is unknown, or the region or the times are invalid.
        UserError: If the model was trained on regions, but there is none.
        UnreadableError: If the clip can't be read.
    """
    if class_name is not None and class_name not in model.class_names:
        raise UserError(
            f"Expected the class to be one of {', '.join(model.class_names)}, but got '{class_name}'."
        )
    is_pixels = isinstance(model.preprocessing, Preprocessing)
    methods, kind = (PIXEL_METHODS, "frames") if is_pixels else (JOINT_METHODS, "joints")
    if method is not None and method not in methods:
        raise UserError(
            f"Expected `method` to be {' or '.join(methods)} for a model of {kind}, but got '{method}'."
        )
    if hand is not None:
        check_hand(hand, path)
        if is_pixels:
            raise UserError(
                f"Expected no `hand`, because the model reads video frames, but got {hand}. Remove it."
            )
    folder = Path(path).absolute().parent.name
    label = folder if folder in model.class_names else None
    clip = ClipRecord(Path(path), label, start_s, end_s, roi, hand=hand)
    if is_pixels:
        return explain_pixels(model, clip, class_name, method)
    return explain_joints(model, clip, class_name)


def write_explanation(folder: Path, explanation: Explanation, model: Recognizer, source: str) -> None:
    """Write ``explanation.png``, ``heatmaps.npz`` and ``explanation.json``, each atomically.

    The archive contains ``heat``, ``times_s``, ``frame_probabilities`` and, in their order, ``class_names``.
    For frames, it also contains ``boxes`` and ``regions``; for joints, ``falls``, ``limbs``,
    ``hidden_probabilities`` and ``joints``.

    Args:
        folder: Folder to write to; created if it doesn't exist.
        explanation: The result of :func:`explain`.
        model: The explained model.
        source: Name of the model in the files, such as the path of its checkpoint.

    Raises:
        OSError: If a file can't be written.
    """
    with write_atomically(folder / "heatmaps.npz") as path:
        np.savez_compressed(path, **explanation.arrays())  # type: ignore[arg-type]  # allow_pickle is no array
    with write_atomically(folder / "explanation.json") as path:
        metadata = _metadata(explanation, model, source)
        path.write_text(json.dumps(metadata, indent=2, allow_nan=False, ensure_ascii=False) + "\n", "utf-8")
    write_figure(folder / "explanation.png", explanation.draw(model))


def _metadata(explanation: Explanation, model: Recognizer, source: str) -> dict[str, Any]:
    clip, prediction = explanation.clip, explanation.prediction
    return {
        "clip": str(clip.path),
        "start_s": clip.start_s,
        "end_s": clip.end_s,
        "roi": clip.roi or model.preprocessing.roi,
        "label": prediction.label,
        "true_label": clip.label,
        "probabilities": prediction.probabilities,
        "explained_class": explanation.class_name,
        "speaks_for_it": bool(explanation.heat.any()),
        "made_by": {
            "method": explanation.method,
            **explanation.facts(),
            "network": type(model.network).__name__,
            "checkpoint": source,
            "versions": {name: version(name) for name in ("tt-actions", "torch")},
        },
    }
