"""Base classes of all models: every model returns per-frame logits.

Letters used throughout the package: B batch, T frames, C channels, H W pixels, V joints, K classes,
D features.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

from torch import Tensor, arange, cat, float32, nn, no_grad, promote_types

from tt_actions.errors import UserError
from tt_actions.skeleton.layouts import Layout

Average = Literal["mean", "learned"]
InputKind = Literal["frames", "joints"]


def valid_frames(lengths: Tensor, num_frames: int) -> Tensor:
    """Mark the frames of a padded batch that belong to its clips.

    Args:
        lengths: Number of frames of each clip.
        num_frames: Length *T* of the padded batch.

    Shape:
        lengths ``(B,)``, int64 -> mask ``(B, T)``, bool.

    >>> import torch
    >>> valid_frames(torch.tensor([1, 3]), 3)
    tensor([[ True, False, False],
            [ True,  True,  True]])
    """
    return arange(num_frames, device=lengths.device) < lengths[:, None]


def frame_log_probabilities(logits: Tensor) -> Tensor:
    """Return the log-softmax of logits, in at least float32, because bfloat16 has only three digits.

    Args:
        logits: Of each frame.

    Shape:
        logits ``(..., K)`` -> log-probabilities ``(..., K)``.
    """
    return logits.log_softmax(-1, dtype=promote_types(logits.dtype, float32))


def mean_log_probability(logits: Tensor, lengths: Tensor) -> Tensor:
    """Average the per-frame softmax of each clip over its valid frames, in log space.

    Args:
        logits: Per-frame logits; frames past ``lengths`` are ignored.
        lengths: Number of valid frames of each clip, at least 1.

    Shape:
        logits ``(B, T, K)``, lengths ``(B,)`` -> log-probabilities ``(B, K)``.
    """
    mask = valid_frames(lengths, logits.shape[1])
    log_probs = frame_log_probabilities(logits).masked_fill(~mask[..., None], float("-inf"))
    return log_probs.logsumexp(1) - lengths[:, None].log()


class LearnedAverage(nn.Module):
    """A weighted average of per-frame probabilities over time.

    The source only says "weighted average". Read so: a frame's weight is the softmax, over the clip's valid
    frames, of a linear score of its logits. It starts as the plain mean.

    Args:
        num_classes: Number of classes *K*.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.score = nn.Linear(num_classes, 1, bias=False)
        nn.init.zeros_(self.score.weight)

    def forward(self, logits: Tensor, lengths: Tensor) -> Tensor:
        """Return the log of the averaged probabilities of each clip.

        Args:
            logits: Per-frame logits; frames past ``lengths`` are ignored.
            lengths: Number of valid frames of each clip, at least 1.

        Shape:
            logits ``(B, T, K)``, lengths ``(B,)`` -> log-probabilities ``(B, K)``.
        """
        padding = ~valid_frames(lengths, logits.shape[1])[..., None]
        logits = logits.masked_fill(padding, 0)
        frame_log_probs = frame_log_probabilities(logits)
        scores = self.score(logits).to(frame_log_probs.dtype).masked_fill(padding, float("-inf"))  # (B, T, 1)
        log_probs: Tensor = (scores.log_softmax(1) + frame_log_probs).logsumexp(1)
        return log_probs


class FeatureMaps(NamedTuple):
    """How to obtain a network's last feature maps that have rows and columns.

    Args:
        module: The module whose output they are: ``(B*T, C, h, w)``, a map a frame, or
            ``(B, C, T / stride, h, w)``.
        stride: Number of frames that one map stands for.
    """

    module: nn.Module
    stride: int = 1


class Chain(NamedTuple):
    """How likely a label is at the first frame, and after each other label: scores of a linear chain.

    Shape:
        initial ``(K,)``, transitions ``(K, K)``, from the row's label to the column's.
    """

    initial: Tensor
    transitions: Tensor


