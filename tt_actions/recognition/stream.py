"""A video's frames through a network as they come: per-frame probabilities in bounded memory."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tt_actions.clips.sampling import Sampling, sample_indices
from tt_actions.clips.typical import TYPICAL_CLIP, motion_of
from tt_actions.models.base import frame_log_probabilities
from tt_actions.video.types import Image

if TYPE_CHECKING:
    from tt_actions.recognition.recognizer import Recognizer

Item = TypeVar("Item")

SURE_TIMES_CHANCE = 1.5
"""How much likelier than chance a model of clips must call a window's class for it to be a stroke."""

LEAST_MOTION = 0.1
"""Levels of a colour that stand for no motion: of training clips of still pictures."""


class Stretch(NamedTuple):
    """Neighbouring frames of all tracks of a video.

    Args:
        times_s: When each frame is shown, in seconds.
        frames: The frames.

    Shape:
        times_s ``(n,)``; frames ``(P, n, H, W, C)``, uint8.
    """

    times_s: np.ndarray
    frames: np.ndarray


def gather_stretches(tracks: Iterable[tuple[float, tuple[Image, ...]]], num_frames: int) -> Iterator[Stretch]:
    """Gather frames into stretches.

    Args:
        tracks: Time and frames, one a track: see :func:`tt_actions.clips.specs.iter_tracks`.
        num_frames: Frames of a stretch; the last has what is left.
    """
    remaining = iter(tracks)
    while gathered := list(islice(remaining, num_frames)):
        times_s, images = zip(*gathered, strict=True)
        yield Stretch(np.array(times_s), np.stack([np.stack(track) for track in zip(*images, strict=True)]))


def append_block(blocks: list[np.ndarray], new: np.ndarray, axis: int = 0) -> None:
    """Append to an array that is kept in blocks, each longer than the next: of hours of frames there are few.

    Thousands of small arrays that stay between large ones that go would keep the memory of these.

    Args:
        blocks: The array so far.
        new: What is appended.
        axis: Along which.

    >>> blocks = []
    >>> for number in range(1000):
    ...     append_block(blocks, np.array([number]))
    >>> [len(block) for block in blocks], bool((np.concatenate(blocks) == np.arange(1000)).all())
    ([512, 256, 128, 64, 32, 8], True)
    """
    blocks.append(new)
    while len(blocks) > 1 and blocks[-2].shape[axis] <= blocks[-1].shape[axis]:
        blocks[-2:] = [np.concatenate(blocks[-2:], axis)]


def read_ahead(items: Iterable[Item], num_items: int) -> Iterator[Item]:
    """Go through items that a thread of its own makes, up to some ahead of who uses them.

    Args:
        items: What to go through.
        num_items: How many may wait.

    Yields:
        The items.

    Raises:
        Exception: What making an item raised, in its place.
    """
    remaining, end = iter(items), object()
    thread = ThreadPoolExecutor(1)
    try:
        waiting = deque(thread.submit(next, remaining, end) for _ in range(num_items))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(thread.submit(next, remaining, end))
            yield cast(Item, item)
    finally:
        thread.shutdown(cancel_futures=True)


def stroke_probability(motion: Tensor) -> Tensor:
    """Tell how likely a window is to show a stroke, for models that know of strokes alone.

    It is *r*^4 / (1 + *r*^4) with *r* twice the motion: half as much as in the typical clip leaves it open.
    That is a rule of thumb (of 48 clips of four tennis strokes, nine in ten had more than 0.56 of the
    median's); a model that is trained on recordings with idle frames does better.

    Args:
        motion: In the window over that in the typical clip.

    Shape:
        ``(...)`` -> ``(...)``.

    >>> stroke_probability(torch.tensor([0.25, 0.5, 1.0]))
    tensor([0.0588, 0.5000, 0.9412])
    """
    fourth = (2 * motion) ** 4
    return fourth / (1 + fourth)


class FrameStream(ABC):
    """Turns the frames of one or more tracks into class probabilities, in order and as early as it can.

    Args:
        model: The trained model, in eval mode.
    """

    def __init__(self, model: "Recognizer") -> None:
        self.model = model

    @abstractmethod
    def push(self, frames: np.ndarray) -> Tensor:
        """Take in the next frames.

        Args:
            frames: Of each track.

        Returns:
            Log-probabilities of the frames, from the first that had none yet, that can be told now.

        Shape:
            frames ``(P, n, H, W, C)``, uint8 -> ``(P, m, K)``.
        """

    @abstractmethod
    def finish(self) -> Tensor:
        """Return the log-probabilities of the frames that are left, at the end of the video.

        Shape:
            ``(P, m, K)``.
        """


