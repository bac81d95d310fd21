"""Checks that exported graphs give the same logits as the model."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from tt_actions.errors import UserError
from tt_actions.export.graphs import state_leaves
from tt_actions.recognition.recognizer import Recognizer

TOLERANCE = 1e-4
"""Largest allowed difference between a logit of a graph and of the model."""

LENGTHS = ((1,), (4,), (2, 5, 3), (1, 1), (17, 9), (3, 1, 8, 8, 2))
"""Lengths in frames of the clips in each test batch."""

STRETCHES = (1, 1, 4, 2, 3)
"""Numbers of frames that the step graph reads at a time in the test of a stream."""

RunClips = Callable[[Tensor, Tensor], Tensor]
"""Runs a clip graph: frames and lengths -> logits."""

RunStretch = Callable[[np.ndarray, np.ndarray, list[np.ndarray]], list[np.ndarray]]
"""Runs a step graph: frames, ``is_first`` and state -> logits and new state."""


def compare_clips(model: Recognizer, run: RunClips) -> float:
    """Return the largest difference between a clip graph and the model on batches of several shapes.

    Args:
        model: The trained model.
        run: The graph.

    Raises:
        ValueError: If the difference is above the tolerance.
    """
    network = model.network.frame_network
    worst = 0.0
    for number, lengths in enumerate(LENGTHS):
        frames, ends = _draw(model, len(lengths), max(lengths), number), torch.tensor(lengths)
        with torch.no_grad():
            expected = network(model.normalise(frames), ends)
        found = run(frames, ends)
        worst = max(worst, compare_batch(found, expected, lengths))
    return worst


def compare_batch(found: Tensor, expected: Tensor, lengths: Sequence[int]) -> float:
    """Return the largest difference between logits in the valid frames of a batch.

    Args:
        found: Logits of a graph.
        expected: Logits of the model.
        lengths: Number of valid frames of each clip.

    Shape:
        found and expected ``(B, T, K)``.

    Raises:
        ValueError: If the difference is above the tolerance.
    """
    clips = zip(found, expected, lengths, strict=True)
    worst = max(largest_difference(ours[:length], theirs[:length]) for ours, theirs, length in clips)
    check_difference(worst, f"on clips of {', '.join(map(str, lengths))} frames")
    return worst


def compare_stream(model: Recognizer, run: RunStretch) -> float:
    """Return the largest difference between a step graph and the model on two tracks, one of which restarts.

    Args:
        model: The trained model with a causal network.
        run: The graph.

    Raises:
        ValueError: If the difference is above the tolerance.
    """
    network = model.network.frame_network
    assert network.is_causal
    frames, num_frames = _draw(model, 2, sum(STRETCHES), 99), sum(STRETCHES)
    again = frames[:, -STRETCHES[-1] :]
    with torch.no_grad():
        whole = network.advance(model.normalise(frames), None)[0]
        restarted = network.advance(model.normalise(again), None)[0]
    worst, logits = 0.0, []
    state = [np.full((2, *part.shape[1:]), np.nan, np.float32) for _, part in state_leaves(model)]
    for first, stretch in _stretches(frames):
        before = state
        found, *state = run(stretch.numpy(), np.full(2, first), before)
        logits.append(torch.from_numpy(found))
    worst = largest_difference(torch.cat(logits, 1), whole)
    found, *_ = run(again.numpy(), np.array([False, True]), before)
    expected = torch.stack([whole[0, num_frames - STRETCHES[-1] :], restarted[1]])
    worst = max(worst, largest_difference(torch.from_numpy(found), expected))
    check_difference(worst, "on a stream")
    return worst


def _stretches(frames: Tensor) -> Iterator[tuple[bool, Tensor]]:
    begin = 0
    for length in STRETCHES:
        yield begin == 0, frames[:, begin : begin + length]
        begin += length


def _draw(model: Recognizer, num_clips: int, num_frames: int, seed: int) -> Tensor:
    shape = (
        num_clips,
        num_frames,
        len(model.frame_preprocessing.channel_means),
        *model.frame_preprocessing.size,
    )
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def largest_difference(found: Tensor, expected: Tensor) -> float:
    """Return the largest difference between logits; infinity for another shape or values that are not finite.

    Args:
        found: Logits of a graph.
        expected: Logits of the model.
    """
    if found.shape != expected.shape or not found.isfinite().all():
        return float("inf")
    return float((found - expected).abs().max())


def check_difference(worst: float, case: str) -> None:
    """Raise an error for a difference above the tolerance.

    Args:
        worst: The difference.
        case: On which clips, for the message.

    Raises:
        ValueError: If the difference is above the tolerance.
    """
    if not worst <= TOLERANCE:
        raise UserError(
            f"Expected the logits of the exported graph to differ from the model's by at most {TOLERANCE:g}, "
            f"but {case} they differ by {worst:.2g}. Nothing was written. Export with the package versions "
            "of constraints.txt, or use the checkpoint."
        )
