"""What a test leaves behind: numbers, tables and figures, on disk and on the screen."""

import hashlib
import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytorch_lightning as pl
import torch
import torchmetrics
from numpy.typing import NDArray
from rich.console import Console
from rich.text import Text
from torchmetrics.functional.classification import (
    multiclass_f1_score,
    multiclass_precision,
    multiclass_recall,
)

from tt_actions.evaluation.figures import confusion_figure, curves_figure, write_figure
from tt_actions.evaluation.pr_roc import (
    AREAS,
    AXES,
    Curve,
    CurveKind,
    class_curves,
    class_curves_figure,
    curve_rows,
)
from tt_actions.evaluation.published import PUBLISHED
from tt_actions.evaluation.tables import screen_table
from tt_actions.files import finite_or_none, write_json, write_rows

OVERALL = ("accuracy", "precision", "recall", "f1", "temporal_consistency", "frame_agreement")
HEADINGS = ("accuracy", "precision", "recall", "F1", "temporal\nconsistency", "frame\nagreement")
_ADVICE = "and test the checkpoint again, or resume the training"
BY_CLASS = ("accuracy", "temporal_consistency", "frame_agreement")


@dataclass(frozen=True)
class Predictions:
    """What a model said about every clip of a test, of N clips and K classes.

    Args:
        class_names: Names of the *K* classes.
        names: Names of the *N* clips.
        labels: Index of each clip's true class; -1 where it isn't known, which only
            :func:`write_predictions` takes.
        probabilities: Clip probabilities.
        frame_classes: For each clip the predicted class of every valid frame.
        loss: Mean loss over the clips.

    Shape:
        labels ``(N,)``, int64; probabilities ``(N, K)``, float64; frame_classes N times ``(T_i,)``, int64.

    Raises:
        ValueError: If there is no clip.
    """

    class_names: tuple[str, ...]
    names: tuple[str, ...]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    frame_classes: tuple[NDArray[np.int64], ...]
    loss: float

    def __post_init__(self) -> None:
        if not self.names:
            raise ValueError(
                "Expected predictions of at least one clip, but got none. Use a split that holds test clips."
            )
        num_clips = len(self.names)
        assert self.labels.shape == (num_clips,)
        assert len(self.frame_classes) == num_clips
        assert self.probabilities.shape == (num_clips, len(self.class_names))

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """Index of each clip's likeliest class, ``(N,)``."""
        return np.asarray(self.probabilities.argmax(1), np.int64)

    @cached_property
    def true_probability(self) -> NDArray[np.float64]:
        """Each clip's probability of its true class, ``(N,)``."""
        return probability_of_truth(self.probabilities, self.labels)

    @cached_property
    def worst(self) -> NDArray[np.int64]:
        """The clips' places ``(N,)``, those with the least probability of their true class first."""
        return self.true_probability.argsort(kind="stable")

    @cached_property
    def temporal_consistency(self) -> NDArray[np.float64]:
        """Share of each clip's adjacent frame pairs of one predicted class, ``(N,)``; nan for one frame."""
        return np.array([_mean(frames[1:] == frames[:-1]) for frames in self.frame_classes])

    @cached_property
    def frame_agreement(self) -> NDArray[np.float64]:
        """Share of each clip's frames whose predicted class is the clip's, ``(N,)``."""
        return np.array(
            [_mean(f == clip) for f, clip in zip(self.frame_classes, self.predicted, strict=True)]
        )

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """Number of clips by true class (row) and predicted class (column), ``(K, K)``."""
        return count_confusions(self.labels, self.predicted, len(self.class_names))

    @cached_property
    def curves(self) -> dict[CurveKind, list[Curve | None]]:
        """The precision-recall and the ROC curve of each class; None where a class has none."""
        return {kind: class_curves(kind, self.probabilities, self.labels) for kind in AXES}


