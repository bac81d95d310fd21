"""Reading a clip for a trained model: a file, or an array of frames or joints."""

import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.errors import UserError
from tt_actions.skeleton.layouts import find_layout
from tt_actions.video.encoder import write_video
from tt_actions.video.types import Roi

Clip = Path | str | np.ndarray
"""A file, or an array of RGB frames ``(T, H, W, 3)`` or joints ``(T, V, C)``."""

_IN_ARRAY = Path("the array")  # where messages name a file


class ClipInput(NamedTuple):
    """What a network reads of a clip.

    Args:
        values: Frames or joints, as the preprocessing's ``read_clip`` returns them.
        times_s: Their times in seconds.
        has_pixels: Whether they come from a picture, of which a region can be read.
    """

    values: np.ndarray
    times_s: np.ndarray
    has_pixels: bool


def read_clip(
    preprocessing: Preprocessing | JointPreprocessing,
    clip: Clip,
    start_s: float,
    end_s: float | None,
    roi: Roi | None,
    fps: float | None,
) -> ClipInput:
    """Read a clip as input for a trained network.

    Frames of an array become a temporary video, so that they are scaled, cut out and followed like those of
    a file.

    Args:
        preprocessing: How a video, or joints, become the network's input.
        clip: The clip.
        start_s: Start of the clip in seconds.
        end_s: End of the clip in seconds, or None for its end.
        roi: Region (x0, y0, x1, y1) in pixels; None for that of the preprocessing, if it has one.
        fps: Frames per second of an array.

    Raises:
        UnreadableError: If the clip can't be read.
        UserError: If an array has another form, or its rate is missing, or that of a file is given.
    """
    if not isinstance(clip, np.ndarray):
        if fps is not None:
            raise UserError(f"Expected no `fps` with a file, which says it, but got {fps}. Remove it.")
        path = Path(clip)
        return ClipInput(*preprocessing.read_clip(path, start_s, end_s, roi), preprocessing.has_pixels(path))
    if fps is None or not 0 < fps < float("inf"):
        raise UserError(f"Expected `fps`, the frames per second of the array, but got {fps}. Pass it.")
    if isinstance(preprocessing, JointPreprocessing) and clip.ndim == 3:
        return _read_joints(preprocessing, clip, start_s, end_s, roi, fps)
    if clip.ndim != 4 or clip.shape[-1] != 3 or clip.dtype != np.uint8 or not len(clip):
        joints = ", or joints (T, V, C)" if isinstance(preprocessing, JointPreprocessing) else ""
        raise UserError(
            f"Expected RGB frames (T, H, W, 3) as uint8{joints}, but got {clip.dtype} {clip.shape}."
        )
    if isinstance(preprocessing, Preprocessing) and preprocessing.has_depth:
        raise UserError("Expected a file for a model that reads depth, but got an array. Pass a path.")
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "array.mp4"
        write_video(video, clip, fps, crf=0)
        return ClipInput(*preprocessing.read_clip(video, start_s, end_s, roi), has_pixels=True)


def _read_joints(
    preprocessing: JointPreprocessing,
    joints: np.ndarray,
    start_s: float,
    end_s: float | None,
    roi: Roi | None,
    fps: float,
) -> ClipInput:
    layout = find_layout(preprocessing.layout)
    shape = (len(layout.joints), layout.num_coordinates)
    times_s = np.arange(len(joints)) / fps
    inside = (times_s >= start_s - 1e-9) & (times_s < (np.inf if end_s is None else end_s))
    if joints.shape[1:] != shape or not inside.any():
        raise UserError(
            f"Expected joints (T, {shape[0]}, {shape[1]}) of `layout` {layout.name} from {start_s:g} s to "
            f"{'the end' if end_s is None else f'{end_s:g} s'}, but got {joints.shape} at {fps:g} per second."
        )
    if roi is not None:
        raise UserError(f"Expected no `roi` with an array of joints, but got {roi}. Remove it.")
    whole = preprocessing.complete(joints[inside].astype(np.float64), times_s[inside], _IN_ARRAY, True)
    return ClipInput(*preprocessing.choose(whole), has_pixels=False)
