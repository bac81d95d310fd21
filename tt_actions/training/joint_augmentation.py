"""Random augmentation of batches of joints, on the model's device."""

import math

import torch
from torch import Tensor

from tt_actions.errors import UserError
from tt_actions.models.averages import valid_frames
from tt_actions.skeleton.layouts import find_layout
from tt_actions.training.augmentation import ClipAugmentation, Range, check_shares, symmetric, uniform


class JointAugmentation(ClipAugmentation):
    """Random changes of normalised joints.

    All frames of a clip change in the same way, except for the noise.

    Args:
        layout: Name of the joints' layout.
        mirror: Probability that left and right are swapped, which gives the stroke of a player of the other
            hand. If all players are right-handed, use 0: a mirrored forehand looks like a backhand.
        rotation_deg: Largest rotation about the vertical axis for 3D joints, or in the image plane for 2D
            joints.
        tilt_deg: Largest rotation of 3D joints about the horizontal axis from side to side, as for a camera
            at another height.
        scale: Largest relative change of size, drawn separately for each axis.
        noise: Largest standard deviation of a joint's position, in trunk lengths; each clip gets its own
            strength.
        dropout: Probability that a joint is placed at the position of its parent joint for the whole clip.
        speed: Largest relative change of playing speed, around a random point in time.
        crop: Range of the share of a clip that is kept and stretched to the length of the clip.
        mixup: Parameter *alpha* of MixUp's Beta distribution; 0 disables MixUp.

    Raises:
        ValueError: If a probability or a range lies outside its bounds.
    """

    def __init__(
        self,
        layout: str,
        mirror: float = 0.0,
        rotation_deg: float = 20.0,
        tilt_deg: float = 10.0,
        scale: float = 0.1,
        noise: float = 0.02,
        dropout: float = 0.02,
        speed: float = 0.2,
        crop: Range = (0.8, 1.0),
        mixup: float = 0.0,
    ) -> None:
        super().__init__(speed, mixup)
        check_shares(mirror=mirror, dropout=dropout)
        is_range = 0 < crop[0] <= crop[1] <= 1 and 0 <= scale < 1
        if not is_range or min(rotation_deg, tilt_deg, noise) < 0:
            raise UserError(
                "Expected `crop` to be a range within (0, 1], `scale` to be in [0, 1), and `rotation_deg`, "
                f"`tilt_deg` and `noise` to be at least 0, but got {crop}, {scale}, {rotation_deg}, "
                f"{tilt_deg} and {noise}."
            )
        self.layout = find_layout(layout)
        self.mirror, self.rotation_deg, self.tilt_deg, self.scale = mirror, rotation_deg, tilt_deg, scale
        self.noise, self.dropout, self.crop = noise, dropout, crop

    def forward(
        self, frames: Tensor, lengths: Tensor, frame_labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Augment a batch of clips.

        Args:
            frames: Joints, float32.
            lengths: Number of valid frames of each clip.
            frame_labels: Class of each frame, or None. Labels move in time together with their frames.

        Shape:
            frames ``(B, T, C, V)``, frame_labels ``(B, T)`` -> the same.
        """
        x, frame_labels = self._move_in_time(frames, lengths, frame_labels)
        b, t, c, v = x.shape
        device = x.device
        mirrored = x[..., list(self.layout.mirrored)] * x.new_tensor([-1.0] + [1.0] * (c - 1))[:, None]
        chosen = uniform(b, 1, 1, 1, device=device) < self.mirror
        x = torch.where(chosen, mirrored, x)
        lost = uniform(b, 1, 1, v, device=device) < self.dropout
        x = torch.where(lost, x[..., list(self.layout.parent_indices)], x)
        x = self._rotations(b, c, device)[:, None] @ x
        x = x * (1 + self.scale * symmetric(b, 1, c, 1, device=device))
        if self.noise:
            strength = self.noise * uniform(b, 1, 1, 1, device=device)
            x = x + strength * torch.randn(x.shape, device=device)
        return x * valid_frames(lengths, t)[..., None, None], frame_labels

    def _rotations(self, num: int, num_coordinates: int, device: torch.device) -> Tensor:
        """Draw one rotation matrix per clip, ``(B, C, C)``."""
        turn = math.radians(self.rotation_deg) * symmetric(num, device=device)
        cos, sin, zero, one = turn.cos(), turn.sin(), torch.zeros_like(turn), torch.ones_like(turn)
        if num_coordinates == 2:
            return _matrices([[cos, -sin], [sin, cos]])
        about_vertical = _matrices([[cos, zero, sin], [zero, one, zero], [-sin, zero, cos]])
        tilt = math.radians(self.tilt_deg) * symmetric(num, device=device)
        cos, sin = tilt.cos(), tilt.sin()
        return _matrices([[one, zero, zero], [zero, cos, -sin], [zero, sin, cos]]) @ about_vertical

    def _move_in_time(
        self, x: Tensor, lengths: Tensor, frame_labels: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        b, t = x.shape[:2]
        last = (lengths - 1)[:, None].to(x)  # (B, 1)
        low, high = self.crop
        share = low + (high - low) * uniform(b, 1, device=x.device)
        start = uniform(b, 1, device=x.device) * (1 - share) * last
        moment = (start + share * self.moved_times(lengths, t)).clamp(min=0)
        moment = torch.minimum(moment, last)
        before = moment.floor().long()
        after = torch.minimum(before + 1, last.long())
        rows = torch.arange(b, device=x.device)[:, None]
        moved = torch.lerp(x[rows, before], x[rows, after], (moment - before)[..., None, None])
        if frame_labels is not None:
            labels = frame_labels.gather(1, moment.round().long())
            frame_labels = torch.where(valid_frames(lengths, t), labels, frame_labels)
        return moved, frame_labels


def _matrices(rows: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.stack(row, -1) for row in rows], -2)
