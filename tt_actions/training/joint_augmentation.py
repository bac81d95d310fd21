"""Random changes of joints, batched, on the model's device."""

import math

import torch
from torch import Tensor

from tt_actions.errors import UserError
from tt_actions.models.base import valid_frames
from tt_actions.skeleton.layouts import find_layout
from tt_actions.training.augmentation import ClipAugmentation, Range, check_shares, symmetric, uniform


class JointAugmentation(ClipAugmentation):
    """Random changes of normalised joints; one choice for all frames of a clip, but for noise.

    Args:
        layout: Name of the joints' layout.
        mirror: Probability that left and right change places: the stroke of a player of the other hand. Of
            right-handers alone it makes forehands that look like backhands: 0 is then better.
        rotation_deg: Largest turn about the vertical, or of a picture in its plane.
        tilt_deg: Largest turn about the line from side to side, in space: the camera's height.
        scale: Largest relative change of size, of each axis by itself.
        noise: Largest standard deviation of a joint's place, in lengths of the trunk; each clip its own.
        dropout: Probability that a joint falls together with the one that it hangs on, for the whole clip.
        speed: Largest relative change of playing speed, around a random instant.
        crop: Range of the share of a clip that is kept and stretched to the clip's length.
        mixup: Parameter *alpha* of MixUp's Beta distribution, 0 for none.

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
                "Expected `crop` to be a range within (0, 1], `scale` from 0 to below 1 and no strength to "
                f"be negative, but got {crop}, {scale} and {(rotation_deg, tilt_deg, noise)}."
            )
        self.layout = find_layout(layout)
        self.mirror, self.rotation_deg, self.tilt_deg, self.scale = mirror, rotation_deg, tilt_deg, scale
        self.noise, self.dropout, self.crop = noise, dropout, crop

    def forward(
        self, frames: Tensor, lengths: Tensor, frame_labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Change a batch of clips.

        Args:
            frames: Joints, float32.
            lengths: Number of valid frames of each clip.
            frame_labels: Class of each frame, which moves in time with it, or None.

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
        """A rotation for each clip: ``(B, C, C)``."""
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
