"""The joints of the players in a stretch of video, gathered image by image."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from tt_actions.pose.video import PoseFrame
from tt_actions.recognition.stream import append_block


class Poses(NamedTuple):
    """The joints of the players in a stretch of video: see :class:`tt_actions.pose.video.PoseFrame`.

    Shape:
        times_s and is_new_scene ``(T,)``, values ``(P, T, 33, 6)``.
    """

    times_s: np.ndarray
    values: np.ndarray
    is_new_scene: np.ndarray


class PoseLog:
    """Gathers the joints of a video."""

    def __init__(self) -> None:
        self._blocks: tuple[list[np.ndarray], ...] = ([], [], [])

    def push(self, frame: PoseFrame) -> None:
        """Add the joints in an image.

        Args:
            frame: The joints.
        """
        rows = np.array([frame.time_s]), frame.poses[:, None], np.array([frame.is_new_scene])
        for blocks, row, axis in zip(self._blocks, rows, (0, 1, 0), strict=True):
            append_block(blocks, row, axis)

    def poses(self) -> Poses:
        """Return the joints so far; at least one image."""
        times_s, values, is_new_scene = self._blocks
        return Poses(np.concatenate(times_s), np.concatenate(values, 1), np.concatenate(is_new_scene))


def gather_poses(frames: Iterable[PoseFrame], on_progress: Callable[[float], object] | None = None) -> Poses:
    """Collect the joints of a video image by image.

    Args:
        frames: The joints in each image; at least one image.
        on_progress: Called with the time of every image.
    """
    log = PoseLog()
    for frame in frames:
        log.push(frame)
        if on_progress is not None:
            on_progress(frame.time_s)
    return log.poses()
