"""Samples and batches of frames."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.sampling import Sampling, sample_indices
from tt_actions.clips.specs import InputSpec
from tt_actions.clips.strokes import IDLE, Stroke, frame_labels, shift
from tt_actions.errors import UserError

NO_LABEL = -1
"""The label of a clip whose class is unknown."""

NO_NAME = ""
"""The name of a padding sample, which is not a clip: see :class:`ClipDataset`."""

NO_FRAME_LABEL = -100
"""The label of padding and of frames whose class is unknown; PyTorch's losses ignore it."""


HANDS = {"right": 1, "left": -1, None: 0}
"""The number of each playing hand in a batch; 0 if it is unknown."""


class Batch(NamedTuple):
    """A batch of clips, padded to the length of the longest with black frames or with joints at the origin.

    The memory of the inputs is ordered (B, T, H, W, C), the channels-last order that is fastest for
    convolutions.

    Shape:
        inputs ``(B, T, C, H, W)``, uint8, or for joints ``(B, T, C, V)``, float32;
        lengths ``(B,)`` and label ``(B,)``, int64; frame_labels
        ``(B, T)``, int64, -100 for unlabelled frames, or None if no frames have labels;
        hands ``(B,)``, int64, see :data:`HANDS`, or None if no hand is known.
    """

    inputs: Tensor
    lengths: Tensor
    label: Tensor
    frame_labels: Tensor | None
    names: list[str]
    hands: Tensor | None = None

    @property
    def is_known(self) -> Tensor:
        """Whether each clip has a label or at least one labelled frame: ``(B,)``, bool."""
        known = self.label != NO_LABEL
        return known if self.frame_labels is None else known | (self.frame_labels != NO_FRAME_LABEL).any(1)


class Sample(NamedTuple):
    """One clip as network input, with its labels.

    Shape:
        frames ``(T, C, H, W)``, uint8, or for joints ``(T, C, V)``, float32; frame_labels ``(T,)``, int64.
    """

    frames: Tensor
    length: int
    label: int
    frame_labels: Tensor
    name: str
    hand: int = 0


class ClipDataset(Dataset[Sample]):
    """Dataset of clips, with frames from the cache.

    All frames of a clip have the label of the clip. An untrimmed recording has no label. Each of its frames
    has the class of the stroke at that time, or ``idle``. In training, a recording yields windows of
    ``num_frames`` neighbouring frames with random starts, as many as cover its length. Otherwise it yields
    all of its frames.

    An item is a position in the dataset. In training, it is a position and the seed of the random choice of
    frames, so that a sample does not depend on the process or the time. The item None yields a padding
    sample: one frame without label and name, which does not count anywhere. It makes the parts of all
    processes equally long.

    Args:
        records: The clips.
        class_names: Names of the classes, in the order of the network's outputs.
        cache: The decoded frames.
        spec: How a file becomes frames or joints.
        num_frames: Number of frames *T* per clip; with ``all``, the maximum number.
        sampling: How to choose frames: see :func:`sample_indices`.
        training: Whether to choose frames at random.

    Raises:
        ValueError: If a clip's label is not among the class names.
    """

    def __init__(
        self,
        records: Sequence[ClipRecord],
        class_names: Sequence[str],
        cache: FrameCache,
        spec: InputSpec,
        num_frames: int,
        sampling: Sampling,
        training: bool,
    ) -> None:
        unknown = sorted(set().union(*(record.labels for record in records)) - set(class_names))
        if unknown:
            raise UserError(f"Expected every label to be one of {list(class_names)}, but got {unknown}.")
        self.records, self.class_names = list(records), list(class_names)
        self.cache, self.spec = cache, spec
        self.num_frames, self.sampling, self.training = num_frames, sampling, training
        self.items = [index for index in range(len(self.records)) for _ in range(self._num_items(index))]
        index = {name: i for i, name in enumerate(class_names)}
        self._labels = [NO_LABEL if r.label is None else index[r.label] for r in self.records]
        self._names = [record.name for record in self.records]

    def _num_items(self, index: int) -> int:
        record = self.records[index]
        if record.strokes is None or not self.training:
            return 1
        return math.ceil(len(self.cache.frames(record, self.spec)) / self.num_frames)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, item: int | tuple[int, int] | None) -> Sample:
        if item is None:
            frame = self[0].frames[:1]
            return Sample(frame, 1, NO_LABEL, torch.tensor([NO_FRAME_LABEL]), NO_NAME)
        position, seed = item if isinstance(item, tuple) else (item, 0)
        index = self.items[position]
        record = self.records[index]
        available = self.cache.frames(record, self.spec)
        if record.hand == "left":
            available = self.spec.to_right_handed(available)
        rng = torch.Generator().manual_seed(seed)
        if record.strokes is None:
            chosen = sample_indices(len(available), self.num_frames, self.sampling, self.training, rng)
        elif self.training:
            chosen = sample_indices(len(available), self.num_frames, "dense", self.training, rng)
        else:
            chosen = np.arange(len(available))
        frames = torch.from_numpy(available[chosen])  # (T, H, W, C) or (T, V, C)
        return Sample(
            frames=frames.movedim(-1, 1),
            length=len(chosen),
            label=self._labels[index],
            frame_labels=self.frame_labels(index, chosen),
            name=self._names[index],
            hand=HANDS[record.hand],
        )

    def strokes(self, index: int) -> list[Stroke]:
        """Return the strokes of a recording, with times in seconds from its beginning.

        Args:
            index: Index of the recording.
        """
        record = self.records[index]
        return [shift(stroke, -record.start_s) for stroke in record.strokes or ()]

    def frame_labels(self, index: int, chosen: np.ndarray) -> Tensor:
        """Return the class of each chosen frame.

        Args:
            index: Index of the clip or recording.
            chosen: Indices of its frames.

        Shape:
            chosen ``(T,)`` -> ``(T,)``, int64, -100 if the class is unknown.
        """
        record = self.records[index]
        if record.strokes is None:
            label = self._labels[index]
            return torch.full((len(chosen),), NO_FRAME_LABEL if label == NO_LABEL else label)
        times_s = chosen / self.spec.fps
        return torch.from_numpy(frame_labels(self.strokes(index), times_s, self.class_names, IDLE))


def collate(samples: Sequence[Sample]) -> Batch:
    """Combine clips into a batch, padded to the longest.

    Args:
        samples: At least one clip; all frames have one size.

    Returns:
        The batch, in the order of the samples.
    """
    frames = pad_sequence([sample.frames.movedim(1, -1) for sample in samples], batch_first=True)
    return Batch(
        inputs=frames.movedim(-1, 2),  # (B, T, C, H, W) or (B, T, C, V)
        lengths=torch.tensor([sample.length for sample in samples]),
        label=torch.tensor([sample.label for sample in samples]),
        frame_labels=pad_sequence(
            [sample.frame_labels for sample in samples], batch_first=True, padding_value=NO_FRAME_LABEL
        ),
        names=[sample.name for sample in samples],
        hands=torch.tensor([sample.hand for sample in samples]),
    )
