"""The hybrid network: convolutions on every frame, a peephole LSTM over time."""

from collections.abc import Sequence

from torch import Tensor

from tt_actions.models.base import Average, FeatureMaps
from tt_actions.models.causal import CausalModel
from tt_actions.models.checks import check_frames
from tt_actions.models.frame_cnn import FrameCNN, FrameHead, map_valid_frames
from tt_actions.models.peephole_lstm import PeepholeLSTM, State


class CNNLSTM(CausalModel):
    """Per-frame convolutional features, read over time by a peephole LSTM.

    The network of the published table-tennis action recogniser: a CNN on every frame, a scale adjustment, a
    peephole LSTM, two fully connected layers at every step, and the average of the per-frame softmax over
    time. See ``FrameCNN``, ``PeepholeLSTM`` and ``LearnedAverage`` for our reading of the
    points that the source leaves open.

    Args:
        num_classes: Number of classes *K*.
        channels: Output channels of each convolutional layer.
        batch_norm: Whether batch normalisation follows each convolution.
        grid: Rows and columns of the grid that the last feature map is pooled to.
        feature_size: Number of features per frame.
        hidden_size: Number of LSTM units.
        peepholes: Whether the LSTM has peephole connections (the cell state feeds the gates).
        fc_size: Width of the first fully connected layer.
        dropout: Dropout rate of the outputs of the LSTM and of the first fully connected layer.
        average: How per-frame probabilities are combined into the clip's probabilities: their mean, or an
            average with learned weights.
        delay: Delay in frames between a frame and its logits: see :class:`CausalModel`.
        in_channels: Number of channels *C* per frame.

    Shape:
        frames ``(B, T, C, H, W)``, floating point in [0, 1] or normalised, H and W of at least 8 with three
        layers, and lengths ``(B,)`` -> logits ``(B, T, K)``.

    Raises:
        ValueError: If a size is below 1, or ``average`` is unknown.
    """

    def __init__(
        self,
        num_classes: int,
        channels: Sequence[int] = (16, 32, 64),
        batch_norm: bool = False,
        grid: tuple[int, int] = (4, 4),
        feature_size: int = 128,
        hidden_size: int = 128,
        peepholes: bool = True,
        fc_size: int = 64,
        dropout: float = 0.0,
        average: Average = "mean",
        delay: int = 0,
        in_channels: int = 3,
    ) -> None:
        super().__init__(num_classes, average, delay)
        self.in_channels = in_channels
        self.cnn = FrameCNN(in_channels, channels, batch_norm, grid, feature_size)
        self.lstm = PeepholeLSTM(feature_size, hidden_size, peepholes)
        self.head = FrameHead(hidden_size, fc_size, num_classes, dropout)

    def advance(
        self, inputs: Tensor, state: State | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Process the next frames, without delay.

        Args:
            inputs: The next frames of each clip.
            state: State that the previous call returned; None at the start.
            lengths: Number of valid frames of each clip; all if None.

        Returns:
            The logits of each frame, and the state for the next call.

        Shape:
            inputs ``(B, T, C, H, W)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        check_frames(inputs, self.in_channels, self.cnn.min_size)
        x = map_valid_frames(self.cnn, inputs, lengths)  # (B, T, D)
        h, state = self.lstm(x, state, lengths)  # (B, T, H)
        return self.head(h), state

    def feature_maps(self) -> FeatureMaps:
        """Return how to obtain the last feature maps: the last layer of the CNN."""
        return FeatureMaps(self.cnn.layers)
