"""Exact sums and maxima over all label sequences of a linear chain, by dynamic programming in log space.

A labelling ``s`` of T frames scores ``initial[s_0] + sum_t scores[t, s_t] + sum_t transitions[s_t-1, s_t]``:
in a hidden Markov model, this is the log of its joint probability (Rabiner 1989, section III); in a
conditional random field, its unnormalised log-probability (Lafferty et al. 2001). ``-inf`` in any of the
three forbids a labelling.

S is the number of states. Results have the dtype of the scores.
"""

import numpy as np
import torch
from torch import Tensor

from tt_actions.errors import UserError
from tt_actions.models.averages import valid_frames

LOG_ZERO = -1e30
"""Finite replacement for -inf, so that values and gradients stay finite."""

SMALLEST_SUM = 1e-250
"""Sums below this may have lost terms to underflow in double precision."""


def forward_backward(
    scores: Tensor, lengths: Tensor, initial: Tensor, transitions: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the log-probability of each state at each frame given all frames, and the log-partition.

    Both are differentiable. Without gradients, on a CPU, the function takes a fifth of the time.

    Args:
        scores: Score of each state at each frame; frames past ``lengths`` are ignored.
        lengths: Number of valid frames of each sequence, at least 1.
        initial: Score of each state at the first frame.
        transitions: Score of each state (row) being followed by each other (column).

    Returns:
        Log-marginals, -inf for impossible states and ``-log S`` in the padding; and the log of the partition
        function. For a sequence without any possible labelling, all values are -inf.

    Shape:
        scores ``(B, T, S)``, lengths ``(B,)``, initial ``(S,)``, transitions ``(S, S)`` -> log-marginals
        ``(B, T, S)``, log-partition ``(B,)``.

    Raises:
        ValueError: If the shapes don't fit.

    >>> scores, lengths = torch.tensor([[[3.0, 1.0], [1.0, 1.0]]]).log(), torch.tensor([1])
    >>> marginals, total = forward_backward(scores, lengths, torch.zeros(2), torch.zeros(2, 2))
    >>> marginals.exp(), total.exp()
    (tensor([[[0.7500, 0.2500],
             [0.5000, 0.5000]]]), tensor([4.]))
    """
    _check(scores, lengths, initial, transitions)
    b, t, s = scores.shape
    is_valid = valid_frames(lengths, t)
    scores, initial, transitions = _finite(scores, is_valid), _finite(initial), _finite(transitions)
    backwards = (lengths[:, None] - 1 - torch.arange(t, device=scores.device)).clamp(min=0)  # (B, T)
    backwards = backwards[..., None].expand(b, t, s)
    sums, norms = _sweep(
        torch.stack([scores, scores.gather(1, backwards)]),
        torch.stack([initial, torch.zeros_like(initial)]),
        torch.stack([transitions, transitions.mT]),
    )
    joint = sums[0] + sums[1].gather(1, backwards) - scores  # both contain the frame's own score
    partition = _sum_valid(norms[0], is_valid)
    impossible = (joint < LOG_ZERO / 2) | partition.isneginf()[:, None, None]
    marginals = joint.log_softmax(-1).masked_fill(impossible, -torch.inf)
    return marginals.masked_fill(~is_valid[..., None], -float(np.log(s))), partition


def log_partition(scores: Tensor, lengths: Tensor, initial: Tensor, transitions: Tensor) -> Tensor:
    """Return the log of the sum of exponentiated scores over all labellings, with gradients.

    Args:
        scores: Score of each state at each frame; frames past ``lengths`` are ignored.
        lengths: Number of valid frames of each sequence, at least 1.
        initial: Score of each state at the first frame.
        transitions: Score of each state (row) being followed by each other (column).

    Shape:
        scores ``(B, T, S)``, lengths ``(B,)``, initial ``(S,)``, transitions ``(S, S)`` -> ``(B,)``; -inf if
        no labelling is possible.

    Raises:
        ValueError: If the shapes don't fit.

    >>> total = log_partition(torch.zeros(1, 3, 2), torch.tensor([3]), torch.zeros(2), torch.zeros(2, 2))
    >>> total.exp()  # two states at three frames
    tensor([8.])
    """
    _check(scores, lengths, initial, transitions)
    is_valid = valid_frames(lengths, scores.shape[1])
    parts = (_finite(scores, is_valid), _finite(initial), _finite(transitions))
    _, norms = _sweep(*(part[None] for part in parts))
    return _sum_valid(norms[0], is_valid)


def path_score(
    scores: Tensor, labels: Tensor, lengths: Tensor, initial: Tensor, transitions: Tensor
) -> Tensor:
    """Return the score of one labelling of each sequence, with gradients.

    Args:
        scores: Score of each state at each frame; frames past ``lengths`` are ignored.
        labels: State of each frame; any value past ``lengths``.
        lengths: Number of valid frames of each sequence, at least 1.
        initial: Score of each state at the first frame.
        transitions: Score of each state (row) being followed by each other (column).

    Shape:
        scores ``(B, T, S)``, labels ``(B, T)``, int64, lengths ``(B,)``, initial ``(S,)``, transitions
        ``(S, S)`` -> ``(B,)``.

    Raises:
        ValueError: If the shapes don't fit.

    >>> scores, transitions = torch.tensor([[[1.0, 2.0], [4.0, 8.0]]]), torch.tensor([[0.0, 0.5], [0.0, 0.0]])
    >>> path_score(scores, torch.tensor([[0, 1]]), torch.tensor([2]), torch.zeros(2), transitions)
    tensor([9.5000])
    """
    _check(scores, lengths, initial, transitions)
    is_valid = valid_frames(lengths, scores.shape[1])
    labels = labels.masked_fill(~is_valid, 0)
    shown = scores.gather(2, labels[..., None])[..., 0].masked_fill(~is_valid, 0)
    moved = transitions[labels[:, :-1], labels[:, 1:]].masked_fill(~is_valid[:, 1:], 0)
    return initial[labels[:, 0]] + shown.sum(1) + moved.sum(1)


@torch.no_grad()
def viterbi(scores: Tensor, lengths: Tensor, initial: Tensor, transitions: Tensor) -> tuple[Tensor, Tensor]:
    """Return the labelling of each sequence with the highest score, and its score, without gradients.

    Args:
        scores: Score of each state at each frame; frames past ``lengths`` are ignored.
        lengths: Number of valid frames of each sequence, at least 1.
        initial: Score of each state at the first frame.
        transitions: Score of each state (row) being followed by each other (column).

    Returns:
        States, with the last one repeated in the padding, and scores, -inf if no labelling is possible.

    Shape:
        scores ``(B, T, S)``, lengths ``(B,)``, initial ``(S,)``, transitions ``(S, S)`` -> states ``(B, T)``,
        int64, and scores ``(B,)``.

    Raises:
        ValueError: If the shapes don't fit.

    >>> scores, stay = torch.tensor([[[1.0, 0.0], [0.0, 0.4], [1.0, 0.0]]]), torch.eye(2)
    >>> viterbi(scores, torch.tensor([3]), torch.zeros(2), stay)
    (tensor([[0, 0, 0]]), tensor([4.]))
    """
    _check(scores, lengths, initial, transitions)
    frames, into, ends = _array(scores.transpose(0, 1)), _array(transitions.mT), lengths.cpu().numpy() - 1
    t, b, s = frames.shape
    best, last = np.empty(b), np.empty(b, np.int64)
    pointers = np.empty((t, b, s), np.int32)
    score = _array(initial) + frames[0]  # (B, S)
    for i in range(t):
        if i > 0:
            reached = score[:, None] + into  # (B, to, from)
            pointers[i] = reached.argmax(-1)
            score = np.take_along_axis(reached, pointers[i][..., None], -1)[..., 0] + frames[i]
        ended = ends == i
        if ended.any():
            best[ended], last[ended] = score[ended].max(-1), score[ended].argmax(-1)
    paths = torch.from_numpy(_trace(pointers, last, ends))
    return paths.to(scores.device), torch.from_numpy(best).to(scores)


def _trace(pointers: np.ndarray, last: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Follow the pointers ``(T, B, S)`` back from the last states ``(B,)`` at frames ``ends`` ``(B,)``."""
    t, b, _ = pointers.shape
    paths, state, rows = np.empty((t, b), np.int64), last, np.arange(b)
    paths[t - 1] = state
    for i in range(t - 1, 0, -1):
        state = np.where(i <= ends, pointers[i, rows, state], state)
        paths[i - 1] = state
    return paths.T


def _sweep(scores: Tensor, initial: Tensor, transitions: Tensor) -> tuple[Tensor, Tensor]:
    """Sum over all labellings up to each frame, for D chains with a batch each; all values are finite.

    Return the log of each state's share at each frame, and the log of the normaliser: its sum over the frames
    is the log of the sum over all labellings.

    Shape:
        scores ``(D, B, T, S)``, initial ``(D, S)``, transitions ``(D, S, S)`` -> ``(D, B, T, S)``,
        ``(D, B, T)``.
    """
    parts = (scores, initial, transitions)
    learns = torch.is_grad_enabled() and any(part.requires_grad for part in parts)
    if not (learns or scores.is_cuda or torch.compiler.is_compiling()):
        return _sweep_arrays(*parts)
    before = initial[:, None]  # (D, 1, S)
    shares, norms = [], []
    for score in scores.unbind(2):  # (D, B, S)
        joint = before + score
        norms.append(joint.logsumexp(-1, keepdim=True))
        shares.append(joint - norms[-1])
        before = (shares[-1][..., None] + transitions[:, None]).logsumexp(-2)
    return torch.stack(shares, 2), torch.cat(norms, -1)


def _sweep_arrays(scores: Tensor, initial: Tensor, transitions: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the same without gradients, in double precision, with one matrix product per frame.

    If a product underflows, the sums of that frame are computed in log space.
    """
    d, b, t, s = scores.shape
    frames, before, steps = _array(scores.movedim(2, 0)), _array(initial)[:, None], _array(transitions)
    largest = steps.max()
    weights = np.exp(steps - largest)  # (D, S, S)
    shares, norms = np.empty((t, d, b, s)), np.empty((t, d, b, 1))
    for i in range(t):
        joint = before + frames[i]
        norm = joint.max(-1, keepdims=True)
        exponentials = np.exp(joint - norm)
        norm += np.log(exponentials.sum(-1, keepdims=True))
        shares[i], norms[i] = joint - norm, norm
        sums = exponentials @ weights
        if sums.min() < SMALLEST_SUM:
            reached = joint[..., None] + steps[:, None]  # (D, B, S, S)
            highest = reached.max(-2)
            before = np.log(np.exp(reached - highest[..., None, :]).sum(-2)) + highest - norm
        else:
            before = np.log(sums) + (largest + joint.max(-1, keepdims=True) - norm)
    shared, normed = torch.from_numpy(shares).movedim(0, 2), torch.from_numpy(norms[..., 0]).movedim(0, 2)
    return shared.to(scores), normed.to(scores)


def _sum_valid(norms: Tensor, is_valid: Tensor) -> Tensor:
    total = norms.masked_fill(~is_valid, 0).sum(1)
    return total.masked_fill(total < LOG_ZERO / 2, -torch.inf)


def _finite(scores: Tensor, is_valid: Tensor | None = None) -> Tensor:
    """Replace -inf by a finite number, and padding by 0."""
    if is_valid is not None:
        scores = scores.masked_fill(~is_valid[..., None], 0)
    return scores.clamp(min=LOG_ZERO)


def _array(values: Tensor) -> np.ndarray:
    array: np.ndarray = np.ascontiguousarray(values.detach().double().cpu().numpy())
    return array


def _check(scores: Tensor, lengths: Tensor, initial: Tensor, transitions: Tensor) -> None:
    given = [tuple(x.shape) for x in (scores, lengths, initial, transitions)]
    if scores.ndim == 3 and scores.shape[1] > 0:
        b, _, s = scores.shape
        if given[1:] == [(b,), (s,), (s, s)]:
            return
    raise UserError(
        "Expected `scores` (B, T, S) of at least one frame, `lengths` (B,), `initial` (S,) and `transitions` "
        f"(S, S), but got {', '.join(map(str, given))}."
    )
