"""Statistics of training clips, by which similar clips are recognised in a long video."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tt_actions.errors import UserError


@dataclass(frozen=True)
class TypicalClip:
    """Median length and motion of the clips of a training set.

    Args:
        seconds: Median length in seconds.
        motion: Median motion: see :func:`motion_of`.

    Raises:
        ValueError: If a value is out of range.
    """

    seconds: float
    motion: float

    def __post_init__(self) -> None:
        if not (0 < self.seconds < math.inf and 0 <= self.motion <= 255):
            raise UserError(
                "Expected a typical clip of more than 0 seconds and a motion of 0 to 255 levels, but got "
                f"{self.seconds} and {self.motion}."
            )

    def to_plain(self) -> dict[str, Any]:
        """Return the values as plain types, for a checkpoint."""
        return asdict(self)


TYPICAL_CLIP = TypicalClip(2.0, 5.0)
"""Default values, for a model whose training clips were not measured."""


def find_typical(clips: Iterable[np.ndarray], fps: float) -> TypicalClip:
    """Compute the median length and motion of clips of one stroke each.

    Args:
        clips: The frames of each clip; at least one clip.
        fps: Frames per second.

    Shape:
        each of clips ``(T, H, W, C)``, uint8.
    """
    lengths, motions = zip(*((len(frames), motion_of(frames)) for frames in clips), strict=True)
    return TypicalClip(float(np.median(lengths)) / fps, float(np.median(motions)))


def motion_of(frames: np.ndarray) -> float:
    """Return how much moves in a clip: the mean change of its colours between frames, in levels.

    It is the median over the frames, so that a cut, which changes the whole image once, has no effect.

    Args:
        frames: Frames of the clip; channels after the third are not colours and are ignored.

    Shape:
        frames ``(T, H, W, C)``, uint8.

    >>> motion_of(np.stack([np.full((4, 4, 3), level, np.uint8) for level in (0, 2, 5, 250)]))
    3.0
    """
    if len(frames) < 2:
        return 0.0
    changes = np.abs(np.diff(frames[..., :3].astype(np.int16), axis=0))
    return float(np.median(changes.mean((1, 2, 3))))