class CausalStream(FrameStream):
    """The stream of a :class:`CausalModel`, which remembers what it has to; of a CRF what is below it.

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
        self.num_early = self.network.delay

    @torch.inference_mode()
    def push(self, frames: np.ndarray) -> Tensor:
        """Take in the next frames; see :meth:`FrameStream.push`.

        Args:
            frames: Of each track.
        """
        self.last = frames[:, -1:]
        inputs = torch.from_numpy(frames).permute(0, 1, 4, 2, 3).to(self.model.device)
        logits, self.state = self.network.advance(self.model.normalise(inputs), self.state)
        early, self.num_early = self.num_early, max(0, self.num_early - logits.shape[1])
        return frame_log_probabilities(logits[:, early:]).cpu()

    def finish(self) -> Tensor:
        """Return the log-probabilities of the frames that are left: the last frame is held for them."""
        if self.last is None or not self.network.delay:
            num_tracks = 0 if self.last is None else len(self.last)
            return torch.empty(num_tracks, 0, len(self.model.class_names))
        return self.push(self.last.repeat(self.network.delay, 1))


class WindowStream(FrameStream):
    """The stream of a model that is shown windows: each frame gets the mean of the windows that hold it.

    A model of clips is shown windows as long as its training clips, sampled as these were, and each becomes
    idle time as far as it is unlike these: see :func:`stroke_probability`. A frame counts by how near it is
    to the middle of the window, where it is known best. The last window ends with the video.

    Args:
        model: The trained model.
        window: Frames of a window.
        stride: Frames from one window to the next.
    """

    def __init__(self, model: "Recognizer", window: int, stride: int) -> None:
        super().__init__(model)
        self.window, self.stride = window, stride
        self.num_classes = len(model.class_names) + (not model.is_untrimmed)  # with idle
        self.frames: np.ndarray | None = None  # what windows to come still need, and one window before it
        self.num_told = 0  # of these frames
        self.sums = torch.empty(0)  # (P, n, K + 1) of the others: weighted probabilities, and their weights

    @torch.inference_mode()
    def push(self, frames: np.ndarray) -> Tensor:
        """Take in the next frames; see :meth:`FrameStream.push`.

        Args:
            frames: Of each track.
        """
        new = torch.zeros(*frames.shape[:2], self.num_classes + 1)
        if self.frames is None:
            self.frames, self.sums = frames, new
        else:
            self.frames, self.sums = np.concatenate([self.frames, frames], 1), torch.cat([self.sums, new], 1)
        told = [new[:, :0, :-1]]
        while self.sums.shape[1] >= self.window:
            self.sums[:, : self.window] += self._look(self._left()[:, : self.window])
            told.append(self._tell(self.stride))
        return torch.cat(told, 1)

    @torch.inference_mode()
    def finish(self) -> Tensor:
        """Return the log-probabilities of the frames that are left."""
        if self.frames is None or not self.sums.shape[1]:
            return torch.empty(len(self.sums), 0, self.num_classes)
        num_left = self.sums.shape[1]
        self.sums += self._look(self.frames[:, -self.window :])[:, -num_left:]
        return self._tell(num_left)

    def _left(self) -> np.ndarray:
        assert self.frames is not None
        return self.frames[:, self.num_told :]

    def _look(self, window: np.ndarray) -> Tensor:
        """Return what a window says of its frames, weighted, and the weights: ``(P, n, K + 1)``."""
        length, how = window.shape[1], self.model.frame_preprocessing
        sampling: Sampling = "all" if self.model.is_untrimmed else how.sampling
        chosen = sample_indices(length, how.num_frames, sampling, training=False)
        inputs = torch.from_numpy(window[:, chosen]).permute(0, 1, 4, 2, 3).to(self.model.device)
        lengths = torch.full((len(window),), len(chosen), device=self.model.device)
        if self.model.is_untrimmed:  # of a CRF what is below it, as in a causal stream
            logits = self.model.network.frame_network(self.model.normalise(inputs), lengths)
            probabilities = frame_log_probabilities(logits).exp().cpu()
        else:
            logits = self.model(inputs, lengths)
            of_clip = self.model.network.clip_log_probability(logits, lengths).exp().cpu()
            of_clip = self._with_idle(of_clip, window)
            probabilities = of_clip[:, None].expand(-1, length, -1)
        weights = 1 - (2 * torch.arange(length) + 1 - length).abs() / (length + 1)
        weighted: Tensor = weights[:, None] * F.pad(probabilities, (0, 1), value=1.0)
        return weighted

    def _with_idle(self, of_clip: Tensor, window: np.ndarray) -> Tensor:
        """Add idle time to the probabilities (P, K) of a window as if it were a clip."""
        typical = self.model.typical_clip or TYPICAL_CLIP
        motion = torch.tensor([motion_of(frames) for frames in window])
        is_stroke = stroke_probability(motion / max(typical.motion, LEAST_MOTION))[:, None]
        is_stroke = is_stroke * (of_clip.amax(-1, keepdim=True) >= SURE_TIMES_CHANCE / of_clip.shape[-1])
        return torch.cat([of_clip * is_stroke, 1 - is_stroke], -1)

    def _tell(self, num_frames: int) -> Tensor:
        assert self.frames is not None
        done, self.sums = self.sums[:, :num_frames], self.sums[:, num_frames:]
        self.num_told += num_frames
        before = max(0, self.num_told - self.window)
        self.frames, self.num_told = self.frames[:, before:], self.num_told - before
        told: Tensor = (done[..., :-1] / done[..., -1:]).clamp(min=1e-8).log()
        return told
