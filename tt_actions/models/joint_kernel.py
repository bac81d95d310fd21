"""The course of the joints with a kernel classifier, for a few dozen clips."""

import torch
import torch.nn.functional as F
from torch import Tensor

from tt_actions.models.checks import check_positive
from tt_actions.models.kernel_model import KernelModel
from tt_actions.models.ridge import RidgeFit
from tt_actions.skeleton.layouts import Layout, find_layout
from tt_actions.skeleton.streams import check_joints

GAMMAS = (0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Widths of the kernel, from which the fit chooses."""

_MIN_SPREAD = 1e-3  # trunk lengths; a coordinate that varies less is noise


class JointKernel(KernelModel):
    """Kernel ridge regression on the positions of the joints over the course of a clip.

    A clip is described by the positions of all joints at equally spaced times from its first to its last
    frame. Each coordinate at each time is divided by its spread over the training clips. A Gaussian kernel of
    the mean squared difference compares clips, so that similar training clips decide about a new clip. The
    width of the kernel is chosen like the ridge, by the leave-one-out likelihood of the training clips.

    Args:
        num_classes: Number of classes *K*.
        layout: Name of the joint layout.
        num_times: Number of times at which positions are compared.

    Shape:
        joints ``(B, T, C, V)`` and lengths ``(B,)`` -> logits ``(B, T, K)``.

    Raises:
        ValueError: If ``num_times`` is below 1, or the layout is unknown.
    """

    layout: Layout
    mean: Tensor
    spread: Tensor
    gamma: Tensor

    def __init__(self, num_classes: int, layout: str, num_times: int = 16) -> None:
        check_positive(num_times=num_times)
        found = find_layout(layout)
        num_features = num_times * found.num_coordinates * len(found.joints)
        super().__init__(num_classes, num_features)
        self.layout, self.num_times = found, num_times
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("spread", torch.ones(num_features))
        self.register_buffer("gamma", torch.tensor(0.5))

    def describe(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the positions of the joints at equally spaced times.

        Args:
            inputs: Joints of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, C, V)``, lengths ``(B,)`` -> ``(B, num_times * C * V)``.
        """
        check_joints(inputs, self.layout)
        clips = zip(inputs.float(), lengths.tolist(), strict=True)
        return torch.stack([self._resample(clip[:length]) for clip, length in clips])

    def _resample(self, clip: Tensor) -> Tensor:
        rows = clip.flatten(1).T[None]  # (1, C * V, T)
        return F.interpolate(rows, self.num_times, mode="linear", align_corners=True).flatten()

    def compare(self, some: Tensor, others: Tensor) -> Tensor:
        """Return the Gaussian kernel between descriptors.

        Args:
            some: Descriptors.
            others: Other descriptors.

        Shape:
            some ``(M, D)``, others ``(N, D)`` -> ``(M, N)``.
        """
        mean, spread = self.mean.to(some), self.spread.to(some)
        distances = torch.cdist((some - mean) / spread, (others - mean) / spread)
        return torch.exp(-self.gamma.to(some) * distances.square() / some.shape[1])

    def fit(self, features: Tensor, labels: Tensor) -> RidgeFit:
        """Fit the regression with the width of the kernel that predicts left-out clips best.

        Args:
            features: Descriptors of the training clips, in double precision.
            labels: Class of each clip.

        Shape:
            features ``(N, D)``, labels ``(N,)``.
        """
        device = self.mean.device
        self.mean = features.mean(0).float()
        self.spread = features.std(0, correction=0).clamp(min=_MIN_SPREAD).float()
        fits = {}
        for gamma in GAMMAS:
            self.gamma = torch.tensor(gamma)
            fits[gamma] = super().fit(features, labels)
        best = min(GAMMAS, key=lambda gamma: float(F.cross_entropy(fits[gamma].left_out, labels)))
        self.gamma = torch.tensor(best, device=device)
        self.mean, self.spread = self.mean.to(device), self.spread.to(device)
        return fits[best]
