"""Base classes of all models: every model returns per-frame logits.

Letters used throughout the package: B batch, T frames, C channels, H W pixels, V joints, K classes,
D features.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

from torch import Tensor, arange, cat, nn, no_grad

from tt_actions.errors import UserError
from tt_actions.models.averages import LearnedAverage, mean_log_probability
from tt_actions.skeleton.layouts import Layout

Average = Literal["mean", "learned"]
InputKind = Literal["frames", "joints"]


class FeatureMaps(NamedTuple):
    """How to obtain a network's last feature maps that have rows and columns.

    Args:
        module: The module that outputs the feature maps, ``(B*T, C, h, w)`` with one map per frame, or
            ``(B, C, T / stride, h, w)``.
        stride: Number of frames per map.
    """

    module: nn.Module
    stride: int = 1


class Chain(NamedTuple):
    """Scores of a linear chain: of each label at the first frame, and of each transition between labels.

    Shape:
        initial ``(K,)``, transitions ``(K, K)``, from the label of the row to the label of the column.
    """

    initial: Tensor
    transitions: Tensor


class ActionModel(nn.Module, ABC):
    """A network that returns class logits for every frame of a clip.

    Subclasses implement :meth:`forward`. In eval mode, the valid part of the result must not depend on the
    other clips of the batch or on the amount of padding. These properties distinguish the kinds of models:
    :attr:`is_causal`, :attr:`learns_by_gradient`, :attr:`chain`, :attr:`frame_network`, :attr:`input_kind`.

    Attributes:
        delay: Delay in frames between a frame and the logits of a causal model.
        layout: Layout of the joints that the model reads; None for a model that reads frames.
        graph_obstacle: Why no exported graph can represent the model, or None.

    Args:
        num_classes: Number of classes *K*.
        average: How per-frame probabilities are combined into the clip's probabilities: their mean, or an
            average with learned weights.

    Raises:
        ValueError: If ``num_classes`` is below 2, or ``average`` is unknown.
    """

    layout: Layout | None = None
    graph_obstacle: str | None = None

    def __init__(self, num_classes: int, average: Average = "mean") -> None:
        super().__init__()
        if average not in get_args(Average):
            raise UserError(f"Expected `average` to be 'mean' or 'learned', but got '{average}'.")
        if num_classes < 2:
            raise UserError(f"Expected `num_classes` to be at least 2, but got {num_classes}.")
        self.num_classes = num_classes
        self.delay = 0
        self.average = LearnedAverage(num_classes) if average == "learned" else None

    @property
    def is_causal(self) -> bool:
        """Whether the model reads frame by frame, with ``CausalModel.advance`` and ``step``."""
        return False

    @property
    def learns_by_gradient(self) -> bool:
        """Whether an optimizer trains the model; otherwise see ``ClosedFormModel``."""
        return True

    @property
    def chain(self) -> Chain | None:
        """The label chain on top of the scores of the frame network, or None."""
        return None

    @property
    def frame_network(self) -> "ActionModel":
        """The network that reads the frames: the model itself, or the network below a chain."""
        return self

    @property
    def input_kind(self) -> InputKind:
        """The kind of input: video frames or joints."""
        return "frames" if self.layout is None else "joints"

    @abstractmethod
    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits.

        Args:
            inputs: Clips of one batch, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, ...)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """

    def forward_with_hands(self, inputs: Tensor, lengths: Tensor, hands: Tensor | None) -> Tensor:
        """Return per-frame logits of clips whose playing hands may be given; by default, ignore the hands.

        Args:
            inputs: Clips of one batch, padded to the longest; joints of given left-handers are mirrored.
            lengths: Number of valid frames of each clip.
            hands: Playing hand of each clip: 1 for right, -1 for left, 0 if unknown; None if all are.

        Shape:
            inputs ``(B, T, ...)``, lengths and hands ``(B,)`` -> logits ``(B, T, K)``.
        """
        logits: Tensor = self(inputs, lengths)
        return logits

    def forward_hidden(self, clip: Tensor, masks: Tensor, rest: Tensor) -> Tensor:
        """Return the logits of one clip of frames with parts of it hidden, for explanations.

        By default, a hidden pixel gets a neutral value. A model that describes motion removes the motion
        there instead.

        Args:
            clip: The frames of one clip.
            masks: How far each pixel is hidden, from 0 to 1, in several ways.
            rest: Neutral value of each channel in each frame.

        Shape:
            clip ``(T, C, H, W)``, masks ``(N, T, H, W)``, rest ``(T, C)`` -> logits ``(N, T, K)``.
        """
        hidden = clip + masks[:, :, None] * (rest[..., None, None] - clip)  # (N, T, C, H, W)
        logits: Tensor = self(hidden, masks.new_full((len(masks),), len(clip)).long())
        return logits

    def objective(
        self,
        inputs: Tensor,
        lengths: Tensor,
        class_loss: Callable[[Tensor], Tensor],
        frame_labels: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the training loss and the logits; by default, the loss is the class loss.

        A model with additional objectives adds them here.

        Args:
            inputs: Clips of one batch, padded to the longest.
            lengths: Number of valid frames of each clip.
            class_loss: Function that returns the loss of per-frame logits.
            frame_labels: Class of each frame, negative if it is unknown, or None.

        Shape:
            inputs ``(B, T, ...)``, lengths ``(B,)``, frame_labels ``(B, T)`` -> loss ``()``, logits
            ``(B, T, K)``.
        """
        logits = self(inputs, lengths)
        return class_loss(logits), logits

    def clip_log_probability(self, logits: Tensor, lengths: Tensor) -> Tensor:
        """Return each clip's log-probabilities, averaged over its valid frames according to ``average``.

        Args:
            logits: Logits that :meth:`forward` returned.
            lengths: Number of valid frames of each clip.

        Shape:
            logits ``(B, T, K)``, lengths ``(B,)`` -> log-probabilities ``(B, K)``.
        """
        if self.average is None:
            return mean_log_probability(logits, lengths)
        log_probs: Tensor = self.average(logits, lengths)
        return log_probs

    def from_frame_scores(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """Convert the scores of the frame network to logits; by default, they are the logits.

        Args:
            scores: Scores that :attr:`frame_network` returned.
            lengths: Number of valid frames of each clip.

        Shape:
            scores ``(B, T, K)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        return scores

    def continue_clips(self, inputs: Tensor, num_frames: int) -> Tensor:
        """Continue clips that are not over; by default, the last frame repeats.

        Args:
            inputs: The first frames of each clip.
            num_frames: Number of frames of the whole clip, at least *T*.

        Shape:
            inputs ``(B, T, ...)`` -> ``(B, num_frames, ...)``.
        """
        last = inputs[:, -1:]
        return cat([inputs, last.expand(-1, num_frames - inputs.shape[1], *last.shape[2:])], 1)

    def advance(
        self,
        inputs: Tensor,
        state: Any = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, Any]:
        """Process the next frames; only for causal models, see ``CausalModel.advance``.

        Args:
            inputs: The next frames of each clip.
            state: State that the previous call returned; None at the start.
            lengths: Number of valid frames of each clip; all if None.

        Raises:
            TypeError: If the model is not causal.
        """
        raise TypeError(f"{type(self).__name__} is not causal: it reads only whole clips.")

    def forward_in_stretches(
        self, inputs: Tensor, lengths: Tensor, prepare: Callable[[Tensor], Tensor], num_frames: int = 256
    ) -> Tensor:
        """Return the same as :meth:`forward` for long recordings, one stretch at a time, without gradients.

        Only for causal models.

        Args:
            inputs: Frames of each recording, padded to the longest.
            lengths: Number of valid frames of each recording.
            prepare: Function that converts a stretch of frames to the input of :meth:`forward`.
            num_frames: Number of frames per stretch.

        Shape:
            inputs ``(B, T, ...)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        if self.delay:
            inputs = repeat_last_frame(inputs, lengths, self.delay)
        parts, state = [], None
        with no_grad():
            for start in range(0, inputs.shape[1], num_frames):
                logits, state = self.advance(prepare(inputs[:, start : start + num_frames]), state)
                parts.append(logits)
        return cat(parts, 1)[:, self.delay :]

    def collect(self, inputs: Tensor, lengths: Tensor, labels: Tensor, hands: Tensor | None = None) -> None:
        """Add training clips; only for models without gradient, see ``ClosedFormModel``.

        Args:
            inputs: Clips of one batch, padded to the longest.
            lengths: Number of valid frames of each clip.
            labels: Class of each clip.
            hands: Playing hand of each clip: see :meth:`ActionModel.forward_with_hands`; None if unknown.

        Raises:
            TypeError: If the model learns by gradient.
        """
        raise TypeError(f"{type(self).__name__} learns by gradient: it does not collect clips.")

    def solve(self) -> tuple[Tensor, Tensor]:
        """Fit the model to the collected clips; only without gradient, see ``ClosedFormModel``.

        Raises:
            TypeError: If the model learns by gradient.
        """
        raise TypeError(f"{type(self).__name__} learns by gradient: it has no closed-form solution.")

    def forget(self) -> None:
        """Discard the collected training clips; by default, there are none."""

    def feature_maps(self) -> FeatureMaps | None:
        """Return how to obtain the last feature maps, for explanations, or None (the default)."""
        return None


def repeat_last_frame(inputs: Tensor, lengths: Tensor, num_frames: int) -> Tensor:
    """Extend clips by repeating the last valid frame of each.

    Args:
        inputs: Frames of each clip, padded to the longest.
        lengths: Number of valid frames of each clip.
        num_frames: Number of frames to add.

    Shape:
        inputs ``(B, T, ...)``, lengths ``(B,)`` -> ``(B, T + num_frames, ...)``.

    >>> import torch
    >>> repeat_last_frame(torch.tensor([[1, 2, 0], [3, 4, 5]]), torch.tensor([2, 3]), 1)
    tensor([[1, 2, 2, 2],
            [3, 4, 5, 5]])
    """
    frames = arange(inputs.shape[1] + num_frames, device=inputs.device)
    index = frames.clamp(max=lengths[:, None] - 1)  # (B, T + num_frames)
    return inputs[arange(inputs.shape[0], device=inputs.device)[:, None], index]
