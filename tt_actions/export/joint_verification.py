"""Checks that the exported graph of a network of joints gives the same logits as the model."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tt_actions.clips.dataset import Sample
from tt_actions.export.joint_graph import draw_joints
from tt_actions.export.verification import LENGTHS, check_difference, compare_batch, largest_difference
from tt_actions.recognition.recognizer import Recognizer

RunJoints = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Runs a graph of joints: joints, lengths and hands -> logits."""


class ClipAgreement(NamedTuple):
    """How a graph agrees with the model on clips that the model was not trained on.

    Args:
        num_clips: Number of clips.
        num_same: Number of clips to which both give the same class.
        max_difference: The largest difference between two logits.
    """

    num_clips: int
    num_same: int
    max_difference: float

    def __str__(self) -> str:
        return (
            f"On {self.num_clips} held-out clip{'s' * (self.num_clips != 1)}, {self.num_same} get the same "
            f"class, and the logits differ by at most {self.max_difference:.1g}."
        )


@torch.no_grad()
def compare_joints(model: Recognizer, run: RunJoints) -> float:
    """Return the largest difference between a graph and the model on drawn strokes of several lengths.

    Args:
        model: The trained model.
        run: The graph.

    Raises:
        ValueError: If the difference is above the tolerance.
    """
    network = model.network.frame_network
    worst = 0.0
    for number, lengths in enumerate(LENGTHS):
        joints, ends, hands = draw_joints(model, lengths, number)
        expected = network.forward_with_hands(joints, ends, hands)
        worst = max(worst, compare_batch(run(joints, ends, hands), expected, lengths))
    return worst


@torch.no_grad()
def compare_held_out(model: Recognizer, run: RunJoints, samples: Sequence[Sample]) -> ClipAgreement:
    """Compare a graph with the model on clips, one at a time.

    Args:
        model: The trained model.
        run: The graph.
        samples: The clips.

    Raises:
        ValueError: If the difference is above the tolerance.
    """
    network = model.network
    worst, num_same = 0.0, 0
    for sample in samples:
        lengths = torch.tensor([sample.length])
        inputs = (sample.frames[None].contiguous(), lengths, torch.tensor([sample.hand]))
        expected, found = network.frame_network.forward_with_hands(*inputs), run(*inputs)
        worst = max(worst, largest_difference(found, expected))
        ours, theirs = (
            network.clip_log_probability(network.from_frame_scores(scores, lengths), lengths)
            for scores in (found, expected)
        )
        num_same += int(ours.argmax()) == int(theirs.argmax())
    check_difference(worst, "on held-out clips")
    return ClipAgreement(len(samples), num_same, worst)