def probability_of_truth(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return each clip's probability of its true class.

    Args:
        probabilities: Of each clip's classes.
        labels: True class of each clip.

    Shape:
        probabilities ``(N, K)``, labels ``(N,)`` -> ``(N,)``.
    """
    return np.take_along_axis(probabilities, labels[:, None], 1)[:, 0]


def count_confusions(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], num_classes: int
) -> NDArray[np.int64]:
    """Return the number of clips by true class (row) and predicted class (column).

    Args:
        labels: True class of each clip.
        predicted: Predicted class of each clip.
        num_classes: Number of classes *K*.

    Shape:
        labels and predicted ``(N,)`` -> ``(K, K)``.
    """
    matrix = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def _mean(values: NDArray[Any]) -> float:
    """The mean of what is not nan; nan where nothing is left."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan


def measure(predictions: Predictions) -> dict[str, Any]:
    """Turn predictions into the numbers of ``metrics.json``.

    By class: *accuracy* is the share of its clips that are predicted right, *temporal consistency* the mean
    share of adjacent frame pairs with one predicted class (a clip of one frame does not count), *frame
    agreement* the mean share of frames whose predicted class is the clip's, *average precision* and *ROC AUC*
    how well its probability tells its clips from all others. The overall temporal consistency
    and frame agreement are means over the classes that have them. Precision, recall and F1 are averages over
    the classes that are among the labels or the predictions, as scikit-learn's are.

    Args:
        predictions: Of all test clips.

    Returns:
        ``accuracy``, ``precision``, ``recall``, ``f1``, ``temporal_consistency``, ``frame_agreement``,
        ``loss``, ``num_clips`` and ``per_class``; None for what is not finite or can't be known, as the
        accuracy of a class without clips.
    """
    assert predictions.labels.min() >= 0, "a test clip has a label"
    by_clip = (
        predictions.predicted == predictions.labels,
        predictions.temporal_consistency,
        predictions.frame_agreement,
    )
    per_class = {}
    for index, name in enumerate(predictions.class_names):
        own = predictions.labels == index
        values = {key: _mean(clips[own]) for key, clips in zip(BY_CLASS, by_clip, strict=True)}
        curves = {AREAS[kind]: of_class[index] for kind, of_class in predictions.curves.items()}
        areas = {key: math.nan if curve is None else curve.area for key, curve in curves.items()}
        per_class[name] = {**values, **areas, "support": int(own.sum())}
    macro = (multiclass_precision, multiclass_recall, multiclass_f1_score)
    predicted, labels = torch.from_numpy(predictions.predicted), torch.from_numpy(predictions.labels)
    num_classes = len(predictions.class_names)
    numbers = {
        "accuracy": _mean(by_clip[0]),
        **{
            key: round(float(m(predicted, labels, num_classes)), 6)
            for key, m in zip(OVERALL[1:4], macro, strict=True)
        },
        **{key: _mean(np.array([row[key] for row in per_class.values()])) for key in OVERALL[4:]},
        "loss": float(predictions.loss),
        "num_clips": len(predictions.names),
        "per_class": per_class,
    }
    known: dict[str, Any] = finite_or_none(numbers)
    return known


def provenance(
    config_text: str, seed: int | None, seconds: float, device: torch.device | None = None
) -> dict[str, Any]:
    """Say what produced a result.

    Args:
        config_text: The run's whole configuration; its SHA-256 is kept.
        seed: The run's random seed.
        seconds: Wall time of the run in seconds.
        device: What it ran on; the CPU if None.

    Returns:
        ``config_hash``, ``seed``, ``seconds``, ``peak_memory_mb`` (of this process so far; None where the
        system does not count it), ``date`` (UTC), ``commit`` (None outside a checkout, with ``-dirty``
        behind it where files were changed), ``device`` and ``versions``.
    """
    if device is not None and device.type == "cuda":
        device_name = torch.cuda.get_device_name(device)
    else:
        device_name = f"{_cpu_name()}, {os.cpu_count()} cores"
    modules = {"torch": torch, "pytorch-lightning": pl, "torchmetrics": torchmetrics, "numpy": np}
    modules |= {"opencv": cv2, "av": av}
    return {
        "config_hash": hashlib.sha256(config_text.encode()).hexdigest(),
        "seed": seed,
        "seconds": round(seconds, 1),
        "peak_memory_mb": _peak_memory_mb(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(Path(__file__).parents[1]),
        "device": device_name,
        "versions": {
            "python": platform.python_version(),
            "tt-actions": version("tt-actions"),
            **{name: str(module.__version__) for name, module in modules.items()},
        },
    }


def _peak_memory_mb() -> float | None:
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")  # Linux; elsewhere `platform` knows
    lines = cpuinfo.read_text("utf-8").splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _commit(checkout: Path) -> str | None:
    if not (checkout / ".git").exists():  # an environment may lie in somebody else's checkout
        return None
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None  # no git, or one that refuses this folder
    return run.stdout.strip() or None


def write_report(
    folder: Path,
    predictions: Predictions,
    provenance: dict[str, Any],
    history: Path | None,
    monitor: str | None = "val/loss",
) -> dict[str, Any]:
    """Write a report: numbers, tables and figures, each file whole or not at all.

    Writes ``metrics.json``, ``predictions.csv`` (a row a clip), ``per_class.csv``, ``confusion_matrix.csv``
    (rows are true classes), ``confusion_matrix.png``, ``pr_curves`` and ``roc_curves`` (``.csv``, ``.png``)
    and, after a training, ``curves.png``. An empty cell and a JSON null mean that the number can't be known.

    Args:
        folder: Where to; made if absent.
        predictions: Of all test clips.
        provenance: What produced them: see :func:`provenance`; kept as ``metrics.json``'s ``provenance``.
        history: The training's ``metrics.csv``, or None where there was no training.
        monitor: Its column that decided which epoch is best; None for the last.

    Returns:
        The contents of ``metrics.json``.

    Raises:
        ValueError: If ``history`` holds nothing to draw.
        OSError: If a file can't be written.
    """
    metrics = {**measure(predictions), "provenance": finite_or_none(provenance)}
    write_json(folder / "metrics.json", metrics, _ADVICE)
    classes = predictions.class_names
    write_predictions(folder / "predictions.csv", predictions)
    per_class = metrics["per_class"].items()
    columns = [*BY_CLASS, *AREAS.values(), "support"]
    rows = [[name, *(row[key] for key in columns)] for name, row in per_class]
    write_rows(folder / "per_class.csv", ["class", *columns], rows, _ADVICE)
    matrix = zip(classes, predictions.confusion.tolist(), strict=True)
    counts = ([name, *row] for name, row in matrix)
    write_rows(folder / "confusion_matrix.csv", ["label", *classes], counts, _ADVICE)
    write_figure(folder / "confusion_matrix.png", confusion_figure(predictions.confusion, classes), _ADVICE)
    for kind, curves in predictions.curves.items():
        header, points = ["class", "threshold", *AXES[kind]], curve_rows(curves, classes)
        write_rows(folder / f"{kind}_curves.csv", header, points, _ADVICE)
        figure = class_curves_figure(kind, curves, classes)
        write_figure(folder / f"{kind}_curves.png", figure, _ADVICE)
    if history is not None:
        write_figure(folder / "curves.png", curves_figure(history, monitor), _ADVICE)
    return metrics


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write a CSV with a row a clip: name, label, predicted, p_<class>..., temporal_consistency.

    A label that isn't known and the consistency of a clip of one frame are empty.

    Args:
        path: The file; its folder is made if absent.
        predictions: Of the clips.
    """
    probabilities = [f"p_{name}" for name in predictions.class_names]
    columns = ["name", "label", "predicted", *probabilities, "temporal_consistency"]
    write_rows(path, columns, prediction_rows(predictions), _ADVICE)


def prediction_rows(predictions: Predictions) -> Iterator[list[Any]]:
    """Return the cells that :func:`write_predictions` writes.

    Args:
        predictions: Of the clips.

    Yields:
        For each clip name, label, predicted class, probabilities and temporal consistency.
    """
    classes = predictions.class_names
    for clip, name in enumerate(predictions.names):
        known = predictions.labels[clip] >= 0
        label = classes[predictions.labels[clip]] if known else None
        predicted = classes[predictions.predicted[clip]]
        consistency = finite_or_none(float(predictions.temporal_consistency[clip]))
        yield [name, label, predicted, *predictions.probabilities[clip].tolist(), consistency]


def print_report(metrics: dict[str, Any], console: Console | None = None) -> None:
    """Print the overall figures and those of every class, the published ones beside them.

    The published figures stand there only where the classes are the four published strokes.

    Args:
        metrics: What :func:`write_report` returned, or a ``metrics.json`` read back.
        console: Where to print; standard output if None.
    """
    console = console or Console()
    printed = PUBLISHED["cnn_lstm"]
    published = printed if set(metrics["per_class"]) == set(printed["per_class"]) else None
    overall = screen_table("Test", [*HEADINGS, "clips"])
    overall.add_row("measured", *(_shown(metrics[key]) for key in OVERALL), str(metrics["num_clips"]))
    if published:
        overall.add_row("published", *(_shown(published.get(key)) for key in OVERALL), "-", style="dim")
    console.print(overall)

    headings = [HEADINGS[0], *HEADINGS[4:], "clips"]
    per_class = screen_table(
        "By class", headings + ["published\naccuracy", "published\nconsistency"] * bool(published)
    )
    for name, row in metrics["per_class"].items():
        measured = [*(_shown(row[key]) for key in BY_CLASS), str(row["support"])]
        beside = map(_shown, published["per_class"][name].values()) if published else ()
        per_class.add_row(Text(name), *measured, *(Text(value, style="dim") for value in beside))
    console.print(per_class)
    if published:
        console.print(
            "published (private data): the CNN-LSTM's authors on their own clips, not these.",
            style="dim",
            highlight=False,
        )


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
