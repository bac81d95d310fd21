"""The course of the joints with a kernel classifier, for a few dozen clips."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tt_actions.models.checks import check_positive
from tt_actions.models.either_hand import fit_either_hand
from tt_actions.models.kernel_model import KernelModel
from tt_actions.models.ridge import RidgeFit
from tt_actions.skeleton.layouts import PATHS, Layout, find_layout
from tt_actions.skeleton.streams import check_joints

GAMMAS = (0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Widths of the kernel, from which the fit chooses."""

_MEMORY = 2 / 15  # share of a clip after which a difference from the mean course shrinks by a factor of e
_MIN_SPREAD = 1e-3  # trunk lengths; a coordinate that varies less is noise


class JointKernel(KernelModel):
    """Kernel ridge regression on the positions of the joints over the course of a clip.

    A clip is described by the positions of all joints at equally spaced times from its first to its last
    frame. Each coordinate at each time is divided by its spread over the training clips. A Gaussian kernel of
    the mean squared difference compares clips, so that similar training clips decide about a new clip. The
    width of the kernel is chosen like the ridge, by the leave-one-out likelihood of the training clips.

    The forehand of a left-hander can look like a backhand, so there are two fits. One is for clips whose
    playing hand is given. The other is for all other clips: it compares a clip with the training clips as
    they were recorded and with their mirror images, and learns how likely mirrored strokes are
    (:func:`tt_actions.models.either_hand.fit_either_hand`). It needs no hands. If the hand of no training
    clip is given, it classifies all clips. Fitting a thousand clips takes about ten seconds.

    Args:
        num_classes: Number of classes *K*.
        layout: Name of the joint layout.
        num_times: Number of times at which positions are compared.

    Shape:
        joints ``(B, T, C, V)`` and lengths ``(B,)`` -> logits ``(B, T, K)``.

    Raises:
        ValueError: If ``num_times`` is below 1, or the layout is unknown.
    """

    rows = (*KernelModel.rows, "either_coefficients")

    layout: Layout
    mean: Tensor
    spread: Tensor
    gamma: Tensor
    either_gamma: Tensor
    either_coefficients: Tensor
    prior: Tensor
    knows_hands: Tensor

    def __init__(self, num_classes: int, layout: str, num_times: int = 16) -> None:
        check_positive(num_times=num_times)
        found = find_layout(layout)
        num_features = num_times * found.num_coordinates * len(found.joints)
        super().__init__(num_classes, num_features)
        self.layout, self.num_times = found, num_times
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("spread", torch.ones(num_features))
        self.register_buffer("gamma", torch.tensor(0.5))
        self.register_buffer("either_gamma", torch.tensor(0.5))
        self.register_buffer("either_coefficients", torch.zeros(0, 2, num_classes))  # clips, mirror images
        self.register_buffer("prior", torch.tensor([0.5, 0.5]).log())
        self.register_buffer("knows_hands", torch.tensor(False))

    def describe(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the positions of the joints at equally spaced times.

        Args:
            inputs: Joints of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, C, V)``, lengths ``(B,)`` -> ``(B, num_times * C * V)``.
        """
        check_joints(inputs, self.layout)
        rows = inputs.float().flatten(2)  # (B, T, C * V)
        return resample_clips(rows, lengths, self.num_times).mT.flatten(1)

    def mirror(self, features: Tensor) -> Tensor:
        """Return the descriptors of mirrored clips, which show the stroke with the other hand.

        Args:
            features: Descriptors.

        Shape:
            features ``(N, D)`` -> the same.
        """
        joints = features.view(len(features), self.layout.num_coordinates, -1, self.num_times)
        swapped = joints[:, :, list(self.layout.mirrored)]
        return torch.cat([-swapped[:, :1], swapped[:, 1:]], 1).flatten(1)

    def continue_clips(self, inputs: Tensor, num_frames: int) -> Tensor:
        """Continue clips that are not over by the mean course of the training clips.

        The difference from the mean course at the last frame shrinks exponentially, because a pose says less
        and less about later ones.

        Args:
            inputs: The first joints of each clip.
            num_frames: Number of frames of the whole clip, at least *T*.

        Shape:
            inputs ``(B, T, C, V)`` -> ``(B, num_frames, C, V)``.
        """
        num_known = inputs.shape[1]
        rows = self.mean.to(inputs).view(1, -1, self.num_times)
        course = F.interpolate(rows, num_frames, mode="linear", align_corners=True)[0].T
        course = course.view(num_frames, *inputs.shape[2:])
        later = torch.arange(1, num_frames - num_known + 1, device=inputs.device)
        share = torch.exp(-later / (_MEMORY * num_frames)).view(-1, 1, 1)
        apart = inputs[:, -1:] - course[num_known - 1]
        return torch.cat([inputs, course[num_known:] + share * apart], 1)

    def compare(self, some: Tensor, others: Tensor) -> Tensor:
        """Return the Gaussian kernel between descriptors.

        Args:
            some: Descriptors.
            others: Other descriptors.

        Shape:
            some ``(M, D)``, others ``(N, D)`` -> ``(M, N)``.
        """
        return self._gaussian(some, others, self.mean, self.spread, self.gamma)

    def _gaussian(self, some: Tensor, others: Tensor, mean: Tensor, spread: Tensor, gamma: Tensor) -> Tensor:
        mean, spread = mean.to(some), spread.to(some)
        some, others = (some - mean) / spread, (others - mean) / spread
        squares = some.square().sum(1, keepdim=True) + others.square().sum(1) - 2 * some @ others.T
        return torch.exp(-gamma.to(some) * squares.clamp(min=0) / some.shape[1])

    def _compare_both(self, some: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        """Return the kernels with descriptors and with their mirror images: the same for mirrored clips."""
        mean = (self.mean + self.mirror(self.mean[None])[0]) / 2
        spread = ((self.spread.square() + self.mirror(self.spread[None])[0].square()) / 2).sqrt()
        same = self._gaussian(some, others, mean, spread, self.either_gamma)
        return same, self._gaussian(some, self.mirror(others), mean, spread, self.either_gamma)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits of clips whose playing hand is unknown.

        Args:
            inputs: Joints of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, C, V)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        if not len(self.either_coefficients):  # a checkpoint of an earlier version, or a trajectory
            return super().forward(inputs, lengths)
        features = self.describe(inputs, lengths).double()
        with torch.autocast(features.device.type, enabled=False):
            same, mirrored = self._compare_both(features, self.described.to(features))
            own, other = self.either_coefficients.to(features).unbind(1)
            scores = torch.stack([same @ own + mirrored @ other, same @ other + mirrored @ own])
            logits = (scores + self.prior.to(features).view(2, 1, 1)).logsumexp(0).to(self.prior)
        return logits[:, None].expand(-1, inputs.shape[1], -1)

    def forward_with_hands(self, inputs: Tensor, lengths: Tensor, hands: Tensor | None) -> Tensor:
        """Return per-frame logits of clips whose playing hands may be given.

        Args:
            inputs: Joints of each clip, padded to the longest; those of given left-handers are mirrored.
            lengths: Number of valid frames of each clip.
            hands: Playing hand of each clip: 1 for right, -1 for left, 0 if unknown; None if all are.

        Shape:
            inputs ``(B, T, C, V)``, lengths and hands ``(B,)`` -> logits ``(B, T, K)``.
        """
        unknown: Tensor = self(inputs, lengths)
        if hands is None:
            return unknown
        is_unknown = (hands == 0) | ~self.knows_hands
        return torch.where(is_unknown.view(-1, 1, 1), unknown, super().forward(inputs, lengths))

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

    def solve(self) -> tuple[Tensor, Tensor]:
        """Fit the model to the collected clips, and discard them.

        Returns:
            The logits of each clip from a fit to all other clips, and the classes of the clips.

        Shape:
            logits ``(N, K)``, labels ``(N,)``.
        """
        hands = torch.cat([hands for _, _, hands in self.collected])
        left_out, labels = super().solve()
        if self.layout in PATHS:  # they have no sides
            return left_out, labels
        self.knows_hands = (hands != 0).any()
        return torch.where((hands != 0)[:, None], left_out, self._fit_either(labels, hands)), labels

    def _fit_either(self, labels: Tensor, hands: Tensor) -> Tensor:
        """Fit the clips as they were recorded, and return the logits ``(N, K)`` of left-out clips."""
        features, was_mirrored = self.described.double(), (hands < 0)[:, None]
        recorded = torch.where(was_mirrored, self.mirror(features), features)
        fits = {}
        for gamma in GAMMAS:
            self.either_gamma = torch.tensor(gamma, device=features.device)
            same, mirrored = self._compare_both(recorded, recorded)
            fits[gamma] = fit_either_hand(same.cpu(), mirrored.cpu(), labels.cpu(), self.num_classes)
        best = min(GAMMAS, key=lambda gamma: fits[gamma].loss)
        self.either_gamma = torch.tensor(best, device=features.device)
        fit = fits[best]
        coefficients = torch.stack([fit.own, fit.mirrored], 1).float().to(features.device)
        self.either_coefficients = torch.where(was_mirrored[:, None], coefficients.flip(1), coefficients)
        self.prior = fit.prior.float().to(features.device)
        return fit.left_out.float().to(features.device)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        if prefix + "prior" not in state_dict:  # saved by an earlier version
            for name in ("either_gamma", "prior", "knows_hands"):
                state_dict[prefix + name] = getattr(self, name)
            state_dict[prefix + "either_coefficients"] = self.either_coefficients[:0]
        super()._load_from_state_dict(state_dict, prefix, *args)


def resample_clips(clips: Tensor, lengths: Tensor, num_times: int) -> Tensor:
    """Interpolate clips at equally spaced times from their first to their last valid frame.

    Args:
        clips: Clips, padded to the longest.
        lengths: Number of valid frames of each clip.
        num_times: Number of times *N*; a single one is the first frame.

    Shape:
        clips ``(B, T, D)``, lengths ``(B,)`` -> ``(B, N, D)``.

    >>> resample_clips(torch.tensor([[[0.0], [4.0], [9.0]]]), torch.tensor([2]), 3).flatten().tolist()
    [0.0, 2.0, 4.0]
    """
    last = lengths[:, None] - 1
    steps = torch.arange(num_times, device=clips.device)
    times = last.to(clips) / max(num_times - 1, 1) * steps  # (B, N), in frames
    before = torch.minimum(times.floor().long(), last)
    after = torch.minimum(before + 1, last)
    share = (times - before)[..., None]
    size = (-1, -1, clips.shape[2])
    one, other = (clips.gather(1, index[..., None].expand(size)) for index in (before, after))
    return one + share * (other - one)
