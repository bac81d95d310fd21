"""The speed of a player's hands in the joints that a pose model finds, scene by scene."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.typical_swing import TypicalSwing
from tt_actions.recognition.swings import Swing
from tt_actions.skeleton.hands import hand_speeds
from tt_actions.skeleton.layouts import find_layout
from tt_actions.skeleton.normalise import resample
from tt_actions.video.types import Timed

LONGEST_GAP_S = 1 / 3
"""Longest time without the player in a scene; a player who is not found for longer may have moved."""

_FULL_RATE = 0.9  # poses that are fewer than this share of the full rate are resampled before smoothing


class SwingReader:
    """Normalises the joints of a player in each scene of a video, and measures the speed of the hands.

    Args:
        spec: How landmarks become normalised joints.
        typical: The typical swing to look for.
        video: The video, for messages.
        fps: Poses per second.
    """

    def __init__(self, spec: JointPreprocessing, typical: TypicalSwing, video: Path, fps: float) -> None:
        self.spec = replace(spec, empty_frames="interpolate")  # dropping frames would shift times
        self.typical, self.video, self.fps = typical, video, fps
        self.layout = find_layout(spec.layout)

    def scenes(
        self, poses: np.ndarray, times_s: np.ndarray, is_new_scene: np.ndarray
    ) -> Iterator[tuple[slice, Timed, Timed]]:
        """Yield the images, the joints and the speed of the faster hand in each scene with the player.

        Args:
            poses: The landmarks in each image.
            times_s: Time of each image in seconds.
            is_new_scene: Whether the video was cut before each image.

        Shape:
            poses ``(T, 33, 6)``, times_s and is_new_scene ``(T,)``.
        """
        for scene in find_scenes(poses, times_s, is_new_scene):
            joints = self.find_joints(poses[scene], times_s[scene])
            yield scene, joints, self.find_speed(joints)

    def find_joints(self, poses: np.ndarray, times_s: np.ndarray) -> Timed:
        """Return the smooth positions of the joints in a scene, NaN if missing.

        Args:
            poses: The landmarks in each image. If there are fewer than usual, more are interpolated, so that
                smoothing covers the same time.
            times_s: Time of each image in seconds.

        Shape:
            poses ``(T, 33, 6)``, times_s ``(T,)`` -> values ``(S, V, C)``.
        """
        return smooth_joints(self.spec, self.video, poses, times_s, self.fps)

    def find_speed(self, joints: Timed) -> Timed:
        """Return the speed of the faster hand in a scene, in trunk lengths per second.

        Args:
            joints: Positions, NaN if missing.
        """
        complete, at_s = self.spec.complete(*joints, self.video, is_timed=True)
        return Timed(hand_speeds(complete, self.layout, self.spec.fps).max(1), at_s)

    def cut(self, joints: Timed, swing: Swing) -> Timed:
        """Return the normalised joints during a swing.

        Args:
            joints: Positions in the scene, NaN if missing.
            swing: The swing.
        """
        return self.spec.complete(*during(joints, swing.start_s, swing.end_s), self.video, is_timed=True)


def smooth_joints(
    spec: JointPreprocessing, video: Path, poses: np.ndarray, times_s: np.ndarray, fps: float
) -> Timed:
    """Return the smooth positions of the joints in a scene, NaN if missing.

    Args:
        spec: How landmarks become joints.
        video: The video, for messages.
        poses: The landmarks in each image. If there are fewer than usual, more are interpolated, so that
            smoothing covers the same time.
        times_s: Time of each image in seconds.
        fps: The usual number of poses per second.

    Shape:
        poses ``(T, 33, 6)``, times_s ``(T,)`` -> values ``(S, V, C)``.
    """
    if len(times_s) - 1 < _FULL_RATE * fps * (times_s[-1] - times_s[0]):
        poses, times_s = resample(poses, times_s, fps)
    return Timed(spec.convert_landmarks(poses, video), times_s)


def during(joints: Timed, start_s: float, end_s: float) -> Timed:
    """Return the part of a series between two times, the end excluded.

    Args:
        joints: The series.
        start_s: Start in seconds.
        end_s: End in seconds.
    """
    first, last = np.searchsorted(joints.times_s, [start_s - 1e-6, end_s - 1e-6])
    return Timed(joints.values[first:last], joints.times_s[first:last])


def find_scenes(poses: np.ndarray, times_s: np.ndarray, is_new_scene: np.ndarray) -> list[slice]:
    """Return the stretches in which a player is seen without a cut or a gap of a third of a second.

    Args:
        poses: The landmarks in each image.
        times_s: Time of each image in seconds.
        is_new_scene: Whether the video was cut before each image.

    Shape:
        poses ``(T, 33, 6)``, times_s and is_new_scene ``(T,)``.
    """
    step_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else LONGEST_GAP_S
    return split_scenes(~np.isnan(poses[:, 0, 0]), is_new_scene, round(LONGEST_GAP_S / step_s))


def split_scenes(is_found: np.ndarray, is_new_scene: np.ndarray, longest_gap: int) -> list[slice]:
    """Return the stretches in which a player is seen without a cut or a long gap.

    Args:
        is_found: Whether the player is found in each image.
        is_new_scene: Whether the video was cut before each image.
        longest_gap: Number of images in a row that may miss the player.

    Shape:
        is_found and is_new_scene ``(T,)``.

    >>> seen = np.array([False, True, False, True, True, False, False, True])
    >>> split_scenes(seen, np.arange(8) == 4, 1)
    [slice(1, 4, None), slice(4, 5, None), slice(7, 8, None)]
    """
    frames = np.flatnonzero(is_found)
    if not len(frames):
        return []
    scene = np.cumsum(is_new_scene)[frames]
    is_first = (np.diff(frames) > longest_gap + 1) | (np.diff(scene) > 0)
    parts = np.split(frames, np.flatnonzero(is_first) + 1)
    return [slice(int(part[0]), int(part[-1]) + 1) for part in parts]
