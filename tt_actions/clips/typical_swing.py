"""The typical swing in training clips of joints, by which swings are found in a match."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tt_actions.errors import UserError
from tt_actions.skeleton.hands import hand_speeds
from tt_actions.skeleton.layouts import Layout


@dataclass(frozen=True)
class TypicalSwing:
    """Medians of the clips of a training set, which show one swing each.

    Args:
        seconds: Length of a clip in seconds.
        speed: Highest speed of the faster hand, in trunk lengths per second.
        contact: When the hand is fastest, as a share of the clip's length.

    Raises:
        ValueError: If a value is out of range.
    """

    seconds: float
    speed: float
    contact: float

    def __post_init__(self) -> None:
        if not (0 < self.seconds < math.inf and 0 <= self.speed < math.inf and 0 <= self.contact <= 1):
            raise UserError(
                "Expected a typical swing of more than 0 seconds, a speed of at least 0 and a contact from 0 "
                f"to 1, but got {self.seconds}, {self.speed} and {self.contact}."
            )

    def to_plain(self) -> dict[str, Any]:
        """Return the values as plain types, for a checkpoint."""
        return asdict(self)


def find_typical_swing(clips: Iterable[np.ndarray], layout: Layout, fps: float) -> TypicalSwing:
    """Compute the typical swing of clips of one stroke each.

    Args:
        clips: The normalised joints of each clip; at least one clip.
        layout: Layout of a body.
        fps: Frames per second.

    Shape:
        each of clips ``(T, V, C)``.
    """
    rows = []
    for joints in clips:
        speed = hand_speeds(joints, layout, fps).max(1)
        rows.append((len(joints) / fps, speed.max(), (speed.argmax() + 0.5) / len(joints)))
    seconds, highest, contact = np.median(rows, axis=0).tolist()
    return TypicalSwing(seconds, highest, contact)
