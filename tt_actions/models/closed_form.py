"""Models that are fitted to all clips at once, without gradient."""

from abc import abstractmethod
from typing import Any

from torch import Tensor

from tt_actions.models.base import ActionModel


class ClosedFormModel(ActionModel):
    """A model that is fitted to all training clips at once without gradients; one epoch is a complete
    training.

    :meth:`collect` takes them into :attr:`collected`, batch by batch, and :meth:`solve` fits.

    Args:
        num_classes: Number of classes *K*.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.collected: list[Any] = []

    @property
    def learns_by_gradient(self) -> bool:
        """Whether an optimizer trains it: no, it is fitted."""
        return False

    def forget(self) -> None:
        """Drop the clips that were taken in, such as those of a training that was interrupted."""
        self.collected.clear()

    @abstractmethod
    def collect(self, inputs: Tensor, lengths: Tensor, labels: Tensor) -> None:
        """Add a batch of training clips.

        Args:
            inputs: Clips of one batch, padded to the longest.
            lengths: Number of valid frames of each clip.
            labels: Their classes.

        Shape:
            inputs ``(B, T, ...)``, lengths and labels ``(B,)``.
        """

    @abstractmethod
    def solve(self) -> tuple[Tensor, Tensor]:
        """Fit the model to the collected clips, and discard them.

        Returns:
            The logits of each clip from a fit to all others, and the clips' classes: what the training can
            say of clips that it hasn't seen.

        Shape:
            logits ``(N, K)``, labels ``(N,)``.
        """
