"""What happens to joints between their file and the network."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from tt_actions.clips.sampling import Sampling, sample_indices
from tt_actions.clips.specs import InputSpec
from tt_actions.errors import UnreadableError, UserError
from tt_actions.skeleton.files import read_joints
from tt_actions.skeleton.layouts import PATHS, find_layout
from tt_actions.skeleton.normalise import centre_of, face_camera, fill_gaps, place_unseen, trunk_length
from tt_actions.video.types import Roi, Timed

Centre = Literal["frame", "clip", "joint"]
_MOST_TIMES = 100  # as many frames at the wanted rate as in the file: more, and times are in another unit

EmptyFrames = Literal["interpolate", "drop"]


@dataclass(frozen=True)
class JointSpec(InputSpec):
    """How a file of joints becomes normalised joints over time.

    Frames before the first and after the last in which anything is seen are cut off. Places are relative to
    the hips' middle, in lengths of the trunk, and in space turned about the vertical to face the camera. A
    path of one joint is relative to its middle, in metres; one in a picture in its own mean extent.

    Args:
        layout: Name of the layout: ``ntu25``, ``kinect20``, ``thetis15``, ``coco17``, ``movenet13``, or a
            path: ``racket``, ``ball``, ``ball2d``.
        fps: Frames a second: those of a file that does not tell; a file that does is brought to them.
        centre: Whether the hips' middle of every ``frame`` is the origin, or its mean over the ``clip``,
            which keeps where the player goes, or of every ``joint`` its own mean place, relative to the hips,
            which takes away build and posture and leaves movement alone.
        face_camera: Whether to turn bodies in space.
        empty_frames: What becomes of frames in which nothing is seen: filled in, or left out.
        longest_gap: Number of frames that are bridged where a joint is missing; over more it stands still.

    Raises:
        ValueError: If a value is out of its range.
    """

    layout: str
    fps: float = 30.0
    centre: Centre = "frame"
    face_camera: bool = True
    empty_frames: EmptyFrames = "interpolate"
    longest_gap: int = 10

    def __post_init__(self) -> None:
        find_layout(self.layout)
        if not 0 < self.fps < float("inf"):
            raise UserError(f"Expected `fps` to be positive, but got {self.fps}.")
        if self.centre not in get_args(Centre) or self.empty_frames not in get_args(EmptyFrames):
            raise UserError(
                f"Expected `centre` out of {get_args(Centre)} and `empty_frames` out of "
                f"{get_args(EmptyFrames)}, but got '{self.centre}' and '{self.empty_frames}'."
            )
        if self.longest_gap < 0:
            raise UserError(f"Expected `longest_gap` to be at least 0, but got {self.longest_gap}.")

    def cache_key(self, roi: Roi | None) -> list[Any]:
        """Return what decides on the joints beside the file's content and the times.

        Args:
            roi: The clip's own region; none of joints.

        Raises:
            UnreadableError: If there is a region.
        """
        _refuse_region(roi)
        return [getattr(self, field.name) for field in fields(JointSpec)]

    def read(
        self, path: Path, start_s: float = 0.0, end_s: float | None = None, roi: Roi | None = None
    ) -> Timed:
        """Read the normalised joints of a clip.

        Args:
            path: The file; see :func:`tt_actions.skeleton.files.read_joints`.
            start_s: Start of the clip in seconds.
            end_s: End of the clip in seconds, or None for the end of the file.
            roi: None: joints have no region.

        Returns:
            The joints ``(T, V, C)``, float32, and their times.

        Raises:
            UnreadableError: If the clip can't be read, or nobody is seen in it.
        """
        _refuse_region(roi)
        layout = find_layout(self.layout)
        sequence = read_joints(path, layout)
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
        is_seen = ~np.isnan(joints).any(-1).all(1)
        if not is_seen.any():
            raise UnreadableError(
                f"Expected joints in '{path}' from {start_s:g} s to {'the end' if end_s is None else end_s}, "
                "but nothing is seen there. Correct the times or leave the clip out."
            )
        if self.empty_frames == "drop":
            joints, times_s = joints[is_seen], times_s[: is_seen.sum()]
        else:
            first, last = np.flatnonzero(is_seen)[[0, -1]]
            joints, times_s = joints[first : last + 1], times_s[first : last + 1]
        joints = place_unseen(fill_gaps(joints, self.longest_gap), layout)
        if sequence.times_s is not None:
            if (times_s[-1] - times_s[0]) * self.fps > _MOST_TIMES * len(times_s):
                raise UnreadableError(
                    f"Expected times in seconds in '{path}', but its {len(times_s)} frames last "
                    f"{times_s[-1] - times_s[0]:g}. Bring them to seconds."
                )
            joints, times_s = resample(joints, times_s, self.fps)
        return Timed(self.normalise(joints, path), times_s)

    def normalise(self, joints: np.ndarray, path: Path) -> np.ndarray:
        """Take away where the body is, how large it is and, in space, where it faces.

        Args:
            joints: Places, none missing.
            path: Where they come from, for what is told of them.

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
                f"Expected a body in '{path}' whose shoulders are apart from its hips, but they fall "
                "together. Look whether the file is of `layout` "
                f"{self.layout}, or leave the clip out."
            )
        if not is_path or layout.num_coordinates == 2:
            joints = joints / size
        if self.face_camera and layout.num_coordinates == 3 and not is_path:
            joints = face_camera(joints, layout)
        if self.centre == "joint":
            joints = joints - joints.mean(0)
        return np.ascontiguousarray(joints, np.float32)


