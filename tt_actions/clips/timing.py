"""Durations of strokes and transitions between them, counted on the training set."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from tt_actions.clips.strokes import IDLE, Stroke
from tt_actions.errors import UserError

STROKE_MIN_S, STROKE_MEAN_S = 0.3, 0.9
IDLE_MIN_S, IDLE_MEAN_S = 0.1, 1.2
DEFAULT_IDLE_SHARE = 0.8
"""Default share of the strokes that idle time follows."""

SHORT_PERCENTILE = 2
"""Percentile of the lengths of complete segments that counts as the shortest; a few are labelled badly."""

TIME_TOLERANCE_S = 1e-6
"""Seconds by which rounding may change a time."""


@dataclass(frozen=True, eq=False)
class StrokeTiming:
    """Durations and transitions counted on a training set, at the frame rate of a model.

    A segment is a run of frames of one class; two strokes of the same class that touch are two segments.

    Args:
        class_names: Names of the classes, in the order of the network's outputs.
        fps: Frames per second.
        frames: Number of frames of each class.
        initial: Number of sequences whose first frame is of each class.
        transitions: How often a segment of each class (row) is followed by a segment of each class (column).
        min_frames: Length of the shortest segments of each class in frames, at least 1.
        mean_frames: Mean length of the segments of each class in frames.
        contact: Mean time of the ball contact in a stroke of each class, from 0 (start of the stroke) to 1
            (end); nan if unknown.

    Shape:
        frames, initial, min_frames, mean_frames and contact ``(K,)``, transitions ``(K, K)``.

    Raises:
        ValueError: If a shape or a value is out of range.
    """

    class_names: tuple[str, ...]
    fps: float
    frames: np.ndarray
    initial: np.ndarray
    transitions: np.ndarray
    min_frames: np.ndarray
    mean_frames: np.ndarray
    contact: np.ndarray

    def __post_init__(self) -> None:
        k = len(self.class_names)
        is_valid = k > 1 and len(set(self.class_names)) == k and 0 < self.fps < math.inf
        for name in ("frames", "initial", "transitions", "min_frames", "mean_frames"):
            values = getattr(self, name)
            is_valid &= values.shape == ((k, k) if name == "transitions" else (k,))
            is_valid &= bool(np.isfinite(values).all() and (values >= 0).all())
        is_valid &= np.issubdtype(self.min_frames.dtype, np.integer)
        is_valid = is_valid and bool((self.min_frames >= 1).all())
        is_valid = is_valid and bool((self.mean_frames >= self.min_frames).all())
        known = self.contact[~np.isnan(self.contact)]
        if not (is_valid and self.contact.shape == (k,) and ((known >= 0) & (known <= 1)).all()):
            raise UserError(
                "Expected a timing with 2 or more classes, counts of at least 0, a frame rate above 0, "
                f"1 <= `min_frames` <= `mean_frames` and `contact` in [0, 1], but got {self.to_plain()}."
            )

    def to_plain(self) -> dict[str, Any]:
        """Return all values as plain types, with nan as None, for a checkpoint."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays = {name: value.tolist() for name, value in plain.items() if isinstance(value, np.ndarray)}
        contact = [None if np.isnan(value) else float(value) for value in self.contact]
        return {**plain, **arrays, "class_names": list(self.class_names), "contact": contact}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "StrokeTiming":
        """Restore a timing from the result of :meth:`to_plain`.

        Args:
            plain: Plain types by field name.

        Raises:
            ValueError: If a field is missing or unknown, or a value is out of range.
        """
        names = {field.name for field in fields(cls)}
        if set(plain) != names:
            raise UserError(
                f"Expected a timing with {', '.join(sorted(names))}, but got {', '.join(sorted(plain))}."
            )
        arrays = {name: np.array(plain[name], float) for name in names - {"class_names", "fps", "min_frames"}}
        return cls(
            class_names=tuple(plain["class_names"]),
            fps=float(plain["fps"]),
            min_frames=np.array(plain["min_frames"], np.int64),
            **arrays,
        )


