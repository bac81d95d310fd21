"""Which pixels of a clip speak for a class: HiResCAM or Grad-CAM on the frames of a trained model.

HiResCAM (Draelos & Carin 2020, arXiv:2011.08891) multiplies the last feature maps of the network, place by
place, with the gradient of the class's score in them; what is positive in the sum over the maps is the heat.
Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) takes the mean of that gradient over the picture instead.
Every frame (every step of a 3D network) is a picture of its own.

The score is the class's log-odds, averaged over the frames. The clip's log-probability would be the other
choice, but its gradient vanishes in just the frames that the network is sure of, and the heat would show the
doubtful ones; a bare logit may rise together with those of all other classes.

Where the network averages its maps over the picture, as :class:`R3DTransformer` does, both methods are the
same. A network whose head reads a grid of places weighs each of them by itself, and then Grad-CAM can miss
what it goes by, or find nothing: so HiResCAM is the default.
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

SCORE = "mean over the frames of the class's log-odds"
TITLES = {"grad-cam": "Grad-CAM", "hirescam": "HiResCAM"}


@dataclass(frozen=True)
class Explanation:
    """Which pixels of a clip speak for a class.

    Args:
        clip: The clip; its label is its folder's name where that is one of the model's classes, else None.
        prediction: What the model says of it.
        class_name: The class that the heat speaks for.
        heat: At the resolution of the feature maps; 1 is the most in the whole clip, and all is 0 where
            nothing speaks for the class.
        frames: What the model saw, RGB; depth alone or a silhouette in shades of grey.
        method: ``grad-cam``, ``hirescam``, or ``input gradient`` for a network without feature maps.
        layer: Name of the layer that the maps come from, or None.

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
    """Show which pixels of a clip speak for a class.

    A network without feature maps (``feature_maps()`` of :class:`ActionModel`) gets the size of the score's
    gradient in each pixel instead (Simonyan et al. 2014, arXiv:1312.6034): where a change would matter, for
    the class or against it. Each frame counts alike, also where a model averages frames with learned weights.
    The model is left as it was.

    Args:
        model: A trained model.
        path: The video file.
        start_s: Start of the clip in seconds.
        end_s: End of the clip in seconds, or None for the end of the file.
        roi: Region (x0, y0, x1, y1) in pixels; None for that of the preprocessing, if it has one.
        class_name: The class to explain, or None for the likeliest.
        method: How a feature map counts: place by place, or by the mean of its gradient over the picture.

    Raises:
        ValueError: If the class or the method is unknown, or the region or the times are none.
        UserError: If the model was trained on regions and there is none.
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
    """Switch all of a model to eval mode, and each part back."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _forward(model: Recognizer, clip: Tensor, maps: FeatureMaps | None) -> tuple[Tensor, Tensor]:
    """Return the feature maps, or without any the clip itself, and the logits that came of them."""
    seen = [clip]
    hook = maps.module.register_forward_hook(lambda *call: seen.append(call[-1])) if maps else nullcontext()
    with hook:
        logits = model(clip, torch.tensor([clip.shape[1]], device=clip.device))
    return seen[-1], logits