class ActionModel(nn.Module, ABC):
    """A network that returns class logits for every frame of a clip.

    Subclasses implement :meth:`forward`. In eval mode the valid part of the result must not depend on the
    other clips of the batch or on the amount of padding. What sets kinds of models apart, each says itself:
    :attr:`is_causal`, :attr:`learns_by_gradient`, :attr:`chain`, :attr:`frame_network`, :attr:`input_kind`.

    Attributes:
        delay: Number of frames by which a causal model's logits come later.
        layout: The joints that it reads; None for a model of frames.

    Args:
        num_classes: Number of classes *K*.
        average: How per-frame probabilities are combined into the clip's probabilities: their mean, or an
            average with learned weights.

    Raises:
        ValueError: If ``num_classes`` is below 2, or ``average`` is unknown.
    """

    layout: Layout | None = None

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
        """Whether it reads frame after frame: then it has :meth:`CausalModel.advance` and ``step``."""
        return False

    @property
    def learns_by_gradient(self) -> bool:
        """Whether an optimizer trains it; else see :class:`ClosedFormModel`."""
        return True

    @property
    def chain(self) -> Chain | None:
        """The chain of labels that it puts over the scores of its frame network; None without one."""
        return None

    @property
    def frame_network(self) -> "ActionModel":
        """The network that sees the frames: itself, or the one below a chain."""
        return self

    @property
    def input_kind(self) -> InputKind:
        """What it reads: frames of video, or joints."""
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

    def objective(
        self,
        inputs: Tensor,
        lengths: Tensor,
        class_loss: Callable[[Tensor], Tensor],
        frame_labels: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the training loss and the logits; by default, the loss is the class loss.

        A model with objectives of its own adds them here.

        Args:
            inputs: Clips of one batch, padded to the longest.
            lengths: Number of valid frames of each clip.
            class_loss: The loss of per-frame logits.
            frame_labels: Class of each frame, negative where it is not known, or None.

        Shape:
            inputs ``(B, T, ...)``, lengths ``(B,)``, frame_labels ``(B, T)`` -> loss ``()``, logits
            ``(B, T, K)``.
        """
        logits = self(inputs, lengths)
        return class_loss(logits), logits

    def clip_log_probability(self, logits: Tensor, lengths: Tensor) -> Tensor:
        """Return each clip's log-probabilities, averaged over its valid frames according to ``average``.

        Args:
            logits: What :meth:`forward` returned.
            lengths: Number of valid frames of each clip.

        Shape:
            logits ``(B, T, K)``, lengths ``(B,)`` -> log-probabilities ``(B, K)``.
        """
        if self.average is None:
            return mean_log_probability(logits, lengths)
        log_probs: Tensor = self.average(logits, lengths)
        return log_probs

    def from_frame_scores(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """Return the logits that the scores of the frame network give: by default these scores.

        Args:
            scores: What :attr:`frame_network` returned.
            lengths: Number of valid frames of each clip.

        Shape:
            scores ``(B, T, K)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        return scores

    def advance(
        self,
        inputs: Tensor,
        state: Any = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, Any]:
        """Read on: only for causal models, see :meth:`CausalModel.advance`.

        Args:
            inputs: The next frames of each clip.
            state: What the call before returned; None at the start.
            lengths: Number of valid frames of each clip; all if None.

        Raises:
            TypeError: If the model is not causal.
        """
        raise TypeError(f"{type(self).__name__} is not causal: it reads whole clips.")

    def forward_in_stretches(
        self, inputs: Tensor, lengths: Tensor, prepare: Callable[[Tensor], Tensor], num_frames: int = 256
    ) -> Tensor:
        """Return what :meth:`forward` does for long recordings: without gradient, stretch by stretch.

        Only for causal models.

        Args:
            inputs: Frames of each recording, padded to the longest.
            lengths: Number of valid frames of each.
            prepare: Makes a stretch of them what :meth:`forward` takes.
            num_frames: Frames of a stretch.

        Shape:
            inputs ``(B, T, ...)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        if self.delay:
            inputs = hold_last_frame(inputs, lengths, self.delay)
        parts, state = [], None
        with no_grad():
            for start in range(0, inputs.shape[1], num_frames):
                logits, state = self.advance(prepare(inputs[:, start : start + num_frames]), state)
                parts.append(logits)
        return cat(parts, 1)[:, self.delay :]

    def collect(self, inputs: Tensor, lengths: Tensor, labels: Tensor) -> None:
        """Take in training clips: see :class:`ClosedFormModel`.

        Args:
            inputs: Clips of one batch, padded to the longest.
            lengths: Number of valid frames of each clip.
            labels: Their classes.

        Raises:
            TypeError: If the model learns by gradient.
        """
        raise TypeError(f"{type(self).__name__} learns by gradient: it collects no clips.")

    def solve(self) -> tuple[Tensor, Tensor]:
        """Fit to what was collected: see :class:`ClosedFormModel`.

        Raises:
            TypeError: If the model learns by gradient.
        """
        raise TypeError(f"{type(self).__name__} learns by gradient: it solves nothing.")

    def forget(self) -> None:
        """Drop training clips that were collected: by default none are."""

    def feature_maps(self) -> FeatureMaps | None:
        """Return how to obtain the last feature maps, for explanations, or None (the default) if there are
        none."""
        return None


def hold_last_frame(inputs: Tensor, lengths: Tensor, num_frames: int) -> Tensor:
    """Extend clips by repeating the last valid frame of each.

    Args:
        inputs: Frames of each clip, padded to the longest.
        lengths: Number of valid frames of each clip.
        num_frames: By how much.

    Shape:
        inputs ``(B, T, ...)``, lengths ``(B,)`` -> ``(B, T + num_frames, ...)``.

    >>> import torch
    >>> hold_last_frame(torch.tensor([[1, 2, 0], [3, 4, 5]]), torch.tensor([2, 3]), 1)
    tensor([[1, 2, 2, 2],
            [3, 4, 5, 5]])
    """
    frames = arange(inputs.shape[1] + num_frames, device=inputs.device)
    index = frames.clamp(max=lengths[:, None] - 1)  # (B, T + num_frames)
    return inputs[arange(inputs.shape[0], device=inputs.device)[:, None], index]
