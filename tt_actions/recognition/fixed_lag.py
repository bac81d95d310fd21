"""Finding the strokes of a stream while it is running."""

import math
from collections import deque
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np

from tt_actions.clips.strokes import Stroke, is_stroke
from tt_actions.errors import UserError
from tt_actions.recognition.segmenter import Segmenter, check_log_probs, make_stroke


class OpenSegment(NamedTuple):
    """A segment that hasn't ended: its latest state, and index and time of its first and latest frames."""

    state: int
    first: int
    first_s: float
    last: int
    last_s: float


class FixedLagSegmenter:
    """Finds the strokes of a stream with a state chain, and decides each frame after a bounded delay.

    This is the Viterbi algorithm with a fixed lag. A frame is decided as soon as all surviving paths agree on
    it, which is exact (Bloit & Rodet 2008). If they don't agree within ``lag`` frames, the best path at that
    time decides, and the paths through another state are dropped. The decided frames therefore always follow
    the chain and its minimum durations. With a lag of at least the whole stream, the strokes are those of
    :meth:`Segmenter.segment`.

    A confidence is computed from the frames up to the decision. For a stroke many times longer than the mean,
    it covers only the last part.

    Args:
        segmenter: A segmenter with the method ``hmm`` or ``chain``.
        lag: Maximum number of later frames to wait for before a frame is decided.

    Raises:
        ValueError: If the segmenter has another method, or ``lag`` is negative.
    """

    def __init__(self, segmenter: Segmenter, lag: int) -> None:
        if segmenter.chain is None or lag < 0:
            raise UserError(
                "Expected a `segmenter` with method 'hmm' or 'chain' and a `lag` of at least 0, but got "
                f"'{segmenter.method}' and {lag}."
            )
        self.segmenter, self.chain, self.lag = segmenter, segmenter.chain, lag
        self._into = np.ascontiguousarray(self.chain.transitions.T)
        self._states = np.arange(len(self.chain.classes))
        timing = segmenter.timing
        strokes = [is_stroke(name) for name in timing.class_names]
        self._memory = 2 * lag + 4 * math.ceil(timing.mean_frames[strokes].max(initial=1)) + 1
        self._begin()

    def _begin(self) -> None:
        self._score: np.ndarray | None = None
        self._survivors = np.empty((min(self.lag, 64) + 1, len(self._states)), np.int32)
        self._num_frames = self._num_decided = 0
        self._recent: deque[tuple[np.ndarray, float]] = deque(maxlen=self._memory)
        self._open: OpenSegment | None = None

    def push(self, log_probs: np.ndarray, times_s: np.ndarray) -> list[Stroke]:
        """Add the next frames, and return the strokes that have ended and are decided.

        Args:
            log_probs: Log-probability of each class at each frame.
            times_s: When each frame is shown, in seconds.

        Shape:
            log_probs ``(T, K)``, times_s ``(T,)``.

        Raises:
            ValueError: If the shapes don't match.
        """
        check_log_probs(log_probs, times_s, self.segmenter.timing)
        strokes = []
        for row, score, time_s in zip(log_probs, self.segmenter.scores(log_probs), times_s, strict=True):
            self._recent.append((row, float(time_s)))
            self._extend(score)
            strokes += self._decide(self._num_agreed())
        return strokes

    def finish(self) -> list[Stroke]:
        """Return the remaining strokes at the end of the stream, and reset for the next stream."""
        strokes = self._decide(self._num_frames - self._num_decided) + self._close()
        self._begin()
        return strokes

    def _extend(self, frame_score: np.ndarray) -> None:
        """Extend the best path to each state by one frame."""
        n = self._num_frames - self._num_decided
        if n == len(self._survivors):
            self._survivors = np.concatenate([self._survivors, np.empty_like(self._survivors)])
        if self._score is None:
            self._score = self.chain.initial + frame_score
        else:
            reached = self._score + self._into  # (to, from)
            before = reached.argmax(1)
            self._score = reached[self._states, before] + frame_score
            self._survivors[:n] = self._survivors[:n, before]
        self._survivors[n] = self._states
        self._num_frames += 1

    def _num_agreed(self) -> int:
        """Number of frames that can be decided: those on which all paths agree, and those past the lag."""
        assert self._score is not None
        n = self._num_frames - self._num_decided
        paths, best = self._survivors[:n], self._score.argmax()
        agree = (paths == paths[:, best, None]) | np.isneginf(self._score)
        num_agreed = n if agree.all() else int(agree.all(1).argmin())
        if n - num_agreed > self.lag:
            num_agreed = n - self.lag
            self._score[~agree[:num_agreed].all(0)] = -np.inf
        return num_agreed

    def _decide(self, num_frames: int) -> list[Stroke]:
        """Decide the oldest undecided frames, and return the strokes that end in them."""
        if num_frames == 0:
            return []
        assert self._score is not None
        n, strokes = self._num_frames - self._num_decided, []
        for state in self._survivors[:num_frames, self._score.argmax()].tolist():
            time_s = self._recent[self._num_decided - self._num_frames][1]
            now = OpenSegment(state, self._num_decided, time_s, self._num_decided, time_s)
            if self._open is None:
                self._open = now
            elif self.chain.begins(self._open.state, state):
                strokes += self._close()
                self._open = now
            else:
                self._open = self._open._replace(state=state, last=now.last, last_s=time_s)
            self._num_decided += 1
        self._survivors[: n - num_frames] = self._survivors[num_frames:n]
        return strokes

    def _close(self) -> list[Stroke]:
        """Close the open segment, and return it if it is a stroke."""
        if self._open is None:
            return []
        _, first, first_s, last, last_s = self._open
        label = int(self.chain.classes[self._open.state])
        make = partial(make_stroke, self.segmenter.timing, label, first_s, last_s)
        if make(0.0) is None:
            return []
        oldest = self._num_frames - len(self._recent)
        begin = max(first - self.lag, oldest)  # start earlier, so that the chain has settled
        window = np.stack([row for row, _ in islice(self._recent, begin - oldest, None)])
        posteriors = self.segmenter.frame_probabilities(window[None])[0, :, label]
        stroke = make(float(posteriors[max(first - begin, 0) : last + 1 - begin].mean()))
        return [] if stroke is None else [stroke]
