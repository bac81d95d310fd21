"""Heat maps from the last feature maps of a network: HiResCAM and Grad-CAM.

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

from typing import Literal

import torch
from torch import Tensor

from tt_actions.evaluation.occlusion import log_odds
from tt_actions.models.base import ActionModel, FeatureMaps

Weighting = Literal["hirescam", "grad-cam"]

SCORE = "log-odds of the class, averaged over the frames"
NORMALISATION = "divided by the maximum of the clip"


def activation_heat(
    network: ActionModel, clip: Tensor, index: int, maps: FeatureMaps, weighting: Weighting
) -> Tensor:
    """Return how much each position of a network's last feature maps supports a class.

    Args:
        network: The network, in eval mode.
        clip: The normalised frames of one clip.
        index: Index of the class.
        maps: The feature maps.
        weighting: How to weight a map: position by position, or by its mean gradient over the frame.

    Shape:
        clip ``(T, C, H, W)`` -> ``(T, h, w)``, not negative.
    """
    read: list[Tensor] = []
    with torch.inference_mode(False), torch.enable_grad():
        with maps.module.register_forward_hook(lambda *call: read.append(call[-1])):
            inputs = clip.clone()[
                None
            ].requires_grad_()  # a network whose weights are frozen has gradients too
            logits = network(inputs, torch.tensor([len(clip)], device=clip.device))
        (gradient,) = torch.autograd.grad(log_odds(logits[0], index).mean(), read[-1])
    source = read[-1].detach()
    if source.ndim == 5:  # (1, C, T / stride, h, w)
        source, gradient = source[0].transpose(0, 1), gradient[0].transpose(0, 1)
    combine = grad_cam if weighting == "grad-cam" else hires_cam
    return combine(source, gradient).repeat_interleave(maps.stride, 0)[: len(clip)]


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
