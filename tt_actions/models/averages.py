"""Averages over the valid frames of clips that are padded to the same length.

See :mod:`tt_actions.models.base` for the letters B, T and K.
"""

from torch import Tensor, arange, float32, nn, promote_types


def valid_frames(lengths: Tensor, num_frames: int) -> Tensor:
    """Return a mask of the frames of a padded batch that belong to its clips.

    Args:
        lengths: Number of frames of each clip.
        num_frames: Length *T* of the padded batch.

    Shape:
        lengths ``(B,)``, int64 -> mask ``(B, T)``, bool.

    >>> import torch
    >>> valid_frames(torch.tensor([1, 3]), 3)
    tensor([[ True, False, False],
            [ True,  True,  True]])
    """
    return arange(num_frames, device=lengths.device) < lengths[:, None]


def frame_log_probabilities(logits: Tensor) -> Tensor:
    """Return the log-softmax of logits, in at least float32, because bfloat16 has only three digits.

    Args:
        logits: Logits of each frame.

    Shape:
        logits ``(..., K)`` -> log-probabilities ``(..., K)``.
    """
    return logits.log_softmax(-1, dtype=promote_types(logits.dtype, float32))


def mean_log_probability(logits: Tensor, lengths: Tensor) -> Tensor:
    """Average the per-frame softmax of each clip over its valid frames, in log space.

    Args:
        logits: Per-frame logits; frames past ``lengths`` are ignored.
        lengths: Number of valid frames of each clip, at least 1.

    Shape:
        logits ``(B, T, K)``, lengths ``(B,)`` -> log-probabilities ``(B, K)``.
    """
    mask = valid_frames(lengths, logits.shape[1])
    log_probs = frame_log_probabilities(logits).masked_fill(~mask[..., None], float("-inf"))
    return log_probs.logsumexp(1) - lengths[:, None].log()


class LearnedAverage(nn.Module):
    """A weighted average of per-frame probabilities over time.

    The source only says "weighted average". Our reading: the weight of a frame is the softmax, over the valid
    frames of the clip, of a linear score of its logits. It starts as the plain mean.

    Args:
        num_classes: Number of classes *K*.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.score = nn.Linear(num_classes, 1, bias=False)
        nn.init.zeros_(self.score.weight)

    def forward(self, logits: Tensor, lengths: Tensor) -> Tensor:
        """Return the log of the averaged probabilities of each clip.

        Args:
            logits: Per-frame logits; frames past ``lengths`` are ignored.
            lengths: Number of valid frames of each clip, at least 1.

        Shape:
            logits ``(B, T, K)``, lengths ``(B,)`` -> log-probabilities ``(B, K)``.
        """
        padding = ~valid_frames(lengths, logits.shape[1])[..., None]
        logits = logits.masked_fill(padding, 0)
        frame_log_probs = frame_log_probabilities(logits)
        scores = self.score(logits).to(frame_log_probs.dtype).masked_fill(padding, float("-inf"))  # (B, T, 1)
        log_probs: Tensor = (scores.log_softmax(1) + frame_log_probs).logsumexp(1)
        return log_probs
