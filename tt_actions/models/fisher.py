"""Fisher vectors of a clip's frames with a linear classifier."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from tt_actions.errors import UserError
from tt_actions.models.averages import valid_frames
from tt_actions.models.checks import check_positive
from tt_actions.models.closed_form import ClosedFormModel
from tt_actions.models.components import PrincipalComponents
from tt_actions.models.gaussians import log_density, standardise
from tt_actions.models.ridge import fit_ridge
from tt_actions.skeleton.layouts import Layout, find_layout
from tt_actions.skeleton.streams import Stream

VARIANCE_OFFSET = 1e-2
"""Added to the variances of the mixture; the components themselves have variance 1."""


class Fisher(ClosedFormModel):
    """Fisher vectors over a Gaussian mixture of frames, with ridge regression as the classifier.

    The principal components of the joints and their motion describe a frame. scikit-learn fits a mixture of
    Gaussians with diagonal covariances to all training frames. A clip is described by the gradient of its
    mean log-density with respect to weights, means and standard deviations, each divided by the root of its
    Fisher information, with the power and L2 normalisation of Perronnin et al. (2010, "Improving the Fisher
    kernel for large-scale image classification"). The linear classifier is a ridge regression. Its strength
    and temperature maximise the leave-one-out likelihood of the training clips; the mixture, which does not
    use the classes, is fitted to all of them. If clips are similar, such as several of one player, the
    resulting probabilities are overconfident.

    A sum over frames ignores their order. Therefore the streams include motion, which depends on neighbouring
    frames, and the relative time of a frame in the clip is an additional feature, like the position of a
    patch in an image in Sanchez et al. (2012, "Modeling the spatial layout of images beyond spatial
    pyramids").

    All frames of a clip get the clip's logits, so its temporal consistency is always 1 and has no meaning.

    Args:
        num_classes: Number of classes *K*.
        layout: Name of the joint layout.
        streams: Input streams: any of ``joint``, ``bone``, ``joint_motion`` and ``bone_motion``.
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
        """Return the normalised Fisher vectors of clips, in double precision: roots amplify rounding errors.

        Args:
            streams: Concatenated streams of each frame.
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
        position = math.sqrt(12) * (times - 0.5)  # variance 1 over a clip, like the components
        return torch.cat([self.components(streams), position[..., None].to(streams)], 2)

    def collect(
        self,
        inputs: Tensor,
        lengths: Tensor,
        labels: Tensor,
        hands: Tensor | None = None,  # noqa: ARG002
    ) -> None:
        """Store the input of a batch of training clips.

        Args:
            inputs: Joints of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.
            labels: Class of each clip.
            hands: Playing hand of each clip: see :meth:`ActionModel.forward_with_hands`; None if unknown.

        Shape:
            inputs ``(B, T, C, V)``, lengths, labels and hands ``(B,)``.
        """
        self.collected.append((self.components.read(inputs), lengths, labels))

    def solve(self) -> tuple[Tensor, Tensor]:
        """Fit the model to the collected clips, and discard them.

        Returns:
            The logits of each clip from a ridge regression on all other clips, and the classes of the clips.

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
                f"Expected at least {num_gaussians} training frames (`num_gaussians`), but got "
                f"{len(frames)}. Lower `num_gaussians`, or add clips."
            )
        mixture = GaussianMixture(
            num_gaussians, covariance_type="diag", reg_covar=VARIANCE_OFFSET, max_iter=300, random_state=0
        )
        mixture.fit(frames.double().cpu().numpy())
        self.weights = torch.from_numpy(mixture.weights_).to(self.weights)
        self.means = torch.from_numpy(mixture.means_).to(self.means)
        self.spreads = torch.from_numpy(mixture.covariances_).sqrt().to(self.spreads)


def fisher_vectors(x: Tensor, lengths: Tensor, weights: Tensor, means: Tensor, spreads: Tensor) -> Tensor:
    """Return the gradients of clips' mean log-density under a mixture, scaled by the Fisher information.

    Equations 16 to 18 of Sanchez et al. (2013, "Image classification with the Fisher vector"), in which the
    weight of a Gaussian is the softmax of its parameter. Each gradient is divided by the root of its Fisher
    information.

    Args:
        x: Frames of each clip, padded to the longest.
        lengths: Number of valid frames of each clip.
        weights: Weights of the Gaussians.
        means: Means of the Gaussians.
        spreads: Standard deviations of the Gaussians.

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
