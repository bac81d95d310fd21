"""How well untrimmed recordings are cut into strokes: frames, order, segments, and all figures together.

All figures are shares in [0, 1], nan where they are not defined. Idle time is no stroke: it is a class of
frames, and counts nowhere else (as the background in the evaluation of MS-TCN, Farha & Gall 2019).
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from tt_actions.clips.dataset import NO_NAME
from tt_actions.clips.strokes import IDLE, Stroke
from tt_actions.errors import UserError
from tt_actions.evaluation.detection_metrics import detection_map, spotting_map
from tt_actions.evaluation.predictions import count_confusions
from tt_actions.evaluation.stroke_matching import (
    MatchCounts,
    Recordings,
    matched_figures,
    mean_of_known,
    overlaps,
    pair_recordings,
    share,
    time_order,
)

F1_OVERLAPS = (0.10, 0.25, 0.50)
"""The overlaps at which the segmental F1 score is measured."""


def confusion_figures(confusion: NDArray[np.int64], class_names: Sequence[str]) -> dict[str, Any]:
    """Return the accuracy of frames from their counts.

    Args:
        confusion: Frames of each true class (row) that are predicted each class (column).
        class_names: Names of the classes.

    Returns:
        ``accuracy``; ``class_accuracy`` of each class, nan without a frame; ``mean_class_accuracy`` over the
        classes with frames; and ``num_frames``.

    Shape:
        confusion ``(K, K)``.

    >>> figures = confusion_figures(np.array([[3, 1], [0, 0]]), ["serve", "idle"])
    >>> figures["accuracy"], figures["class_accuracy"]["idle"], figures["mean_class_accuracy"]
    (0.75, nan, 0.75)
    """
    right, total = confusion.diagonal().tolist(), confusion.sum(1).tolist()
    by_class = {name: share(r, n) for name, r, n in zip(class_names, right, total, strict=True)}
    return {
        "accuracy": share(sum(right), sum(total)),
        "mean_class_accuracy": mean_of_known(by_class.values()),
        "class_accuracy": by_class,
        "num_frames": sum(total),
    }


def frame_figures(predicted: NDArray[Any], true: NDArray[Any], class_names: Sequence[str]) -> dict[str, Any]:
    """Measure the classes of frames, of one recording or of several in a row.

    Args:
        predicted: Class index of each frame.
        true: The same; frames of a negative one, as :data:`NO_FRAME_LABEL` is, don't count.
        class_names: Names of the classes, in the order of their indices.

    Returns:
        What :func:`confusion_figures` does.

    Shape:
        predicted and true ``(T,)``.

    >>> figures = frame_figures(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1]), ["serve", "idle"])
    >>> figures["accuracy"], round(figures["mean_class_accuracy"], 3)
    (0.75, 0.833)
    """
    return confusion_figures(count_confusions(true, predicted, len(class_names)), class_names)


def edit_distance(first: Sequence[str], second: Sequence[str]) -> int:
    """Return how many labels must be inserted, deleted or replaced to get one sequence from the other.

    Args:
        first: Labels in order (Levenshtein 1966).
        second: Labels in order.

    >>> edit_distance(["serve", "smash"], ["serve", "forehand", "backhand"])
    2
    """
    row = list(range(len(second) + 1))
    for i, label in enumerate(first):
        above, row = row, [i + 1]
        for j, other in enumerate(second):
            row.append(min(above[j] + (label != other), above[j + 1] + 1, row[j] + 1))
    return row[-1]


def edit_score(predicted: Sequence[Stroke], true: Sequence[Stroke]) -> float:
    """Measure the order of the strokes of one recording, whatever their times (Lea et al. 2016).

    Two strokes of the same class that touch are two, which frames alone don't tell.

    Args:
        predicted: Strokes.
        true: Strokes of the same recording.

    Returns:
        1 - the edit distance over the number of strokes of the longer sequence; 1 if both are empty.

    >>> edit_score([Stroke("serve", 0, 1)], [Stroke("serve", 3, 4), Stroke("smash", 5, 6)])
    0.5
    """
    first, second = ([s.label for s in sorted(strokes, key=time_order)] for strokes in (predicted, true))
    longer = max(len(first), len(second))
    return 1 - edit_distance(first, second) / longer if longer else 1.0


def count_right_segments(
    predicted: Sequence[Stroke], true: Sequence[Stroke], min_overlap: float
) -> MatchCounts:
    """Count the strokes of one recording that are right in class, beginning and end (Lea et al. 2017).

    As in their code and MS-TCN's, a stroke is compared in the order of time with the one true stroke of its
    class that overlaps it most; where that was matched before, it is wrong, even if it overlaps another.

    Args:
        predicted: Strokes.
        true: Strokes of the same recording.
        min_overlap: The intersection over union from which on a stroke counts as right, above 0.

    >>> true = [Stroke("serve", 0, 2), Stroke("smash", 3, 5)]
    >>> count_right_segments([Stroke("serve", 0, 1), Stroke("serve", 1, 2)], true, 0.5)
    MatchCounts(num_right=1, num_predicted=2, num_true=2)
    """
    first, second = (sorted(strokes, key=time_order) for strokes in (predicted, true))
    matched = set()
    for row, stroke in zip(overlaps(first, second), first, strict=True):
        own = np.where([stroke.label == other.label for other in second], row, 0)
        if own.max(initial=0) >= min_overlap:
            matched.add(int(own.argmax()))
    return MatchCounts(len(matched), len(first), len(second))


def segment_f1(predicted: Recordings, true: Recordings, min_overlap: float) -> dict[str, float]:
    """Measure the segments of all recordings together: F1@k, with k = 100 ``min_overlap``.

    Args:
        predicted: Strokes of each recording.
        true: Strokes of the same recordings.
        min_overlap: The intersection over union from which on a stroke counts as right, above 0.

    Returns:
        ``f1``, ``precision`` and ``recall``: see :func:`count_right_segments`.

    Raises:
        ValueError: If the recordings are not the same.

    >>> segment_f1({"a": [Stroke("serve", 0, 2)]}, {"a": [Stroke("serve", 1, 3)]}, 0.25)
    {'f1': 1.0, 'precision': 1.0, 'recall': 1.0}
    """
    pairs = pair_recordings(predicted, true)
    return MatchCounts.add_up(
        [count_right_segments(found, there, min_overlap) for found, there in pairs]
    ).figures()


def measure_strokes(
    predicted: Recordings, true: Recordings, class_names: Sequence[str], fps: float
) -> dict[str, Any]:
    """Measure the strokes of untrimmed recordings in every way.

    Args:
        predicted: Strokes of each recording by its name; none where nothing was found.
        true: Strokes of the same recordings.
        class_names: Names of the classes of strokes; ``idle`` may be among them.
        fps: Frames a second, for the tolerances of contacts.

    Returns:
        ``num_recordings``, ``num_predicted``, ``num_true``; ``edit_score``, the mean over the recordings;
        ``f1`` by overlap (:func:`segment_f1`); and of :mod:`tt_actions.evaluation.detection_metrics` ``map``,
        ``map_by_overlap`` and ``average_precision`` by class (``detection_map``), ``spotting_map`` by
        tolerance in frames, and ``matched`` (``matched_figures``).

    Raises:
        ValueError: If the recordings are not the same, a stroke is of another class or idle, or ``fps`` is
            not positive.

    >>> figures = measure_strokes({"a": []}, {"a": [Stroke("serve", 0, 3)]}, ["serve", "idle"], fps=25)
    >>> figures["f1"]["0.50"]["f1"], figures["map"], figures["edit_score"]
    (0.0, 0.0, 0.0)
    """
    classes = [name for name in class_names if name != IDLE]
    pairs = pair_recordings(predicted, true)
    for stroke in (stroke for pair in pairs for strokes in pair for stroke in strokes):
        if stroke.label not in classes:
            raise UserError(f"Expected strokes of {', '.join(classes)}, but got one of {stroke.label}.")
    return {
        "num_recordings": len(pairs),
        "num_predicted": sum(len(found) for found, _ in pairs),
        "num_true": sum(len(there) for _, there in pairs),
        "edit_score": mean_of_known(edit_score(found, there) for found, there in pairs),
        "f1": {f"{overlap:.2f}": segment_f1(predicted, true, overlap) for overlap in F1_OVERLAPS},
        **detection_map(predicted, true, classes),
        "spotting_map": spotting_map(predicted, true, classes, fps),
        "matched": matched_figures(predicted, true),
    }


STROKE_FIGURES: dict[str, Callable[[dict[str, Any]], float]] = {
    "edit_score": lambda figures: figures["edit_score"],
    "f1_50": lambda figures: figures["f1"]["0.50"]["f1"],
    "map": lambda figures: figures["map"],
}
"""What a training logs of :func:`measure_strokes`."""


class SegmentMetrics(Metric):
    """All figures of the frames and the strokes of untrimmed recordings, gathered over batches and processes.

    A recording comes whole and counts once: what a distributed sampler repeats doesn't count again, and what
    has no name never does: it is no recording. The state is lines of JSON, a number a byte, so that each
    process may bring recordings of any number and length, or none.

    Args:
        class_names: Names of the *K* classes of frames, ``idle`` among them.
        fps: Frames a second, for the tolerances of contacts.
        **kwargs: Passed on to :class:`torchmetrics.Metric`.
    """

    is_differentiable = False
    full_state_update = False
    recordings: list[Tensor]

    def __init__(self, class_names: Sequence[str], fps: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.class_names, self.fps = tuple(class_names), fps
        self.add_state("recordings", [], dist_reduce_fx="cat")

    def update(
        self,
        names: Sequence[str],
        predicted: Sequence[Sequence[Stroke]],
        true: Sequence[Sequence[Stroke]],
        preds: Tensor,
        target: Tensor,
    ) -> None:
        """Add the recordings of a batch.

        Args:
            names: Name of each recording.
            predicted: Strokes of each.
            true: Strokes of each.
            preds: Predicted class of each frame.
            target: True class of each frame; those of a negative one, as of padding, don't count.

        Shape:
            preds and target ``(B, T)``.
        """
        frames = zip(preds.numpy(force=True), target.numpy(force=True), strict=True)
        for name, found, there, (said, labels) in zip(names, predicted, true, frames, strict=True):
            confusion = count_confusions(labels, said, len(self.class_names))
            strokes = [[astuple(stroke) for stroke in strokes] for strokes in (found, there)]
            if name != NO_NAME:
                line = json.dumps([name, *strokes, confusion.tolist()]) + "\n"
                # floats, as torchmetrics has it for a process without any
                self.recordings.append(torch.tensor(list(line.encode()), device=self.device).float())

    def compute(self) -> dict[str, Any]:
        """Return what :func:`measure_strokes` does, and ``frames``, what :func:`frame_figures` does.

        Raises:
            ValueError: If two different recordings have the same name, or a stroke is of a class that is not
                among those given.
        """
        predicted: dict[str, list[Stroke]] = {}
        true: dict[str, list[Stroke]] = {}
        confusions: dict[str, NDArray[np.int64]] = {}
        for name, found, there, counts in self._read():
            strokes, confusion = [Stroke(*row) for row in there], np.array(counts)
            is_other = name in true and (
                strokes != true[name] or (confusion.sum(1) != confusions[name].sum(1)).any()
            )
            if is_other:
                raise UserError(f"Expected one recording called '{name}', but got several. Rename them.")
            predicted[name], true[name] = [Stroke(*row) for row in found], strokes
            confusions[name] = confusion
        k = len(self.class_names)
        frames = sum(confusions.values(), np.zeros((k, k), np.int64))
        figures = measure_strokes(predicted, true, self.class_names, self.fps)
        return {**figures, "frames": confusion_figures(frames, self.class_names)}

    def _read(self) -> Iterable[Any]:
        if not len(self.recordings):
            return []
        text = bytes(dim_zero_cat(self.recordings).byte().tolist()).decode()
        return [json.loads(line) for line in text.splitlines()]
