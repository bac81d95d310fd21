"""The baseline without convolutions: a peephole LSTM on small raw frames."""

import torch.nn.functional as F
from torch import Tensor

from tt_actions.models.causal import CausalModel
from tt_actions.models.checks import check_frames, check_positive
from tt_actions.models.frame_cnn import FrameHead
from tt_actions.models.peephole_lstm import PeepholeLSTM, State


class LSTM(CausalModel):
    """Shrinks frames to a few pixels and reads them over time with a peephole LSTM.

    The "LSTM" of the published comparison, which only says that it reads raw frames. Our reading: each frame
    is averaged down to a small grid, and the pixels of the grid are the input of the LSTM.

    Args:
        num_classes: Number of classes *K*.
        grid: Rows and columns to which each frame is downsampled by averaging.
        hidden_size: Number of LSTM units.
        peepholes: Whether the LSTM has peephole connections (the cell state feeds the gates).
        fc_size: Width of the first fully connected layer.
        dropout: Dropout rate of the outputs of the LSTM and of the first fully connected layer.
        in_channels: Number of channels *C* per frame.

    Shape:
        frames ``(B, T, C, H, W)``, floating point, and lengths ``(B,)`` -> logits ``(B, T, K)``.

    Raises:
        ValueError: If a size is below 1.
    """

    def __init__(
        self,
        num_classes: int,
        grid: tuple[int, int] = (16, 12),
        hidden_size: int = 128,
        peepholes: bool = True,
        fc_size: int = 64,
        dropout: float = 0.0,
        in_channels: int = 3,
    ) -> None:
        super().__init__(num_classes)
        check_positive(grid=min(grid), in_channels=in_channels)
        self.grid, self.in_channels = (grid[0], grid[1]), in_channels
        self.lstm = PeepholeLSTM(in_channels * grid[0] * grid[1], hidden_size, peepholes)
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
        check_frames(inputs, self.in_channels, min_size=1)
        small = F.adaptive_avg_pool2d(inputs.flatten(0, 1), self.grid)  # (B*T, C, h, w)
        h, state = self.lstm(small.reshape(*inputs.shape[:2], -1), state, lengths)  # (B, T, H)
        return self.head(h), state
