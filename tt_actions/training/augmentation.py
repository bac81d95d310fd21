"""Random augmentation of batches of video clips, on the model's device."""

import math
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tt_actions.errors import UserError

Range = tuple[float, float]

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue when a pixel is converted to grey (ITU-R BT.601)."""


class ClipAugmentation(nn.Module, ABC):
    """Random changes of training clips that keep the class of the stroke.

    They are drawn again for every clip of every batch.

    Args:
        speed: Largest relative change of playing speed, around a random point in time.
        mixup: Parameter *alpha* of MixUp's Beta distribution (Zhang et al. 2018, arXiv:1710.09412); 0
            disables MixUp.

    Raises:
        ValueError: If ``speed`` or ``mixup`` is out of range.
    """

    def __init__(self, speed: float, mixup: float) -> None:
        super().__init__()
        check_shares(speed=speed)
        if mixup < 0:
            raise UserError(f"Expected `mixup` to be at least 0, but got {mixup}.")
        self.speed, self.mixup = speed, mixup

    @abstractmethod
    def forward(
        self, frames: Tensor, lengths: Tensor, frame_labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Augment a batch of clips.

        Args:
            frames: The clips, as the data loader returns them.
            lengths: Number of valid frames of each clip.
            frame_labels: Class of each frame, or None. Labels move in time together with their frames.

        Shape:
            frames ``(B, T, C, ...)``, frame_labels ``(B, T)`` -> the same, frames float32.
        """

    def mix(
        self, x: Tensor, targets: Tensor, frame_targets: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Blend each clip and its targets with another clip of the batch (MixUp).

        Args:
            x: The clips.
            targets: Their class distributions.
            frame_targets: Class distribution of each frame, or None.

        Shape:
            x ``(B, ...)``, targets ``(B, K)``, frame_targets ``(B, T, K)`` -> the same.
        """
        if not self.mixup:
            return x, targets, frame_targets
        alpha = torch.tensor(self.mixup, dtype=torch.float32)
        share = float(torch.distributions.Beta(alpha, alpha).sample())
        other = torch.randperm(len(x), device=x.device)
        if frame_targets is not None:
            frame_targets = frame_targets.lerp(frame_targets[other], 1 - share)
        return x.lerp(x[other], 1 - share), targets.lerp(targets[other], 1 - share), frame_targets

    def moved_times(self, lengths: Tensor, num_frames: int) -> Tensor:
        """Draw a random change of speed and return the point in time that each frame then shows.

        A point may lie outside the clip.

        Args:
            lengths: Number of valid frames of each clip.
            num_frames: Length *T* of the padded batch.

        Shape:
            lengths ``(B,)`` -> ``(B, T)``, in frames.
        """
        b, device = len(lengths), lengths.device
        index = torch.arange(num_frames, device=device).expand(b, num_frames)
        anchor = uniform(b, 1, device=device) * (lengths - 1)[:, None]
        return anchor + (index - anchor) * (1 + self.speed * symmetric(b, 1, device=device))


def check_shares(**shares: float) -> None:
    """Check that all shares lie between 0 and 1.

    Args:
        **shares: The shares, by argument name.

    Raises:
        ValueError: If a share lies outside 0 to 1.
    """
    for name, value in shares.items():
        if not 0 <= value <= 1:
            raise UserError(f"Expected `{name}` to be between 0 and 1, but got {value}.")


class Augmentation(ClipAugmentation):
    """Random changes of video frames: geometry, colours, blur, noise, erased areas and speed.

    All frames of a clip change in the same way, which preserves the motion. A mirrored stroke is the same
    stroke of a player of the other hand, so a flip keeps the class.

    A single channel, or a fourth channel after the colours, contains depth or a silhouette. It is warped with
    the frame, but by nearest-neighbour sampling: interpolation would mix measured with missing pixels. Colour
    changes, blur and noise skip this channel. In an erased rectangle it is marked as not measured.

    Args:
        flip: Probability of a horizontal flip.
        crop: Range of the side of the cropped window, as a share of the frame; its position is random.
        stretch: Largest factor by which the aspect ratio of the window changes; 1 disables it.
        rotation_deg: Largest rotation in degrees.
        brightness: Largest brightness added or subtracted, as a share of full scale.
        contrast: Largest relative change of contrast.
        saturation: Largest relative change of saturation.
        blur: Probability of a 3x3 binomial blur.
        noise: Largest standard deviation of sensor noise, as a share of full scale; half of the clips get
            noise.
        erase: Probability that a random rectangle, up to a third of each side, is painted over.
        speed: Largest relative change of playing speed, around a random instant.
        jitter: Probability that a frame is replaced by the previous or the next one.
        mixup: Parameter *alpha* of MixUp's Beta distribution (Zhang et al. 2018, arXiv:1710.09412), 0 for
            none.

    Raises:
        ValueError: If a probability or a range lies outside its bounds.
    """

    def __init__(
        self,
        flip: float = 0.5,
        crop: Range = (0.8, 1.0),
        stretch: float = 1.1,
        rotation_deg: float = 5.0,
        brightness: float = 0.1,
        contrast: float = 0.2,
        saturation: float = 0.2,
        blur: float = 0.1,
        noise: float = 0.03,
        erase: float = 0.1,
        speed: float = 0.15,
        jitter: float = 0.05,
        mixup: float = 0.0,
    ) -> None:
        super().__init__(speed, mixup)
        check_shares(flip=flip, blur=blur, erase=erase, jitter=jitter)
        if not 0 < crop[0] <= crop[1] <= 1:
            raise UserError(f"Expected `crop` to be a range within (0, 1], but got {crop}.")
        if stretch < 1 or min(rotation_deg, brightness, contrast, saturation, noise) < 0:
            raise UserError(
                "Expected `stretch` to be at least 1, and `rotation_deg`, `brightness`, `contrast`, "
                f"`saturation` and `noise` to be at least 0, but got {stretch}, {rotation_deg}, "
                f"{brightness}, {contrast}, {saturation} and {noise}."
            )
        self.flip, self.crop, self.stretch, self.rotation_deg = flip, crop, stretch, rotation_deg
        self.brightness, self.contrast, self.saturation = brightness, contrast, saturation
        self.blur, self.noise, self.erase = blur, noise, erase
        self.jitter = jitter

    def forward(
        self, frames: Tensor, lengths: Tensor, frame_labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Augment a batch of clips.

        Args:
            frames: The clips, uint8.
            lengths: Number of valid frames of each clip.
            frame_labels: Class of each frame, or None. Labels move in time together with their frames.

        Shape:
            frames ``(B, T, C, H, W)``, uint8, frame_labels ``(B, T)`` -> the same, frames float32 in [0, 1].
        """
        if self.speed or self.jitter:
            index = self._resample_time(lengths, frames.shape[1])
            frames = _take_frames(frames, index)
            frame_labels = None if frame_labels is None else frame_labels.gather(1, index)
        with torch.autocast(frames.device.type, enabled=False):  # the pixels stay float32
            x = frames.contiguous().float()  # in [0, 255]
            num_colours = count_colours(x.shape[2])
            x = self._warp(x, num_colours)
            if num_colours:
                colours = self._recolour(x[:, :, :num_colours])
                colours = self._blur(colours)
                colours = self._add_noise(colours)
                rest = x[:, :, num_colours:]
                x = torch.cat([colours, rest / 255], 2) if rest.shape[2] else colours
            else:
                x = x / 255
            return self._erase(x, num_colours).clamp_(0, 1), frame_labels

    def _resample_time(self, lengths: Tensor, num_frames: int) -> Tensor:
        """Return the index of the frame shown at each time step after the change of speed, ``(B, T)``.

        Padding stays padding.
        """
        b, t, device = len(lengths), num_frames, lengths.device
        last = (lengths - 1)[:, None]  # (B, 1)
        index = torch.arange(t, device=device).expand(b, t)
        moved = self.moved_times(lengths, num_frames).round()
        neighbour = torch.randint(0, 2, (b, t), device=device) * 2 - 1
        moved += neighbour * (uniform(b, t, device=device) < self.jitter)
        moved = torch.minimum(moved.clamp(min=0), last).long()
        return torch.where(index <= last, moved, index)

    def _warp(self, x: Tensor, num_colours: int) -> Tensor:
        b, t, c, h, w = x.shape
        device = x.device
        side = self.crop[0] + (self.crop[1] - self.crop[0]) * uniform(b, device=device)
        stretch = self.stretch ** symmetric(b, device=device)
        width, height = (side * stretch).clamp(max=1), (side / stretch).clamp(max=1)
        mirror = 1 - 2 * (uniform(b, device=device) < self.flip).float()
        angle = math.radians(self.rotation_deg) * symmetric(b, device=device)
        cos, sin, aspect = angle.cos(), angle.sin(), w / h
        shift_x = (1 - width) * symmetric(b, device=device)
        shift_y = (1 - height) * symmetric(b, device=device)
        rows = (
            (mirror * width * cos, -height * sin / aspect, shift_x),
            (mirror * width * sin * aspect, height * cos, shift_y),
        )
        theta = torch.stack([torch.stack(row, -1) for row in rows], dim=1)  # (B, 2, 3)
        grid = F.affine_grid(theta, [b, 1, h, w], align_corners=False)

        def sample(part: Tensor, mode: str) -> Tensor:
            folded = part.reshape(b, t * part.shape[2], h, w)  # all frames of a clip share one grid
            warped = F.grid_sample(folded, grid, mode, padding_mode="border", align_corners=False)
            return warped.view(b, t, -1, h, w)

        if num_colours == c:
            return sample(x, "bilinear")
        parts = x[:, :, :num_colours], x[:, :, num_colours:]
        return torch.cat([sample(parts[0], "bilinear"), sample(parts[1], "nearest")], 2)

    def _recolour(self, x: Tensor) -> Tensor:
        """Change the colours and scale [0, 255] to [0, 1] in one pass."""
        b, t, c, h, w = x.shape
        gain = 1 + self.contrast * symmetric(b, device=x.device)
        shift = 0.5 * (1 - gain) + self.brightness * symmetric(b, device=x.device)
        matrix = torch.eye(c, device=x.device, dtype=x.dtype).expand(b, c, c)
        if c == len(LUMA):
            grey = x.new_tensor(LUMA).expand(c, c)
            colour = (1 + self.saturation * symmetric(b, device=x.device)).view(b, 1, 1)
            matrix = colour * matrix + (1 - colour) * grey
        matrix = matrix * (gain / 255).view(b, 1, 1)
        shift, matrix = shift.view(b, 1, 1).repeat_interleave(t, 0), matrix.repeat_interleave(t, 0)
        return torch.baddbmm(shift, matrix, x.view(b * t, c, h * w)).view_as(x)

    def _blur(self, x: Tensor) -> Tensor:
        chosen = uniform(len(x), device=x.device) < self.blur
        if not chosen.any():
            return x
        clips = F.pad(x[chosen].flatten(0, 1), (1, 1, 1, 1), mode="replicate")  # (N*T, C, H+2, W+2)
        clips = clips[..., :-2] + 2 * clips[..., 1:-1] + clips[..., 2:]
        clips = clips[..., :-2, :] + 2 * clips[..., 1:-1, :] + clips[..., 2:, :]
        x[chosen] = clips.div_(16).view(-1, *x.shape[1:])
        return x

    def _add_noise(self, x: Tensor) -> Tensor:
        if not self.noise:
            return x
        grain = torch.randn_like(x[0]).flatten()  # drawn once: random numbers are the slowest part
        for i in (uniform(len(x), device=x.device) < 0.5).nonzero().flatten().tolist():
            moved = grain.roll(int(torch.randint(len(grain), ())))
            x[i] += moved.view_as(x[i]) * (self.noise * uniform(device=x.device))
        return x

    def _erase(self, x: Tensor, num_colours: int) -> Tensor:
        _, _, c, h, w = x.shape
        for i in (uniform(len(x), device=x.device) < self.erase).nonzero().flatten().tolist():
            top, left, height, width = (uniform(4) * torch.tensor([h, w, h / 3, w / 3])).long().tolist()
            paint = uniform(c, 1, 1, device=x.device)
            paint[num_colours:] = 0
            x[i, :, :, top : top + height + 1, left : left + width + 1] = paint
        return x


def count_colours(num_channels: int) -> int:
    """Return how many channels of a frame are colours; they are the first ones.

    Args:
        num_channels: Number of channels *C* of a frame.

    >>> count_colours(1), count_colours(3), count_colours(4)
    (0, 3, 3)
    """
    return 0 if num_channels == 1 else min(num_channels, len(LUMA))


def check_channels(augmentation: ClipAugmentation | None, num_channels: int) -> None:
    """Check that an augmentation of colours does not get optical flow, which it would treat as colour.

    Args:
        augmentation: The augmentation, or None.
        num_channels: Number of channels of a frame.

    Raises:
        ValueError: If there is an augmentation, and the frames have two channels of flow after the colours.
    """
    if augmentation is not None and num_channels > len(LUMA) + 1:
        raise UserError(
            f"Expected no `augmentation` for frames with {num_channels} channels (colours and optical flow), "
            "but it is set: it would change the flow like a colour. Set `model.augmentation` to null."
        )


def _take_frames(frames: Tensor, index: Tensor) -> Tensor:
    """Select frames ``index`` ``(B, T)`` of clips ``(B, T, C, H, W)``; memory order stays (B, T, H, W, C)."""
    b, t = index.shape
    rows = (torch.arange(b, device=index.device)[:, None] * t + index).flatten()
    pixels = frames.permute(0, 1, 3, 4, 2)  # (B, T, H, W, C)
    return pixels.flatten(0, 1).index_select(0, rows).view(pixels.shape).permute(0, 1, 4, 2, 3)


def uniform(*shape: int, device: torch.device | None = None) -> Tensor:
    """Draw uniform random numbers in [0, 1).

    They are float32, like the pixels, at any training precision.

    Args:
        *shape: Shape of the tensor.
        device: Device of the tensor.
    """
    return torch.rand(shape, device=device, dtype=torch.float32)


def symmetric(*shape: int, device: torch.device) -> Tensor:
    """Draw uniform random numbers in [-1, 1).

    Args:
        *shape: Shape of the tensor.
        device: Device of the tensor.
    """
    return uniform(*shape, device=device) * 2 - 1
