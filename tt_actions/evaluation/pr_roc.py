"""Precision-recall and ROC curves of each class against all others."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torchmetrics.functional.classification import (
    binary_auroc,
    binary_average_precision,
    binary_precision_recall_curve,
    binary_roc,
)

from tt_actions.evaluation.style import FONTS, GREY, line_look, shortened, tidy

CurveKind = Literal["pr", "roc"]

AXES: dict[CurveKind, tuple[str, str]] = {
    "pr": ("recall", "precision"),
    "roc": ("false_positive_rate", "true_positive_rate"),
}
AREAS: dict[CurveKind, str] = {"pr": "average_precision", "roc": "roc_auc"}


class ClassCurve(NamedTuple):
    """A curve of one class against the rest, from the strictest threshold to the loosest.

    Args:
        thresholds: Minimum probability at which a clip is assigned to the class; infinite if no clip is.
        x: Recall, or the false positive rate.
        y: Precision, or the true positive rate.
        area: Average precision, or the area under the ROC curve.
        share: Share of the clips that are of the class, which is the average precision at chance level.

    Shape:
        thresholds, x and y ``(P,)``, float64.
    """

    thresholds: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    area: float
    share: float


def class_curves(
    kind: CurveKind, probabilities: NDArray[np.floating], labels: NDArray[np.integer]
) -> list[ClassCurve | None]:
    """Return the curve of each class, or None if it is undefined.

    A curve is undefined if no clip is of the class or, for ROC, if all clips are.

    Args:
        kind: ``pr`` for precision and recall, ``roc`` for true and false positives.
        probabilities: Class probabilities of each clip.
        labels: True class of each clip.

    Shape:
        probabilities ``(N, K)``, labels ``(N,)``.
    """
    # rounding may give probabilities slightly above 1
    scores = torch.from_numpy(np.asarray(probabilities, np.float64).clip(0, 1))
    return [
        _curve(kind, scores[:, index], torch.from_numpy((labels == index).astype(np.int64)))
        for index in range(scores.shape[1])
    ]


def _curve(kind: CurveKind, scores: torch.Tensor, target: torch.Tensor) -> ClassCurve | None:
    num_positive = int(target.sum())
    if num_positive == 0 or (kind == "roc" and num_positive == len(target)):
        return None
    if kind == "roc":
        x, y, thresholds = binary_roc(scores, target)
        area = binary_auroc(scores, target)
    else:
        y, x, thresholds = binary_precision_recall_curve(scores, target)
        y, x, thresholds = y.flip(0), x.flip(0), torch.cat([thresholds, torch.ones(1)]).flip(0)
        area = binary_average_precision(scores, target)
    limits = thresholds.double().numpy().copy()
    limits[0] = np.inf  # torchmetrics returns 1, but a clip's probability may be 1
    x, y = (values.double().round(decimals=6) for values in (x, y))  # torchmetrics divides in float32
    return ClassCurve(limits, x.numpy(), y.numpy(), round(float(area), 6), num_positive / len(target))


def curve_rows(curves: Sequence[ClassCurve | None], class_names: Sequence[str]) -> Iterator[list[Any]]:
    """Return the points of all curves as rows of a table.

    Args:
        curves: The result of :func:`class_curves`.
        class_names: Names of the classes.

    Yields:
        Class, threshold (None if infinite), x and y.
    """
    for name, curve in zip(class_names, curves, strict=True):
        if curve is not None:
            for threshold, x, y in zip(curve.thresholds, curve.x, curve.y, strict=True):
                yield [name, float(threshold) if np.isfinite(threshold) else None, float(x), float(y)]


def class_curves_figure(
    kind: CurveKind, curves: Sequence[ClassCurve | None], class_names: Sequence[str]
) -> Figure:
    """Draw the curves of all classes, with the area under each.

    Args:
        kind: Kind of the curves.
        curves: The result of :func:`class_curves`.
        class_names: Names of the classes.
    """
    figure = Figure(figsize=(7.2, max(4.6, 1 + 0.2 * len(class_names))), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    if kind == "roc":
        axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls=(0, (4, 3)))
    for number, curve in enumerate(curves):
        _draw(axes, kind, curve, number)
    tidy(axes)
    ticks = np.linspace(0, 1, 6)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.03), xticks=ticks, yticks=ticks, aspect="equal")
    x_name, y_name = (name.replace("_", " ") for name in AXES[kind])
    axes.set(xlabel=x_name, ylabel=y_name)
    legend = axes.legend(
        title="average precision (chance level)" if kind == "pr" else "area under the curve",
        alignment="left", frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.01, 0.5),
        handlelength=3.4,
    )  # fmt: skip
    for text, name, curve in zip(legend.get_texts(), class_names, curves, strict=True):
        text.set_text(f"{_legend_value(kind, curve)}  {shortened(name)}")
        text.set_parse_math(False)
        text.set_fontfamily(FONTS)
    return figure


def _legend_value(kind: CurveKind, curve: ClassCurve | None) -> str:
    if curve is None:
        return "undefined:"
    return f"{curve.area:.3f}" + (f" ({curve.share:.2f})" if kind == "pr" else "")


def _draw(axes: Axes, kind: CurveKind, curve: ClassCurve | None, number: int) -> None:
    end = 0 if curve is None else len(curve.x) if kind == "roc" else int(curve.x.searchsorted(1)) + 1
    axes.plot(
        [] if curve is None else curve.x[:end],
        [] if curve is None else curve.y[:end],  # past full recall, precision only falls
        # between two recalls, the precision is that of the next clip found
        drawstyle="steps-pre" if kind == "pr" else "default",
        **line_look(number),
        linewidth=1.8,
        label=str(number),  # not the class name: Matplotlib hides labels such as _other
    )
