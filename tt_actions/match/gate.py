"""Idle time for models that were trained on clips of strokes alone, and so know of none."""

import math
from collections import deque

import numpy as np
import torch
from torch import Tensor

from tt_actions.match.stream import FrameStream

FORGETTING_S = 10.0
"""Seconds over which the usual motion of a track is known."""


class IdleGate(FrameStream):
    """Adds the class idle to a stream, by how much moves and by how sure the model is.

    With *r* the change from one frame to the next over its recent mean, a frame is taken to belong to a
    stroke with the probability r^2 / (1 + r^2), and to none where the likeliest class is not likely enough.
    This is a rule of thumb; a model that is trained on recordings with idle frames does better.

    Args:
        stream: What gives the probabilities of the strokes.
        fps: Frames a second.
        least: Probability below which the likeliest class does not count.
    """

    def __init__(self, stream: FrameStream, fps: float, least: float) -> None:
        super().__init__(stream.model)
        self.stream, self.least = stream, least
        self.keep = math.exp(-1 / (FORGETTING_S * fps))
        self.last: np.ndarray | None = None
        self.sums = torch.zeros(2)  # of motion, and of weights, both forgotten over time
        self.waiting: deque[Tensor] = deque()  # probabilities of a stroke (P,), of frames that are not told

    def push(self, frames: np.ndarray) -> Tensor:
        """Take in the next frames; see :meth:`FrameStream.push`.

        Args:
            frames: Of each track.
        """
        colours = torch.from_numpy(frames[..., :3].astype(np.float32))
        before = colours[:, :1] if self.last is None else torch.from_numpy(self.last)
        motion = colours.diff(dim=1, prepend=before).abs().mean((2, 3, 4))  # (P, n)
        self.last = colours[:, -1:].numpy()
        for now in motion.unbind(1):
            self.sums = self.keep * self.sums + torch.stack([now, torch.ones_like(now)], -1)  # (P, 2)
            usual = self.sums[:, 0] / self.sums[:, 1]
            squared = (now / usual.clamp(min=1e-6)).square()
            self.waiting.append(squared / (1 + squared))
        return self._add_idle(self.stream.push(frames))

    def finish(self) -> Tensor:
        """Return the log-probabilities of the frames that are left."""
        return self._add_idle(self.stream.finish())

    def _add_idle(self, log_probs: Tensor) -> Tensor:
        probs = log_probs.exp()
        strokes = [self.waiting.popleft() for _ in range(probs.shape[1])]
        moves = torch.stack(strokes, 1) if strokes else probs.new_empty(probs.shape[:2])
        moves = moves * (probs.amax(-1) >= self.least)  # (P, m)
        with_idle = torch.cat([probs * moves[..., None], (1 - moves)[..., None]], -1)
        return with_idle.clamp(min=1e-8).log()
