"""Train a model of your own, which lives outside tt_actions: here a GRU over the mean colours of bands.

Run ``python examples/train_own_model.py [OPTIONS OF TRAIN]``. The experiment is ``own_model.yaml`` beside
this file. ``--trust`` lets it name the class by its path, ``train_own_model.BandGRU``.
"""

import sys
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from tt_actions.main import main
from tt_actions.models.causal import CausalModel
from tt_actions.models.checks import check_frames

HERE = Path(__file__).parent


class BandGRU(CausalModel):
    """Mean colours of horizontal bands, read over time by a GRU.

    Args:
        num_classes: Number of classes *K*.
        bands: Number of bands of a frame.
        hidden_size: Width *D* of the GRU's state.
        in_channels: Channels *C* of a frame.

    Shape:
        frames ``(B, T, C, H, W)``, floating point, and lengths ``(B,)`` -> logits ``(B, T, K)``.
    """

    def __init__(self, num_classes: int, bands: int = 3, hidden_size: int = 32, in_channels: int = 3) -> None:
        super().__init__(num_classes)
        self.in_channels, self.bands = in_channels, bands
        self.gru = nn.GRU(in_channels * bands, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, num_classes)

    def advance(self, inputs: Tensor, state: Any = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]:  # noqa: ARG002
        """Read on: what follows after a clip's end does not change what came before, so lengths don't matter.

        Args:
            inputs: The next frames of each clip.
            state: State of the GRU; None at the start.
            lengths: Number of valid frames of each clip.

        Returns:
            The frames' logits, and the state for the next call.

        Shape:
            inputs ``(B, T, C, H, W)`` -> logits ``(B, T, K)``.
        """
        check_frames(inputs, self.in_channels, self.bands)
        frames = inputs.flatten(0, 1)  # (B*T, C, H, W)
        colours = nn.functional.adaptive_avg_pool2d(frames, (self.bands, 1))  # (B*T, C, bands, 1)
        hidden, state = self.gru(colours.reshape(*inputs.shape[:2], -1), state)  # (B, T, D)
        logits: Tensor = self.head(hidden)
        return logits, state


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))  # where the class is found by its path
    main(["train", "--trust", "train_own_model", "--config", str(HERE / "own_model.yaml"), *sys.argv[1:]])
