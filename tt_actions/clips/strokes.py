"""Strokes with their times in an untrimmed video."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from tt_actions.errors import UserError


@dataclass(frozen=True)
class Stroke:
    """One stroke in a video; times in seconds from the beginning of the video.

    Args:
        label: Class name.
        start_s: Start of the stroke: its backswing, or the toss of a serve.
        end_s: End of its follow-through (exclusive).
        contact_s: Time at which the racket hits the ball, or None if it is unknown.
        confidence: Confidence of the model, in [0, 1]; None for an annotation.
        player: The player who plays it, or None if unknown.

    Raises:
        ValueError: If the times are not 0 <= start <= contact <= end with start < end.
    """

    label: str
    start_s: float
    end_s: float
    contact_s: float | None = None
    confidence: float | None = None
    player: str | None = None

    def __post_init__(self) -> None:
        contact_s = self.start_s if self.contact_s is None else self.contact_s
        if not (0 <= self.start_s < self.end_s < math.inf and self.start_s <= contact_s <= self.end_s):
            raise UserError(
                f"Expected a stroke with 0 <= start <= contact <= end and start < end, but got "
                f"{self.start_s}, {self.contact_s} and {self.end_s} s for a {self.label}."
            )


def shift(stroke: Stroke, by_s: float) -> Stroke:
    """Return the same stroke, shifted in time.

    Args:
        stroke: The stroke.
        by_s: Shift in seconds; positive is later.

    >>> shift(Stroke("serve", 1.5, 2.5), -1.0)
    Stroke(label='serve', start_s=0.5, end_s=1.5, contact_s=None, confidence=None, player=None)
    """
    contact_s = None if stroke.contact_s is None else stroke.contact_s + by_s
    return replace(stroke, start_s=stroke.start_s + by_s, end_s=stroke.end_s + by_s, contact_s=contact_s)


def frame_labels(
    strokes: Sequence[Stroke], times_s: np.ndarray, class_names: Sequence[str], background: str
) -> np.ndarray:
    """Return the class of each frame: that of the stroke at its time, or the background class.

    Args:
        strokes: The strokes. If two overlap, the later one in this sequence counts.
        times_s: Time of each frame in seconds.
        class_names: Names of the classes, in the order of the network's outputs.
        background: Name of the class of the frames between strokes.

    Returns:
        Class indices.

    Shape:
        times_s ``(T,)`` -> ``(T,)``, int64.

    >>> strokes = [Stroke("serve", 0.1, 0.3)]
    >>> frame_labels(strokes, np.array([0.0, 0.1, 0.2, 0.3]), ["serve", "idle"], "idle").tolist()
    [1, 0, 0, 1]
    """
    labels = np.full(len(times_s), list(class_names).index(background))
    for stroke in strokes:
        inside = (times_s >= stroke.start_s) & (times_s < stroke.end_s)
        labels[inside] = list(class_names).index(stroke.label)
    return labels


def strokes_of(labels: np.ndarray, fps: float, class_names: Sequence[str], background: str) -> list[Stroke]:
    """Convert the classes of frames to strokes; the inverse of :func:`frame_labels`.

    A stroke begins half a frame before its first frame and ends half a frame after its last, which is correct
    on average.

    Args:
        labels: Class index of each frame; frame k is at k / fps seconds. Negative means no class.
        fps: Frames per second.
        class_names: Names of the classes.
        background: Name of the class that is not a stroke.

    Shape:
        labels ``(T,)``, int64.

    >>> strokes_of(np.array([1, 0, 0, 1]), 10, ["serve", "idle"], "idle")
    [Stroke(label='serve', start_s=0.05, end_s=0.25, contact_s=None, confidence=None, player=None)]
    """
    edges = np.flatnonzero(np.diff(labels, prepend=-1, append=-1))
    return [
        Stroke(class_names[labels[first]], max(0.0, (first - 0.5) / fps), (end - 0.5) / fps)
        for first, end in pairwise(edges.tolist())
        if labels[first] >= 0 and class_names[labels[first]] != background
    ]


STROKES = ("serve", "forehand", "backhand", "smash")
"""The four technical actions of the published CNN-LSTM, in its order."""

NO_STROKE = "no_stroke"
"""The label of clips in which the player does something else, such as walking."""

IDLE = "idle"
"""The label of frames between strokes in untrimmed video."""


def is_stroke(label: str) -> bool:
    """Return whether a label is that of a stroke: neither :data:`NO_STROKE` nor :data:`IDLE`.

    Args:
        label: Class name.

    >>> [is_stroke(label) for label in ("serve", "no_stroke", "idle")]
    [True, False, False]
    """
    return label not in (NO_STROKE, IDLE)
