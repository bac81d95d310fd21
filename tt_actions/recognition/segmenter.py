"""Finding strokes in the per-frame probabilities of a video.

The simple methods take the most likely class of each frame, with or without a median filter. The others find
the most likely state sequence of a chain. The chain is either a hidden Markov model with durations, whose
frame scores come from a network (a hybrid, Bourlard & Morgan 1994), or a conditional random field.
"""

import math
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import torch

from tt_actions.clips.strokes import IDLE, Stroke, is_stroke
from tt_actions.clips.timing import Segment, StrokeTiming, default_timing, find_segments
from tt_actions.errors import UserError
from tt_actions.models.chain import forward_backward, viterbi
from tt_actions.recognition.state_chain import StateChain, duration_chain, frame_chain

if TYPE_CHECKING:
    from tt_actions.recognition.recognizer import Recognizer

Method = Literal["hmm", "chain", "median", "argmax"]

SMALLEST_PROBABILITY = 1e-30
"""Lower bound for probabilities, because a probability of 0 is only a rounding effect."""


class Segmenter:
    """Finds the strokes in the per-frame probabilities of a network.

    - ``hmm``: :func:`duration_chain` with frame scores ``scale * (log p(c|x) - prior_weight * log p(c))``.
    - ``chain``: a conditional random field, which reads the scores of the network below its chain.
    - ``median``: the most likely class after a median filter of each class's probability.
    - ``argmax``: the most likely class of each frame.

    Args:
        timing: Statistics of the training set, at the frame rate of the probabilities.
        method: One of the methods above.
        scale: For ``hmm``: weight of a frame relative to the chain. Values below 1 allow for the dependence
            between neighbouring frames.
        prior_weight: For ``hmm``: how much of the training set's class shares is removed from the scores. On
            synthetic rallies, less was better: F1@50 0.94 with 0, 0.91 with 0.6, 0.87 with 1.
        median_s: For ``median``: length of the filter in seconds.
        initial: For ``chain``: score of each class at the first frame.
        transitions: For ``chain``: score of each class (row) being followed by each class (column).

    Raises:
        ValueError: If an option is out of range, or belongs to another method.
    """

    def __init__(
        self,
        timing: StrokeTiming,
        method: Method = "hmm",
        scale: float = 1.0,
        prior_weight: float = 0.0,
        median_s: float = 0.3,
        initial: np.ndarray | None = None,
        transitions: np.ndarray | None = None,
    ) -> None:
        if method not in get_args(Method):
            raise UserError(f"Expected `method` to be one of {get_args(Method)}, but got '{method}'.")
        if not (0 < scale < math.inf and 0 <= prior_weight < math.inf and 0 <= median_s < math.inf):
            raise UserError(
                "Expected `scale` above 0, and `prior_weight` and `median_s` of at least 0, all finite, but "
                f"got {scale}, {prior_weight} and {median_s}."
            )
        has_potentials = initial is not None and transitions is not None
        if has_potentials != (method == "chain"):
            raise UserError(
                "Expected both `initial` and `transitions` with the method 'chain', and not with any other, "
                f"but got '{method}' with {'both' if has_potentials else 'not both'}."
            )
        self.timing, self.method = timing, method
        self.chain: StateChain | None = None
        self._scale, self._offsets = 1.0, np.zeros(len(timing.class_names))
        self._width = 1 if method == "argmax" else 2 * round(median_s * timing.fps / 2) + 1
        if initial is not None and transitions is not None:
            self.chain = frame_chain(initial, transitions)
        elif method == "hmm":
            self.chain = duration_chain(timing)
            shares = (timing.frames + 1) / (timing.frames + 1).sum()
            self._scale, self._offsets = scale, scale * prior_weight * np.log(shares)

    def scores(self, log_probs: np.ndarray) -> np.ndarray:
        """Return the score of each state of the chain at each frame.

        Args:
            log_probs: Log-probability of each class; for ``chain``, the scores of the network below it.

        Shape:
            log_probs ``(..., K)`` -> ``(..., S)``, float64.
        """
        assert self.chain is not None
        floor = -np.inf if self.method == "chain" else math.log(SMALLEST_PROBABILITY)
        by_class = self._scale * np.maximum(log_probs.astype(np.float64), floor) - self._offsets
        scores: np.ndarray = by_class[..., self.chain.classes]
        return scores

    def posteriors(self, log_probs: np.ndarray, lengths: np.ndarray | None = None) -> np.ndarray:
        """Return the probability of each class at each frame, given all frames.

        Args:
            log_probs: Log-probability of each class at each frame of some tracks.
            lengths: Number of valid frames of each track; None for all.

        Shape:
            log_probs ``(B, T, K)``, lengths ``(B,)`` -> ``(B, T, K)``, float64; meaningless past lengths.

        Raises:
            ValueError: If the shape doesn't match.
        """
        self._check(log_probs)
        if self.chain is None:
            return np.exp(log_probs.astype(np.float64))
        marginals, _ = forward_backward(*self._potentials(log_probs, lengths))
        states = marginals.exp().numpy()
        return np.stack(
            [states[..., self.chain.classes == c].sum(-1) for c in range(log_probs.shape[-1])], -1
        )

    def frame_probabilities(self, log_probs: np.ndarray) -> np.ndarray:
        """Return the probabilities whose mean is the confidence of a stroke.

        They are the network's own probabilities. The posteriors of a hidden Markov model are all close to 1
        and rank strokes worse (mAP 0.73 instead of 0.77 on synthetic rallies). Only a conditional random
        field uses its posteriors, because its scores are not probabilities.

        Args:
            log_probs: Log-probability of each class at each frame of some tracks.

        Shape:
            log_probs ``(B, T, K)`` -> ``(B, T, K)``, float64.
        """
        return self.posteriors(log_probs) if self.method == "chain" else np.exp(log_probs.astype(np.float64))

    def paths(self, log_probs: np.ndarray, lengths: np.ndarray | None = None) -> np.ndarray:
        """Return the best state sequence of each track, or class sequence without a chain.

        Args:
            log_probs: Log-probability of each class at each frame of some tracks.
            lengths: Number of valid frames of each track; None for all.

        Shape:
            log_probs ``(B, T, K)``, lengths ``(B,)`` -> ``(B, T)``, int64; meaningless past lengths.

        Raises:
            ValueError: If the shape doesn't match.
        """
        self._check(log_probs)
        if self.chain is not None:
            states, _ = viterbi(*self._potentials(log_probs, lengths))
            return np.asarray(states)
        from scipy.ndimage import median_filter  # slow to import

        paths = np.zeros(log_probs.shape[:2], np.int64)
        ends = [len(log_probs[0])] * len(log_probs) if lengths is None else lengths.tolist()
        for path, track, length in zip(paths, log_probs, ends, strict=True):
            path[:length] = median_filter(np.exp(track[:length]), (self._width, 1), mode="nearest").argmax(-1)
        return paths

    def classes(self, log_probs: np.ndarray, lengths: np.ndarray | None = None) -> np.ndarray:
        """Return the class of each frame.

        Args:
            log_probs: Log-probability of each class at each frame of some tracks.
            lengths: Number of valid frames of each track; None for all.

        Shape:
            log_probs ``(B, T, K)``, lengths ``(B,)`` -> ``(B, T)``, int64; meaningless past lengths.

        Raises:
            ValueError: If the shape doesn't match.
        """
        paths = self.paths(log_probs, lengths)
        return paths if self.chain is None else self.chain.classes[paths]

    def segment(self, log_probs: np.ndarray, times_s: np.ndarray) -> list[Stroke]:
        """Return the strokes of one track, sorted by time.

        A stroke begins somewhere between its first frame and the one before. Its start is therefore set half
        a frame before the first frame, and its end half a frame after the last. Its confidence is the mean
        probability of its class over its frames.

        Args:
            log_probs: Log-probability of each class at each frame.
            times_s: When each frame is shown, in seconds.

        Shape:
            log_probs ``(T, K)``, times_s ``(T,)``.

        Raises:
            ValueError: If the shapes don't match.
        """
        check_log_probs(log_probs, times_s, self.timing)
        if not len(times_s):
            return []
        path, likely = self.paths(log_probs[None])[0], self.frame_probabilities(log_probs[None])[0]
        if self.chain is None:
            segments = find_segments(path)
        else:
            segments = find_segments(
                self.chain.classes[path], np.r_[True, self.chain.begins(path[:-1], path[1:])]
            )
        made = [
            make_stroke(self.timing, s.label, times_s[s.first], times_s[s.end - 1], _mean(likely, s))
            for s in segments
        ]
        return [stroke for stroke in made if stroke is not None]

    def _potentials(
        self, log_probs: np.ndarray, lengths: np.ndarray | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        assert self.chain is not None
        b, t = log_probs.shape[:2]
        given = np.full(b, t) if lengths is None else lengths
        arrays = (self.scores(log_probs), given, self.chain.initial, self.chain.transitions)
        scores, valid, initial, transitions = (torch.from_numpy(array) for array in arrays)
        return scores, valid, initial, transitions

    def _check(self, log_probs: np.ndarray) -> None:
        if log_probs.ndim != 3 or log_probs.shape[1] < 1 or log_probs.shape[2] != len(self._offsets):
            raise UserError(
                f"Expected `log_probs` (B, T, {len(self._offsets)}) of at least one frame, "
                f"but got {log_probs.shape}."
            )


def check_log_probs(log_probs: np.ndarray, times_s: np.ndarray, timing: StrokeTiming) -> None:
    """Raise an error for frames without times or with other classes.

    Args:
        log_probs: Log-probability of each class at each frame.
        times_s: When each frame is shown, in seconds.
        timing: Statistics of the classes.

    Shape:
        log_probs ``(T, K)``, times_s ``(T,)``.

    Raises:
        ValueError: If the shapes don't match.
    """
    k = len(timing.class_names)
    if times_s.ndim != 1 or log_probs.shape != (len(times_s), k):
        raise UserError(
            f"Expected `log_probs` (T, {k}) and `times_s` (T,), but got {log_probs.shape} and "
            f"{times_s.shape}."
        )


def make_stroke(
    timing: StrokeTiming, label: int, first_s: float, last_s: float, confidence: float
) -> Stroke | None:
    """Convert a segment to a stroke, or return None if it is no stroke.

    Args:
        timing: Frame rate, names and contacts of the classes.
        label: Class index.
        first_s: When the first frame of the segment is shown, in seconds.
        last_s: When the last frame is shown, in seconds.
        confidence: Confidence of the model in [0, 1].

    >>> from tt_actions.clips.timing import default_timing
    >>> make_stroke(default_timing(["forehand", "idle"], 10), 0, 0.5, 1.0, 0.9)
    Stroke(label='forehand', start_s=0.45, end_s=1.05, contact_s=None, confidence=0.9, player=None)
    """
    name = timing.class_names[label]
    if not is_stroke(name):
        return None
    start_s, end_s = max(float(first_s) - 0.5 / timing.fps, 0.0), float(last_s) + 0.5 / timing.fps
    fraction = float(timing.contact[label])
    contact_s = None if math.isnan(fraction) else min(start_s + fraction * (end_s - start_s), end_s)
    return Stroke(name, start_s, end_s, contact_s, min(confidence, 1.0))


def _mean(probabilities: np.ndarray, segment: Segment) -> float:
    return float(probabilities[segment.first : segment.end, segment.label].mean())


def stroke_timing(model: "Recognizer") -> StrokeTiming:
    """Return stroke durations as counted on the model's training set, or default values if there are none.

    Args:
        model: The trained model.
    """
    names = model.class_names if model.is_untrimmed else (*model.class_names, IDLE)
    return model.timing or default_timing(names, model.preprocessing.fps)


def make_segmenters(model: "Recognizer") -> dict[str, Segmenter]:
    """Return the methods of finding strokes to compare; match analysis uses the last one.

    The last one is the model's own chain for a conditional random field trained on recordings, and a hidden
    Markov model otherwise.

    Args:
        model: The trained model.
    """
    timing = stroke_timing(model)
    segmenters = {"argmax": Segmenter(timing, "argmax"), "median": Segmenter(timing, "median")}
    segmenters["hmm"] = Segmenter(timing, "hmm")
    chain = model.network.chain
    if chain is not None and model.is_untrimmed:  # a chain trained on clips has no idle time
        initial, transitions = (weight.detach().double().cpu().numpy() for weight in chain)
        segmenters["crf"] = Segmenter(timing, "chain", initial=initial, transitions=transitions)
    return segmenters


def make_segmenter(model: "Recognizer") -> Segmenter:
    """Return the segmenter used for match analysis: the last of :func:`make_segmenters`.

    Args:
        model: The trained model.
    """
    return list(make_segmenters(model).values())[-1]
