"""Finding the strokes in a video without a trained model, in groups without names."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from string import ascii_uppercase
from typing import NamedTuple

import numpy as np

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.strokes import Stroke
from tt_actions.clips.typical_swing import TypicalSwing
from tt_actions.pose.choice import BUILT_IN, IN_IMAGE, IN_SPACE
from tt_actions.pose.video import pose_rate
from tt_actions.recognition.analysis import MatchAnalysis
from tt_actions.recognition.groups import group_strokes
from tt_actions.recognition.joint_pipeline import PlayerStrokes, ScoredStroke, assemble, find_poses_of
from tt_actions.recognition.players import PlayerTrack
from tt_actions.recognition.pose_log import Poses
from tt_actions.recognition.swing_reader import SwingReader
from tt_actions.recognition.swings import MIN_SPEED, Swing, find_swings, separate
from tt_actions.skeleton.hands import hand_speeds
from tt_actions.skeleton.layouts import Layout
from tt_actions.video.types import Timed

MIN_HAND_SPEED = 4.5
"""Lowest speed of the hand in a swing, in trunk lengths per second.

Nine of ten table-tennis strokes are faster. The arms of some people who walk are as fast.
"""

ANY_SWING = TypicalSwing(seconds=1.6, speed=MIN_HAND_SPEED / MIN_SPEED, contact=0.6)
"""The swing to look for: two strokes of a player are at least 0.8 s apart, half its length."""

PREPARATION = 0.6
"""Highest speed of a preparation or a recovery, relative to that of the stroke."""

NEAR_S = 1.2
"""Longest time between a stroke and its preparation or recovery."""

REMARK = (
    "The strokes have no names, because no model was given. A stroke is where a hand is fast. Strokes that "
    "look alike have the same letter."
)
"""Remark on an analysis without a model."""


def analyze_unnamed(
    video: Path,
    tracks: Sequence[PlayerTrack],
    pose: str | None = None,
    on_progress: Callable[[float], object] | None = None,
) -> MatchAnalysis:
    """Find the strokes in a video without a trained model, and group those that look alike.

    The pose model finds the joints of each player. A stroke is where a hand is fast, relative to the body.
    The joints of left-handers are mirrored: the playing hand is the one that is faster in most strokes.

    Args:
        video: The video file.
        tracks: Name and region of each player.
        pose: The model that finds the joints; None for the built-in one.
        on_progress: Called with the number of seconds of the video that are processed.

    Raises:
        VideoError: If the video can't be read.
        UserError: If the pose model is missing.
    """
    layout = IN_SPACE if pose in (None, BUILT_IN) else IN_IMAGE  # a user's own model finds no depth
    spec = JointPreprocessing(layout, pose=pose or BUILT_IN)
    reader = SwingReader(spec, ANY_SWING, video, pose_rate(video, spec.fps))
    poses = find_poses_of(reader, tracks, on_progress)
    seen = [_find(reader, own, poses) for own in poses.values]
    groups = group_strokes([joints for own in seen for joints in own.joints], reader.layout)
    names = tuple(ascii_uppercase[: max(groups, default=-1) + 1])
    ends = np.cumsum([len(own.swings) for own in seen])[:-1]
    found = [
        PlayerStrokes([_in_group(*each, names) for each in zip(own.swings, part, strict=True)], own.speed)
        for own, part in zip(seen, np.split(groups, ends), strict=True)
    ]
    analysis = assemble(reader, tracks, poses, names, found)
    return replace(analysis, remarks=(*analysis.remarks, REMARK)) if analysis.strokes else analysis


def is_unnamed(analysis: MatchAnalysis) -> bool:
    """Return whether the classes of an analysis are letters of groups.

    Args:
        analysis: The analysis, which may have been read from its files.
    """
    return REMARK in analysis.remarks


class _Seen(NamedTuple):
    """The swings of a player, the right-handed joints of each, and the speed of the faster hand."""

    swings: list[Swing]
    joints: list[np.ndarray]
    speed: np.ndarray


def _find(reader: SwingReader, own: np.ndarray, poses: Poses) -> _Seen:
    """Find the swings of a player in the landmarks ``(T, 33, 6)``."""
    speed = np.full(len(poses.times_s), np.nan)
    swings: list[Swing] = []
    parts: list[np.ndarray] = []
    for scene, joints, speeds in reader.scenes(own, poses.times_s, poses.is_new_scene):
        speed[scene] = np.interp(poses.times_s[scene], speeds.times_s, speeds.values)
        inside = drop_preparations(find_swings(*speeds, reader.typical), speeds)
        parts += [reader.cut(joints, swing).values for swing in inside]
        swings += separate(inside)
    if plays_left(parts, reader.layout, reader.spec.fps):
        parts = [reader.spec.to_right_handed(part) for part in parts]
    return _Seen(swings, parts, speed)


def plays_left(strokes: Sequence[np.ndarray], layout: Layout, fps: float) -> bool:
    """Return whether the left hand is the faster one in most strokes of a player.

    Args:
        strokes: The normalised joints of each stroke.
        layout: Layout of a body.
        fps: Frames per second.

    Shape:
        each of strokes ``(T, V, C)``.
    """
    fastest = [hand_speeds(stroke, layout, fps).max(0) for stroke in strokes]
    return sum(bool(left > right) for left, right in fastest) > len(strokes) / 2


def drop_preparations(swings: Sequence[Swing], speeds: Timed) -> list[Swing]:
    """Leave out swings that prepare a much faster one or follow from it.

    Args:
        swings: Swings of a player in a scene.
        speeds: Speed of the faster hand in the scene.

    >>> speeds = Timed(np.array([0, 5.0, 0, 9.0, 0]), np.arange(5.0))
    >>> at_1_s, at_3_s = Swing(0, 1, 2), Swing(2, 3, 4)
    >>> drop_preparations([at_1_s, at_3_s], speeds) == [at_1_s, at_3_s]
    True
    >>> near = Timed(speeds.values, speeds.times_s / 2)
    >>> drop_preparations([Swing(0, 0.5, 1), Swing(1, 1.5, 2)], near)
    [Swing(start_s=1, contact_s=1.5, end_s=2)]
    """
    highest = np.interp([swing.contact_s for swing in swings], speeds.times_s, speeds.values)
    return [
        swing
        for swing, own in zip(swings, highest, strict=True)
        if not any(
            abs(swing.contact_s - other.contact_s) <= NEAR_S and own < PREPARATION * fastest
            for other, fastest in zip(swings, highest, strict=True)
        )
    ]


def _in_group(swing: Swing, number: int, names: Sequence[str]) -> ScoredStroke:
    stroke = Stroke(names[number], swing.start_s, swing.end_s, swing.contact_s)
    return ScoredStroke(stroke, np.eye(len(names))[number])