def _extent(joints: np.ndarray) -> float:
    """The mean distance from the middle; 1 for what does not move."""
    return float(np.linalg.norm(joints, axis=-1).mean()) or 1.0


def _refuse_region(roi: Roi | None) -> None:
    if roi is not None:
        raise UnreadableError(
            f"Expected no region of a file of joints, but got {roi}. Leave x0, y0, x1 and y1 empty."
        )


def resample(joints: np.ndarray, times_s: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Bring joints to a rate, along straight lines between frames.

    Args:
        joints: Places.
        times_s: When they are.
        fps: The rate.

    Returns:
        Places and times from the first time on.

    Shape:
        joints ``(T, V, C)``, times_s ``(T,)`` -> ``(S, V, C)``, ``(S,)``.

    >>> x, times_s = resample(np.array([0.0, 4.0, 8.0]).reshape(3, 1, 1), np.array([0, 0.5, 1]), 4)
    >>> x.ravel().tolist(), times_s.tolist()
    ([0.0, 2.0, 4.0, 6.0, 8.0], [0.0, 0.25, 0.5, 0.75, 1.0])
    """
    num = int((times_s[-1] - times_s[0]) * fps + 1e-6) + 1
    wanted_s = times_s[0] + np.arange(num) / fps
    flat = joints.reshape(len(joints), -1)
    moved = np.stack([np.interp(wanted_s, times_s, column) for column in flat.T], 1)
    return moved.reshape(num, *joints.shape[1:]).astype(joints.dtype), wanted_s


@dataclass(frozen=True)
class JointPreprocessing(JointSpec):
    """How joints become the network's input; rides in the checkpoint.

    Args:
        num_frames: Frames *T* of a clip; with ``sampling: all`` the most that are taken.
        sampling: Which frames: spread over the clip, a dense window of neighbours, or all.

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
        """Coordinates of a joint."""
        return find_layout(self.layout).num_coordinates

    @property
    def spec(self) -> JointSpec:
        """The part that decides what is cached."""
        return JointSpec(**{field.name: getattr(self, field.name) for field in fields(JointSpec)})

    def read_clip(
        self, path: Path | str, start_s: float = 0.0, end_s: float | None = None, roi: Roi | None = None
    ) -> Timed:
        """Read the joints of a clip that a trained network is shown.

        Args:
            path: The file of joints.
            start_s: Start of the clip in seconds.
            end_s: End of the clip in seconds, or None for the end of the file.
            roi: None: joints have no region.

        Raises:
            UnreadableError: If the clip can't be read.
        """
        joints, times_s = self.read(Path(path), start_s, end_s, roi)
        chosen = sample_indices(len(joints), self.num_frames, self.sampling, training=False)
        return Timed(joints[chosen], times_s[chosen])
