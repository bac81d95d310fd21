"""The joints of a player in a stretch of video."""

from pathlib import Path
from threading import local

import numpy as np

from tt_actions.errors import UnreadableError
from tt_actions.pose.blazepose import BlazePose, Landmarks
from tt_actions.pose.tracker import PoseTracker
from tt_actions.pose.weights import find_weights
from tt_actions.skeleton.landmarks import NUM_LANDMARKS
from tt_actions.video.frames import iter_frames
from tt_actions.video.info import probe
from tt_actions.video.types import Roi, Timed

POINTS, VISIBILITY, WORLD = slice(0, 2), 2, slice(3, 6)
"""Where the values of a landmark are: position in pixels, visibility, position in metres."""

_SAME_RATE = 1.2  # a video that is at most this many times as fast as wanted is read at its own rate

_of_thread = local()


def pose_rate(video: Path, fps: float) -> float:
    """Return the number of images per second in which to find the joints of a video.

    Args:
        video: The video.
        fps: The wanted rate.

    Returns:
        The wanted rate, or the video's own if that is lower or about the same.

    Raises:
        VideoError: If the video can't be read.
    """
    own = probe(video).fps
    return own if own <= _SAME_RATE * fps else fps


def find_poses(
    video: Path, fps: float, start_s: float = 0.0, end_s: float | None = None, roi: Roi | None = None
) -> Timed:
    """Find the joints of one player in a stretch of video.

    Args:
        video: The video.
        fps: Images per second: see :func:`pose_rate`.
        start_s: Start in seconds.
        end_s: End in seconds, or None for the end of the video.
        roi: Region (x0, y0, x1, y1) in pixels that contains the player; None for the whole image.

    Returns:
        For each image and landmark: x and y in pixels of the upright frame, visibility, and x, y and z in
        metres from the midpoint of the hips as in :class:`~tt_actions.skeleton.sequence.JointSequence`. They
        are NaN while no player is found.

    Shape:
        values ``(T, 33, 6)``, float32.

    Raises:
        VideoError: If the video can't be read.
        UnreadableError: If no player is found.
        UserError: If the pose model is missing.
    """
    tracker = PoseTracker(_model_of_thread(), fps)
    corner = (0, 0) if roi is None else roi[:2]
    values, times_s = [], []
    for time_s, image in iter_frames(video, fps=fps, start_s=start_s, end_s=end_s, roi=roi):
        values.append(_row(tracker.push(image), corner))
        times_s.append(time_s)
    poses = np.stack(values)
    if np.isnan(poses).all():
        raise UnreadableError(
            f"Expected a player in '{video}' from {start_s:g} s to "
            f"{'the end' if end_s is None else f'{end_s:g} s'}, but no person was found. "
            f"{'Pass' if roi is None else 'Enlarge'} the player's region, or remove the clip."
        )
    return Timed(poses, np.array(times_s))


def _row(found: Landmarks | None, corner: tuple[int, ...]) -> np.ndarray:
    row = np.full((NUM_LANDMARKS, 6), np.nan, np.float32)
    if found is not None:
        row[:, POINTS] = found.points + corner
        row[:, VISIBILITY] = found.visibility
        row[:, WORLD] = found.world
    return row


def _model_of_thread() -> BlazePose:
    if not hasattr(_of_thread, "model"):
        _of_thread.model = BlazePose(find_weights())
    model: BlazePose = _of_thread.model
    return model
