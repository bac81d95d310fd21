"""Ridge regression on the classes of strokes whose playing hand is unknown."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tt_actions.models.ridge import RIDGES, TEMPERATURES, solve_ridge

LEFT_SHARES = (0.5, 0.2, 0.05, 0.01, 0.001)
"""Shares of mirrored clips, from which the fit chooses; among equals, the first counts."""


class EitherHandFit(NamedTuple):
    """The parameters of a fitted regression.

    Args:
        own: Weight of each training clip in the logit of each class.
        mirrored: Weight of the mirror image of each training clip in the logit of each class.
        prior: Logarithms of the probabilities of a class as it is and of a mirrored class.
        left_out: Log-probabilities of each clip from a fit to all other clips.
        loss: Cross-entropy of these log-probabilities.

    Shape:
        own and mirrored ``(N, K)``, prior ``(2,)``, left_out ``(N, K)``, float64.
    """

    own: Tensor
    mirrored: Tensor
    prior: Tensor
    left_out: Tensor
    loss: float


def fit_either_hand(same: Tensor, mirrored: Tensor, labels: Tensor, num_classes: int) -> EitherHandFit:
    """Regress classes, each as it is and mirrored, on clips and their mirror images.

    A clip shows its class as it is, and its mirror image shows the mirrored class. The probability of a class
    sums both. The sum and the difference of the two scores are separate regressions with one row per clip,
    so a clip and its mirror image are left out together. The ridge, the temperature and the probability of
    mirrored classes maximise the leave-one-out likelihood.

    Args:
        same: Similarity of each pair of clips.
        mirrored: Similarity of each clip and the mirror image of each clip; symmetric.
        labels: Class of each clip.
        num_classes: Number of classes *K*.

    Shape:
        same and mirrored ``(N, N)``, float64, labels ``(N,)``.
    """
    classes = F.one_hot(labels, num_classes).double()
    even_values, even_vectors = torch.linalg.eigh(same + mirrored)
    odd_values, odd_vectors = torch.linalg.eigh(same - mirrored)
    best = math.inf
    for ridge in RIDGES:
        even, even_left_out = solve_ridge(even_values, even_vectors, classes - 1 / num_classes, ridge)
        odd, odd_left_out = solve_ridge(odd_values, odd_vectors, classes, ridge)
        scores = torch.stack([even_left_out + odd_left_out, even_left_out - odd_left_out]) / 2
        for share in LEFT_SHARES:
            prior = torch.tensor([1 - share, share], dtype=torch.float64).log()
            log_probs = _log_probabilities(scores / TEMPERATURES.view(-1, 1, 1, 1), prior)
            losses = -log_probs[:, torch.arange(len(labels)), labels].mean(1)
            loss, index = losses.min(0)
            if loss < best:
                best, scale = float(loss), 2 * TEMPERATURES[index]
                own, other = (even + odd) / scale, (even - odd) / scale
                chosen = EitherHandFit(own, other, prior, log_probs[index], best)
    return chosen


def _log_probabilities(logits: Tensor, prior: Tensor) -> Tensor:
    """Sum the probabilities of classes as they are and mirrored: ``(M, 2, N, K)`` -> ``(M, N, K)``."""
    return (logits + prior.view(2, 1, 1)).logsumexp(1).log_softmax(-1)
