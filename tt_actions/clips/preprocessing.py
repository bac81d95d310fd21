"""Preprocessing of a clip between its file and the network."""

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
    """Defines how video becomes the network's input; stored in the checkpoint.

    Args:
        num_frames: Number of frames *T* per clip; with ``sampling: all``, the maximum number.
        sampling: How to choose frames: ``uniform`` spreads them over the clip, ``dense`` takes neighbouring
            frames, ``all`` takes every frame.
        mean: Mean of each colour, subtracted from pixels in [0, 1]. Other channels have fixed means.
        std: Standard deviation of each colour, by which pixels are divided. Other channels have fixed ones.

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
        """Number of channels *C* of a frame."""
        return len(self.channel_means)

    @property
    def channel_means(self) -> tuple[float, ...]:
        """Value subtracted from each channel, in [0, 1]; zero flow becomes 0."""
        return self._by_channel(self.mean, flow.MEAN, depth.MEAN, silhouette.MEAN)

    @property
    def channel_stds(self) -> tuple[float, ...]:
        """Value by which each channel is then divided; flow becomes frame heights per second."""
        return self._by_channel(self.std, flow.STD, depth.STD, silhouette.STD)

    def _by_channel(
        self, colours: tuple[float, ...], of_flow: tuple[float, ...], of_depth: float, of_silhouette: float
    ) -> tuple[float, ...]:
        """Concatenate the values of all channels of a frame."""
        if self.picture == "rgb":
            return (*colours, *of_flow) if self.flow else tuple(colours)
        return {"depth": (of_depth,), "rgbd": (*colours, of_depth), "silhouette": (of_silhouette,)}[
            self.picture
        ]

    @property
    def spec(self) -> FrameSpec:
        """The part of the preprocessing that determines what is decoded and cached."""
        return FrameSpec(**{field.name: getattr(self, field.name) for field in fields(FrameSpec)})

    def read_clip(
        self, path: Path | str, start_s: float = 0.0, end_s: float | None = None, roi: Roi | None = None
    ) -> Timed:
        """Read a clip's frames as input for a trained network.

        Args:
            path: The video file.
            start_s: Start of the clip in seconds.
            end_s: End of the clip in seconds, or None for the end of the file.
            roi: Region (x0, y0, x1, y1) in pixels (default: the preprocessing's region, if it has one).

        Raises:
            UnreadableError: If the clip can't be read.
            ValueError: If the region contains no pixel.
        """
        check_roi(roi)
        frames, times_s = self.read(Path(path), start_s, end_s, roi)
        chosen = sample_indices(len(frames), self.num_frames, self.sampling, training=False)
        return Timed(frames[chosen], times_s[chosen])


def as_colours(frames: np.ndarray) -> np.ndarray:
    """Return displayable frames: their colours, or a single channel in shades of grey.

    Args:
        frames: Frames as :meth:`Preprocessing.read_clip` returns them.

    Shape:
        frames ``(T, H, W, C)`` -> RGB ``(T, H, W, 3)``.
    """
    return frames[..., :3] if frames.shape[-1] > 1 else frames.repeat(3, -1)


def make_preprocessing(plain: Mapping[str, Any]) -> Preprocessing | JointPreprocessing:
    """Create the preprocessing from plain types: for joints if there is a layout, otherwise for frames.

    Args:
        plain: Its fields, as ``dataclasses.asdict`` returns them and a checkpoint stores them.

    Raises:
        ValueError: If a value is out of range.
        TypeError: If a field is unknown or missing.
    """
    if "layout" in plain:
        return JointPreprocessing(**plain)
    if plain.get("picture") == "silhouette":
        # older models of silhouettes, whose checkpoints have no such field, learnt from these
        plain = {"silhouettes": "graph_cut", **plain}
    return Preprocessing(**plain)


def require_frames(preprocessing: Preprocessing | JointPreprocessing) -> Preprocessing:
    """Return the preprocessing if it is for video frames; raise an error otherwise.

    Args:
        preprocessing: The preprocessing of a trained model.

    Raises:
        ValueError: If it is for joints.
    """
    if not isinstance(preprocessing, Preprocessing):
        raise UserError(
            f"Expected a model of video frames, but got a model of joints ({preprocessing.layout}). "
            "Use `tt-actions predict` for joints."
        )
    return preprocessing


def require_video(preprocessing: Preprocessing | JointPreprocessing) -> Preprocessing:
    """Return the preprocessing if it needs only the colours of a video; raise an error otherwise.

    Args:
        preprocessing: The preprocessing of a trained model.

    Raises:
        ValueError: If it is for joints, or for depth or silhouettes.
    """
    preprocessing = require_frames(preprocessing)
    if preprocessing.picture != "rgb":
        raise UserError(
            f"Expected a model of a video's own frames, but this one reads `picture: "
            f"{preprocessing.picture}`, which exists only for single clips. Use a model trained with "
            "`picture: rgb`, or `tt-actions predict`."
        )
    return preprocessing
