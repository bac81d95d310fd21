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

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from tt_actions.clips.preprocessing import as_colours
from tt_actions.clips.records import ClipRecord
from tt_actions.evaluation.clip_figures import clip_figure
from tt_actions.evaluation.explanation import Explanation, Method, evaluating
from tt_actions.models.base import ActionModel, FeatureMaps
from tt_actions.recognition.prediction import make_prediction
from tt_actions.recognition.recognizer import Recognizer

SCORE = "log-odds of the class, averaged over the frames"
NORMALISATION = "divided by the maximum of the clip"
TITLES = {"grad-cam": "Grad-CAM", "hirescam": "HiResCAM"}


@dataclass(frozen=True)
class PixelExplanation(Explanation):
    """Which pixels of a clip support a class; the heat has the resolution of the feature maps.

    Args:
        frames: The frames that the model read, as RGB; depth or silhouettes in shades of grey.
        layer: Name of the layer of the feature maps, or None.

    Shape:
        heat ``(T, h, w)``, float32 in [0, 1]; frames ``(T, H, W, 3)``, uint8.
    """

    frames: np.ndarray
    layer: str | None

    def note(self, model: Recognizer) -> str:
        """Return sentences that say what the heat is and how it was computed.

        Args:
            model: The explained model.
        """
        network = type(model.network).__name__
        if self.layer is None:
            return (
                f"Heat map: where a change matters most for {self.class_name}. {network} has no feature "
                f"maps for HiResCAM, so this is the size of the input gradient of the score: {SCORE}."
            )
        height, width = self.heat.shape[1:]
        nothing = "" if self.heat.any() else " No pixel supports it."
        source = f"{TITLES[self.method]} at {network}.{self.layer} ({width} x {height} per frame)"
        return (
            f"Heat map: the pixels that support {self.class_name}.{nothing} "
            f"Computed by {source} for the score: {SCORE}."
        )

    def draw(self, model: Recognizer) -> Figure:
        """Draw the frames with the heat over them, and the probabilities over time.

        Args:
            model: The explained model.
        """
        return clip_figure(
            self.frames,
            self.prediction.times_s,
            self.prediction.frame_probabilities,
            model.class_names,
            heat=self.heat,
            title=self.title,
            note=self.note(model),
            marked=self.class_name,
        )

    def facts(self) -> dict[str, Any]:
        """Return, as plain types, what is known about the method besides its name."""
        size = self.heat.shape[1:]
        return {"score": SCORE, "layer": self.layer, "heat_size": size, "normalisation": NORMALISATION}


def explain_pixels(
    model: Recognizer, clip: ClipRecord, class_name: str | None, method: Method
) -> PixelExplanation:
    """Compute which pixels of a clip support a class.

    For a network without feature maps (``feature_maps()`` of :class:`ActionModel`), the heat is the size of
    the score's gradient in each pixel (Simonyan et al. 2014, arXiv:1312.6034). It shows where a change would
    matter, for the class or against it. All frames count equally, even with learned frame weights.

    Args:
        model: A trained model that reads frames.
        clip: The clip.
        class_name: The class to explain, or None for the most likely class.
        method: How to weight a feature map: position by position, or by its mean gradient over the frame.

    Raises:
        UserError: If the model was trained on regions, but there is none.
        VideoError: If the clip can't be read.
    """
    frames, times_s = model.frame_preprocessing.read_clip(clip.path, clip.start_s, clip.end_s, clip.roi)
    model.check_region(clip.roi)
    maps = model.network.feature_maps()
    with evaluating(model.network), torch.inference_mode(False), torch.enable_grad():
        shown = torch.from_numpy(frames).permute(0, 3, 1, 2)[None].to(model.device, torch.float32) / 255
        source, logits = _forward(model, shown.requires_grad_(), maps)
        prediction = make_prediction(model.network, model.class_names, logits.detach(), times_s)
        class_name = class_name or prediction.label
        score = mean_log_odds(logits[0], model.class_names.index(class_name))
        (gradient,) = torch.autograd.grad(score, source)
    heat = _heat(source.detach(), gradient, maps, method)[: len(frames)]
    return PixelExplanation(
        clip=clip,
        prediction=prediction,
        class_name=class_name,
        heat=(heat / heat.max() if heat.any() else heat).cpu().numpy(),
        method=method if maps else "input gradient",
        frames=as_colours(frames),
        layer=_layer_name(model.network, maps),
    )


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
