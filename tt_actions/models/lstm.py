"""The baseline without convolutions: a peephole LSTM on small raw frames."""

import torch.nn.functional as F
from torch import Tensor

from tt_actions.models.base import ActionModel, check_frames, check_positive
from tt_actions.models.frame_cnn import FrameHead
from tt_actions.models.peephole_lstm import PeepholeLSTM, State


class LSTM(ActionModel):
    """Frames are shrunk to a few pixels, which a peephole LSTM reads over time.

    The "LSTM" of the published comparison, which says no more than that it reads raw frames. Read so: each
    frame is averaged down to a small grid, and the grid's pixels are the LSTM's input. It is causal.

    Args:
        num_classes: Number of classes *K*.
        grid: Rows and columns that a frame is averaged down to.
        hidden_size: Width of the LSTM's state.
        peepholes: Whether the LSTM's cell feeds its gates.
        fc_size: Width of the first fully connected layer.
        dropout: Share of the LSTM's and of the first fully connected layer's output dropped in training.
        in_channels: Channels *C* of a frame.

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

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits; those past ``lengths`` mean nothing.

        Args:
            inputs: Frames of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, C, H, W)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        check_frames(inputs, self.in_channels, min_size=1)
        small = F.adaptive_avg_pool2d(inputs.flatten(0, 1), self.grid)  # (B*T, C, h, w)
        h, _ = self.lstm(small.reshape(*inputs.shape[:2], -1), lengths=lengths)  # (B, T, H)
        logits: Tensor = self.head(h)
        return logits

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
        check_frames(inputs_t[:, None], self.in_channels, min_size=1)
        small = F.adaptive_avg_pool2d(inputs_t, self.grid)
        h, state = self.lstm.step(small.flatten(1), state)
        return self.head(h), state
