"""The hybrid network: convolutions on every frame, a peephole LSTM over time."""

from collections.abc import Sequence

from torch import Tensor

from tt_actions.models.base import ActionModel, Average, FeatureMaps, check_frames
from tt_actions.models.frame_cnn import FrameCNN, FrameHead, map_valid_frames
from tt_actions.models.peephole_lstm import PeepholeLSTM, State


class CNNLSTM(ActionModel):
    """Per-frame convolutional features, read over time by a peephole LSTM.

    The network of the published table-tennis action recogniser: a CNN on every frame, a scale adjustment, a
    peephole LSTM, two fully connected layers at every step, and the average over time of the per-frame
    softmax. See :class:`FrameCNN`, :class:`PeepholeLSTM` and :class:`LearnedAverage` for how its open
    points are read. It is causal: :meth:`step` takes one frame after the other.

    Args:
        num_classes: Number of classes *K*.
        channels: Output channels of each convolutional layer.
        batch_norm: Whether batch normalisation follows each convolution.
        grid: Rows and columns of the grid that the last feature map is pooled to.
        feature_size: Width of a frame's features.
        hidden_size: Width of the LSTM's state.
        peepholes: Whether the LSTM's cell feeds its gates.
        fc_size: Width of the first fully connected layer.
        dropout: Share of the LSTM's and of the first fully connected layer's output dropped in training.
        average: How per-frame probabilities become a clip's: their mean, or an average with learned weights.
        in_channels: Channels *C* of a frame.

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
        in_channels: int = 3,
    ) -> None:
        super().__init__(num_classes, average)
        self.in_channels = in_channels
        self.cnn = FrameCNN(in_channels, channels, batch_norm, grid, feature_size)
        self.lstm = PeepholeLSTM(feature_size, hidden_size, peepholes)
        self.head = FrameHead(hidden_size, fc_size, num_classes, dropout)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits; those past ``lengths`` mean nothing.

        Args:
            inputs: Frames of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, C, H, W)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        check_frames(inputs, self.in_channels, self.cnn.min_size)
        x = map_valid_frames(self.cnn, inputs, lengths)  # (B, T, D)
        h, _ = self.lstm(x, lengths=lengths)  # (B, T, H)
        logits: Tensor = self.head(h)  # (B, T, K)
        return logits

    def feature_maps(self) -> FeatureMaps:
        """Return where the last feature maps come from: the last layer of the CNN."""
        return FeatureMaps(self.cnn.layers)

    def step(self, inputs_t: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return the logits of one more frame of each clip.

        Args:
            inputs_t: The frame.
            state: What the step before returned; None at the start.

        Returns:
            The frame's logits, and the state to hand to the next step.

        Shape:
            inputs_t ``(B, C, H, W)`` -> logits_t ``(B, K)``.
        """
        check_frames(inputs_t[:, None], self.in_channels, self.cnn.min_size)
        h, state = self.lstm.step(self.cnn(inputs_t), state)
        return self.head(h), state
