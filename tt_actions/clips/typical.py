"""What the clips of a training set are like, by which their like is known in a long video."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tt_actions.errors import UserError


@dataclass(frozen=True)
class TypicalClip:
    """The median clip of a training set.

    Args:
        seconds: Its length.
        motion: How much moves in it: see :func:`motion_of`.

    Raises:
        ValueError: If one of them is out of range.
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
        """Return it as plain types: what a checkpoint may hold."""
        return asdict(self)


TYPICAL_CLIP = TypicalClip(2.0, 5.0)
"""A rule of thumb, for a model that was trained without clips being measured."""


def find_typical(clips: Iterable[np.ndarray], fps: float) -> TypicalClip:
    """Measure clips of one stroke each.

    Args:
        clips: Their frames, of at least one clip.
        fps: Frames a second.

    Shape:
        each of clips ``(T, H, W, C)``, uint8.
    """
    lengths, motions = zip(*((len(frames), motion_of(frames)) for frames in clips), strict=True)
    return TypicalClip(float(np.median(lengths)) / fps, float(np.median(motions)))


def motion_of(frames: np.ndarray) -> float:
    """Tell how much moves in a clip: the mean change of its colours from one frame to the next, in levels.

    It is the median over the frames, so that a cut, which changes everything once, does not count.

    Args:
        frames: Of a clip; channels after the third are no colours.

    Shape:
        frames ``(T, H, W, C)``, uint8.

    >>> motion_of(np.stack([np.full((4, 4, 3), level, np.uint8) for level in (0, 2, 5, 250)]))
    3.0
    """
    if len(frames) < 2:
        return 0.0
    changes = np.abs(np.diff(frames[..., :3].astype(np.int16), axis=0))
    return float(np.median(changes.mean((1, 2, 3))))
