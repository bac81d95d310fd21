"""A small model that learns from marks in a second, and says how good it is."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from tt_actions.errors import UserError
from tt_actions.evaluation.significance import accuracy_interval
from tt_actions.label.marks import Mark, Name
from tt_actions.label.proposals import margin_of
from tt_actions.models.joint_kernel import JointKernel
from tt_actions.pose.choice import IN_SPACE

LEAST_MARKS = 4
"""Least number of marks, of at least two classes, to learn from."""

FEW_MARKS = 5
"""A class with fewer marks wants more before any other."""

GOOD_RECALL = 0.9
"""A class of which this share is named correctly wants no more marks."""

_NUMBERS = {"right": 1, "left": -1, None: 0}


class MarkModel:
    """A kernel classifier of the joints of marked strokes.

    Args:
        marks: The marks to learn from, each with a label.
        joints: Their joints.
        layout: Name of the layout of the joints.

    Shape:
        each of joints ``(T, V, C)``.

    Attributes:
        class_names: The labels in alphabetical order.
        accuracy: Share of the marks that a model of the others names correctly.
        interval: The 95 % interval of the accuracy, over marks.
        recalls: The same for each class.

    Raises:
        UserError: If there are too few marks or classes.
    """

    def __init__(self, marks: Sequence[Mark], joints: Sequence[np.ndarray], layout: str = IN_SPACE) -> None:
        labels = [str(mark.label) for mark in marks]
        counts = Counter(labels)
        if len(marks) < LEAST_MARKS or len(counts) < 2:
            raise UserError(
                f"Expected at least {LEAST_MARKS} accepted marks of at least two classes whose joints are "
                f"known, but got {len(marks)} of {len(counts)}. Mark more strokes first."
            )
        self.class_names = sorted(counts)
        self._model = JointKernel(len(counts), layout).eval()
        classes = torch.tensor([self.class_names.index(label) for label in labels])
        with torch.no_grad():
            self._model.collect(*_batch(joints), classes, _hands(marks))
            left_out, _ = self._model.solve()
        is_right = (left_out.argmax(1) == classes).numpy()
        self.accuracy = float(is_right.mean())
        self.interval = accuracy_interval(is_right)
        self.recalls = {
            label: float(is_right[classes.numpy() == number].mean())
            for number, label in enumerate(self.class_names)
        }
        self.counts = counts

    def name(self, marks: Sequence[Mark], joints: Sequence[np.ndarray]) -> list[Name]:
        """Name other marks, with calibrated probabilities.

        The temperature fits the marks that were learnt from, each left out in turn. Besides, the probability
        of a mark of unknown class has the weight of one of *N* marks, because a few marks without any
        mistake make no class certain.

        Args:
            marks: The marks.
            joints: Their joints.

        Shape:
            each of joints ``(T, V, C)``.
        """
        if not marks:
            return []
        with torch.no_grad():
            logits = self._model.forward_with_hands(*_batch(joints), _hands(marks))[:, 0]
        num_marks, num_classes = self.counts.total(), len(self.class_names)
        probabilities = num_marks * logits.double().softmax(1).numpy() + 1 / num_classes
        probabilities /= num_marks + 1
        return [
            Name(self.class_names[scores.argmax()], float(scores.max()), margin_of(scores))
            for scores in probabilities
        ]

    @property
    def wanted_class(self) -> str | None:
        """The class that most needs marks: the rarest if it has few, or the worst if that is not good."""
        rarest = min(self.class_names, key=lambda label: self.counts[label])
        if self.counts[rarest] < FEW_MARKS:
            return rarest
        worst = min(self.class_names, key=lambda label: self.recalls[label])
        return worst if self.recalls[worst] < GOOD_RECALL else None


def _batch(joints: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    clips = [torch.from_numpy(np.ascontiguousarray(own)).movedim(-1, 1) for own in joints]  # each (T, C, V)
    return pad_sequence(clips, batch_first=True), torch.tensor([len(clip) for clip in clips])


def _hands(marks: Sequence[Mark]) -> torch.Tensor:
    return torch.tensor([_NUMBERS[mark.hand] for mark in marks])
