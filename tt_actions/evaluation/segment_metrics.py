"""Metrics for finding the strokes of untrimmed recordings: frames, order, segments, and all metrics together.

All metrics are shares in [0, 1], or nan if they are undefined. Idle time is not a stroke: it is a class of
frames and counts nowhere else (like the background in the evaluation of MS-TCN, Farha & Gall 2019).
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
    matched_metrics,
    nan_mean,
    overlaps,
    pair_recordings,
    share,
    time_sort_key,
)

F1_OVERLAPS = (0.10, 0.25, 0.50)
"""The overlap thresholds of the segmental F1 score."""


def confusion_metrics(confusion: NDArray[np.int64], class_names: Sequence[str]) -> dict[str, Any]:
    """Compute the frame metrics from a confusion matrix.

    Args:
        confusion: Number of frames by true class (row) and predicted class (column).
        class_names: Names of the classes.

    Returns:
        ``accuracy``; ``class_accuracy`` of each class, nan for a class without frames;
        ``mean_class_accuracy`` over the classes with frames; and ``num_frames``.

    Shape:
        confusion ``(K, K)``.

    >>> metrics = confusion_metrics(np.array([[3, 1], [0, 0]]), ["serve", "idle"])
    >>> metrics["accuracy"], metrics["class_accuracy"]["idle"], metrics["mean_class_accuracy"]
    (0.75, nan, 0.75)
    """
    correct, total = confusion.diagonal().tolist(), confusion.sum(1).tolist()
    by_class = {name: share(part, n) for name, part, n in zip(class_names, correct, total, strict=True)}
    return {
        "accuracy": share(sum(correct), sum(total)),
        "mean_class_accuracy": nan_mean(by_class.values()),
        "class_accuracy": by_class,
        "num_frames": sum(total),
    }


def frame_metrics(predicted: NDArray[Any], true: NDArray[Any], class_names: Sequence[str]) -> dict[str, Any]:
    """Compute the metrics of frame classes, for one recording or several concatenated ones.

    Args:
        predicted: Predicted class index of each frame.
        true: True class index of each frame; negative ones, such as ``NO_FRAME_LABEL``, don't count.
        class_names: Names of the classes, in the order of their indices.

    Returns:
        The result of :func:`confusion_metrics`.

    Shape:
        predicted and true ``(T,)``.

    >>> metrics = frame_metrics(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1]), ["serve", "idle"])
    >>> metrics["accuracy"], round(metrics["mean_class_accuracy"], 3)
    (0.75, 0.833)
    """
    return confusion_metrics(count_confusions(true, predicted, len(class_names)), class_names)


def edit_distance(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the number of insertions, deletions and replacements that turn one sequence into the other.

    This is the distance of Levenshtein (1966).

    Args:
        first: Labels in order.
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
    """Measure whether strokes are in the correct order, regardless of their times (Lea et al. 2016).

    Two strokes of the same class without a gap count as two strokes; the frame classes alone would show one.

    Args:
        predicted: Predicted strokes.
        true: True strokes of the same recording.

    Returns:
        1 minus the edit distance divided by the length of the longer sequence; 1 if both are empty.

    >>> edit_score([Stroke("serve", 0, 1)], [Stroke("serve", 3, 4), Stroke("smash", 5, 6)])
    0.5
    """
    first, second = ([s.label for s in sorted(strokes, key=time_sort_key)] for strokes in (predicted, true))
    longer = max(len(first), len(second))
    return 1 - edit_distance(first, second) / longer if longer else 1.0


def count_correct_segments(
    predicted: Sequence[Stroke], true: Sequence[Stroke], min_overlap: float
) -> MatchCounts:
    """Count the strokes of one recording with the correct class and a sufficient overlap (Lea et al. 2017).

    As in their code and that of MS-TCN, each predicted stroke, in the order of time, is compared only with
    the true stroke of its class that overlaps it most. If that one is already matched, the predicted stroke
    is wrong, even if it overlaps another one.

    Args:
        predicted: Predicted strokes.
        true: True strokes of the same recording.
        min_overlap: The minimum intersection over union of a correct stroke, above 0.

    >>> true = [Stroke("serve", 0, 2), Stroke("smash", 3, 5)]
    >>> count_correct_segments([Stroke("serve", 0, 1), Stroke("serve", 1, 2)], true, 0.5)
    MatchCounts(num_correct=1, num_predicted=2, num_true=2)
    """
    first, second = (sorted(strokes, key=time_sort_key) for strokes in (predicted, true))
    matched = set()
    for row, stroke in zip(overlaps(first, second), first, strict=True):
        own = np.where([stroke.label == other.label for other in second], row, 0)
        if own.max(initial=0) >= min_overlap:
            matched.add(int(own.argmax()))
    return MatchCounts(len(matched), len(first), len(second))


def segment_f1(predicted: Recordings, true: Recordings, min_overlap: float) -> dict[str, float]:
    """Compute the segmental F1 score over all recordings: F1@k, with k = 100 ``min_overlap``.

    Args:
        predicted: Predicted strokes of each recording.
        true: True strokes of the same recordings.
        min_overlap: The minimum intersection over union of a correct stroke, above 0.

    Returns:
        ``f1``, ``precision`` and ``recall``: see :func:`count_correct_segments`.

    Raises:
        ValueError: If ``predicted`` and ``true`` have different recordings.

    >>> segment_f1({"a": [Stroke("serve", 0, 2)]}, {"a": [Stroke("serve", 1, 3)]}, 0.25)
    {'f1': 1.0, 'precision': 1.0, 'recall': 1.0}
    """
    pairs = pair_recordings(predicted, true)
    return MatchCounts.add_up(
        [count_correct_segments(found, real, min_overlap) for found, real in pairs]
    ).scores()


def measure_strokes(
    predicted: Recordings, true: Recordings, class_names: Sequence[str], fps: float
) -> dict[str, Any]:
    """Compute all stroke metrics of untrimmed recordings.

    Args:
        predicted: Predicted strokes of each recording by name; an empty list if nothing was found.
        true: True strokes of the same recordings.
        class_names: Names of the stroke classes; ``idle`` may be among them.
        fps: Frames per second, for the tolerances of contacts.

    Returns:
        ``num_recordings``, ``num_predicted`` and ``num_true``; ``edit_score``, the mean over the recordings;
        ``f1`` by overlap (:func:`segment_f1`); ``map``, ``map_by_overlap`` and ``average_precision`` by class
        (:func:`detection_map`); ``spotting_map`` by tolerance in frames (:func:`spotting_map`); and
        ``matched`` (:func:`matched_metrics`).

    Raises:
        ValueError: If ``predicted`` and ``true`` have different recordings, a stroke has another class or is
            idle, or ``fps`` is not positive.

    >>> metrics = measure_strokes({"a": []}, {"a": [Stroke("serve", 0, 3)]}, ["serve", "idle"], fps=25)
    >>> metrics["f1"]["0.50"]["f1"], metrics["map"], metrics["edit_score"]
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
        "num_true": sum(len(real) for _, real in pairs),
        "edit_score": nan_mean(edit_score(found, real) for found, real in pairs),
        "f1": {f"{overlap:.2f}": segment_f1(predicted, true, overlap) for overlap in F1_OVERLAPS},
        **detection_map(predicted, true, classes),
        "spotting_map": spotting_map(predicted, true, classes, fps),
        "matched": matched_metrics(predicted, true),
    }


