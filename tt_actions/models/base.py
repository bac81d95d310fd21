"""The contract of every model: per-frame logits.

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
    """Return the log-softmax of logits, in float32 where they come in less: bfloat16 has three digits.

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


def check_positive(**sizes: int) -> None:
    """Refuse a size below 1.

    Args:
        **sizes: Sizes by the name of their argument.

    Raises:
        ValueError: If one is below 1.
    """
    for name, size in sizes.items():
        if size < 1:
            raise UserError(f"Expected `{name}` to be at least 1, but got {size}.")


def check_frames(frames: Tensor, in_channels: int, min_size: int) -> None:
    """Refuse clips that a network of frames can't read.

    Args:
        frames: Clips of one batch.
        in_channels: Channels *C* that the network reads.
        min_size: Smallest height and width, in pixels, that the network reads.

    Shape:
        frames ``(B, T, C, H, W)``.

    Raises:
        ValueError: If the rank or the channels differ, there is no frame, or a frame is too small.
    """
    shape = tuple(frames.shape)
    if len(shape) != 5 or shape[2] != in_channels:
        raise UserError(
            f"Expected `frames` to be (B, T, {in_channels}, H, W), but got {shape}. "
            "Add the missing dimension, or set `in_channels` of the model."
        )
    if shape[1] < 1 or min(shape[3:]) < min_size:
        raise UserError(
            f"Expected `frames` to hold at least one frame of {min_size} x {min_size} pixels, "
            f"but got {shape}. Use longer clips or larger frames."
        )


def check_reads(network: nn.Module, num_channels: int) -> None:
    """Refuse a network that reads frames of another number of channels.

    Args:
        network: The network; one without ``in_channels`` reads any.
        num_channels: Channels *C* of the frames.

    Raises:
        ValueError: If the network's are others.
    """
    in_channels = getattr(network, "in_channels", num_channels)
    if in_channels != num_channels:
        raise UserError(
            f"Expected frames of {in_channels} channels for {type(network).__name__}, but got {num_channels} "
            "(3 of colour, 2 of flow, 1 of depth or of a silhouette). Set `data.preprocessing.flow` or "
            "`picture`, or `in_channels` of a network that takes it."
        )


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
        """Return the log of each clip's averaged probabilities.

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
    """Where a network's last feature maps with rows and columns come from.

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
    """A network that gives every frame of a clip its class logits.

    Subclasses implement :meth:`forward`. In eval mode the valid part of the result must not depend on the
    other clips of the batch or on the amount of padding. What sets kinds of models apart, each says itself:
    :attr:`is_causal`, :attr:`learns_by_gradient`, :attr:`chain`, :attr:`frame_network`, :attr:`input_kind`.

    Attributes:
        delay: Number of frames by which a causal model's logits come later.
        layout: The joints that it reads; None for a model of frames.

    Args:
        num_classes: Number of classes *K*.
        average: How per-frame probabilities become a clip's: their mean, or an average with learned weights.

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
        """Return the loss to train with, and the logits: by default the class loss alone.

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
        """Return each clip's log-probabilities, averaged over its valid frames as ``average`` says.

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
        """Return where the last feature maps come from, for explanations: by default None, there are none."""
        return None


class CausalModel(ActionModel):
    """A model that reads frame after frame and remembers what came before: it can follow a video that runs.

    Subclasses implement :meth:`advance`, from which a whole clip, a stretch of a stream and one more frame
    come alike. With a delay the logits of a frame are given that many frames later, so that the model has
    seen what follows (a target delay: Graves & Schmidhuber 2005, section 3); after a clip's end its last
    frame is held.

    Args:
        num_classes: Number of classes *K*.
        average: How per-frame probabilities become a clip's.
        delay: Number of frames by which a frame's logits come later.

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
        """Read on, without delay.

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
        """Return per-frame logits; those past ``lengths`` mean nothing.

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
        """Read one more frame of each clip.

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


def hold_last_frame(inputs: Tensor, lengths: Tensor, num_frames: int) -> Tensor:
    """Lengthen clips by holding the last valid frame of each.

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


class ClosedFormModel(ActionModel):
    """A model that is fitted to all training clips at once, without gradient: one epoch is a training.

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
        """Take in a batch of training clips.

        Args:
            inputs: Clips of one batch, padded to the longest.
            lengths: Number of valid frames of each clip.
            labels: Their classes.

        Shape:
            inputs ``(B, T, ...)``, lengths and labels ``(B,)``.
        """

    @abstractmethod
    def solve(self) -> tuple[Tensor, Tensor]:
        """Fit to the clips that were taken in, and forget them.

        Returns:
            The logits of each clip from a fit to all others, and the clips' classes: what the training can
            say of clips that it hasn't seen.

        Shape:
            logits ``(N, K)``, labels ``(N,)``.
        """