class Segment(NamedTuple):
    """A run of frames of one class.

    Args:
        label: Class index.
        first: Index of the first frame.
        end: Index of the frame after the last.
    """

    label: int
    first: int
    end: int


def find_segments(labels: np.ndarray, is_start: np.ndarray | None = None) -> list[Segment]:
    """Split a sequence of labels into runs of the same class.

    Args:
        labels: Class index of each frame.
        is_start: Frames at which a run begins even if the class stays the same, or None.

    Shape:
        labels and is_start ``(T,)``.

    >>> find_segments(np.array([1, 1, 0]))
    [Segment(label=1, first=0, end=2), Segment(label=0, first=2, end=3)]
    """
    changes = labels[1:] != labels[:-1]
    if is_start is not None:
        changes |= is_start[1:]
    cuts = [0, *(np.flatnonzero(changes) + 1).tolist(), len(labels)]
    return [Segment(int(labels[a]), a, b) for a, b in pairwise(cuts) if a < b]


def count_timing(
    sequences: Iterable[tuple[np.ndarray, Sequence[Stroke]]], class_names: Sequence[str], fps: float
) -> StrokeTiming:
    """Count durations and transitions in labelled sequences.

    Segments that are cut by the beginning or the end of a sequence, or by frames of unknown class, do not
    count for lengths. A class without a complete segment gets the lengths of :func:`default_timing`.

    Args:
        sequences: For each sequence, the class index of every frame (negative if unknown; frame k is at k /
            fps seconds) and its strokes. The strokes give the contacts, and separate strokes of the same
            class that touch.
        class_names: Names of the classes, in the order of the network's outputs.
        fps: Frames per second.

    Shape:
        labels of a sequence ``(T,)``, int64.

    Raises:
        ValueError: If there are fewer than two classes or ``fps`` is not positive.

    >>> forehand = Stroke("forehand", 0.2, 0.5, contact_s=0.3)
    >>> timing = count_timing([(np.array([1, 1, 0, 0, 0, 1]), [forehand])], ["forehand", "idle"], 10)
    >>> timing.frames, timing.mean_frames[0].item(), round(timing.contact[0].item(), 3)
    (array([3., 3.]), 3.0, 0.333)
    """
    k = len(class_names)
    default = default_timing(class_names, fps)
    frames, initial, transitions = np.zeros(k), np.zeros(k), np.zeros((k, k))
    lengths: list[list[int]] = [[] for _ in range(k)]
    contacts: list[list[float]] = [[] for _ in range(k)]
    for labels, strokes in sequences:
        segments = find_segments(labels, _is_start(strokes, len(labels), fps))
        for segment in segments:
            if segment.label >= 0:
                frames[segment.label] += segment.end - segment.first
        if segments and segments[0].label >= 0:
            initial[segments[0].label] += 1
        for before, after in _pairs(segments):
            transitions[before.label, after.label] += 1
        for segment in _complete(segments):
            lengths[segment.label].append(segment.end - segment.first)
        for stroke in strokes:
            if stroke.contact_s is not None and stroke.label in class_names:
                fraction = (stroke.contact_s - stroke.start_s) / (stroke.end_s - stroke.start_s)
                contacts[list(class_names).index(stroke.label)].append(fraction)
    shortest = [np.percentile(n, SHORT_PERCENTILE, method="lower") if n else 0 for n in lengths]
    means = [max(np.mean(n), least) if n else 0.0 for n, least in zip(lengths, shortest, strict=True)]
    is_known = np.array([bool(n) for n in lengths])
    return StrokeTiming(
        class_names=tuple(class_names),
        fps=float(fps),
        frames=frames,
        initial=initial,
        transitions=transitions,
        min_frames=np.where(is_known, np.array(shortest, np.int64), default.min_frames),
        mean_frames=np.where(is_known, np.array(means, np.float64), default.mean_frames),
        contact=np.array([np.mean(fractions) if fractions else np.nan for fractions in contacts]),
    )


