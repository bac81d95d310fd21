"""Comparison of int8 with float: speed and accuracy of each engine on held-out clips."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from tt_actions.clips.dataset import NO_FRAME_LABEL, Sample
from tt_actions.evaluation.clip_scores import ENDS
from tt_actions.evaluation.interval_text import write_accuracy
from tt_actions.evaluation.significance import accuracy_interval, share_interval
from tt_actions.files import finite_or_none
from tt_actions.recognition.recognizer import Recognizer

MAX_ACCURACY_LOSS = 0.01
"""Most accuracy that int8 may lose to be recommended."""

CLIPS_PER_ROUND = 8
"""Number of clips that each engine processes in a timed round."""

NUM_ROUNDS = 15
"""Number of timed rounds; in each, every engine has one turn."""


@dataclass(frozen=True)
class EngineFigures:
    """Speed, size and accuracy of one engine.

    Args:
        ms_per_clip: Median milliseconds per clip, with one clip at a time.
        num_bytes: Size of its files.
        accuracy: Share of the clips that are classified correctly; for untrimmed recordings, share of the
            frames.
        accuracy_low: Lower end of the 95 % bootstrap interval of the accuracy over clips or recordings; None
            if it is unknown.
        accuracy_high: Its upper end.
    """

    ms_per_clip: float
    num_bytes: int
    accuracy: float
    accuracy_low: float | None = None
    accuracy_high: float | None = None


@dataclass(frozen=True)
class Comparison:
    """Results of float and int8, measured side by side.

    Args:
        engines: Results of ``torch``, ``onnx`` and ``onnx int8``.
        speed_up: Ratio of the times of onnx and of onnx int8, as a median over the rounds.
        speed_up_low: Lower quartile of this ratio.
        num_clips: Number of clips for the accuracy.
        num_threads: Number of threads of each engine.
    """

    engines: Mapping[str, EngineFigures]
    speed_up: float
    speed_up_low: float
    num_clips: int
    num_threads: int

    @property
    def accuracy_loss(self) -> float:
        """Accuracy of the float graphs minus accuracy of the int8 graphs."""
        return self.engines["onnx"].accuracy - self.engines["onnx int8"].accuracy

    @property
    def is_gain(self) -> bool:
        """Whether int8 is faster in three of four rounds and loses at most one point of accuracy."""
        return self.speed_up_low > 1 and self.accuracy_loss <= MAX_ACCURACY_LOSS + 1e-9

    def to_plain(self) -> dict[str, object]:
        """Return the results as plain types."""
        return {**asdict(self), "is_gain": self.is_gain, "verdict": verdict(self)}


def verdict(comparison: Comparison) -> str:
    """Summarise in one sentence whether int8 is worth using.

    Args:
        comparison: The results.
    """
    speed, lost = f"{comparison.speed_up:.2f} times as fast as float", 100 * comparison.accuracy_loss
    change = f"loses {lost:.1f}" if lost > 0 else f"gains {-lost:.1f}" if lost < 0 else "loses no"
    accuracy = f"it {change} points of accuracy"
    clips = f"{comparison.num_clips} held-out clip{'s' * (comparison.num_clips != 1)}"
    if comparison.is_gain:
        return f"int8 is {speed} and {change} points of accuracy, on {clips}."
    if comparison.speed_up <= 1:
        pace = f"it is slower, {speed}"
    elif comparison.speed_up_low <= 1:
        pace = f"it is {speed}, which is within the timing noise"
    else:
        pace = f"it is {speed}"
    return f"int8 has no advantage here: {pace}, and {accuracy}, on {clips}. Use the float graphs."


def table(comparison: Comparison) -> str:
    """Return the results as a text table.

    Args:
        comparison: The results.
    """
    first = comparison.engines["onnx"].accuracy
    lines = [f"{'engine':<10} {'ms/clip':>10} {'size, KB':>10} {'accuracy [95 %]':>20} {'change':>7}"]
    for name, figures in comparison.engines.items():
        size, change = figures.num_bytes / 1000, 100 * (figures.accuracy - first)
        shown = f"{change:+.1f}" if name != "onnx" else ""
        accuracy = write_accuracy(asdict(figures))
        lines.append(f"{name:<10} {figures.ms_per_clip:>10.2f} {size:>10.0f} {accuracy:>20} {shown:>7}")
    return "\n".join(lines)


def compare_engines(
    engines: Mapping[str, Recognizer], num_bytes: Mapping[str, int], samples: Sequence[Sample]
) -> Comparison:
    """Measure the speed and accuracy of several engines side by side.

    In each round every engine has one turn, so that other load on the machine slows all of them equally.
    Times are compared only within a round.

    Args:
        engines: The model in each engine: ``torch``, ``onnx`` and ``onnx int8``.
        num_bytes: Size of each engine's files.
        samples: The clips.
    """
    times_s = time_engines(engines, samples)
    ratios = times_s["onnx"] / times_s["onnx int8"]
    figures = {
        name: EngineFigures(
            ms_per_clip=1000 * float(np.median(times_s[name])),
            num_bytes=num_bytes[name],
            **finite_or_none(measure_accuracy(model, samples)),
        )
        for name, model in engines.items()
    }
    return Comparison(
        engines=figures,
        speed_up=float(np.median(ratios)),
        speed_up_low=float(np.quantile(ratios, 0.25)),
        num_clips=len(samples),
        num_threads=torch.get_num_threads(),
    )


@torch.inference_mode()
def time_engines(
    engines: Mapping[str, Recognizer], samples: Sequence[Sample], num_rounds: int = NUM_ROUNDS
) -> dict[str, np.ndarray]:
    """Return the seconds per clip of each engine in each round, after one warm-up round.

    Args:
        engines: The model in each engine.
        samples: The clips; each round uses the first few.
        num_rounds: Number of rounds.
    """
    clips = [(s.frames[None].contiguous(), torch.tensor([s.length])) for s in samples[:CLIPS_PER_ROUND]]
    times_s: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(1 + num_rounds):
        for name, model in engines.items():
            start_s = time.perf_counter()
            for frames, lengths in clips:
                model(frames, lengths)
            times_s[name].append((time.perf_counter() - start_s) / len(clips))
    return {name: np.array(seconds[1:]) for name, seconds in times_s.items()}


@torch.inference_mode()
def measure_accuracy(model: Recognizer, samples: Sequence[Sample]) -> dict[str, float]:
    """Return the accuracy of a model with its 95 % interval over the samples; nan for an unknown end.

    It is the share of clips that are classified correctly; for untrimmed recordings, of frames.

    Args:
        model: The model.
        samples: The clips.
    """
    right, total = [], []
    for sample in samples:
        lengths = torch.tensor([sample.length])
        logits = model(sample.frames[None], lengths)
        if model.is_untrimmed:
            is_known = sample.frame_labels != NO_FRAME_LABEL
            right.append(int((logits[0].argmax(-1) == sample.frame_labels)[is_known].sum()))
            total.append(int(is_known.sum()))
        else:
            log_probs = model.network.clip_log_probability(logits, lengths)
            right.append(int(int(log_probs.argmax()) == sample.label))
            total.append(1)
    num_right, num_frames = np.array(right), np.array(total)
    ends = share_interval(num_right, num_frames) if model.is_untrimmed else accuracy_interval(num_right == 1)
    return {"accuracy": float(num_right.sum() / num_frames.sum()), **dict(zip(ENDS, ends, strict=True))}
