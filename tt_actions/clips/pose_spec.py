"""Spec of the joints that a pose model finds in a video."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tt_actions.clips.specs import InputSpec
from tt_actions.pose.choice import BUILT_IN, open_pose, pose_digests
from tt_actions.pose.video import find_poses, pose_rate
from tt_actions.video.types import Roi, Timed

_VERSION = 3  # increase it when the same video gives other joints


@dataclass(frozen=True)
class PoseSpec(InputSpec):
    """Defines how a video becomes the landmarks of a player: see :func:`tt_actions.pose.video.find_poses`.

    Args:
        fps: Images per second in which to find joints, for videos that are faster.
        roi: Region (x0, y0, x1, y1) in pixels that contains the player, for clips without a region of their
            own; None for the whole image.
        pose: The pose model: ``blazepose``, or ``onnx:`` and the path of a model.
    """

    fps: float
    roi: Roi | None = None
    pose: str = BUILT_IN

    def read(
        self, path: Path, start_s: float = 0.0, end_s: float | None = None, roi: Roi | None = None
    ) -> Timed:
        """Find the landmarks of a clip.

        Args:
            path: The video.
            start_s: Start of the clip in seconds.
            end_s: End of the clip in seconds, or None for the end of the file.
            roi: The clip's own region, or None.

        Raises:
            UnreadableError: If the clip can't be read, or shows no person.
        """
        return find_poses(path, pose_rate(path, self.fps), start_s, end_s, roi or self.roi, self.pose)

    def prepare(self) -> None:
        """Open the pose model once, so that one error is raised for it and not one for each clip.

        The built-in model is downloaded if it is missing.

        Raises:
            UserError: If that fails, or the model can't be run.
        """
        open_pose(self.pose, 1)

    def cache_key(self, roi: Roi | None) -> list[Any]:
        """Return the settings that determine the landmarks, in addition to file content and times.

        Args:
            roi: The clip's own region, or None.
        """
        return ["pose", _VERSION, *pose_digests(self.pose), self.fps, roi or self.roi]
