"""Ridge regression on the classes of clips from pairwise similarities."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

RIDGES = torch.logspace(-2, 1, 13, dtype=torch.float64)
TEMPERATURES = torch.logspace(1, -1.3, 47, dtype=torch.float64)  # of equals the humblest comes first


class RidgeFit(NamedTuple):
    """The parameters of a fitted regression.

    Args:
        coefficients: Weight of each training clip in each class's score.
        temperature: What makes logits of scores, by division.
        left_out: Logits of each clip from a fit to all others.

    Shape:
        coefficients ``(N, K)``, temperature ``()``, left_out ``(N, K)``, float64.
    """

    coefficients: Tensor
    temperature: Tensor
    left_out: Tensor


def fit_ridge(kernel: Tensor, labels: Tensor, num_classes: int) -> RidgeFit:
    """Regress classes on similarities, with the ridge and temperature that maximise the leave-one-out
    likelihood.

    Args:
        kernel: How alike each two clips are.
        labels: Their classes.
        num_classes: Number of classes *K*.

    Shape:
        kernel ``(N, N)``, float64, labels ``(N,)``.
    """
    targets = F.one_hot(labels, num_classes).double() - 1 / num_classes
    values, vectors = torch.linalg.eigh(kernel)
    best = math.inf
    for ridge in RIDGES:
        coefficients = vectors @ ((vectors.T @ targets) / (values + ridge)[:, None])
        diagonal = (vectors.square() / (values + ridge)).sum(1)  # of the inverse of kernel and ridge
        # each clip's score without it: Rifkin & Lippert 2007, "Notes on regularized least squares"
        left_out = targets - coefficients / diagonal[:, None]
        loss, temperature = best_temperature(left_out, labels)
        if loss < best:
            best, chosen = loss, RidgeFit(coefficients, temperature, left_out / temperature)
    return chosen


def best_temperature(scores: Tensor, labels: Tensor) -> tuple[float, Tensor]:
    """Return the temperature that maximises the likelihood of the clips, and the resulting cross-entropy.

    Args:
        scores: Of clips that had no part in the fit.
        labels: Their classes.

    Shape:
        scores ``(N, K)``, labels ``(N,)`` -> cross-entropy, temperature ``()``.
    """
    losses = [float(F.cross_entropy(scores / temperature, labels)) for temperature in TEMPERATURES]
    best = min(losses)
    return best, TEMPERATURES[losses.index(best)]
