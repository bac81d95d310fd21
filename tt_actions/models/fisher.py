"""Fisher vectors of a clip's frames with a linear classifier."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from tt_actions.errors import UserError
from tt_actions.models.base import valid_frames
from tt_actions.models.checks import check_positive
from tt_actions.models.closed_form import ClosedFormModel
from tt_actions.models.components import PrincipalComponents
from tt_actions.models.gaussians import log_density, standardise
from tt_actions.models.ridge import fit_ridge
from tt_actions.skeleton.layouts import Layout, find_layout
from tt_actions.skeleton.streams import Stream

LEAST_VARIANCE = 1e-2
"""Added to the variances of the mixture; the components themselves have variance 1."""


class Fisher(ClosedFormModel):
    """Fisher vectors over a Gaussian mixture of frames, with ridge regression as the classifier.

    A frame is described by the principal components of its joints and their motion. Of all training frames a
    mixture of Gaussians with diagonal covariances is fitted (by scikit-learn), and a clip is the gradient of
    its mean log-density with respect to weights, means and standard deviations, each divided by the root of
    its Fisher information, with the power and L2 normalisation of Perronnin et al. (2010, "Improving the
    Fisher kernel for large-scale image classification"). The linear classifier is a ridge regression, whose
    strength and temperature are those under which the training clips, each left out in turn, are likeliest;
    the mixture, which knows no classes, has seen them all. Where clips are alike, such as those of one
    player, that is too sure of itself.

    A sum over frames forgets their order. So motion, which tells of neighbours, is among the streams, and
    when in the clip a frame is, from start to end, stands beside its components: as the place of a patch in
    a picture does in Sanchez et al. (2012, "Modeling the spatial layout of images beyond spatial pyramids").

    All frames of a clip get the clip's logits, so that its temporal consistency is 1 and says nothing.

    Args:
        num_classes: Number of classes *K*.
        layout: Name of the joints' layout.
        streams: Any of ``joint``, ``bone``, ``joint_motion`` and ``bone_motion``.
        num_components: Number of principal components per frame.
        num_gaussians: Number of Gaussians *M* in the mixture.

    Shape:
        joints ``(B, T, C, V)`` and lengths ``(B,)`` -> logits ``(B, T, K)``.

    Raises:
        ValueError: If a number is below 1, or the layout or a stream is unknown.
    """

    weights: Tensor
    means: Tensor
    spreads: Tensor
    coefficients: Tensor
    temperature: Tensor

    layout: Layout

    def __init__(
        self,
        num_classes: int,
        layout: str,
        streams: Sequence[Stream] = ("joint", "joint_motion"),
        num_components: int = 30,
        num_gaussians: int = 16,
    ) -> None:
        super().__init__(num_classes)
        check_positive(num_gaussians=num_gaussians)
        self.layout = find_layout(layout)
        self.components = PrincipalComponents(self.layout, streams, num_components)
        size = self.components.num_components + 1  # the last is time
        self.register_buffer("weights", torch.full((num_gaussians,), 1 / num_gaussians))
        self.register_buffer("means", torch.zeros(num_gaussians, size))
        self.register_buffer("spreads", torch.ones(num_gaussians, size))
        self.register_buffer("coefficients", torch.zeros(num_gaussians * (1 + 2 * size), num_classes))
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits: the logits of the clip, repeated for each frame.

        Args:
            inputs: Joints of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, C, V)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        with torch.autocast(inputs.device.type, enabled=False):
            vectors = self.describe(self.components.read(inputs), lengths)
            logits = (vectors @ self.coefficients.to(vectors)).to(self.temperature) / self.temperature
        return logits[:, None].expand(-1, inputs.shape[1], -1)

    def describe(self, streams: Tensor, lengths: Tensor) -> Tensor:
        """Return the normalised Fisher vectors of clips, in double precision, because square roots amplify
        rounding errors.

        Args:
            streams: What is read of each frame.
            lengths: Number of valid frames of each clip.

        Shape:
            streams ``(B, T, D)``, lengths ``(B,)`` -> ``(B, M * (1 + 2 * (P + 1)))``.
        """
        streams = streams.double()
        means, spreads, weights = (x.to(streams) for x in (self.means, self.spreads, self.weights))
        vectors = fisher_vectors(self._frames(streams, lengths), lengths, weights, means, spreads)
        return F.normalize(vectors.sign() * vectors.abs().sqrt(), dim=1)

    def _frames(self, streams: Tensor, lengths: Tensor) -> Tensor:
        """The components of each frame and its relative time: ``(B, T, P + 1)``."""
        times = torch.arange(streams.shape[1], device=streams.device) / (lengths[:, None] - 1).clamp(min=1)
        place = math.sqrt(12) * (times - 0.5)  # over a clip of variance 1, as the components
        return torch.cat([self.components(streams), place[..., None].to(streams)], 2)

    def collect(self, inputs: Tensor, lengths: Tensor, labels: Tensor) -> None:
        """Store the input of a batch of training clips.

        Args:
            inputs: Joints of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.
            labels: Their classes.

        Shape:
            inputs ``(B, T, C, V)``, lengths and labels ``(B,)``.
        """
        self.collected.append((self.components.read(inputs), lengths, labels))

    def solve(self) -> tuple[Tensor, Tensor]:
        """Fit the model to the collected clips, and discard them.

        Returns:
            The logits of each clip from a ridge regression on all others, and the clips' classes.

        Shape:
            logits ``(N, K)``, labels ``(N,)``.

        Raises:
            ValueError: If there are fewer frames than Gaussians.
        """
        batches = [(streams, lengths) for streams, lengths, _ in self.collected]
        labels = torch.cat([batch_labels for *_, batch_labels in self.collected])
        self.collected.clear()
        self.components.fit(torch.cat([x[valid_frames(n, x.shape[1])] for x, n in batches]))
        self._fit_mixture(torch.cat([self._frames(x, n)[valid_frames(n, x.shape[1])] for x, n in batches]))
        vectors = torch.cat([self.describe(*batch) for batch in batches]).cpu()
        fit = fit_ridge(vectors @ vectors.T, labels.cpu(), self.num_classes)
        self.coefficients = (vectors.T @ fit.coefficients).to(self.coefficients)
        self.temperature = fit.temperature.to(self.temperature)
        return fit.left_out.to(self.coefficients), labels

    def _fit_mixture(self, frames: Tensor) -> None:
        from sklearn.mixture import GaussianMixture  # slow to load

        num_gaussians = len(self.weights)
        if len(frames) < num_gaussians:
            raise UserError(
                f"Expected at least as many training frames as `num_gaussians`, {num_gaussians}, but got "
                f"{len(frames)}. Lower it or add clips."
            )
        mixture = GaussianMixture(
            num_gaussians, covariance_type="diag", reg_covar=LEAST_VARIANCE, max_iter=300, random_state=0
        )
        mixture.fit(frames.double().cpu().numpy())
        self.weights = torch.from_numpy(mixture.weights_).to(self.weights)
        self.means = torch.from_numpy(mixture.means_).to(self.means)
        self.spreads = torch.from_numpy(mixture.covariances_).sqrt().to(self.spreads)


def fisher_vectors(x: Tensor, lengths: Tensor, weights: Tensor, means: Tensor, spreads: Tensor) -> Tensor:
    """Return the gradients of the clips' mean log-density under a mixture, divided by the square root of the
    Fisher information.

    Equations 16 to 18 of Sanchez et al. (2013, "Image classification with the Fisher vector"), in which a
    Gaussian's weight is the softmax of its parameter.

    Args:
        x: Frames of each clip, padded to the longest.
        lengths: Number of valid frames of each clip.
        weights: Of the Gaussians.
        means: Of the Gaussians.
        spreads: Their standard deviations.

    Returns:
        The gradients with respect to weights, means and standard deviations, one after the other.

    Shape:
        x ``(B, T, D)``, lengths ``(B,)``, weights ``(M,)``, means and spreads ``(M, D)`` ->
        ``(B, M * (1 + 2 * D))``.
    """
    deviations = standardise(x, means, spreads)  # (B, T, M, D)
    mask = valid_frames(lengths, x.shape[1])[..., None]
    shares = (log_density(deviations, spreads) + weights.log()).softmax(-1).masked_fill(~mask, 0)  # (B, T, M)
    roots = weights.sqrt()
    by_weight = (shares.sum(1) - lengths[:, None] * weights) / roots
    deviations = deviations.masked_fill(~mask[..., None], 0)
    by_mean = torch.einsum("btm,btmd->bmd", shares, deviations) / roots[:, None]
    by_spread = torch.einsum("btm,btmd->bmd", shares, deviations.square() - 1) / (2 * weights).sqrt()[:, None]
    return torch.cat([by_weight, by_mean.flatten(1), by_spread.flatten(1)], 1) / lengths[:, None]
