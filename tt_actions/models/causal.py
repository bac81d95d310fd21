"""Models that see nothing of what follows, so that they read videos that run."""

from abc import abstractmethod
from typing import Any

from torch import Tensor

from tt_actions.errors import UserError
from tt_actions.models.base import ActionModel, Average, hold_last_frame


class CausalModel(ActionModel):
    """A model that reads frames one after another and keeps a state, so that it can process a live video.

    Subclasses implement :meth:`advance`, from which a whole clip, a stretch of a stream and one more frame
    come alike. With a delay the logits of a frame are given that many frames later, so that the model has
    seen what follows (a target delay: Graves & Schmidhuber 2005, section 3); after a clip's end its last
    frame is held.

    Args:
        num_classes: Number of classes *K*.
        average: How per-frame probabilities become a clip's.
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
        """Whether it reads frame after frame: true unless a subclass is built to see what follows."""
        return True

    @abstractmethod
    def advance(self, inputs: Tensor, state: Any = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]:
        """Process the next frames, without delay.

        Args:
            inputs: The next frames of each clip.
            state: What the call before returned; None at the start.
            lengths: Number of valid frames of each clip; all if None. After padding the state means nothing.

        Returns:
            The logits that come out at each frame, which with a delay are those of an earlier one, and the
            state to hand to the next call.

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
            inputs, lengths = hold_last_frame(inputs, lengths, self.delay), lengths + self.delay
        logits: Tensor = self.advance(inputs, None, lengths)[0][:, self.delay :]
        return logits

    def step(self, inputs_t: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Process one more frame of each clip.

        Args:
            inputs_t: The frame.
            state: What the step before returned; None at the start.

        Returns:
            Logits of the frame that came ``delay`` steps before, the first ``delay`` of which mean nothing,
            and the state to hand to the next step.

        Shape:
            inputs_t ``(B, ...)`` -> logits_t ``(B, K)``.
        """
        logits, state = self.advance(inputs_t[:, None], state)
        return logits[:, 0], state
