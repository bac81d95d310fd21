"""Finding the strokes in a video from the joints of the players."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.strokes import IDLE, Stroke
from tt_actions.errors import UserError
from tt_actions.pose.video import PoseFrame, iter_poses, pose_rate
from tt_actions.recognition.analysis import MatchAnalysis, PlayerMotion
from tt_actions.recognition.joint_remarks import PoseRates, remark_on_motion
from tt_actions.recognition.players import PlayerTrack
from tt_actions.recognition.stream import append_block
from tt_actions.recognition.swings import MIN_SPEED, Swing, find_swings, separate
from tt_actions.skeleton.hands import hand_speeds
from tt_actions.skeleton.layouts import find_layout
from tt_actions.video.info import probe

if TYPE_CHECKING:
    from tt_actions.recognition.recognizer import Recognizer

_LONGEST_GAP_S = 1 / 3  # a player who is not found for longer may have moved elsewhere


def analyze_joints(
    model: "Recognizer",
    video: Path,
    tracks: Sequence[PlayerTrack],
    on_progress: Callable[[float], object] | None = None,
) -> MatchAnalysis:
    """Find the strokes in a video of any length with a model that reads joints.

    The pose model finds the joints of each player. A stroke is where a hand moves as fast, relative to the
    body, as in the training clips. The model then classifies the time around it, which is as long as these
    clips. Nothing is carried across a cut of the video, or a time at which the player is not found.

    Args:
        model: The trained model, in eval mode.
        video: The video file.
        tracks: Name and region of each player.
        on_progress: Called with the number of seconds of the video that are processed.

    Raises:
        VideoError: If the video can't be read.
        UserError: If the model does not know what a swing is, or the pose model is missing.
    """
    reader = StrokeReader(model, video)
    frames = iter_poses(video, reader.fps, [track.roi for track in tracks], pose=reader.spec.pose)
    poses = gather_poses(frames, on_progress)
    found = [reader.read(own, poses.times_s, poses.is_new_scene) for own in poses.values]
    speeds = np.stack([own.speed for own in found])
    names = tuple(track.name for track in tracks)
    strokes = [replace(s, player=name) for name, own in zip(names, found, strict=True) for s in own.strokes]
    shown_s, ends_s = float(poses.times_s[-1]), probe(video).duration_s
    return MatchAnalysis(
        video=video,
        duration_s=ends_s if shown_s < ends_s < shown_s + 1 / reader.fps else shown_s + 1 / reader.fps,
        class_names=model.class_names,
        players=names,
        strokes=tuple(sorted(strokes, key=lambda stroke: stroke.start_s)),
        frame_classes=(*model.class_names, IDLE),
        times_s=poses.times_s,
        probabilities=np.stack([spread(own, poses.times_s, len(model.class_names)) for own in found]),
        remarks=remark_on_motion(names, speeds, reader.typical, bool(strokes), reader.rates),
        motion=PlayerMotion(
            poses.values, speeds.astype(np.float32), poses.is_new_scene, MIN_SPEED * reader.typical.speed
        ),
    )


class Poses(NamedTuple):
    """The joints of the players in a stretch of video: see :class:`tt_actions.pose.video.PoseFrame`.

    Shape:
        times_s and is_new_scene ``(T,)``, values ``(P, T, 33, 6)``.
    """

    times_s: np.ndarray
    values: np.ndarray
    is_new_scene: np.ndarray


def gather_poses(frames: Iterable[PoseFrame], on_progress: Callable[[float], object] | None = None) -> Poses:
    """Collect the joints of a video image by image.

    Args:
        frames: The joints in each image; at least one image.
        on_progress: Called with the time of every image.
    """
    times_s: list[np.ndarray] = []
    values: list[np.ndarray] = []
    is_new_scene: list[np.ndarray] = []
    for frame in frames:
        append_block(times_s, np.array([frame.time_s]))
        append_block(values, frame.poses[:, None], axis=1)
        append_block(is_new_scene, np.array([frame.is_new_scene]))
        if on_progress is not None:
            on_progress(frame.time_s)
    return Poses(np.concatenate(times_s), np.concatenate(values, 1), np.concatenate(is_new_scene))


class PlayerStrokes(NamedTuple):
    """The strokes of one player.

    Args:
        strokes: The strokes in order.
        probabilities: Probability of each class for each stroke.
        speed: Speed of the faster hand in each image, in trunk lengths per second; NaN while the player is
            not found.

    Shape:
        probabilities ``(N, K)``, speed ``(T,)``.
    """

    strokes: list[Stroke]
    probabilities: np.ndarray
    speed: np.ndarray


class StrokeReader:
    """Finds and classifies the swings in the joints of a player.

    Args:
        model: The trained model, in eval mode.
        video: The video.

    Raises:
        UserError: If the model reads something else, or does not know what a swing is.
    """

    def __init__(self, model: "Recognizer", video: Path) -> None:
        preprocessing = model.preprocessing
        assert isinstance(preprocessing, JointPreprocessing)
        if model.typical_swing is None:
            raise UserError(
                "Expected a model of joints that was trained on clips of one stroke each and knows the speed "
                "of their swings, but got one that does not. Train it again."
            )
        self.model, self.video, self.typical = model, video, model.typical_swing
        self.spec = replace(preprocessing, empty_frames="interpolate")  # dropping frames would shift times
        self.layout = find_layout(preprocessing.layout)
        self.fps = pose_rate(video, preprocessing.fps)
        self.rates = PoseRates(self.fps, preprocessing.fps)

    def read(self, poses: np.ndarray, times_s: np.ndarray, is_new_scene: np.ndarray) -> PlayerStrokes:
        """Find the strokes of a player.

        Args:
            poses: The landmarks in each image.
            times_s: Time of each image in seconds.
            is_new_scene: Whether the video was cut before each image.

        Shape:
            poses ``(T, 33, 6)``, times_s and is_new_scene ``(T,)``.
        """
        speed = np.full(len(times_s), np.nan)
        found: list[tuple[Swing, np.ndarray]] = []
        for scene in split_scenes(~np.isnan(poses[:, 0, 0]), is_new_scene, round(_LONGEST_GAP_S * self.fps)):
            joints = self.spec.convert_landmarks(poses[scene], self.video)
            complete, at_s = self.spec.complete(joints, times_s[scene], self.video, is_timed=True)
            own = hand_speeds(complete, self.layout, self.spec.fps).max(1)
            speed[scene] = np.interp(times_s[scene], at_s, own)
            swings = find_swings(own, at_s, self.typical)
            scores = [self.classify(joints, times_s[scene], swing) for swing in swings]
            found += zip(separate(swings), scores, strict=True)
        strokes = [self._name(swing, scores) for swing, scores in found]
        num_classes = len(self.model.class_names)
        return PlayerStrokes(
            strokes, np.array([scores for _, scores in found]).reshape(-1, num_classes), speed
        )

    def classify(self, joints: np.ndarray, times_s: np.ndarray, swing: Swing) -> np.ndarray:
        """Return the probability of each class for a swing.

        Args:
            joints: Positions in the scene, NaN if missing.
            times_s: Time of each of them in seconds.
            swing: The swing.

        Shape:
            joints ``(T, V, C)``, times_s ``(T,)`` -> ``(K,)``.
        """
        first, last = np.searchsorted(times_s, [swing.start_s - 1e-6, swing.end_s - 1e-6])
        clip = self.spec.complete(joints[first:last], times_s[first:last], self.video, is_timed=True)
        return np.array(list(self.model.classify(*self.spec.choose(clip)).probabilities.values()))

    def _name(self, swing: Swing, scores: np.ndarray) -> Stroke:
        label = self.model.class_names[scores.argmax()]
        return Stroke(label, swing.start_s, swing.end_s, swing.contact_s, min(float(scores.max()), 1.0))


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


def spread(player: PlayerStrokes, times_s: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the probability of each class and of idle time in each image.

    Args:
        player: The strokes of a player.
        times_s: Time of each image in seconds.
        num_classes: Number of classes *K* of strokes.

    Shape:
        times_s ``(T,)`` -> ``(T, K + 1)``, float32.
    """
    probabilities = np.zeros((len(times_s), num_classes + 1), np.float32)
    probabilities[:, -1] = 1
    for stroke, scores in zip(player.strokes, player.probabilities, strict=True):
        first, last = np.searchsorted(times_s, [stroke.start_s, stroke.end_s])
        probabilities[first:last] = [*scores, 0]
    return probabilities
