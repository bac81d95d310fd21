"""Explanations of predictions: which pixels of a clip support a class, by HiResCAM or Grad-CAM.

HiResCAM (Draelos & Carin 2020, arXiv:2011.08891) multiplies the last feature maps of the network, position by
position, with the gradient of the class's score. The positive part of the sum over the maps is the heat.
Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) averages the gradient over the frame instead. Each frame
(each time step of a 3D network) is treated separately.

The score is the class's log-odds, averaged over the frames. Two other scores are worse. The gradient of the
clip's log-probability vanishes in the frames in which the network is confident, so the heat would show the
doubtful ones. A single logit may rise together with the logits of all other classes.

Both methods agree if the network averages its maps over the frame, as ``R3DTransformer`` does. If its
head reads a grid of positions, it weighs each one separately. Grad-CAM can then miss the relevant positions,
or find none. HiResCAM is therefore the default.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from tt_actions.clips.preprocessing import as_colours
from tt_actions.clips.records import ClipRecord
from tt_actions.errors import UserError
from tt_actions.evaluation.clip_figures import clip_figure
from tt_actions.evaluation.style import write_figure
from tt_actions.files import write_atomically
from tt_actions.models.base import ActionModel, FeatureMaps
from tt_actions.recognition.loading import load
from tt_actions.recognition.prediction import ClipPrediction, make_prediction
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.video.types import Roi

Method = Literal["hirescam", "grad-cam"]

SCORE = "log-odds of the class, averaged over the frames"
TITLES = {"grad-cam": "Grad-CAM", "hirescam": "HiResCAM"}


@dataclass(frozen=True)
class Explanation:
    """Which pixels of a clip support a class.

    Args:
        clip: The clip; its label is the name of its folder if that is one of the model's classes, else None.
        prediction: The model's prediction for the clip.
        class_name: The explained class.
        heat: Heat map at the resolution of the feature maps; 1 is the maximum of the clip. All values are 0
            if nothing supports the class.
        frames: The frames that the model read, as RGB; depth or silhouettes in shades of grey.
        method: ``grad-cam``, ``hirescam``, or ``input gradient`` for a network without feature maps.
        layer: Name of the layer of the feature maps, or None.

    Shape:
        heat ``(T, h, w)``, float32 in [0, 1]; frames ``(T, H, W, 3)``, uint8.
    """

    clip: ClipRecord
    prediction: ClipPrediction
    class_name: str
    heat: np.ndarray
    frames: np.ndarray
    method: str
    layer: str | None


def explain(
    model: Recognizer,
    path: Path | str,
    start_s: float = 0.0,
    end_s: float | None = None,
    roi: Roi | None = None,
    class_name: str | None = None,
    method: Method = "hirescam",
) -> Explanation:
    """Compute which pixels of a clip support a class.

    For a network without feature maps (``feature_maps()`` of :class:`ActionModel`), the heat is the size of
    the score's gradient in each pixel (Simonyan et al. 2014, arXiv:1312.6034). It shows where a change would
    matter, for the class or against it. All frames count equally, even with learned frame weights.

    Args:
        model: A trained model.
        path: The video file.
        start_s: Start of the clip in seconds.
        end_s: End of the clip in seconds, or None for the end of the file.
        roi: Region (x0, y0, x1, y1) in pixels; None for that of the preprocessing, if it has one.
        class_name: The class to explain, or None for the most likely class.
        method: How to weight a feature map: position by position, or by its mean gradient over the frame.

    Raises:
        ValueError: If the class or the method is unknown, or the region or the times are invalid.
        UserError: If the model was trained on regions, but there is none.
        VideoError: If the clip can't be read.
    """
    if class_name is not None and class_name not in model.class_names:
        raise UserError(
            f"Expected the class to be one of {', '.join(model.class_names)}, but got '{class_name}'."
        )
    if method not in get_args(Method):
        raise UserError(f"Expected `method` to be one of {get_args(Method)}, but got '{method}'.")
    folder = Path(path).absolute().parent.name
    label = folder if folder in model.class_names else None
    clip = ClipRecord(Path(path), label, start_s, end_s, roi)
    frames, times_s = model.frame_preprocessing.read_clip(path, start_s, end_s, roi)
    model.check_region(roi)
    maps = model.network.feature_maps()
    with _evaluating(model.network), torch.inference_mode(False), torch.enable_grad():
        shown = torch.from_numpy(frames).permute(0, 3, 1, 2)[None].to(model.device, torch.float32) / 255
        source, logits = _forward(model, shown.requires_grad_(), maps)
        prediction = make_prediction(model.network, model.class_names, logits.detach(), times_s)
        class_name = class_name or prediction.label
        score = mean_log_odds(logits[0], model.class_names.index(class_name))
        (gradient,) = torch.autograd.grad(score, source)
    heat = _heat(source.detach(), gradient, maps, method)[: len(frames)]
    return Explanation(
        clip=clip,
        prediction=prediction,
        class_name=class_name,
        heat=(heat / heat.max() if heat.any() else heat).cpu().numpy(),
        frames=as_colours(frames),
        method=method if maps else "input gradient",
        layer=_layer_name(model.network, maps),
    )


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Switch the whole model to eval mode, and restore the mode of each part afterwards."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _forward(model: Recognizer, clip: Tensor, maps: FeatureMaps | None) -> tuple[Tensor, Tensor]:
    """Return the feature maps (or the clip, if the network has none), and the logits."""
    read = [clip]
    hook = maps.module.register_forward_hook(lambda *call: read.append(call[-1])) if maps else nullcontext()
    with hook:
        logits = model(clip, torch.tensor([clip.shape[1]], device=clip.device))
    return read[-1], logits


def _heat(source: Tensor, gradient: Tensor, maps: FeatureMaps | None, method: Method) -> Tensor:
    """Return the unnormalised heat of each frame, possibly with extra frames at the end."""
    if maps is None:
        return gradient[0].abs().amax(1)
    if source.ndim == 5:  # (1, C, T / stride, h, w)
        source, gradient = source[0].transpose(0, 1), gradient[0].transpose(0, 1)
    combine = grad_cam if method == "grad-cam" else hires_cam
    return combine(source, gradient).repeat_interleave(maps.stride, 0)


def _layer_name(network: ActionModel, maps: FeatureMaps | None) -> str | None:
    if maps is None:
        return None
    names: dict[nn.Module, str] = {module: name for name, module in network.named_modules()}
    return names[maps.module]


def mean_log_odds(logits: Tensor, index: int) -> Tensor:
    """Return the log-odds of a class against all others, averaged over the frames.

    Args:
        logits: Logits of each frame.
        index: Index of the class.

    Shape:
        logits ``(T, K)`` -> ``()``.

    >>> mean_log_odds(torch.tensor([[0.75, 0.25], [0.25, 0.75]]).log(), 0).item()
    0.0
    """
    others = torch.arange(logits.shape[1], device=logits.device) != index
    return (logits[:, index] - logits[:, others].logsumexp(1)).mean()


def grad_cam(maps: Tensor, gradients: Tensor) -> Tensor:
    """Combine feature maps into a heat map for each frame: equations 1 and 2 of Selvaraju et al. (2017).

    Args:
        maps: Feature maps.
        gradients: Gradient of the class's score with respect to the maps.

    Shape:
        maps and gradients ``(N, C, h, w)`` -> heat ``(N, h, w)``, not negative.

    >>> maps = torch.tensor([[[[1.0, 2.0]], [[3.0, 1.0]]]])
    >>> grad_cam(maps, torch.tensor([[[[3.0, 1.0]], [[-1.0, -1.0]]]]))
    tensor([[[0., 3.]]])
    """
    weights = gradients.mean((2, 3), keepdim=True)  # (N, C, 1, 1)
    return (weights * maps).sum(1).relu()


def hires_cam(maps: Tensor, gradients: Tensor) -> Tensor:
    """Combine feature maps into a heat map for each frame, as in Draelos & Carin (2020).

    It equals :func:`grad_cam` for a network that averages its maps over the frame.

    Args:
        maps: Feature maps.
        gradients: Gradient of the class's score with respect to the maps.

    Shape:
        maps and gradients ``(N, C, h, w)`` -> heat ``(N, h, w)``, not negative.

    >>> maps = torch.tensor([[[[1.0, 2.0]], [[3.0, 1.0]]]])
    >>> hires_cam(maps, torch.tensor([[[[3.0, 1.0]], [[-1.0, -1.0]]]]))
    tensor([[[0., 1.]]])
    """
    return (gradients * maps).sum(1).relu()


def write_explanation(folder: Path, explanation: Explanation, model: Recognizer, source: str) -> None:
    """Write ``explanation.png``, ``heatmaps.npz`` and ``explanation.json``, each atomically.

    The archive contains ``heat``, ``times_s``, ``frame_probabilities`` and, in their order, ``class_names``.

    Args:
        folder: Folder to write to; created if it doesn't exist.
        explanation: The result of :func:`explain`.
        model: The explained model.
        source: Name of the model in the files, such as the path of its checkpoint.

    Raises:
        OSError: If a file can't be written.
    """
    prediction, names = explanation.prediction, np.array(model.class_names)
    with write_atomically(folder / "heatmaps.npz") as path:
        np.savez_compressed(
            path,
            heat=explanation.heat,
            times_s=prediction.times_s,
            frame_probabilities=prediction.frame_probabilities,
            class_names=names,
        )
    with write_atomically(folder / "explanation.json") as path:
        metadata = _metadata(explanation, model, source)
        path.write_text(json.dumps(metadata, indent=2, allow_nan=False, ensure_ascii=False) + "\n", "utf-8")
    figure = clip_figure(
        explanation.frames,
        prediction.times_s,
        prediction.frame_probabilities,
        model.class_names,
        heat=explanation.heat,
        title=_title(explanation),
        note=_note(explanation, model),
        marked=explanation.class_name,
    )
    write_figure(folder / "explanation.png", figure)


def _metadata(explanation: Explanation, model: Recognizer, source: str) -> dict[str, Any]:
    clip, prediction = explanation.clip, explanation.prediction
    return {
        "clip": str(clip.path),
        "start_s": clip.start_s,
        "end_s": clip.end_s,
        "roi": clip.roi or model.frame_preprocessing.roi,
        "label": prediction.label,
        "true_label": clip.label,
        "probabilities": prediction.probabilities,
        "explained_class": explanation.class_name,
        "speaks_for_it": bool(explanation.heat.any()),
        "made_by": {
            "method": explanation.method,
            "score": SCORE,
            "layer": explanation.layer,
            "heat_size": explanation.heat.shape[1:],
            "normalisation": "divided by the maximum of the clip",
            "network": type(model.network).__name__,
            "checkpoint": source,
            "versions": {name: version(name) for name in ("tt-actions", "torch")},
        },
    }


def _title(explanation: Explanation) -> str:
    clip, prediction = explanation.clip, explanation.prediction
    parts = [f"predicted: {prediction.label} {prediction.probabilities[prediction.label]:.2f}"]
    if clip.label is not None:
        parts.append(f"true: {clip.label}")
    if explanation.class_name != prediction.label:
        parts.append(f"heat: {explanation.class_name}")
    return "     ".join(parts)


def _note(explanation: Explanation, model: Recognizer) -> str:
    network = type(model.network).__name__
    if explanation.layer is None:
        return (
            f"Heat map: where a change matters most for {explanation.class_name}. {network} has no feature "
            f"maps for HiResCAM, so this is the size of the input gradient of the score: {SCORE}."
        )
    height, width = explanation.heat.shape[1:]
    nothing = "" if explanation.heat.any() else " No pixel supports it."
    source = f"{TITLES[explanation.method]} at {network}.{explanation.layer} ({width} x {height} per frame)"
    return (
        f"Heat map: the pixels that support {explanation.class_name}.{nothing} "
        f"Computed by {source} for the score: {SCORE}."
    )


def explain_file(
    *,
    checkpoint: Path,
    clip: Path,
    out: Path,
    start_s: float = 0.0,
    end_s: float | None = None,
    roi: Roi | None = None,
    class_: str | None = None,
    method: Method = "hirescam",
) -> None:
    """Show which pixels of a clip support a class, and the probabilities of all classes over time.

    Args:
        checkpoint: Checkpoint of a trained model.
        clip: The video file.
        out: Folder to write to; it is created if needed.
        start_s: Start of the clip in seconds (default: 0).
        end_s: End of the clip in seconds (default: the end of the file).
        roi: Region of the frame in pixels (default: that of the training).
        class_: Class to explain (default: the most likely).
        method: How to weight a feature map: position by position (hirescam, the default), or by its mean
            gradient (grad-cam).

    Raises:
        ValueError: If the checkpoint, the clip, the class or a number is invalid.
        OSError: If there is no checkpoint, or a file can't be written.
    """
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f"Expected a folder to write to, but '{out}' is a file. Choose another.")
    model = load(checkpoint)
    explanation = explain(model, clip, start_s, end_s, roi, class_, method)
    write_explanation(out, explanation, model, str(checkpoint))
    sys.stdout.write(f"{_title(explanation)}\n{_note(explanation, model)}\n{out / 'explanation.png'}\n")
