"""A small network that names the stroke in the joints around a swing, whatever hand plays it."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tt_actions.errors import UserError
from tt_actions.models.base import ActionModel
from tt_actions.models.checks import check_positive
from tt_actions.models.joint_kernel import resample_clips
from tt_actions.skeleton.layouts import Layout, find_layout
from tt_actions.skeleton.streams import check_joints

_DILATIONS = (1, 1, 2, 4)


class SwingNet(ActionModel):
    """Temporal convolutions over a clip and its mirror image: which stroke is it, and with which hand?

    A clip is read at equally spaced times from its first to its last frame, so that the speed of the video
    does not matter: the positions of the joints and their changes. The network scores the clip as it was
    recorded, as strokes of a right-hander, and its mirror image in the same way, as those of a left-hander.
    One softmax over both gives probabilities of a stroke and a hand. Where the hand is not given, the
    probability of a stroke is the sum over both hands, of which the right one is usual. A right-hander's
    forehand can look like a left-hander's two-handed backhand, so the network learns hands as well as
    strokes. Training clips whose hand is not given count as those of right-handers.

    ``temperature`` divides the logits. It is no parameter of the training: a network that was trained on
    drawn strokes can be too sure of real ones, and a higher temperature corrects that.

    Args:
        num_classes: Number of classes *K*.
        layout: Name of the joint layout.
        num_times: Number of times *N* at which the clip is read.
        width: Number of channels of each convolution.
        dropout: Dropout rate of the input and of the final features.
        right_handed: Share of right-handers among players whose hand is not given.

    Shape:
        joints ``(B, T, C, V)`` and lengths ``(B,)`` -> logits ``(B, T, K)``.

    Raises:
        ValueError: If a size is below 1, ``right_handed`` is not between 0 and 1, or the layout is unknown.
    """

    layout: Layout
    temperature: Tensor
    prior: Tensor

    def __init__(
        self,
        num_classes: int,
        layout: str,
        num_times: int = 32,
        width: int = 96,
        dropout: float = 0.3,
        right_handed: float = 0.85,
    ) -> None:
        super().__init__(num_classes)
        check_positive(num_times=num_times, width=width)
        if not 0 < right_handed < 1:
            raise UserError(f"Expected `right_handed` to be between 0 and 1, but got {right_handed}.")
        self.layout, self.num_times = find_layout(layout), num_times
        size = 2 * self.layout.num_coordinates * len(self.layout.joints)
        sizes = [size, *[width] * len(_DILATIONS)]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, 3, padding=dilation, dilation=dilation)
            for before, after, dilation in zip(sizes, sizes[1:], _DILATIONS, strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in _DILATIONS)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * width, num_classes)
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer("prior", torch.tensor([right_handed, 1 - right_handed]).log(), persistent=False)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits of players whose hands are not given: those of the clip, repeated.

        Args:
            inputs: Joints of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, C, V)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        scores = self.score_hands(inputs, lengths) + self.prior[:, None, None]
        return self._repeat(scores.logsumexp(0), inputs.shape[1])

    def forward_with_hands(self, inputs: Tensor, lengths: Tensor, hands: Tensor | None) -> Tensor:
        """Return per-frame logits of clips whose playing hands may be given.

        Args:
            inputs: Joints of each clip, padded to the longest; those of given left-handers are mirrored.
            lengths: Number of valid frames of each clip.
            hands: Playing hand of each clip: 1 for right, -1 for left, 0 if unknown; None if all are.

        Shape:
            inputs ``(B, T, C, V)``, lengths and hands ``(B,)`` -> logits ``(B, T, K)``.
        """
        if hands is None:
            return self(inputs, lengths)  # type: ignore[no-any-return]
        scores = self.score_hands(inputs, lengths)
        either = (scores + self.prior[:, None, None]).logsumexp(0)
        return self._repeat(torch.where((hands == 0)[:, None], either, scores[0]), inputs.shape[1])

    def objective(
        self,
        inputs: Tensor,
        lengths: Tensor,
        class_loss: Callable[[Tensor], Tensor],
        frame_labels: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the loss of the strokes and of the hands, and the logits of the strokes.

        Args:
            inputs: Joints of right-handers, or mirrored joints of left-handers, padded to the longest.
            lengths: Number of valid frames of each clip.
            class_loss: Function that returns the loss of per-frame logits.
            frame_labels: Not used.

        Shape:
            inputs ``(B, T, C, V)``, lengths ``(B,)`` -> loss ``()``, logits ``(B, T, K)``.
        """
        del frame_labels
        scores = self.score_hands(inputs, lengths)
        logits = self._repeat(scores[0], inputs.shape[1])
        hand_loss = (scores.logsumexp((0, 2)) - scores[0].logsumexp(1)).mean()
        return class_loss(logits) + hand_loss, logits

    def score_hands(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of each stroke with the right and with the left hand.

        Args:
            inputs: Joints of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, C, V)``, lengths ``(B,)`` -> ``(2, B, K)``.
        """
        check_joints(inputs, self.layout)
        num, _, num_coordinates, num_joints = inputs.shape
        joints = resample_clips(inputs.flatten(2), lengths, self.num_times)
        joints = joints.view(num, self.num_times, num_coordinates, num_joints)
        signs = joints.new_tensor([-1.0] + [1.0] * (num_coordinates - 1))[:, None]
        mirrored = joints[..., list(self.layout.mirrored)] * signs
        return self._score(torch.cat([joints, mirrored])).view(2, num, -1)

    def _score(self, joints: Tensor) -> Tensor:
        """Return the scores ``(B, K)`` of clips ``(B, N, C, V)`` as strokes of right-handers."""
        changes = self.num_times / 8 * torch.diff(joints, dim=1, prepend=joints[:, :1])
        x = self.dropout(torch.cat([joints.flatten(2), changes.flatten(2)], 2)).mT  # (B, D, N)
        for index, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            y = F.relu(norm(convolution(x)))
            x = x + y if index else y
        features = torch.cat([x.mean(2), x.amax(2)], 1)
        scores: Tensor = self.head(self.dropout(features))
        return scores

    def _repeat(self, logits: Tensor, num_frames: int) -> Tensor:
        """Repeat the logits ``(B, K)`` of clips for every frame, with the temperature: ``(B, T, K)``."""
        return (logits / self.temperature)[:, None].expand(-1, num_frames, -1)
