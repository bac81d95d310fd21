"""Ridge regression on the classes of clips from pairwise similarities."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

RIDGES = torch.logspace(-2, 1, 13, dtype=torch.float64)
TEMPERATURES = torch.logspace(
    1, -1.3, 47, dtype=torch.float64
)  # among equals, the least confident comes first


class RidgeFit(NamedTuple):
    """The parameters of a fitted regression.

    Args:
        coefficients: Weight of each training clip in each class's score.
        temperature: Divisor that converts scores to logits.
        left_out: Logits of each clip from a fit to all other clips.

    Shape:
        coefficients ``(N, K)``, temperature ``()``, left_out ``(N, K)``, float64.
    """

    coefficients: Tensor
    temperature: Tensor
    left_out: Tensor


def fit_ridge(kernel: Tensor, labels: Tensor, num_classes: int) -> RidgeFit:
    """Regress classes on similarities; ridge and temperature maximise the leave-one-out likelihood.

    Args:
        kernel: Similarity of each pair of clips.
        labels: Class of each clip.
        num_classes: Number of classes *K*.

    Shape:
        kernel ``(N, N)``, float64, labels ``(N,)``.
    """
    targets = F.one_hot(labels, num_classes).double() - 1 / num_classes
    values, vectors = torch.linalg.eigh(kernel)
    best = math.inf
    for ridge in RIDGES:
        coefficients, left_out = solve_ridge(values, vectors, targets, ridge)
        loss, temperature = best_temperature(left_out, labels)
        if loss < best:
            best, chosen = loss, RidgeFit(coefficients, temperature, left_out / temperature)
    return chosen


def solve_ridge(values: Tensor, vectors: Tensor, targets: Tensor, ridge: Tensor) -> tuple[Tensor, Tensor]:
    """Return the coefficients of a kernel ridge regression, and its leave-one-out scores.

    The scores follow from Rifkin & Lippert (2007), "Notes on regularized least squares".

    Args:
        values: Eigenvalues of the kernel.
        vectors: Eigenvectors of the kernel, one a column.
        targets: What is regressed.
        ridge: Strength of the ridge.

    Shape:
        values ``(N,)``, vectors ``(N, N)``, targets ``(N, K)``, ridge ``()`` -> ``(N, K)``, ``(N, K)``.
    """
    coefficients = vectors @ ((vectors.T @ targets) / (values + ridge)[:, None])
    diagonal = (vectors.square() / (values + ridge)).sum(1)  # of the inverse of kernel + ridge
    return coefficients, targets - coefficients / diagonal[:, None]


def best_temperature(scores: Tensor, labels: Tensor) -> tuple[float, Tensor]:
    """Return the smallest cross-entropy over all temperatures, and the temperature that reaches it.

    Args:
        scores: Scores of clips that were left out of the fit.
        labels: Class of each clip.

    Shape:
        scores ``(N, K)``, labels ``(N,)`` -> cross-entropy, temperature ``()``.
    """
    losses = [float(F.cross_entropy(scores / temperature, labels)) for temperature in TEMPERATURES]
    best = min(losses)
    return best, TEMPERATURES[losses.index(best)]