def _heat(source: Tensor, gradient: Tensor, maps: FeatureMaps | None, method: Method) -> Tensor:
    """Return the heat of each frame, and perhaps of some past the last; not normalised."""
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
        logits: Of each frame.
        index: The class.

    Shape:
        logits ``(T, K)`` -> ``()``.

    >>> mean_log_odds(torch.tensor([[0.75, 0.25], [0.25, 0.75]]).log(), 0).item()
    0.0
    """
    others = torch.arange(logits.shape[1], device=logits.device) != index
    return (logits[:, index] - logits[:, others].logsumexp(1)).mean()


def grad_cam(maps: Tensor, gradients: Tensor) -> Tensor:
    """Combine feature maps into the heat of each picture: equations 1 and 2 of Selvaraju et al. (2017).

    Args:
        maps: Feature maps.
        gradients: The gradient of the class's score in them.

    Shape:
        maps and gradients ``(N, C, h, w)`` -> heat ``(N, h, w)``, not negative.

    >>> maps = torch.tensor([[[[1.0, 2.0]], [[3.0, 1.0]]]])
    >>> grad_cam(maps, torch.tensor([[[[3.0, 1.0]], [[-1.0, -1.0]]]]))
    tensor([[[0., 3.]]])
    """
    weights = gradients.mean((2, 3), keepdim=True)  # (N, C, 1, 1)
    return (weights * maps).sum(1).relu()


def hires_cam(maps: Tensor, gradients: Tensor) -> Tensor:
    """Combine feature maps into the heat of each picture, as Draelos & Carin (2020) do.

    The same as :func:`grad_cam` for a network that averages its maps over the picture.

    Args:
        maps: Feature maps.
        gradients: The gradient of the class's score in them.

    Shape:
        maps and gradients ``(N, C, h, w)`` -> heat ``(N, h, w)``, not negative.

    >>> maps = torch.tensor([[[[1.0, 2.0]], [[3.0, 1.0]]]])
    >>> hires_cam(maps, torch.tensor([[[[3.0, 1.0]], [[-1.0, -1.0]]]]))
    tensor([[[0., 1.]]])
    """
    return (gradients * maps).sum(1).relu()


def write_explanation(folder: Path, explanation: Explanation, model: Recognizer, source: str) -> None:
    """Write ``explanation.png``, ``heatmaps.npz`` and ``explanation.json``, each whole or not at all.

    The archive holds ``heat``, ``times_s`` and ``frame_probabilities``, with ``class_names`` in their order.

    Args:
        folder: Where to; made if absent.
        explanation: What :func:`explain` returned.
        model: What made it.
        source: What to call the model, such as its checkpoint's path.

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
        told = _told(explanation, model, source)
        path.write_text(json.dumps(told, indent=2, allow_nan=False, ensure_ascii=False) + "\n", "utf-8")
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


def _told(explanation: Explanation, model: Recognizer, source: str) -> dict[str, Any]:
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
            "normalisation": "divided by the highest value of the clip",
            "network": type(model.network).__name__,
            "checkpoint": source,
            "versions": {name: version(name) for name in ("tt-actions", "torch")},
        },
    }


def _title(explanation: Explanation) -> str:
    clip, prediction = explanation.clip, explanation.prediction
    said = [f"predicted: {prediction.label} {prediction.probabilities[prediction.label]:.2f}"]
    if clip.label is not None:
        said.append(f"true: {clip.label}")
    if explanation.class_name != prediction.label:
        said.append(f"heat: {explanation.class_name}")
    return "     ".join(said)


def _note(explanation: Explanation, model: Recognizer) -> str:
    network = type(model.network).__name__
    if explanation.layer is None:
        return (
            f"Heat: where a change matters most for {explanation.class_name}. {network} has no feature maps "
            f"for HiResCAM; this is the size of the input gradient of the {SCORE}."
        )
    height, width = explanation.heat.shape[1:]
    nothing = "" if explanation.heat.any() else " Nothing does."
    return (
        f"Heat: what speaks for {explanation.class_name}.{nothing} {TITLES[explanation.method]} at "
        f"{network}.{explanation.layer}, {width} x {height} a frame, of the {SCORE}."
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
        roi: Region of the picture in pixels (default: that of the training).
        class_: Class to explain (default: the most likely).
        method: How to weight a feature map: place by place (hirescam, the default), or by its mean gradient
            (grad-cam).

    Raises:
        ValueError: If the checkpoint, the clip, the class or a number is not as expected.
        OSError: If there is no checkpoint or a file can't be written.
    """
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f"Expected a folder to write to, but '{out}' is a file. Name another.")
    model = load(checkpoint)
    explanation = explain(model, clip, start_s, end_s, roi, class_, method)
    write_explanation(out, explanation, model, str(checkpoint))
    sys.stdout.write(f"{_title(explanation)}\n{_note(explanation, model)}\n{out / 'explanation.png'}\n")
