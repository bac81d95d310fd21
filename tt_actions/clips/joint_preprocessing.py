"""Preprocessing of joints between their file, or a video, and the network."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from tt_actions.clips.pose_spec import PoseSpec
from tt_actions.clips.sampling import Sampling, sample_indices
from tt_actions.clips.specs import InputSpec
from tt_actions.errors import UnreadableError, UserError
from tt_actions.pose.choice import BUILT_IN, check_layout
from tt_actions.pose.joints import joints_of
from tt_actions.pose.video import pose_rate
from tt_actions.skeleton.files import SUFFIXES, read_joints
from tt_actions.skeleton.layouts import PATHS, find_layout
from tt_actions.skeleton.normalise import (
    centre_of,
    face_camera,
    fill_gaps,
    place_unseen,
    resample,
    trunk_length,
)
from tt_actions.video.frames import check_roi
from tt_actions.video.types import Roi, Timed

Centre = Literal["frame", "clip", "joint"]
_MAX_FRAME_RATIO = 100  # if resampling gives more frames than this per frame, times are in another unit

EmptyFrames = Literal["interpolate", "drop"]


@dataclass(frozen=True)
class JointSpec(InputSpec):
    """Defines how a joint file, or a video, becomes a normalised joint sequence.

    In a video, a pose model finds the joints of one player (:mod:`tt_actions.pose`).

    Frames before the first and after the last in which a joint is visible are cut off. Positions are relative
    to the midpoint of the hips, in trunk lengths. 3D bodies are rotated about the vertical axis to face the
    camera. A 3D trajectory of one joint is relative to its mean position, in metres. A 2D trajectory is also
    relative to its mean position, in units of its mean distance from there.

    Args:
        layout: Name of the joint layout: ``blazepose33``, ``ntu25``, ``kinect20`` or ``thetis15`` in space,
            ``blazepose33_2d``, ``coco17`` or ``movenet13`` in the image, or of a trajectory: ``racket``,
            ``ball`` or ``ball2d``.
        fps: Frames per second. A file with another rate is resampled to it. A file that does not give its
            rate is assumed to have it.
        centre: What to subtract. ``frame`` subtracts the midpoint of the hips in each frame. ``clip``
            subtracts its mean over the clip, which keeps the player's movement across the court. ``joint``
            subtracts the mean position of each joint relative to the hips, which removes build and posture
            and keeps only movement.
        face_camera: Whether to rotate 3D bodies so that they face the camera.
        empty_frames: What to do with frames in which no joint is visible: ``interpolate`` fills them in,
            ``drop`` removes them.
        longest_gap: Longest gap, in frames, over which a missing joint is interpolated. In longer gaps the
            joint keeps its last position.
        roi: Region (x0, y0, x1, y1) in pixels that contains the player, for videos without a region of their
            own; None for the whole image.
        pose: What finds the joints in a video: ``blazepose``, the built-in model, or ``onnx:`` and the path
            of a model of COCO's keypoints (:mod:`tt_actions.pose.keypoints`), for layouts in the image.

    Raises:
        ValueError: If a value is out of range.
    """

    layout: str
    fps: float = 30.0
    centre: Centre = "frame"
    face_camera: bool = True
    empty_frames: EmptyFrames = "interpolate"
    longest_gap: int = 10
    roi: Roi | None = None
    pose: str = BUILT_IN

    def __post_init__(self) -> None:
        check_layout(self.pose, find_layout(self.layout))
        object.__setattr__(self, "roi", None if self.roi is None else tuple(self.roi))
        check_roi(self.roi)
        if not 0 < self.fps < float("inf"):
            raise UserError(f"Expected `fps` to be positive, but got {self.fps}.")
        if self.centre not in get_args(Centre) or self.empty_frames not in get_args(EmptyFrames):
            raise UserError(
                f"Expected `centre` to be one of {get_args(Centre)} and `empty_frames` to be one of "
                f"{get_args(EmptyFrames)}, but got '{self.centre}' and '{self.empty_frames}'."
            )
        if self.longest_gap < 0:
            raise UserError(f"Expected `longest_gap` to be at least 0, but got {self.longest_gap}.")

    def cache_key(self, roi: Roi | None) -> list[Any]:
        """Return the settings that determine the joints, in addition to file content and times.

        The pose model is not among them: it only concerns videos, whose landmarks have a key of their own.

        Args:
            roi: The clip's own region, or None.
        """
        return [roi, *(getattr(self, field.name) for field in fields(JointSpec) if field.name != "pose")]

    def source(self, path: Path) -> PoseSpec | None:
        """Return the spec of the landmarks in a video; None for a joint file.

        Args:
            path: The clip's file.
        """
        return PoseSpec(self.fps, self.roi, self.pose) if path.suffix.lower() not in SUFFIXES else None

    def has_pixels(self, path: Path) -> bool:
        """Return whether a clip's file is a video.

        Args:
            path: The clip's file.
        """
        return self.source(path) is not None

    def read(
        self, path: Path, start_s: float = 0.0, end_s: float | None = None, roi: Roi | None = None
    ) -> Timed:
        """Read the normalised joints of a clip.

        Args:
            path: A video, or a joint file: see :func:`tt_actions.skeleton.files.read_joints`.
            start_s: Start of the clip in seconds.
            end_s: End of the clip in seconds, or None for the end of the file.
            roi: Region (x0, y0, x1, y1) in pixels that contains the player in a video; None for a joint file.

        Returns:
            The joints ``(T, V, C)``, float32, and their times.

        Raises:
            UnreadableError: If the clip can't be read, or no joint is visible in it.
        """
        source = self.source(path)
        if source is not None:
            return self.finish(source.read(path, start_s, end_s, roi).values, path, start_s)
        _check_no_region(roi)
        sequence = read_joints(path, find_layout(self.layout))
        joints, times_s = sequence.joints, sequence.times_s
        times_s = np.arange(len(joints)) / self.fps if times_s is None else times_s
        if start_s < 0 or (end_s is not None and end_s > times_s[-1] + 2 / self.fps):
            raise UnreadableError(
                f"Expected times within the {times_s[-1] + 1 / self.fps:.3f} s of '{path}', but got "
                f"{start_s:g} s to {'the end' if end_s is None else f'{end_s:g} s'}. Correct the times."
            )
        inside = times_s >= start_s - 1e-9
        if end_s is not None:
            inside &= times_s < end_s
        joints, times_s = joints[inside], times_s[inside]
        return self.complete(joints, times_s, path, is_timed=sequence.times_s is not None)

    def to_right_handed(self, values: np.ndarray) -> np.ndarray:
        """Swap left and right, so that a left-hander's stroke looks like a right-hander's.

        Args:
            values: Normalised joints.

        Shape:
            values ``(T, V, C)`` -> the same.
        """
        layout = find_layout(self.layout)
        if layout in PATHS:
            return values
        signs = np.array([-1.0, *[1.0] * (layout.num_coordinates - 1)], np.float32)
        return values[:, list(layout.mirrored)] * signs

    def finish(self, values: np.ndarray, path: Path, start_s: float) -> Timed:
        """Compute normalised joints from the landmarks of a video.

        Args:
            values: The landmarks ``(T, 33, 6)``: see :class:`tt_actions.pose.video.PoseFrame`.
            path: The video.
            start_s: Start of the clip in seconds.

        Raises:
            UnreadableError: If the layout is one of trajectories, which a pose model does not find.
        """
        times_s = start_s + np.arange(len(values)) / pose_rate(path, self.fps)
        return self.complete(self.convert_landmarks(values, path), times_s, path, is_timed=True)

    def convert_landmarks(self, values: np.ndarray, path: Path) -> np.ndarray:
        """Convert the landmarks of a video to smooth positions of the joints of the layout.

        Args:
            values: The landmarks: see :class:`tt_actions.pose.video.PoseFrame`.
            path: The video.

        Shape:
            values ``(T, 33, 6)`` -> ``(T, V, C)``, NaN while the player is not found.

        Raises:
            UnreadableError: If the layout is one of trajectories, which a pose model does not find.
        """
        layout = find_layout(self.layout)
        if layout in PATHS:
            raise UnreadableError(
                f"Expected a file of trajectories for `layout` {self.layout}, but '{path}' is a video. "
                "Use the layout of a body, such as blazepose33."
            )
        return joints_of(values, layout)

    def complete(self, joints: np.ndarray, times_s: np.ndarray, path: Path, is_timed: bool) -> Timed:
        """Cut off empty ends, fill gaps, resample and normalise.

        Args:
            joints: Positions, NaN if missing.
            times_s: Time of each frame in seconds.
            path: The file, for messages.
            is_timed: Whether the times are known, so that another frame rate can be noticed.

        Shape:
            joints ``(T, V, C)``, times_s ``(T,)``.

        Raises:
            UnreadableError: If no joint is visible, or the times or the positions make no sense.
        """
        layout = find_layout(self.layout)
        is_visible = ~np.isnan(joints).any(-1).all(1)
        if not is_visible.any():
            raise UnreadableError(
                f"Expected joints in '{path}' at the times of the clip, but no joint is visible there. "
                "Correct the times, or remove the clip."
            )
        if self.empty_frames == "drop":
            joints, times_s = joints[is_visible], times_s[: is_visible.sum()]
        else:
            first, last = np.flatnonzero(is_visible)[[0, -1]]
            joints, times_s = joints[first : last + 1], times_s[first : last + 1]
        joints = place_unseen(fill_gaps(joints, self.longest_gap), layout)
        if is_timed:
            if (times_s[-1] - times_s[0]) * self.fps > _MAX_FRAME_RATIO * len(times_s):
                raise UnreadableError(
                    f"Expected times in seconds in '{path}', but its {len(times_s)} frames span "
                    f"{times_s[-1] - times_s[0]:g}. Convert the times to seconds."
                )
            joints, times_s = resample(joints, times_s, self.fps)
        return Timed(self.normalise(joints, path), times_s)

    def normalise(self, joints: np.ndarray, path: Path) -> np.ndarray:
        """Remove the position, the size and, in 3D, the orientation of the body.

        Args:
            joints: Positions without missing values.
            path: The file, for messages.

        Shape:
            joints ``(T, V, C)`` -> the same, float32.

        Raises:
            UnreadableError: If the trunk has no length.
        """
        layout = find_layout(self.layout)
        centre = centre_of(joints, layout)
        is_path = layout in PATHS
        if self.centre == "clip" or is_path:
            centre = centre.mean(0, keepdims=True)
        joints = joints - centre[:, None]
        size = _extent(joints) if is_path else trunk_length(joints, layout)
        if not is_path and size <= 0:
            raise UnreadableError(
                f"Expected shoulders and hips at different positions in '{path}', but they coincide. "
                f"Check that the file has the `layout` {self.layout}, or remove the clip."
            )
        if not is_path or layout.num_coordinates == 2:
            joints = joints / size
        if self.face_camera and layout.num_coordinates == 3 and not is_path:
            joints = face_camera(joints, layout)
        if self.centre == "joint":
            joints = joints - joints.mean(0)
        return np.ascontiguousarray(joints, np.float32)


def _extent(joints: np.ndarray) -> float:
    """Return the mean distance from the origin, or 1 if nothing moves."""
    return float(np.linalg.norm(joints, axis=-1).mean()) or 1.0


def _check_no_region(roi: Roi | None) -> None:
    if roi is not None:
        raise UnreadableError(
            f"Expected no region for a joint file, but got {roi}. Leave x0, y0, x1 and y1 empty."
        )


@dataclass(frozen=True)
class JointPreprocessing(JointSpec):
    """Defines how joints become the network's input; stored in the checkpoint.

    Args:
        num_frames: Number of frames *T* per clip; with ``sampling: all``, the maximum number.
        sampling: How to choose frames: ``uniform`` spreads them over the clip, ``dense`` takes neighbouring
            frames, ``all`` takes every frame.

    Raises:
        ValueError: If ``num_frames`` is below 1.
    """

    num_frames: int = 64
    sampling: Sampling = "uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_frames < 1:
            raise UserError(f"Expected `num_frames` to be at least 1, but got {self.num_frames}.")

    @property
    def num_channels(self) -> int:
        """Number of coordinates of a joint."""
        return find_layout(self.layout).num_coordinates

    @property
    def spec(self) -> JointSpec:
        """The part of the preprocessing that determines what is cached."""
        return JointSpec(**{field.name: getattr(self, field.name) for field in fields(JointSpec)})

    def read_clip(
        self, path: Path | str, start_s: float = 0.0, end_s: float | None = None, roi: Roi | None = None
    ) -> Timed:
        """Read a clip's joints as input for a trained network.

        Args:
            path: The joint file or the video.
            start_s: Start of the clip in seconds.
            end_s: End of the clip in seconds, or None for the end of the file.
            roi: Region (x0, y0, x1, y1) in pixels that contains the player in a video, or None.

        Raises:
            UnreadableError: If the clip can't be read.
        """
        return self.choose(self.read(Path(path), start_s, end_s, roi))

    def choose(self, joints: Timed) -> Timed:
        """Choose the frames of a clip that a trained network reads.

        Args:
            joints: All frames of the clip.

        Shape:
            joints ``(T, V, C)`` -> at most ``num_frames`` of them.
        """
        chosen = sample_indices(len(joints.values), self.num_frames, self.sampling, training=False)
        return Timed(joints.values[chosen], joints.times_s[chosen])
