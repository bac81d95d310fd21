"""The baseline with several training objectives."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tt_actions.models.averages import valid_frames
from tt_actions.models.cnn import CNN
from tt_actions.models.losses import mean_over_processes


class MOF(CNN):
    r"""The network of :class:`CNN`, trained jointly on class, temporal smoothness and frame order.

    The published comparison mentions a "multi-objective function" (MOF) without details. Our reading: three
    objectives with learned uncertainty weights (Kendall, Gal & Cipolla 2018, equation 7, in their form with
    :math:`s = \log \sigma^2`):

    .. math:: e^{-s_1} L_{class} + \tfrac12 e^{-s_2} L_{smooth} + e^{-s_3} L_{order} + \tfrac12 \sum_i s_i

    :math:`L_{smooth}` is the squared change of the class probabilities between neighbouring frames.
    :math:`L_{order}` is self-supervised: a small classifier predicts which of two frames of a clip came first
    from their features; the frames are a quarter of the clip apart and swapped at random. Both losses are
    means over the frames of all training processes.

    Args:
        num_classes: Number of classes *K*.
        channels: Output channels of each convolutional layer.
        batch_norm: Whether batch normalisation follows each convolution.
        grid: Rows and columns of the grid that the last feature map is pooled to.
        feature_size: Number of features per frame.
        fc_size: Width of the first fully connected layer, also in the order classifier.
        dropout: Dropout rate of the features and of the output of the first fully connected layer.
        in_channels: Number of channels *C* per frame.

    Shape:
        frames ``(B, T, C, H, W)``, floating point, and lengths ``(B,)`` -> logits ``(B, T, K)``.

    Raises:
        ValueError: If a size is below 1.
    """

    def __init__(
        self,
        num_classes: int,
        channels: Sequence[int] = (16, 32, 64),
        batch_norm: bool = False,
        grid: tuple[int, int] = (4, 4),
        feature_size: int = 128,
        fc_size: int = 64,
        dropout: float = 0.0,
        in_channels: int = 3,
    ) -> None:
        super().__init__(num_classes, channels, batch_norm, grid, feature_size, fc_size, dropout, in_channels)
        self.order = nn.Sequential(nn.Linear(2 * feature_size, fc_size), nn.ReLU(), nn.Linear(fc_size, 1))
        self.log_variances = nn.Parameter(torch.zeros(3))

    def objective(
        self,
        inputs: Tensor,
        lengths: Tensor,
        class_loss: Callable[[Tensor], Tensor],
        frame_labels: Tensor | None = None,  # noqa: ARG002 - the contract's signature
    ) -> tuple[Tensor, Tensor]:
        """Return the weighted sum of the three losses, and the logits.

        Args:
            inputs: Frames of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.
            class_loss: Function that returns the loss of per-frame logits.
            frame_labels: Class of each frame, or None; not used.

        Shape:
            inputs ``(B, T, C, H, W)``, lengths ``(B,)`` -> loss ``()``, logits ``(B, T, K)``.
        """
        features = self.features(inputs, lengths)
        logits: Tensor = self.head(features)
        smooth = smoothness_loss(logits, lengths)
        order = self._order_loss(features, lengths)
        losses = torch.stack([class_loss(logits), smooth / 2, order])
        return ((-self.log_variances).exp() * losses + self.log_variances / 2).sum(), logits

    def _order_loss(self, features: Tensor, lengths: Tensor) -> Tensor:
        gap = (lengths // 4).clamp(min=1)[:, None]  # (B, 1)
        num_firsts = features.shape[1] - int(gap.min())
        later = torch.arange(num_firsts, device=features.device) + gap  # (B, F)
        is_valid = later < lengths[:, None]
        later = later.clamp(max=features.shape[1] - 1)
        first = features[:, :num_firsts]  # (B, F, D)
        second = features.take_along_dim(later[..., None], dim=1)
        is_swapped = torch.rand(first.shape[:2], device=features.device) < 0.5
        swapped, ordered = torch.cat([second, first], -1), torch.cat([first, second], -1)
        pairs = torch.where(is_swapped[..., None], swapped, ordered)
        scores, swapped_before = self.order(pairs)[..., 0][is_valid], is_swapped[is_valid]
        total = F.binary_cross_entropy_with_logits(scores, swapped_before.to(scores.dtype), reduction="sum")
        return total / mean_over_processes(is_valid.sum()).clamp(min=1e-12)


def smoothness_loss(logits: Tensor, lengths: Tensor) -> Tensor:
    """Return the mean squared change of the class probabilities between neighbouring valid frames.

    Args:
        logits: Per-frame logits.
        lengths: Number of valid frames of each clip.

    Shape:
        logits ``(B, T, K)``, lengths ``(B,)`` -> loss ``()``, 0 if no clip has two frames.

    >>> smoothness_loss(torch.tensor([[[0.0, 99.0], [99.0, 0.0], [0.0, 0.0]]]), torch.tensor([2])).item()
    2.0
    """
    change = logits.softmax(-1).diff(dim=1).square().sum(-1)  # (B, T - 1)
    is_valid = valid_frames(lengths, logits.shape[1])[:, 1:]
    return (change * is_valid).sum() / mean_over_processes(is_valid.sum()).clamp(min=1e-12)
