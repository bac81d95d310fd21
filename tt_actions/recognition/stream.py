"""Streaming inference: per-frame probabilities of a video, in bounded memory."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tt_actions.clips.sampling import Sampling, sample_indices
from tt_actions.clips.typical import TYPICAL_CLIP, motion_of
from tt_actions.models.averages import frame_log_probabilities
from tt_actions.recognition.frame_remarks import GateRecord
from tt_actions.video.types import Image

if TYPE_CHECKING:
    from tt_actions.recognition.recognizer import Recognizer

MIN_RATIO_TO_CHANCE = 1.5
"""Minimum ratio of a clip model's highest probability to chance, below which a window is no stroke."""

MIN_MOTION = 0.1
"""Lower bound for the motion of the training clips, in colour levels, in case they are still images."""


class Stretch(NamedTuple):
    """Consecutive frames of all tracks of a video.

    Args:
        times_s: When each frame is shown, in seconds.
        frames: The frames.

    Shape:
        times_s ``(n,)``; frames ``(P, n, H, W, C)``, uint8.
    """

    times_s: np.ndarray
    frames: np.ndarray


def gather_stretches(tracks: Iterable[tuple[float, tuple[Image, ...]]], num_frames: int) -> Iterator[Stretch]:
    """Group consecutive frames into stretches.

    Args:
        tracks: For each time, the time and one frame per track: see
            :func:`tt_actions.clips.specs.iter_tracks`.
        num_frames: Number of frames per stretch; the last stretch gets the remaining frames.
    """
    remaining = iter(tracks)
    while gathered := list(islice(remaining, num_frames)):
        times_s, images = zip(*gathered, strict=True)
        yield Stretch(np.array(times_s), np.stack([np.stack(track) for track in zip(*images, strict=True)]))


def append_block(blocks: list[np.ndarray], new: np.ndarray, axis: int = 0) -> None:
    """Append to an array stored in blocks, each longer than the next, so that hours of frames need few.

    Thousands of small arrays would fragment the memory: they would lie between large arrays that are freed,
    and the process could not return that memory.

    Args:
        blocks: The blocks of the array so far.
        new: The array to append.
        axis: Axis along which to append.

    >>> blocks = []
    >>> for number in range(1000):
    ...     append_block(blocks, np.array([number]))
    >>> [len(block) for block in blocks], bool((np.concatenate(blocks) == np.arange(1000)).all())
    ([512, 256, 128, 64, 32, 8], True)
    """
    blocks.append(new)
    while len(blocks) > 1 and blocks[-2].shape[axis] <= blocks[-1].shape[axis]:
        blocks[-2:] = [np.concatenate(blocks[-2:], axis)]


def stroke_probability(motion: Tensor) -> Tensor:
    """Return the probability that a window shows a stroke, for models without an idle class.

    It is *r*^4 / (1 + *r*^4) with *r* twice the motion, so half the motion of the typical clip gives 0.5.
    This is a rule of thumb: of 48 clips of four tennis strokes, nine in ten had more than 0.56 of the median
    motion. A model trained on recordings with idle frames does better.

    Args:
        motion: Motion in the window, divided by that in the typical clip.

    Shape:
        ``(...)`` -> ``(...)``.

    >>> stroke_probability(torch.tensor([0.25, 0.5, 1.0]))
    tensor([0.0588, 0.5000, 0.9412])
    """
    fourth = (2 * motion) ** 4
    return fourth / (1 + fourth)


class FrameStream(ABC):
    """Turns the frames of one or more tracks into class probabilities, in order and as early as possible.

    Args:
        model: The trained model, in eval mode.

    Attributes:
        gate: Why a model of clips took frames for idle time; None for a model that learnt idle time, and
            before the first window.
    """

    def __init__(self, model: "Recognizer") -> None:
        self.model = model
        self.gate: GateRecord | None = None

    @abstractmethod
    def push(self, frames: np.ndarray) -> Tensor:
        """Process the next frames.

        Args:
            frames: The next frames of each track.

        Returns:
            Log-probabilities of the frames that can be predicted now and were not returned before.

        Shape:
            frames ``(P, n, H, W, C)``, uint8 -> ``(P, m, K)``.
        """

    @abstractmethod
    def finish(self) -> Tensor:
        """Return the log-probabilities of the remaining frames at the end of the video.

        Shape:
            ``(P, m, K)``.
        """


class CausalStream(FrameStream):
    """Stream for a causal model, which carries its state from frame to frame.

    For a CRF, it streams the causal network below the chain.

    Args:
        model: The trained model.
    """

    def __init__(self, model: "Recognizer") -> None:
        super().__init__(model)
        network = model.network.frame_network
        assert network.is_causal
        self.network = network
        self.state: Any = None
        self.last: np.ndarray | None = None
        self.num_to_skip = self.network.delay

    @torch.inference_mode()
    def push(self, frames: np.ndarray) -> Tensor:
        """Process the next frames; see :meth:`FrameStream.push`.

        Args:
            frames: The next frames of each track.
        """
        self.last = frames[:, -1:]
        inputs = torch.from_numpy(frames).permute(0, 1, 4, 2, 3).to(self.model.device)
        logits, self.state = self.network.advance(self.model.normalise(inputs), self.state)
        num_skipped, self.num_to_skip = self.num_to_skip, max(0, self.num_to_skip - logits.shape[1])
        return frame_log_probabilities(logits[:, num_skipped:]).cpu()

    def finish(self) -> Tensor:
        """Return the log-probabilities of the remaining frames, for which the last frame is repeated."""
        if self.last is None or not self.network.delay:
            num_tracks = 0 if self.last is None else len(self.last)
            return torch.empty(num_tracks, 0, len(self.model.class_names))
        return self.push(self.last.repeat(self.network.delay, 1))