def _is_start(strokes: Sequence[Stroke], num_frames: int, fps: float) -> np.ndarray:
    """Mark the first frame of each stroke that contains a frame."""
    is_start = np.zeros(num_frames, bool)
    for stroke in strokes:
        first = math.ceil((stroke.start_s - TIME_TOLERANCE_S) * fps)
        if 0 <= first < min(num_frames, stroke.end_s * fps):
            is_start[first] = True
    return is_start


def _pairs(segments: Sequence[Segment]) -> Iterator[tuple[Segment, Segment]]:
    """Yield adjacent segments of known class."""
    for before, after in pairwise(segments):
        if before.label >= 0 and after.label >= 0:
            yield before, after


def _complete(segments: Sequence[Segment]) -> Iterator[Segment]:
    """Yield segments of known class between two segments of known class."""
    for before, segment, after in zip(segments, segments[1:], segments[2:], strict=False):
        if min(before.label, segment.label, after.label) >= 0:
            yield segment


def default_timing(class_names: Sequence[str], fps: float) -> StrokeTiming:
    """Return a default timing, for a model whose training set has no counts.

    Strokes last at least 0.3 s, and 0.9 s on average. Idle time between them lasts at least 0.1 s, and 1.2 s
    on average. After idle time, every stroke is equally likely. After a stroke, idle time follows with
    probability 0.8, and the other strokes share the rest. Without a class ``idle``, all other classes are
    equally likely to follow.

    Args:
        class_names: Names of the classes, in the order of the network's outputs.
        fps: Frames per second.

    Shape:
        As in :class:`StrokeTiming`.

    Raises:
        ValueError: If there are fewer than two classes or ``fps`` is not positive.

    >>> timing = default_timing(["forehand", "smash", "idle"], 10)
    >>> timing.min_frames, (timing.transitions / 1000).round(2).tolist()
    (array([3, 3, 1]), [[0.0, 0.2, 0.8], [0.2, 0.0, 0.8], [0.5, 0.5, 0.0]])
    """
    k = len(class_names)
    if k < 2 or not 0 < fps < math.inf:
        raise UserError(f"Expected 2 or more classes and `fps` above 0, but got {class_names} and {fps}.")
    is_idle = np.array([name == IDLE for name in class_names])
    follows = np.full((k, k), 1.0)
    if is_idle.any() and k > 2:
        follows[np.ix_(~is_idle, ~is_idle)] = (1 - DEFAULT_IDLE_SHARE) / (k - 2)
        follows[np.ix_(~is_idle, is_idle)] = DEFAULT_IDLE_SHARE
    np.fill_diagonal(follows, 0)
    follows /= follows.sum(1, keepdims=True)
    min_frames = np.maximum(np.round(np.where(is_idle, IDLE_MIN_S, STROKE_MIN_S) * fps), 1)
    mean_frames = np.maximum(np.where(is_idle, IDLE_MEAN_S, STROKE_MEAN_S) * fps, min_frames)
    visits = np.where(
        is_idle, DEFAULT_IDLE_SHARE / (1 + DEFAULT_IDLE_SHARE) if k > 2 else 0.5, 0
    )  # stationary distribution of the chain
    visits = np.where(is_idle, visits, (1 - visits.sum()) / (~is_idle).sum())
    frames = visits * mean_frames / (visits @ mean_frames)
    return StrokeTiming(
        class_names=tuple(class_names),
        fps=float(fps),
        frames=1000 * frames,
        initial=1000 * frames,
        transitions=1000 * follows,
        min_frames=min_frames.astype(np.int64),
        mean_frames=mean_frames,
        contact=np.full(k, np.nan),
    )