STROKE_FIGURES: dict[str, Callable[[dict[str, Any]], float]] = {
    "edit_score": lambda metrics: metrics["edit_score"],
    "f1_50": lambda metrics: metrics["f1"]["0.50"]["f1"],
    "map": lambda metrics: metrics["map"],
}
"""The metrics of :func:`measure_strokes` that a training logs."""


class SegmentMetrics(Metric):
    """All frame and stroke metrics of untrimmed recordings, accumulated over batches and processes.

    Each recording must be complete. It counts once, even if a distributed sampler repeats it. Recordings
    without a name are padding and never count. The state consists of lines of JSON, stored as one number per
    byte, so that each process may contribute recordings of any number and length, or none.

    Args:
        class_names: Names of the *K* frame classes, including ``idle``.
        fps: Frames per second, for the tolerances of contacts.
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
            predicted: Predicted strokes of each recording.
            true: True strokes of each recording.
            preds: Predicted class of each frame.
            target: True class of each frame; negative ones, such as padding, don't count.

        Shape:
            preds and target ``(B, T)``.
        """
        frames = zip(preds.numpy(force=True), target.numpy(force=True), strict=True)
        for name, found, real, (classes, labels) in zip(names, predicted, true, frames, strict=True):
            confusion = count_confusions(labels, classes, len(self.class_names))
            strokes = [[astuple(stroke) for stroke in strokes] for strokes in (found, real)]
            if name != NO_NAME:
                line = json.dumps([name, *strokes, confusion.tolist()]) + "\n"
                # floats, because torchmetrics creates float tensors for a process without recordings
                self.recordings.append(torch.tensor(list(line.encode()), device=self.device).float())

    def compute(self) -> dict[str, Any]:
        """Return the results of :func:`measure_strokes` and, as ``frames``, those of :func:`frame_metrics`.

        Raises:
            ValueError: If two different recordings have the same name, or the class of a stroke is not in
                ``class_names``.
        """
        predicted: dict[str, list[Stroke]] = {}
        true: dict[str, list[Stroke]] = {}
        confusions: dict[str, NDArray[np.int64]] = {}
        for name, found, real, counts in self._read():
            strokes, confusion = [Stroke(*row) for row in real], np.array(counts)
            is_different = name in true and (
                strokes != true[name] or (confusion.sum(1) != confusions[name].sum(1)).any()
            )
            if is_different:
                raise UserError(f"Expected one recording called '{name}', but got several. Rename them.")
            predicted[name], true[name] = [Stroke(*row) for row in found], strokes
            confusions[name] = confusion
        k = len(self.class_names)
        frames = sum(confusions.values(), np.zeros((k, k), np.int64))
        metrics = measure_strokes(predicted, true, self.class_names, self.fps)
        return {**metrics, "frames": confusion_metrics(frames, self.class_names)}

    def _read(self) -> Iterable[Any]:
        if not len(self.recordings):
            return []
        text = bytes(dim_zero_cat(self.recordings).byte().tolist()).decode()
        return [json.loads(line) for line in text.splitlines()]
