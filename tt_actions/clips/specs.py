"""Specs of all kinds of input: how a clip's file becomes an array over time."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from tt_actions.errors import UserError
from tt_actions.pose.choice import BUILT_IN, open_pose, pose_digests
from tt_actions.pose.silhouettes import find_silhouettes
from tt_actions.video.depth import check_depth_matches, read_depth
from tt_actions.video.depth_files import find_depth, open_depth
from tt_actions.video.flow import DETAIL
from tt_actions.video.frames import check_request, check_roi, check_times, read_frames
from tt_actions.video.info import probe
from tt_actions.video.regions import Crop, read_tracks
from tt_actions.video.scaling import Aspect
from tt_actions.video.silhouette import HEIGHT, segment, shrink_masks
from tt_actions.video.types import Image, Roi, Timed


class InputSpec(ABC):
    """Defines how a file becomes cached data and network input; a frozen dataclass of plain values.

    Attributes:
        fps: Frames (or other elements of the clip) per second.
    """

    fps: float

    @abstractmethod
    def read(
        self, path: Path, start_s: float = 0.0, end_s: float | None = None, roi: Roi | None = None
    ) -> Timed:
        """Read the values of a clip and their times.

        Args:
            path: The file.
            start_s: Start of the clip in seconds.
            end_s: End of the clip in seconds, or None for the end of the file.
            roi: Region (x0, y0, x1, y1) in pixels, if this kind of input has pixels.

        Raises:
            UnreadableError: If the clip can't be read.
        """

    def files(self, path: Path) -> tuple[Path, ...]:
        """Return the files that determine the values of a clip; by default only the clip's own file.

        Args:
            path: The clip's file.

        Raises:
            UnreadableError: If one of the files can't be found.
        """
        return (path,)

    @abstractmethod
    def cache_key(self, roi: Roi | None) -> list[Any]:
        """Return, as plain values, the settings that determine the result besides file content and times.

        Args:
            roi: The clip's own region, or None.
        """

    def source(self, path: Path) -> "InputSpec | None":  # noqa: ARG002 - for specs that have one
        """Return the spec of an intermediate result that takes long and is therefore cached too, or None.

        Args:
            path: The clip's file.
        """
        return None

    def has_pixels(self, path: Path) -> bool:  # noqa: ARG002 - for specs that also read joint files
        """Return whether a clip's file contains a picture, of which a region can be read.

        Args:
            path: The clip's file.
        """
        return True

    def prepare(self) -> None:  # noqa: B027 - most kinds of input need nothing
        """Get what reading needs besides the files, once before many clips are read."""

    def to_right_handed(self, values: np.ndarray) -> np.ndarray:
        """Mirror the values of a left-handed player's clip, if this kind of input is mirrored.

        Args:
            values: The values of the clip.
        """
        return values

    def finish(self, values: np.ndarray, path: Path, start_s: float) -> Timed:
        """Compute the values of a clip from those of :meth:`source`.

        Args:
            values: The values of the source.
            path: The clip's file.
            start_s: Start of the clip in seconds.

        Raises:
            UnreadableError: If the clip can't be used.
        """
        raise NotImplementedError


Picture = Literal["rgb", "depth", "rgbd", "silhouette"]

Silhouettes = Literal["pose", "graph_cut"]

_SILHOUETTE_VERSION = 1  # increase it when the same video gives other silhouettes by the pose model


@dataclass(frozen=True)
class FrameSpec(InputSpec):
    """Defines how video becomes frames, the first part of a model's preprocessing.

    ``dataclasses.asdict`` returns plain types, and ``FrameSpec(**plain)`` restores the same spec.

    Args:
        fps: Frames per second to sample at, whatever the rate of the file.
        size: Height and width of a frame in pixels.
        aspect: ``pad`` keeps the aspect ratio and pads with black; ``stretch`` does not keep it.
        roi: Region (x0, y0, x1, y1) of the upright frame to cut out before scaling, or None for all of it.
        crop: ``motion`` follows the player within the region (:mod:`tt_actions.video.following`) and cuts out
            a window with the aspect ratio of the frame; ``none`` keeps the whole region.
        flow: Whether to add the optical flow since the previous frame as two channels
            (:mod:`tt_actions.video.flow`).
        picture: What a frame contains: colours (``rgb``), depth (``depth``, one channel), colours with depth
            as a fourth channel (``rgbd``), or the player's silhouette (``silhouette``, one channel).
            :func:`tt_actions.video.depth_files.find_depth` describes where depth files must be; depth must be
            aligned with the colour frames and have their size.
        silhouettes: How to find silhouettes. ``pose`` asks the pose model which pixels show the player
            (:mod:`tt_actions.pose.silhouettes`). ``graph_cut`` needs no network: it segments what moves
            (:mod:`tt_actions.video.silhouette`).
        depth_range_m: Nearest and farthest depth in metres that levels can distinguish; see
            :func:`tt_actions.video.depth.quantise`.

    Raises:
        ValueError: If a value is out of range.
    """

    fps: float
    size: tuple[int, int]
    aspect: Aspect = "pad"
    roi: Roi | None = None
    crop: Crop = "none"
    flow: bool = False
    picture: Picture = "rgb"
    silhouettes: Silhouettes = "pose"
    depth_range_m: tuple[float, float] = (0.5, 8.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", tuple(self.size))
        object.__setattr__(self, "roi", None if self.roi is None else tuple(self.roi))
        object.__setattr__(self, "depth_range_m", tuple(self.depth_range_m))
        check_request(self.fps, self.size, self.aspect, self.roi, self.crop, self.flow)
        self._check_picture()

    def _check_picture(self) -> None:
        if self.picture not in get_args(Picture):
            raise UserError(f"Expected `picture` to be one of {get_args(Picture)}, but got '{self.picture}'.")
        if self.picture != "rgb" and (self.flow or self.crop != "none"):
            raise UserError(
                f"Expected no `flow` and no `crop` with `picture: {self.picture}`, because both need colour "
                f"frames, but got {self.flow} and '{self.crop}'. Set them to false and none."
            )
        if self.silhouettes not in get_args(Silhouettes):
            raise UserError(
                f"Expected `silhouettes` to be one of {get_args(Silhouettes)}, but got '{self.silhouettes}'."
            )
        near, far = self.depth_range_m
        if not 0 <= near < far < math.inf:
            raise UserError(
                f"Expected `depth_range_m` with 0 <= nearest < farthest, but got {self.depth_range_m}."
            )

    @property
    def has_depth(self) -> bool:
        """Whether one of the channels is depth."""
        return self.picture in ("depth", "rgbd")

    @property
    def needs_pose(self) -> bool:
        """Whether the pose model finds the silhouettes."""
        return self.picture == "silhouette" and self.silhouettes == "pose"

    def prepare(self) -> None:
        """Open the pose model once if it finds the silhouettes; it is downloaded if it is missing.

        Raises:
            UserError: If that fails, or the model can't be run.
        """
        if self.needs_pose:
            open_pose(BUILT_IN, 1)

    @property
    def decoded_size(self) -> tuple[int, int]:
        """Height and width to which colours are scaled first: flow and silhouettes need more than a frame."""
        height, width = self.size
        if self.picture == "silhouette" and not self.needs_pose:
            return HEIGHT, max(1, round(HEIGHT / height * width))
        return (height * DETAIL, width * DETAIL) if self.flow else self.size

    def files(self, path: Path) -> tuple[Path, ...]:
        """Return the files that are read for a clip: the video, the depth, or both.

        Args:
            path: The clip's file.

        Raises:
            UnreadableError: If the depth of a video can't be found.
        """
        if not self.has_depth:
            return (path,)
        depth = find_depth(path)
        return (depth,) if self.picture == "depth" else (path, depth)

    def cache_key(self, roi: Roi | None) -> list[Any]:
        """Return the settings that determine the pixels, in addition to file content and times.

        Args:
            roi: The clip's own region, which overrides that of the spec.
        """
        pixels: list[Any] = [roi or self.roi, float(self.fps), self.size, self.aspect, self.crop]
        if self.picture != "rgb":
            pixels += [self.picture, self.depth_range_m if self.has_depth else ()]
        if self.needs_pose:
            pixels += [self.silhouettes, _SILHOUETTE_VERSION, *pose_digests(BUILT_IN)]
        return [*pixels, "flow"] if self.flow else pixels

    def read(
        self, path: Path, start_s: float = 0.0, end_s: float | None = None, roi: Roi | None = None
    ) -> Timed:
        """Read the frames of a clip.

        Args:
            path: The video file.
            start_s: Start of the clip in seconds.
            end_s: End of the clip in seconds, or None for the end of the file.
            roi: The clip's own region, which overrides that of the spec.

        Returns:
            Frames ``(T, H, W, C)``, uint8, and their times.

        Raises:
            UnreadableError: If the clip can't be read, colours and depth differ in length or size, or no
                player is found whose silhouette is wanted.
        """
        if self.needs_pose:
            own = roi or self.roi
            return find_silhouettes(path, self.fps, self.size, self.aspect, start_s, end_s, own)
        if self.picture == "silhouette":
            frames, times_s = self._read_colours(path, start_s, end_s, roi, self.decoded_size)
            return Timed(shrink_masks(segment(frames), self.size), times_s)
        if not self.has_depth:
            return self._read_colours(path, start_s, end_s, roi, self.size)
        pictures = open_depth(find_depth(path), self.fps)
        depth = read_depth(
            pictures, self.fps, self.size, self.aspect, self.depth_range_m, start_s, end_s, roi or self.roi
        )
        if self.picture == "depth":
            return depth
        check_depth_matches(probe(path), pictures)
        colours = self._read_colours(path, start_s, end_s, roi, self.size)
        num = min(len(depth.values), len(colours.values))  # the lengths may differ by a frame
        frames = np.concatenate([colours.values[:num], depth.values[:num]], -1)
        return Timed(frames, colours.times_s[:num])

    def _read_colours(
        self, path: Path, start_s: float, end_s: float | None, roi: Roi | None, size: tuple[int, int]
    ) -> Timed:
        return read_frames(
            path,
            fps=self.fps,
            start_s=start_s,
            end_s=end_s,
            size=size,
            aspect=self.aspect,
            roi=roi or self.roi,
            crop=self.crop,
            flow=self.flow,
        )


def iter_tracks(
    path: Path, spec: FrameSpec, rois: Sequence[Roi | None], start_s: float = 0.0, end_s: float | None = None
) -> Iterator[tuple[float, tuple[Image, ...]]]:
    """Read several regions of a video, decoding it only once, as ``iter_frames`` reads one region.

    Args:
        path: The video file.
        spec: How video becomes frames; its own region is ignored.
        rois: The regions, for example one per player; None for the whole frame.
        start_s: Start in seconds.
        end_s: End in seconds (exclusive), or None for the end of the last frame's display.

    Yields:
        The time in seconds, and the frame of each region.

    Raises:
        VideoError: If the file can't be read, the times or a region lie outside it, or there is no frame.
        ValueError: If a region contains no pixel.
    """
    for roi in rois:
        check_roi(roi)
    check_times(path, start_s, end_s)
    end_s = math.inf if end_s is None else end_s
    return read_tracks(
        Path(path), spec.fps, start_s, end_s, spec.size, spec.aspect, rois, spec.crop, spec.flow
    )
