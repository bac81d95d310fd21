"""The joints of players in a stretch of video."""

import math
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from threading import current_thread, main_thread
from typing import NamedTuple

import numpy as np

from tt_actions.errors import UnreadableError
from tt_actions.pose.choice import BUILT_IN, open_pose, pose_digests
from tt_actions.pose.model import PoseModel
from tt_actions.pose.tracker import PoseTracker
from tt_actions.skeleton.landmarks import NUM_LANDMARKS
from tt_actions.video.ahead import read_ahead
from tt_actions.video.cuts import Change, CutDetector
from tt_actions.video.frames import check_roi, check_times
from tt_actions.video.info import probe
from tt_actions.video.regions import read_tracks
from tt_actions.video.types import Image, Roi, Timed

POINTS, VISIBILITY, WORLD = slice(0, 2), 2, slice(3, 6)
"""Where the values of a landmark are: position in pixels, visibility, position in metres."""

AHEAD = 8
"""Images that may be decoded in advance."""

_ROW = (NUM_LANDMARKS, 6)
_SAME_RATE = 1.2  # a video that is at most this many times as fast as wanted is read at its own rate
_MOST_THREADS = 4  # more do not make a network of this size faster

# by the networks, and by number of threads
_idle: defaultdict[tuple[tuple[str, ...], int], list[PoseModel]] = defaultdict(list)


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


class PoseFrame(NamedTuple):
    """The joints of the players in one image of a video.

    Args:
        time_s: When the image is shown, in seconds.
        poses: For each player and landmark: x and y in pixels of the upright frame, visibility, and x, y and
            z in metres from the midpoint of the hips as in
            :class:`~tt_actions.skeleton.sequence.JointSequence`; NaN while a player is not found, and where
            the pose model does not know them.
        is_new_scene: Whether the video was cut before this image, or before the odd image in front of it.

    Shape:
        poses ``(P, 33, 6)``, float32.
    """

    time_s: float
    poses: np.ndarray
    is_new_scene: bool


def iter_poses(
    video: Path,
    fps: float,
    rois: Sequence[Roi | None] = (None,),
    start_s: float = 0.0,
    end_s: float | None = None,
    pose: str = BUILT_IN,
) -> Iterator[PoseFrame]:
    """Find the joints of one or more players in a video, image by image.

    The video is decoded once. Each player has a thread.

    Args:
        video: The video.
        fps: Images per second: see :func:`pose_rate`.
        rois: The region (x0, y0, x1, y1) in pixels that contains each player; None for the whole image.
        start_s: Start in seconds.
        end_s: End in seconds, or None for the end of the video.
        pose: The pose model: see :func:`tt_actions.pose.choice.check_pose`.

    Raises:
        VideoError: If the video can't be read.
        UserError: If the pose model is missing.
    """
    for roi in rois:
        check_roi(roi)
    check_times(video, start_s, end_s)
    last_s = math.inf if end_s is None else end_s
    images = read_tracks(video, fps, start_s, last_s, None, "pad", rois, "none", flow=False)
    return _follow(read_ahead(images, AHEAD), fps, rois, pose)


def _follow(
    images: Iterator[tuple[float, tuple[Image, ...]]], fps: float, rois: Sequence[Roi | None], pose: str
) -> Iterator[PoseFrame]:
    with ThreadPoolExecutor(len(rois)) as threads, borrow_models(len(rois), pose) as models:
        poses = ScenePoses(models, threads, fps, rois)
        for time_s, own in images:
            yield poses.push(time_s, own)


