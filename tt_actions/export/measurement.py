"""Whether int8 is a gain: speed and accuracy of each engine on held-out clips."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from tt_actions.clips.dataset import NO_FRAME_LABEL, Sample
from tt_actions.recognition.recognizer import Recognizer

MOST_LOST = 0.01
"""Accuracy that int8 may lose and still be a gain."""

NUM_TIMED = 8
"""Clips of a round of the clock."""

NUM_ROUNDS = 15
"""Rounds in which each engine has its turn."""


@dataclass(frozen=True)
class EngineFigures:
    """What was measured of one engine.

    Args:
        ms_per_clip: Median milliseconds a clip, shown one at a time.
        num_bytes: Size of its files.
        accuracy: Share of the clips that are named rightly, of untrimmed recordings of the frames.
    """

    ms_per_clip: float
    num_bytes: int
    accuracy: float


@dataclass(frozen=True)
class Comparison:
    """Float and int8, measured side by side.

    Args:
        engines: ``torch``, ``onnx`` and ``onnx int8``.
        speed_up: Median over the rounds of onnx's time over int8's.
        speed_up_low: The quarter of the rounds has less.
        num_clips: Number of clips that the accuracy is of.
        num_threads: Threads of each engine.
    """

    engines: Mapping[str, EngineFigures]
    speed_up: float
    speed_up_low: float
    num_clips: int
    num_threads: int

    @property
    def lost(self) -> float:
        """Accuracy that int8 loses against the same graphs in float."""
        return self.engines["onnx"].accuracy - self.engines["onnx int8"].accuracy

    @property
    def is_gain(self) -> bool:
        """Whether int8 is faster in three of four rounds and loses no more than a point of accuracy."""
        return self.speed_up_low > 1 and self.lost <= MOST_LOST + 1e-9

    def to_plain(self) -> dict[str, object]:
        """Return all of it as plain types."""
        return {**asdict(self), "is_gain": self.is_gain, "verdict": verdict(self)}


def verdict(comparison: Comparison) -> str:
    """Say in a sentence what int8 brings.

    Args:
        comparison: What was measured.
    """
    speed, lost = f"{comparison.speed_up:.2f} times as fast as float", 100 * comparison.lost
    change = f"loses {lost:.1f}" if lost > 0 else f"wins {-lost:.1f}" if lost < 0 else "loses no"
    accuracy = f"it {change} points of accuracy"
    clips = f"{comparison.num_clips} held-out clip{'s' * (comparison.num_clips != 1)}"
    if comparison.is_gain:
        return f"int8 is {speed} and {change} points of accuracy, on {clips}."
    if comparison.speed_up <= 1:
        pace = f"it is slower, {speed}"
    elif comparison.speed_up_low <= 1:
        pace = f"it is {speed}, no more than the clock's noise"
    else:
        pace = f"it is {speed}"
    return f"int8 brings nothing here: {pace}, and {accuracy}, on {clips}. Use the float graphs."


def table(comparison: Comparison) -> str:
    """Return the figures as lines of text.

    Args:
        comparison: What was measured.
    """
    first = comparison.engines["onnx"].accuracy
    lines = [f"{'engine':<10} {'ms a clip':>10} {'size, KB':>10} {'accuracy':>9} {'change':>7}"]
    for name, figures in comparison.engines.items():
        size, change = figures.num_bytes / 1000, 100 * (figures.accuracy - first)
        shown = f"{change:+.1f}" if name != "onnx" else ""
        accuracy = f"{100 * figures.accuracy:.1f} %"
        lines.append(f"{name:<10} {figures.ms_per_clip:>10.2f} {size:>10.0f} {accuracy:>9} {shown:>7}")
    return "\n".join(lines)


def compare_engines(
    engines: Mapping[str, Recognizer], num_bytes: Mapping[str, int], samples: Sequence[Sample]
) -> Comparison:
    """Measure engines side by side.

    They have their turns in rounds, so that what else the machine does slows each alike, and a round's times
    are compared with each other alone.

    Args:
        engines: The model by the engine's name: ``torch``, ``onnx`` and ``onnx int8``.
        num_bytes: Size of each engine's files.
        samples: The clips.
    """
    times_s = time_engines(engines, samples)
    ratios = times_s["onnx"] / times_s["onnx int8"]
    figures = {
        name: EngineFigures(
            ms_per_clip=1000 * float(np.median(times_s[name])),
            num_bytes=num_bytes[name],
            accuracy=accuracy(model, samples),
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
    """Return the seconds a clip of each engine in each round; a round before them does not count.

    Args:
        engines: The model by the engine's name.
        samples: The clips, of which some are shown in each round.
        num_rounds: Number of rounds.
    """
    clips = [(s.frames[None].contiguous(), torch.tensor([s.length])) for s in samples[:NUM_TIMED]]
    times_s: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(1 + num_rounds):
        for name, model in engines.items():
            start_s = time.perf_counter()
            for frames, lengths in clips:
                model(frames, lengths)
            times_s[name].append((time.perf_counter() - start_s) / len(clips))
    return {name: np.array(seconds[1:]) for name, seconds in times_s.items()}


@torch.inference_mode()
def accuracy(model: Recognizer, samples: Sequence[Sample]) -> float:
    """Return the share of the clips whose class a model names, of untrimmed recordings of their frames.

    Args:
        model: The model.
        samples: The clips.
    """
    right: list[bool] = []
    for sample in samples:
        lengths = torch.tensor([sample.length])
        logits = model(sample.frames[None], lengths)
        if model.is_untrimmed:
            is_known = sample.frame_labels != NO_FRAME_LABEL
            right += (logits[0].argmax(-1) == sample.frame_labels)[is_known].tolist()
        else:
            log_probs = model.network.clip_log_probability(logits, lengths)
            right.append(int(log_probs.argmax()) == sample.label)
    return float(np.mean(right))
