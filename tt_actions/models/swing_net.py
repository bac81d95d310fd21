"""A small network that names the stroke in the joints around a swing, whatever hand plays it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tt_actions.models.base import ActionModel
from tt_actions.models.checks import check_positive
from tt_actions.models.joint_kernel import resample_clips
from tt_actions.skeleton.layouts import Layout, find_layout
from tt_actions.skeleton.streams import check_joints

_DILATIONS = (1, 1, 2, 4)


class SwingNet(ActionModel):
    """Temporal convolutions over a clip and its mirror image, of which the clearer one decides.

    A clip is read at equally spaced times from its first to its last frame, so that the speed of the video
    does not matter: the positions of the joints and their changes. The network scores the clip as it was
    recorded and mirrored. One softmax over the scores of both gives probabilities of a class and a playing
    hand, and the sum over the hands is the probability of the class. A clip and its mirror image therefore
    have the same probabilities, and no playing hand needs to be known.

    ``temperature`` divides the logits. It is no parameter of the training: a network that was trained on
    drawn strokes is too sure of real ones, and a higher temperature corrects that.

    Args:
        num_classes: Number of classes *K*.
        layout: Name of the joint layout.
        num_times: Number of times *N* at which the clip is read.
        width: Number of channels of each convolution.
        dropout: Dropout rate of the input and of the final features.

    Shape:
        joints ``(B, T, C, V)`` and lengths ``(B,)`` -> logits ``(B, T, K)``.

    Raises:
        ValueError: If a size is below 1 or the layout is unknown.
    """

    layout: Layout
    temperature: Tensor

    def __init__(
        self, num_classes: int, layout: str, num_times: int = 32, width: int = 96, dropout: float = 0.3
    ) -> None:
        super().__init__(num_classes)
        check_positive(num_times=num_times, width=width)
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

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits: those of the clip, repeated.

        Args:
            inputs: Joints of each clip, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            inputs ``(B, T, C, V)``, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        check_joints(inputs, self.layout)
        num, num_frames, num_coordinates = inputs.shape[:3]
        joints = resample_clips(inputs.flatten(2), lengths, self.num_times)
        joints = joints.view(num, self.num_times, num_coordinates, -1)
        signs = joints.new_tensor([-1.0] + [1.0] * (num_coordinates - 1))[:, None]
        mirrored = joints[..., list(self.layout.mirrored)] * signs
        scores = self._score(torch.cat([joints, mirrored])).view(2, num, -1)  # of both hands
        logits = (scores.logsumexp(0) - scores.logsumexp((0, 2)).unsqueeze(1)) / self.temperature
        return logits[:, None].expand(-1, num_frames, -1)

    def _score(self, joints: Tensor) -> Tensor:
        """Return the scores ``(B, K)`` of clips ``(B, N, C, V)`` as strokes of one and the same hand."""
        changes = self.num_times / 8 * torch.diff(joints, dim=1, prepend=joints[:, :1])
        x = self.dropout(torch.cat([joints.flatten(2), changes.flatten(2)], 2)).mT  # (B, D, N)
        for index, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            y = F.relu(norm(convolution(x)))
            x = x + y if index else y
        features = torch.cat([x.mean(2), x.amax(2)], 1)
        scores: Tensor = self.head(self.dropout(features))
        return scores
