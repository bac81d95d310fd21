"""A conditional random field over the frame labels of a clip, on top of another model."""

from collections.abc import Callable

import torch
from torch import Tensor, nn, promote_types

from tt_actions.errors import UserError
from tt_actions.models.averages import valid_frames
from tt_actions.models.base import ActionModel, Chain, FeatureMaps
from tt_actions.models.chain import forward_backward, log_partition
from tt_actions.models.cnn_lstm import CNNLSTM
from tt_actions.models.losses import mean_over_processes


class CRF(ActionModel):
    r"""A linear-chain CRF over frame labels, with the scores of another model.

    The conditional random field of Lafferty, McCallum & Pereira (2001): with the logits :math:`x_t` of the
    underlying model, a labelling *s* of the frames has the probability

    .. math:: P(s | x) \propto \exp\Big(a_{s_0} + \sum_t x_{t, s_t} + \sum_{t > 0} A_{s_{t-1}, s_t}\Big)

    *a* and *A* are learned. At their initial value 0, they have no effect. The CRF returns the log of the
    marginal probabilities of each frame given the whole clip as logits, so it is not causal.

    Args:
        num_classes: Number of classes *K*.
        network: Creates the underlying model for a given number of classes. Its ``average`` must be the mean.

    Shape:
        inputs ``(B, T, ...)`` as for the underlying model, and lengths ``(B,)`` -> logits ``(B, T, K)``.

    Raises:
        ValueError: If the underlying model is not trained by gradient descent, or learns an average.
    """

    def __init__(self, num_classes: int, network: Callable[[int], ActionModel] = CNNLSTM) -> None:
        super().__init__(num_classes)
        below = network(num_classes)
        if not below.learns_by_gradient or below.average is not None:
            raise UserError(
                "Expected the `network` of a CRF to be trained by gradient descent and to have `average` "
                f"'mean', but {type(below).__name__} does not meet both conditions. Use another network, or "
                "set its `average` to 'mean'."
            )
        self.network = below
        self.layout = below.layout
        self.initial = nn.Parameter(torch.zeros(num_classes))
        self.transitions = nn.Parameter(torch.zeros(num_classes, num_classes))
        if hasattr(below, "in_channels"):
            self.in_channels = below.in_channels

    def emissions(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the logits of the underlying model, in at least float32.

        Args:
            inputs: Clips of one batch, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, ...)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        logits: Tensor = self.network(inputs, lengths)
        return logits.to(promote_types(logits.dtype, torch.float32))

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the log-marginals of each frame's label; values past ``lengths`` are meaningless.

        Args:
            inputs: Clips of one batch, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, ...)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        return self.from_frame_scores(self.emissions(inputs, lengths), lengths)

    def objective(
        self,
        inputs: Tensor,
        lengths: Tensor,
        class_loss: Callable[[Tensor], Tensor],
        frame_labels: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the negative log-likelihood of the frame labels, per labelled frame, and the logits.

        The loss sums over the classes of unlabelled frames. If no frame of the batch has a label, in any of
        the training processes, the loss is the class loss.

        Args:
            inputs: Clips of one batch, padded to the longest.
            lengths: Number of valid frames of each clip.
            class_loss: Function that returns the loss of per-frame logits.
            frame_labels: Class of each frame, negative if it is unknown, or None.

        Shape:
            inputs ``(B, T, ...)``, lengths ``(B,)``, frame_labels ``(B, T)`` -> loss ``()``, logits
            ``(B, T, K)``.
        """
        scores = self.emissions(inputs, lengths)
        if frame_labels is not None:
            is_known = (frame_labels >= 0) & valid_frames(lengths, scores.shape[1])
            num_known = mean_over_processes(is_known.sum())
            if num_known > 0:
                loss = self._negative_log_likelihood(scores, lengths, frame_labels, is_known) / num_known
                with torch.no_grad():
                    return loss, self.from_frame_scores(scores, lengths)
        logits = self.from_frame_scores(scores, lengths)
        return class_loss(logits), logits

    @property
    def chain(self) -> Chain:
        """The learned scores of the first labels and of the transitions."""
        return Chain(self.initial, self.transitions)

    @property
    def frame_network(self) -> ActionModel:
        """The underlying model."""
        return self.network

    def from_frame_scores(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """Return the log-marginals of each frame's label; values past ``lengths`` are meaningless.

        Args:
            scores: Logits that :meth:`emissions` returned.
            lengths: Number of valid frames of each clip.

        Shape:
            scores ``(B, T, K)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        return forward_backward(scores, lengths, self.initial, self.transitions)[0]

    def _negative_log_likelihood(
        self, scores: Tensor, lengths: Tensor, frame_labels: Tensor, is_known: Tensor
    ) -> Tensor:
        """Sum over the batch: all labellings against those that agree with the known labels."""
        classes = torch.arange(self.num_classes, device=scores.device)
        is_other = (frame_labels[..., None] != classes) & is_known[..., None]
        both = torch.cat([scores, scores.masked_fill(is_other, -torch.inf)])
        total = log_partition(both, lengths.repeat(2), self.initial, self.transitions)
        every, agreeing = total.chunk(2)
        return (every - agreeing).sum()

    def feature_maps(self) -> FeatureMaps | None:
        """Return how to obtain the last feature maps of the underlying model."""
        return self.network.feature_maps()