class WindowStream(FrameStream):
    """Stream for a model that reads windows: a frame gets the mean over all windows that contain it.

    A model of clips reads windows that are as long as its training clips and sampled in the same way. The
    less a window resembles these clips, the more of its probability goes to idle time: see
    :func:`stroke_probability`. In the mean, a window weighs the more, the nearer the frame is to its middle,
    where predictions are best. The last window ends with the video.

    Args:
        model: The trained model.
        window: Number of frames of a window.
        stride: Number of frames from one window to the next.
    """

    def __init__(self, model: "Recognizer", window: int, stride: int) -> None:
        super().__init__(model)
        self.window, self.stride = window, stride
        self.num_classes = len(model.class_names) + (not model.is_untrimmed)  # with idle
        self.frames: np.ndarray | None = None  # those that later windows need, and one window before
        self.num_emitted = 0  # how many of these frames
        self.sums = torch.empty(0)  # (P, n, K + 1) for the other frames: weighted probabilities and weights

    @torch.inference_mode()
    def push(self, frames: np.ndarray) -> Tensor:
        """Process the next frames; see :meth:`FrameStream.push`.

        Args:
            frames: The next frames of each track.
        """
        new = torch.zeros(*frames.shape[:2], self.num_classes + 1)
        if self.frames is None:
            self.frames, self.sums = frames, new
        else:
            self.frames, self.sums = np.concatenate([self.frames, frames], 1), torch.cat([self.sums, new], 1)
        emitted = [new[:, :0, :-1]]
        while self.sums.shape[1] >= self.window:
            self.sums[:, : self.window] += self._predict_window(self._left()[:, : self.window])
            emitted.append(self._emit(self.stride))
        return torch.cat(emitted, 1)

    @torch.inference_mode()
    def finish(self) -> Tensor:
        """Return the log-probabilities of the remaining frames."""
        if self.frames is None or not self.sums.shape[1]:
            return torch.empty(len(self.sums), 0, self.num_classes)
        num_left = self.sums.shape[1]
        self.sums += self._predict_window(self.frames[:, -self.window :])[:, -num_left:]
        return self._emit(num_left)

    def _left(self) -> np.ndarray:
        assert self.frames is not None
        return self.frames[:, self.num_emitted :]

    def _predict_window(self, window: np.ndarray) -> Tensor:
        """Return the weighted predictions of a window for its frames, and the weights: ``(P, n, K + 1)``."""
        length, preprocessing = window.shape[1], self.model.frame_preprocessing
        sampling: Sampling = "all" if self.model.is_untrimmed else preprocessing.sampling
        chosen = sample_indices(length, preprocessing.num_frames, sampling, training=False)
        inputs = torch.from_numpy(window[:, chosen]).permute(0, 1, 4, 2, 3).to(self.model.device)
        lengths = torch.full((len(window),), len(chosen), device=self.model.device)
        if self.model.is_untrimmed:  # for a CRF, the network below it, as in a causal stream
            logits = self.model.network.frame_network(self.model.normalise(inputs), lengths)
            probabilities = frame_log_probabilities(logits).exp().cpu()
        else:
            logits = self.model(inputs, lengths)
            clip_probs = self.model.network.clip_log_probability(logits, lengths).exp().cpu()
            clip_probs = self._with_idle(clip_probs, window)
            probabilities = clip_probs[:, None].expand(-1, length, -1)
        weights = 1 - (2 * torch.arange(length) + 1 - length).abs() / (length + 1)
        weighted: Tensor = weights[:, None] * F.pad(probabilities, (0, 1), value=1.0)
        return weighted

    def _with_idle(self, clip_probs: Tensor, window: np.ndarray) -> Tensor:
        """Add the idle class to a window's clip probabilities (P, K)."""
        typical = self.model.typical_clip or TYPICAL_CLIP
        motion = torch.tensor([motion_of(frames) for frames in window]) / max(typical.motion, MIN_MOTION)
        highest = clip_probs.amax(-1)
        self.gate = self.gate or GateRecord(len(window))
        self.gate.add(motion.numpy(), highest.numpy())
        is_clear = highest >= MIN_RATIO_TO_CHANCE / clip_probs.shape[-1]
        is_stroke = (stroke_probability(motion) * is_clear)[:, None]
        return torch.cat([clip_probs * is_stroke, 1 - is_stroke], -1)

    def _emit(self, num_frames: int) -> Tensor:
        assert self.frames is not None
        done, self.sums = self.sums[:, :num_frames], self.sums[:, num_frames:]
        self.num_emitted += num_frames
        before = max(0, self.num_emitted - self.window)
        self.frames, self.num_emitted = self.frames[:, before:], self.num_emitted - before
        log_probs: Tensor = (done[..., :-1] / done[..., -1:]).clamp(min=1e-8).log()
        return log_probs
