"""Models that are fitted to all clips at once, without gradients."""

from abc import abstractmethod
from typing import Any

from torch import Tensor

from tt_actions.models.base import ActionModel


class ClosedFormModel(ActionModel):
    """A model that is fitted to all training clips at once, without gradients, in a single epoch.

    ``collect`` adds the clips to ``collected``, batch by batch, and ``solve`` fits the model.

    Args:
        num_classes: Number of classes *K*.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.collected: list[Any] = []

    @property
    def learns_by_gradient(self) -> bool:
        """Whether an optimizer trains the model: False, because it is fitted in closed form."""
        return False

    def forget(self) -> None:
        """Discard the collected clips, such as those of an interrupted training run."""
        self.collected.clear()

    @abstractmethod
    def collect(self, inputs: Tensor, lengths: Tensor, labels: Tensor, hands: Tensor | None = None) -> None:
        """Add a batch of training clips.

        Args:
            inputs: Clips of one batch, padded to the longest.
            lengths: Number of valid frames of each clip.
            labels: Class of each clip.
            hands: Playing hand of each clip: see :meth:`ActionModel.forward_with_hands`; None if unknown.

        Shape:
            inputs ``(B, T, ...)``, lengths, labels and hands ``(B,)``.
        """

    @abstractmethod
    def solve(self) -> tuple[Tensor, Tensor]:
        """Fit the model to the collected clips, and discard them.

        Returns:
            The logits of each clip from a fit to other clips, and the classes of the clips. They estimate how
            the model performs on unseen clips.

        Shape:
            logits ``(N, K)``, labels ``(N,)``.
        """