@contextmanager
def borrow_models(num: int, pose: str = BUILT_IN) -> Iterator[list[PoseModel]]:
    """Lend pose models that run at the same time, one for each of some players, and keep them for later.

    In the main thread, they share the cores. In another thread, which is usually one of many that read a clip
    each, every model has one core.

    Args:
        num: Number of models.
        pose: The pose model: see :func:`tt_actions.pose.choice.check_pose`.

    Yields:
        The models.

    Raises:
        UserError: If the pose model is missing.
    """
    is_alone = current_thread() is main_thread()
    num_threads = max(1, min(_MOST_THREADS, (os.cpu_count() or 1) // num)) if is_alone else 1
    idle = _idle[pose_digests(pose), num_threads]
    models: list[PoseModel] = []
    for _ in range(num):
        try:
            models.append(idle.pop())
        except IndexError:
            models.append(open_pose(pose, num_threads))
    try:
        yield models
    finally:
        idle.extend(models)


class ScenePoses:
    """The joints of one or more players in images that come one by one.

    Args:
        models: A pose model for each player.
        threads: At least one thread for each player.
        fps: Images per second.
        rois: The region of each player: see :func:`iter_poses`.
    """

    def __init__(
        self, models: Sequence[PoseModel], threads: Executor, fps: float, rois: Sequence[Roi | None]
    ) -> None:
        self.threads = threads
        self.players = [PlayerPoses(model, fps, roi) for model, roi in zip(models, rois, strict=True)]
        self.cuts = CutDetector()

    def push(self, time_s: float, images: Sequence[Image], fps: float | None = None) -> PoseFrame:
        """Return the joints of all players in the next image.

        They are missing in an image that differs greatly from the scene. It is a flash or the first image of
        another scene, and the track of a player must not follow it.

        Args:
            time_s: When the image is shown, in seconds.
            images: The region of each player.
            fps: Images per second at the moment; None if the rate is constant.
        """
        if fps is not None:
            for player in self.players:
                player.tracker.fps = fps
        change = self.cuts.push(images)
        if change is Change.ODD:
            return PoseFrame(time_s, np.full((len(images), *_ROW), np.nan, np.float32), is_new_scene=False)
        is_new_scene = change is Change.CUT
        rows = self.threads.map(PlayerPoses.push, self.players, images, repeat(is_new_scene))
        return PoseFrame(time_s, np.stack(list(rows)), is_new_scene)


class PlayerPoses:
    """The joints of one player in the images of a region.

    Args:
        model: The pose model.
        fps: Images per second.
        roi: The region (x0, y0, x1, y1) in pixels, or None for the whole image.
    """

    def __init__(self, model: PoseModel, fps: float, roi: Roi | None) -> None:
        self.corner = (0, 0) if roi is None else roi[:2]
        self.tracker = PoseTracker(model, fps)

    def push(self, image: Image, is_new_scene: bool = False) -> np.ndarray:
        """Return the landmarks in the next image; see :class:`PoseFrame`.

        Args:
            image: The player's region of the image.
            is_new_scene: Whether the video was cut before this image.

        Shape:
            image ``(H, W, 3)`` -> ``(33, 6)``.
        """
        found = self.tracker.push(image, is_new_scene)
        row = np.full(_ROW, np.nan, np.float32)
        if found is not None:
            row[:, POINTS] = found.points + self.corner
            row[:, VISIBILITY] = found.visibility
            row[:, WORLD] = found.world
        return row


def find_poses(
    video: Path,
    fps: float,
    start_s: float = 0.0,
    end_s: float | None = None,
    roi: Roi | None = None,
    pose: str = BUILT_IN,
) -> Timed:
    """Find the joints of one player in a stretch of video.

    Args:
        video: The video.
        fps: Images per second: see :func:`pose_rate`.
        start_s: Start in seconds.
        end_s: End in seconds, or None for the end of the video.
        roi: Region (x0, y0, x1, y1) in pixels that contains the player; None for the whole image.
        pose: The pose model: see :func:`tt_actions.pose.choice.check_pose`.

    Returns:
        The landmarks in each image: see :class:`PoseFrame`.

    Shape:
        values ``(T, 33, 6)``, float32.

    Raises:
        VideoError: If the video can't be read.
        UnreadableError: If no player is found.
        UserError: If the pose model is missing.
    """
    times_s, values, _ = zip(*iter_poses(video, fps, [roi], start_s, end_s, pose), strict=True)
    poses = np.concatenate(values)
    if np.isnan(poses).all():
        raise no_person(video, start_s, end_s, roi)
    return Timed(poses, np.array(times_s))


def no_person(video: Path, start_s: float, end_s: float | None, roi: Roi | None) -> UnreadableError:
    """Return the error for a stretch of video in which nobody was found.

    Args:
        video: The video.
        start_s: Start in seconds.
        end_s: End in seconds, or None for the end of the video.
        roi: The region in which the player was looked for, or None.
    """
    return UnreadableError(
        f"Expected a player in '{video}' from {start_s:g} s to "
        f"{'the end' if end_s is None else f'{end_s:g} s'}, but no person was found. "
        f"{'Pass' if roi is None else 'Enlarge'} the player's region, or remove the clip."
    )
