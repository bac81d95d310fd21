"""What happens to a clip between its file and the network."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.sampling import Sampling, sample_indices
from tt_actions.clips.specs import FrameSpec
from tt_actions.errors import UserError
from tt_actions.video import depth, flow, silhouette
from tt_actions.video.frames import check_roi
from tt_actions.video.types import Roi, Timed


@dataclass(frozen=True)
class Preprocessing(FrameSpec):
    """How video becomes the network's input; rides in the checkpoint.

    Args:
        num_frames: Frames *T* of a clip; with ``sampling: all`` the most that are taken.
        sampling: Which frames: spread over the clip, a dense window of neighbours, or all.
        mean: Mean of each colour, taken away from pixels in [0, 1]; what is no colour has its own.
        std: Standard deviation of each colour, that pixels are divided by; what is no colour has its own.

    Raises:
        ValueError: If ``num_frames`` is below 1 or a standard deviation is not positive.
    """

    num_frames: int = 16
    sampling: Sampling = "uniform"
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.25, 0.25, 0.25)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_frames < 1:
            raise UserError(f"Expected `num_frames` to be at least 1, but got {self.num_frames}.")
        if len(self.mean) != len(self.std) or min(self.std) <= 0:
            raise UserError(f"Expected as many positive `std` as `mean`, but got {self.std} and {self.mean}.")

    @property
    def num_channels(self) -> int:
        """Channels *C* of a frame."""
        return len(self.channel_means)

    @property
    def channel_means(self) -> tuple[float, ...]:
        """What is taken away from each channel, in [0, 1]: flow that is 0 stays 0."""
        return self._by_channel(self.mean, flow.MEAN, depth.MEAN, silhouette.MEAN)

    @property
    def channel_stds(self) -> tuple[float, ...]:
        """What each channel is divided by then: flow comes in heights of the picture a second."""
        return self._by_channel(self.std, flow.STD, depth.STD, silhouette.STD)

    def _by_channel(
        self, colours: tuple[float, ...], of_flow: tuple[float, ...], of_depth: float, of_silhouette: float
    ) -> tuple[float, ...]:
        """Join what belongs to the channels of a frame."""
        if self.picture == "rgb":
            return (*colours, *of_flow) if self.flow else tuple(colours)
        return {"depth": (of_depth,), "rgbd": (*colours, of_depth), "silhouette": (of_silhouette,)}[
            self.picture
        ]

    @property
    def spec(self) -> FrameSpec:
        """The part that decides what is decoded, and so what is cached."""
        return FrameSpec(**{field.name: getattr(self, field.name) for field in fields(FrameSpec)})

    def read_clip(
        self, path: Path | str, start_s: float = 0.0, end_s: float | None = None, roi: Roi | None = None
    ) -> Timed:
        """Read the frames of a clip that a trained network is shown.

        Args:
            path: The video file.
            start_s: Start of the clip in seconds.
            end_s: End of the clip in seconds, or None for the end of the file.
            roi: Region (x0, y0, x1, y1) in pixels; None for that of the preprocessing, if it has one.

        Raises:
            UnreadableError: If the clip can't be read.
            ValueError: If the region holds no pixel.
        """
        check_roi(roi)
        frames, times_s = self.read(Path(path), start_s, end_s, roi)
        chosen = sample_indices(len(frames), self.num_frames, self.sampling, training=False)
        return Timed(frames[chosen], times_s[chosen])


def as_colours(frames: np.ndarray) -> np.ndarray:
    """Return what can be shown of frames: their colours, or a single channel in shades of grey.

    Args:
        frames: As :meth:`Preprocessing.read_clip` gives them.

    Shape:
        frames ``(T, H, W, C)`` -> RGB ``(T, H, W, 3)``.
    """
    return frames[..., :3] if frames.shape[-1] > 1 else frames.repeat(3, -1)


def make_preprocessing(plain: Mapping[str, Any]) -> Preprocessing | JointPreprocessing:
    """Return the preprocessing that plain types tell: of joints where there is a layout, else of frames.

    Args:
        plain: Its fields, as ``dataclasses.asdict`` gives them and a checkpoint holds them.

    Raises:
        ValueError: If a value is out of its range.
        TypeError: If a field is unknown or missing.
    """
    return JointPreprocessing(**plain) if "layout" in plain else Preprocessing(**plain)


def require_frames(how: Preprocessing | JointPreprocessing) -> Preprocessing:
    """Return the preprocessing where it is of frames, and refuse it else.

    Args:
        how: What a model was trained with.

    Raises:
        ValueError: If it is of joints.
    """
    if not isinstance(how, Preprocessing):
        raise UserError(
            f"Expected a model of video frames, but got one of joints ({how.layout}). Joints are tested and "
            "predicted: `tt-actions predict`."
        )
    return how


def require_video(how: Preprocessing | JointPreprocessing) -> Preprocessing:
    """Return the preprocessing where a video alone is enough for it, and refuse it else.

    Args:
        how: What a model was trained with.

    Raises:
        ValueError: If it is of joints, or of frames of another kind than a video's colours.
    """
    how = require_frames(how)
    if how.picture != "rgb":
        raise UserError(
            f"Expected a model of a video's own frames, but this one reads `picture: {how.picture}`, "
            "clip by clip. Use one that was trained with `picture: rgb`, or `tt-actions predict`."
        )
    return how
