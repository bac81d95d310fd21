"""How long strokes last and what follows what, counted on the training set."""

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
TO_IDLE = 0.8
"""Share of the strokes that idle time follows, where nothing was counted."""

SHORT_PERCENTILE = 2
"""The percentile of the lengths of whole segments that counts as the shortest: a few are labelled badly."""

WITHIN_A_FRAME = 1e-6
"""Seconds that a time may be off by rounding."""


@dataclass(frozen=True, eq=False)
class StrokeTiming:
    """Counts of a training set at the frame rate of a model.

    A segment is a run of frames of one class; two strokes of the same class that touch are two segments.

    Args:
        class_names: Names of the classes, in the order of the network's outputs.
        fps: Frames a second.
        frames: Number of frames of each class.
        initial: Number of sequences whose first frame is of each class.
        transitions: How often a segment of each class (row) is followed by one of each other (column).
        min_frames: Frames of the shortest segments of each class, at least 1.
        mean_frames: Frames of a segment of each class in the mean.
        contact: Where between its beginning, 0, and its end, 1, a stroke of each class meets the ball, in the
            mean; nan where that is not known.

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
        is_sound = k > 1 and len(set(self.class_names)) == k and 0 < self.fps < math.inf
        for name in ("frames", "initial", "transitions", "min_frames", "mean_frames"):
            values = getattr(self, name)
            is_sound &= values.shape == ((k, k) if name == "transitions" else (k,))
            is_sound &= bool(np.isfinite(values).all() and (values >= 0).all())
        is_sound &= np.issubdtype(self.min_frames.dtype, np.integer)
        is_sound = is_sound and bool((self.min_frames >= 1).all())
        is_sound = is_sound and bool((self.mean_frames >= self.min_frames).all())
        known = self.contact[~np.isnan(self.contact)]
        if not (is_sound and self.contact.shape == (k,) and ((known >= 0) & (known <= 1)).all()):
            raise UserError(
                "Expected the timing of 2 or more classes, counts of at least 0, a frame rate above 0, "
                f"1 <= `min_frames` <= `mean_frames` and `contact` in [0, 1], but got {self.to_plain()}."
            )

    def to_plain(self) -> dict[str, Any]:
        """Return all of it as plain types, nan as None: what a checkpoint may hold."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays = {name: value.tolist() for name, value in plain.items() if isinstance(value, np.ndarray)}
        contact = [None if np.isnan(value) else float(value) for value in self.contact]
        return {**plain, **arrays, "class_names": list(self.class_names), "contact": contact}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "StrokeTiming":
        """Take back what :meth:`to_plain` gave.

        Args:
            plain: Plain types by the name of the field.

        Raises:
            ValueError: If a field is missing or unknown, or a value is out of range.
        """
        names = {field.name for field in fields(cls)}
        if set(plain) != names:
            raise UserError(
                f"Expected a timing of {', '.join(sorted(names))}, but got {', '.join(sorted(plain))}."
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
        first: Its first frame.
        end: The frame after its last.
    """

    label: int
    first: int
    end: int


def find_segments(labels: np.ndarray, is_start: np.ndarray | None = None) -> list[Segment]:
    """Cut a sequence of labels into runs.

    Args:
        labels: Class index of each frame.
        is_start: Where a run begins even though the class stays the same, or None.

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
    """Count what a model of durations and transitions needs.

    Segments that the beginning or the end of a sequence cuts, or frames of unknown class, do not count for
    lengths. A class without a whole segment gets the lengths of :func:`default_timing`.

    Args:
        sequences: Of each the class index of every frame, negative where it is not known, frame k being shown
            at k / fps seconds; and its strokes, which tell contacts and strokes of the same class that touch.
        class_names: Names of the classes, in the order of the network's outputs.
        fps: Frames a second.

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
        for segment in _whole(segments):
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
    """Mark the first frame of each stroke that has one."""
    is_start = np.zeros(num_frames, bool)
    for stroke in strokes:
        first = math.ceil((stroke.start_s - WITHIN_A_FRAME) * fps)
        if 0 <= first < min(num_frames, stroke.end_s * fps):
            is_start[first] = True
    return is_start


def _pairs(segments: Sequence[Segment]) -> Iterator[tuple[Segment, Segment]]:
    """Neighbours of known class."""
    for before, after in pairwise(segments):
        if before.label >= 0 and after.label >= 0:
            yield before, after


def _whole(segments: Sequence[Segment]) -> Iterator[Segment]:
    """Segments of known class between two others."""
    for before, segment, after in zip(segments, segments[1:], segments[2:], strict=False):
        if min(before.label, segment.label, after.label) >= 0:
            yield segment


def default_timing(class_names: Sequence[str], fps: float) -> StrokeTiming:
    """Return a timing for a model whose training set tells none.

    Strokes last 0.3 s or more and 0.9 s in the mean, idle time between them 0.1 s or more and 1.2 s in the
    mean. After idle time every stroke is equally likely, after a stroke idle time has 0.8 and the other
    strokes share the rest. Without a class ``idle`` every other class is equally likely.

    Args:
        class_names: Names of the classes, in the order of the network's outputs.
        fps: Frames a second.

    Shape:
        That of :class:`StrokeTiming`.

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
        follows[np.ix_(~is_idle, ~is_idle)] = (1 - TO_IDLE) / (k - 2)
        follows[np.ix_(~is_idle, is_idle)] = TO_IDLE
    np.fill_diagonal(follows, 0)
    follows /= follows.sum(1, keepdims=True)
    min_frames = np.maximum(np.round(np.where(is_idle, IDLE_MIN_S, STROKE_MIN_S) * fps), 1)
    mean_frames = np.maximum(np.where(is_idle, IDLE_MEAN_S, STROKE_MEAN_S) * fps, min_frames)
    visits = np.where(is_idle, TO_IDLE / (1 + TO_IDLE) if k > 2 else 0.5, 0)  # the chain in balance
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
