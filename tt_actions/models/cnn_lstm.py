"""The hybrid network: convolutions on every frame, a peephole LSTM over time."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from tt_actions.models.base import ActionModel, check_frames, check_positive, valid_frames
from tt_actions.models.peephole_lstm import PeepholeLSTM, State


class FrameCNN(nn.Module):
    """Convolutional features of single frames, of the same width for every picture size.

    Each layer is a 3x3 convolution of stride 1 with SAME padding, a rectifier and a 2x2 max-pooling. Two
    points the source leaves open are read so: pooling moves by 2 pixels (it prints a step of 0), and its
    "scale adjustment" is adaptive average pooling to a fixed grid, a linear layer and a rectifier. Pooling
    runs before the rectifier: both are monotone, so the result is the same for a quarter of the work.
    Convolutions start as in He et al. (2015), equation 10, and run in channels-last memory.

    Args:
        in_channels: Channels *C* of a frame.
        channels: Output channels of each layer.
        batch_norm: Whether batch normalisation follows each convolution.
        grid: Rows and columns of the grid that the last feature map is pooled to.
        feature_size: Width *D* of the features.

    Shape:
        frames ``(N, C, H, W)`` -> features ``(N, D)``; H and W of at least :attr:`min_size`.

    Raises:
        ValueError: If there is no layer or a size is below 1.
    """

    def __init__(
        self,
        in_channels: int = 3,
        channels: Sequence[int] = (16, 32, 64),
        batch_norm: bool = False,
        grid: tuple[int, int] = (4, 4),
        feature_size: int = 128,
    ) -> None:
        super().__init__()
        check_positive(
            in_channels=in_channels,
            channels=min(channels, default=0),
            grid=min(grid),
            feature_size=feature_size,
        )
        layers: list[nn.Module] = []
        for width, width_before in zip(channels, (in_channels, *channels), strict=False):
            layers.append(nn.Conv2d(width_before, width, kernel_size=3, padding=1, bias=not batch_norm))
            layers += [nn.BatchNorm2d(width)] if batch_norm else []
            layers += [nn.MaxPool2d(2), nn.ReLU(inplace=True)]
        self.min_size = 2 ** len(channels)
        self.layers = nn.Sequential(*layers)
        self.adjust_scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(tuple(grid)),
            nn.Flatten(),
            nn.Linear(channels[-1] * grid[0] * grid[1], feature_size),
            nn.ReLU(inplace=True),
        )
        self.apply(_initialise_for_relu)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in its stub

    def forward(self, frames: Tensor) -> Tensor:
        """Return the features of each frame.

        Args:
            frames: Single frames.

        Shape:
            frames ``(N, C, H, W)`` -> features ``(N, D)``.
        """
        maps: Tensor = self.layers(frames)
        features: Tensor = self.adjust_scale(maps)
        return features


class FrameHead(nn.Sequential):
    """Two fully connected layers on every frame, a rectifier between them.

    Args:
        feature_size: Width *D* of the input.
        fc_size: Width of the first layer.
        num_classes: Number of classes *K*.
        dropout: Share of the input and of the first layer's output that is dropped in training.

    Shape:
        features ``(..., D)`` -> logits ``(..., K)``.

    Raises:
        ValueError: If a size is below 1.
    """

    def __init__(self, feature_size: int, fc_size: int, num_classes: int, dropout: float = 0.0) -> None:
        check_positive(feature_size=feature_size, fc_size=fc_size)
        super().__init__(
            nn.Dropout(dropout),
            nn.Linear(feature_size, fc_size),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(fc_size, num_classes),
        )
        _initialise_for_relu(self[1])


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
        log_weights = self.score(logits).masked_fill(padding, float("-inf")).log_softmax(1)  # (B, T, 1)
        log_probs: Tensor = (log_weights + logits.log_softmax(-1)).logsumexp(1)
        return log_probs


class CNNLSTM(ActionModel):
    """Per-frame convolutional features, read over time by a peephole LSTM.

    The network of the published table-tennis action recogniser: a CNN on every frame, a scale adjustment, a
    peephole LSTM, two fully connected layers at every step, and the average over time of the per-frame
    softmax. See :class:`FrameCNN`, :class:`PeepholeLSTM` and :class:`LearnedAverage` for how its open
    points are read. It is causal: :meth:`step` takes one frame after the other.

    Args:
        num_classes: Number of classes *K*.
        channels: Output channels of each convolutional layer.
        batch_norm: Whether batch normalisation follows each convolution.
        grid: Rows and columns of the grid that the last feature map is pooled to.
        feature_size: Width of a frame's features.
        hidden_size: Width of the LSTM's state.
        peepholes: Whether the LSTM's cell feeds its gates.
        fc_size: Width of the first fully connected layer.
        dropout: Share of the LSTM's and of the first fully connected layer's output dropped in training.
        average: How per-frame probabilities become a clip's: their mean, or an average with learned weights.
        in_channels: Channels *C* of a frame.

    Shape:
        frames ``(B, T, C, H, W)``, floating point in [0, 1] or normalised, H and W of at least 8 with three
        layers, and lengths ``(B,)`` -> logits ``(B, T, K)``.

    Raises:
        ValueError: If a size is below 1, or ``average`` is unknown.
    """

    def __init__(
        self,
        num_classes: int,
        channels: Sequence[int] = (16, 32, 64),
        batch_norm: bool = False,
        grid: tuple[int, int] = (4, 4),
        feature_size: int = 128,
        hidden_size: int = 128,
        peepholes: bool = True,
        fc_size: int = 64,
        dropout: float = 0.0,
        average: Literal["mean", "learned"] = "mean",
        in_channels: int = 3,
    ) -> None:
        super().__init__(num_classes)
        if average not in ("mean", "learned"):
            raise ValueError(f"Expected `average` to be 'mean' or 'learned', but got '{average}'.")
        self.in_channels = in_channels
        self.cnn = FrameCNN(in_channels, channels, batch_norm, grid, feature_size)
        self.lstm = PeepholeLSTM(feature_size, hidden_size, peepholes)
        self.head = FrameHead(hidden_size, fc_size, num_classes, dropout)
        self.average = LearnedAverage(num_classes) if average == "learned" else None

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits; those past ``lengths`` mean nothing.

        Args:
            inputs: Frames of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, C, H, W)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        check_frames(inputs, self.in_channels, self.cnn.min_size)
        x = map_valid_frames(self.cnn, inputs, lengths)  # (B, T, D)
        h, _ = self.lstm(x, lengths=lengths)  # (B, T, H)
        logits: Tensor = self.head(h)  # (B, T, K)
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
        check_frames(inputs_t[:, None], self.in_channels, self.cnn.min_size)
        h, state = self.lstm.step(self.cnn(inputs_t), state)
        return self.head(h), state

    def clip_log_probability(self, logits: Tensor, lengths: Tensor) -> Tensor:
        """Return each clip's log-probabilities, averaged over its valid frames as ``average`` says.

        Args:
            logits: What :meth:`forward` returned.
            lengths: Number of valid frames of each clip.

        Shape:
            logits ``(B, T, K)``, lengths ``(B,)`` -> log-probabilities ``(B, K)``.
        """
        if self.average is None:
            return super().clip_log_probability(logits, lengths)
        log_probs: Tensor = self.average(logits, lengths)
        return log_probs


def map_valid_frames(network: Callable[[Tensor], Tensor], frames: Tensor, lengths: Tensor) -> Tensor:
    """Apply a network of single frames to the valid frames of a batch of clips.

    Padding costs nothing this way, and stays out of the statistics of batch normalisation.

    Args:
        network: Takes single frames to features of width *D*.
        frames: Frames of each clip, padded to the longest.
        lengths: Number of valid frames of each clip.

    Returns:
        The features of each frame, zero past ``lengths``.

    Shape:
        frames ``(B, T, ...)``, lengths ``(B,)`` -> features ``(B, T, D)``.
    """
    valid = valid_frames(lengths, frames.shape[1])
    if valid.all():
        return network(frames.flatten(0, 1)).view(*valid.shape, -1)
    features = network(frames[valid])  # (N, D)
    return features.new_zeros(*valid.shape, features.shape[1]).index_put((valid,), features)


def _initialise_for_relu(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
