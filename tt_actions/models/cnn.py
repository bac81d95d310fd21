"""The baseline without recurrence: applies the CNN and the head to every frame separately."""

from collections.abc import Sequence

from torch import Tensor

from tt_actions.models.base import FeatureMaps
from tt_actions.models.causal import CausalModel
from tt_actions.models.checks import check_frames
from tt_actions.models.frame_cnn import FrameCNN, FrameHead, map_valid_frames


class CNN(CausalModel):
    """Classifies single frames and averages their probabilities over time.

    The "CNN" of the published comparison: the convolutions and the head of ``CNNLSTM``, without the LSTM
    between them. Each frame is classified independently of the others.

    Args:
        num_classes: Number of classes *K*.
        channels: Output channels of each convolutional layer.
        batch_norm: Whether batch normalisation follows each convolution.
        grid: Rows and columns of the grid that the last feature map is pooled to.
        feature_size: Number of features per frame.
        fc_size: Width of the first fully connected layer.
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
        super().__init__(num_classes)
        self.in_channels = in_channels
        self.cnn = FrameCNN(in_channels, channels, batch_norm, grid, feature_size)
        self.head = FrameHead(feature_size, fc_size, num_classes, dropout)

    def features(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the features of each frame, zero past ``lengths``.

        Args:
            inputs: Frames of each clip, padded to the longest.
            lengths: Number of valid frames of each clip; all if None.

        Shape:
            inputs ``(B, T, C, H, W)``, lengths ``(B,)`` -> features ``(B, T, D)``.
        """
        check_frames(inputs, self.in_channels, self.cnn.min_size)
        return map_valid_frames(self.cnn, inputs, lengths)

    def advance(
        self, inputs: Tensor, state: None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, None]:
        """Process the next frames, without delay.

        Args:
            inputs: The next frames of each clip.
            state: Always None: the model keeps no state.
            lengths: Number of valid frames of each clip; all if None.

        Returns:
            The logits of each frame, and None.

        Shape:
            inputs ``(B, T, C, H, W)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        logits: Tensor = self.head(self.features(inputs, lengths))
        return logits, state

    def feature_maps(self) -> FeatureMaps:
        """Return how to obtain the last feature maps: the last layer of the CNN."""
        return FeatureMaps(self.cnn.layers)
