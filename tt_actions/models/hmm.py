"""A left-to-right hidden Markov model with Gaussian-mixture states, and its fit."""

from typing import NamedTuple

import torch
from torch import Tensor

from tt_actions.models.averages import valid_frames
from tt_actions.models.chain import forward_backward, log_partition
from tt_actions.models.gaussians import log_density, standardise


class HMM(NamedTuple):
    """A left-to-right hidden Markov model: it starts in the first state; each leads to itself or the next.

    Args:
        stay: Log-probability that a state follows itself.
        leave: Log-probability that the next state follows; -inf for the last state.
        weights: Weight of each Gaussian in the mixture of its state.
        means: Means of the Gaussians.
        spreads: Standard deviations of the Gaussians.

    Shape:
        stay and leave ``(S,)``, weights ``(S, M)``, means and spreads ``(S, M, P)``.
    """

    stay: Tensor
    leave: Tensor
    weights: Tensor
    means: Tensor
    spreads: Tensor

    def start(self) -> Tensor:
        """Return the log-probability of each state at the first frame: ``(S,)``."""
        start = torch.full_like(self.stay, -torch.inf)
        start[0] = 0
        return start

    def transitions(self) -> Tensor:
        """Return the log-probability of each transition from row to column: ``(S, S)``."""
        steps = torch.full_like(self.stay.diag(), -torch.inf)
        steps.diagonal().copy_(self.stay)
        steps.diagonal(1).copy_(self.leave[:-1])
        return steps

    def log_densities(self, x: Tensor) -> Tensor:
        """Return the log of each Gaussian's share in its state's density.

        Args:
            x: Frames.

        Shape:
            x ``(B, T, P)`` -> ``(B, T, S, M)``.
        """
        means, spreads = self.means.flatten(0, 1), self.spreads.flatten(0, 1)
        densities = log_density(standardise(x, means, spreads), spreads)
        return densities.view(*x.shape[:2], *self.weights.shape) + self.weights.log()

    def log_likelihood(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the log-likelihood of clips, summed over all state sequences.

        Args:
            x: Frames of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            x ``(B, T, P)``, lengths ``(B,)`` -> ``(B,)``.
        """
        scores = self.log_densities(x).logsumexp(-1)
        return log_partition(scores, lengths, self.start(), self.transitions())


def maximise(x: Tensor, lengths: Tensor, shares: Tensor, prior: float) -> HMM:
    """Return the model that maximises the likelihood, given the responsibilities of the Gaussians.

    A clip leaves a state at most once, and every clip that ends in a later state has left it, so the
    transitions need no sums over pairs of states. The variances get the contribution of ``prior`` frames of
    mean 0 and variance 1, and the weights and durations that of one frame. This keeps a model of few clips
    from becoming overconfident.

    Args:
        x: Frames of each clip, padded to the longest.
        lengths: Number of valid frames of each clip.
        shares: Responsibility of each Gaussian of each state for each frame, 0 in the padding.
        prior: Number of pseudo-frames of variance 1 that are added to each Gaussian.

    Shape:
        x ``(B, T, P)``, lengths ``(B,)``, shares ``(B, T, S, M)``.
    """
    counts = shares.sum((0, 1))  # (S, M)
    means = torch.einsum("btsm,btp->smp", shares, x) / counts.clamp(min=1e-6)[..., None]
    squares = torch.einsum("btsm,btp->smp", shares, x.square()) - counts[..., None] * means.square()
    variances = (squares.clamp(min=0) + prior) / (counts + prior)[..., None]
    states = shares.sum(-1)  # (B, T, S)
    ends = states[torch.arange(len(x), device=x.device), lengths - 1]  # (B, S)
    left = ends.sum(0).flip(0).cumsum(0).flip(0) - ends.sum(0)  # clips that end in a later state
    stayed = (states.sum((0, 1)) - ends.sum(0) - left).clamp(min=0)
    total = stayed + left + 2
    stay, leave = ((stayed + 1) / total).log(), ((left + 1) / total).log()
    is_last = torch.arange(len(stay), device=x.device) == len(stay) - 1
    return HMM(
        stay.masked_fill(is_last, 0),
        leave.masked_fill(is_last, -torch.inf),
        (counts + 1) / (counts + 1).sum(1, keepdim=True),
        means,
        variances.sqrt(),
    )


def align(x: Tensor, lengths: Tensor, num_states: int, num_gaussians: int) -> Tensor:
    """Assign frames initially: to states evenly over time, and to the Gaussians of a state by position.

    The frames of a state are sorted along the direction in which they differ most, and cut into equal parts.

    Args:
        x: Frames of each clip, padded to the longest.
        lengths: Number of valid frames of each clip.
        num_states: Number of states *S*.
        num_gaussians: Number of Gaussians *M* per state.

    Shape:
        x ``(B, T, P)``, lengths ``(B,)`` -> ``(B, T, S, M)``, 0 in the padding.
    """
    frames = torch.arange(x.shape[1], device=x.device)
    states = torch.div(frames * num_states, lengths[:, None], rounding_mode="floor")  # (B, T)
    shares = x.new_zeros(*states.shape, num_states, num_gaussians)
    for state in range(num_states):
        chosen = (states == state).nonzero()
        own = x[chosen[:, 0], chosen[:, 1]]
        if len(own):
            direction = torch.linalg.svd(own - own.mean(0), full_matrices=False).Vh[0]
            ranks = (own @ direction).argsort().argsort()
            parts = torch.div(ranks * num_gaussians, len(own), rounding_mode="floor")
            shares[chosen[:, 0], chosen[:, 1], state, parts] = 1
    return shares


def fit_hmm(
    x: Tensor, lengths: Tensor, num_states: int, num_gaussians: int, num_iterations: int, prior: float
) -> HMM:
    """Fit a model to clips by expectation maximisation (Rabiner 1989, section III.C).

    Args:
        x: Frames of each clip, padded to the longest.
        lengths: Number of valid frames of each clip.
        num_states: Number of states *S*.
        num_gaussians: Number of Gaussians *M* per state.
        num_iterations: Number of iterations of expectation maximisation.
        prior: Number of pseudo-frames of variance 1 that are added to each Gaussian.

    Shape:
        x ``(B, T, P)``, lengths ``(B,)``.
    """
    shares = align(x, lengths, num_states, num_gaussians)
    model = maximise(x, lengths, shares, prior)
    for _ in range(num_iterations if len(x) else 0):
        model = maximise(x, lengths, expect(model, x, lengths), prior)
    return model


def expect(model: HMM, x: Tensor, lengths: Tensor) -> Tensor:
    """Return the responsibility of each state's Gaussians for each frame.

    Args:
        model: The current model.
        x: Frames of each clip, padded to the longest.
        lengths: Number of valid frames of each clip.

    Shape:
        x ``(B, T, P)``, lengths ``(B,)`` -> ``(B, T, S, M)``, 0 in the padding.
    """
    densities = model.log_densities(x)
    scores = densities.logsumexp(-1)
    states, _ = forward_backward(scores, lengths, model.start(), model.transitions())
    shares = (states[..., None] + densities.log_softmax(-1)).exp()
    return shares * valid_frames(lengths, x.shape[1])[..., None, None]
