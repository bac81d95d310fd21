"""Models that use no later frames, so that they can process live videos."""

from abc import abstractmethod
from typing import Any

from torch import Tensor

from tt_actions.errors import UserError
from tt_actions.models.base import ActionModel, Average, repeat_last_frame


class CausalModel(ActionModel):
    """A model that reads frames one after another and keeps a state, so that it can process a live video.

    Subclasses implement :meth:`advance`, which serves whole clips, stretches of a stream and single frames.
    With a delay, the model returns the logits of a frame that many frames later, so that it has seen what
    follows (a target delay: Graves & Schmidhuber 2005, section 3). After the end of a clip, its last frame is
    repeated.

    Args:
        num_classes: Number of classes *K*.
        average: How per-frame probabilities are combined into the clip's probabilities.
        delay: Delay in frames between a frame and its logits.

    Raises:
        ValueError: If ``num_classes`` is below 2, ``average`` is unknown, or ``delay`` is negative.
    """

    def __init__(self, num_classes: int, average: Average = "mean", delay: int = 0) -> None:
        super().__init__(num_classes, average)
        if delay < 0:
            raise UserError(f"Expected `delay` to be at least 0, but got {delay}.")
        self.delay = delay

    @property
    def is_causal(self) -> bool:
        """Whether the model reads frame by frame: true unless a subclass is built to use later frames."""
        return True

    @abstractmethod
    def advance(self, inputs: Tensor, state: Any = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]:
        """Process the next frames, without delay.

        Args:
            inputs: The next frames of each clip.
            state: State that the previous call returned; None at the start.
            lengths: Number of valid frames of each clip; all if None. After padding, the state is
                meaningless.

        Returns:
            The logits at each frame, which with a delay belong to an earlier frame, and the state for the
            next call.

        Shape:
            inputs ``(B, T, ...)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits; logits past ``lengths`` are meaningless.

        Args:
            inputs: Frames of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, ...)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        if self.delay:
            inputs, lengths = repeat_last_frame(inputs, lengths, self.delay), lengths + self.delay
        logits: Tensor = self.advance(inputs, None, lengths)[0][:, self.delay :]
        return logits

    def step(self, inputs_t: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Process one more frame of each clip.

        Args:
            inputs_t: The next frame of each clip.
            state: State that the previous step returned; None at the start.

        Returns:
            Logits of the frame ``delay`` steps earlier, and the state for the next step. The logits of the
            first ``delay`` steps are meaningless.

        Shape:
            inputs_t ``(B, ...)`` -> logits_t ``(B, K)``.
        """
        logits, state = self.advance(inputs_t[:, None], state)
        return logits[:, 0], state
