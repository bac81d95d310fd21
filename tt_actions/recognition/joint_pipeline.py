"""Finding the strokes in a video from the joints of the players."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.strokes import IDLE, NO_STROKE, Stroke, is_stroke
from tt_actions.errors import UserError
from tt_actions.pose.video import iter_poses, pose_rate
from tt_actions.recognition.analysis import MatchAnalysis, PlayerMotion
from tt_actions.recognition.joint_remarks import PoseRates, remark_on_motion, remark_on_other_movements
from tt_actions.recognition.players import PlayerTrack
from tt_actions.recognition.pose_log import Poses, gather_poses
from tt_actions.recognition.swing_reader import SwingReader
from tt_actions.recognition.swings import MIN_SPEED, Swing, find_swings, separate
from tt_actions.video.info import probe
from tt_actions.video.types import Timed

if TYPE_CHECKING:
    from tt_actions.recognition.recognizer import Recognizer


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
    reader = StrokeReader(model, video, pose_rate(video, model.preprocessing.fps))
    poses = find_poses_of(reader, tracks, on_progress)
    found = [reader.read(own, poses.times_s, poses.is_new_scene) for own in poses.values]
    return assemble(reader, tracks, poses, reader.class_names, found)


def find_poses_of(
    reader: SwingReader, tracks: Sequence[PlayerTrack], on_progress: Callable[[float], object] | None
) -> Poses:
    """Find the joints of the players in the whole video.

    Args:
        reader: What the joints are for.
        tracks: Name and region of each player.
        on_progress: Called with the number of seconds of the video that are processed.

    Raises:
        VideoError: If the video can't be read.
        UserError: If the pose model is missing.
    """
    rois = [track.roi for track in tracks]
    return gather_poses(iter_poses(reader.video, reader.fps, rois, pose=reader.spec.pose), on_progress)


class ScoredStroke(NamedTuple):
    """A stroke, and the probability of each class of strokes.

    Shape:
        scores ``(K,)``.
    """

    stroke: Stroke
    scores: np.ndarray


class PlayerStrokes(NamedTuple):
    """The strokes of one player.

    Args:
        scored: The strokes in order.
        speed: Speed of the faster hand in each image, in trunk lengths per second; NaN while the player is
            not found.
        num_others: Number of swings that are no strokes.

    Shape:
        speed ``(T,)``.
    """

    scored: list[ScoredStroke]
    speed: np.ndarray
    num_others: int = 0

    @property
    def strokes(self) -> list[Stroke]:
        """The strokes in order."""
        return [each.stroke for each in self.scored]


class StrokeReader(SwingReader):
    """Finds and classifies the swings in the joints of a player.

    A model with a class ``no_stroke`` also tells which swings are strokes.

    Args:
        model: The trained model, in eval mode.
        video: The video, for messages.
        fps: Poses per second.

    Raises:
        UserError: If the model does not know what a swing is.
    """

    def __init__(self, model: "Recognizer", video: Path, fps: float) -> None:
        preprocessing = model.preprocessing
        assert isinstance(preprocessing, JointPreprocessing)
        if model.typical_swing is None:
            raise UserError(
                "Expected a model of joints that was trained on clips of one stroke each and knows the speed "
                "of their swings, but got one that does not. Train it again."
            )
        super().__init__(preprocessing, model.typical_swing, video, fps)
        self.model = model
        self.class_names = tuple(filter(is_stroke, model.class_names))

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
        found: list[ScoredStroke] = []
        num_others = 0
        for scene, joints, own in self.scenes(poses, times_s, is_new_scene):
            speed[scene] = np.interp(times_s[scene], own.times_s, own.values)
            swings = find_swings(*own, self.typical)
            scores = [self.classify(joints, swing) for swing in swings]
            kept = [i for i, own_scores in enumerate(scores) if self.is_stroke(own_scores)]
            found += map(self.name, separate([swings[i] for i in kept]), [scores[i] for i in kept])
            num_others += len(swings) - len(kept)
        return PlayerStrokes(found, speed, num_others)

    def classify(self, joints: Timed, swing: Swing, num_frames: int = 0) -> np.ndarray:
        """Return the probability of each class for a swing.

        Args:
            joints: Positions in the scene, NaN if missing.
            swing: The swing.
            num_frames: Number of frames of the whole swing if it is not over: the model continues it.

        Returns:
            The probabilities ``(K,)`` of the classes of strokes. If the model knows what is no stroke, their
            sum is the probability of a stroke.
        """
        part = self.cut(joints, swing)
        clip = self.spec.choose(self._continue(part, num_frames) if num_frames > len(part.values) else part)
        probabilities = self.model.classify(*clip).probabilities
        return np.array([probabilities[name] for name in self.class_names])

    def is_stroke(self, scores: np.ndarray) -> bool:
        """Return whether a swing is more probably a stroke than not.

        Args:
            scores: Probability of each class of strokes.

        Shape:
            scores ``(K,)``.
        """
        return NO_STROKE not in self.model.class_names or bool(scores.sum() >= 0.5)

    def _continue(self, part: Timed, num_frames: int) -> Timed:
        known = torch.from_numpy(part.values).movedim(-1, 1)[None].to(self.model.device)
        whole = self.model.network.continue_clips(known, num_frames)[0].movedim(1, -1).cpu().numpy()
        return Timed(whole, part.times_s[0] + np.arange(num_frames) / self.spec.fps)

    def name(self, swing: Swing, scores: np.ndarray) -> ScoredStroke:
        """Return the stroke that a swing most probably is.

        Args:
            swing: The swing.
            scores: Probability of each class of strokes.

        Shape:
            scores ``(K,)``.
        """
        label = self.class_names[scores.argmax()]
        confidence = min(float(scores.max()), 1.0)
        return ScoredStroke(Stroke(label, swing.start_s, swing.end_s, swing.contact_s, confidence), scores)


def assemble(
    reader: SwingReader,
    tracks: Sequence[PlayerTrack],
    poses: Poses,
    class_names: tuple[str, ...],
    found: Sequence[PlayerStrokes],
) -> MatchAnalysis:
    """Put the strokes of all players together.

    Args:
        reader: What found them.
        tracks: Name and region of each player.
        poses: The joints of the players.
        class_names: Names of the classes.
        found: The strokes of each player.
    """
    speeds = np.stack([own.speed for own in found])
    names = tuple(track.name for track in tracks)
    strokes = [replace(s, player=name) for name, own in zip(names, found, strict=True) for s in own.strokes]
    num_others = sum(own.num_others for own in found)
    rates = PoseRates(reader.fps, reader.spec.fps)
    shown_s, ends_s = float(poses.times_s[-1]), probe(reader.video).duration_s
    return MatchAnalysis(
        video=reader.video,
        duration_s=ends_s if shown_s < ends_s < shown_s + 1 / reader.fps else shown_s + 1 / reader.fps,
        class_names=class_names,
        players=names,
        strokes=tuple(sorted(strokes, key=lambda stroke: stroke.start_s)),
        frame_classes=(*class_names, IDLE),
        times_s=poses.times_s,
        probabilities=np.stack([spread(own.scored, poses.times_s, len(class_names)) for own in found]),
        remarks=(
            *remark_on_motion(
                names, speeds, reader.typical, [bool(own.scored or own.num_others) for own in found], rates
            ),
            *remark_on_other_movements(num_others),
        ),
        motion=PlayerMotion(
            poses.values, speeds.astype(np.float32), poses.is_new_scene, MIN_SPEED * reader.typical.speed
        ),
        rois=tuple(track.roi for track in tracks),
    )


def spread(strokes: Sequence[ScoredStroke], times_s: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the probability of each class and of idle time in each image.

    Args:
        strokes: The strokes of a player.
        times_s: Time of each image in seconds.
        num_classes: Number of classes *K* of strokes.

    Shape:
        times_s ``(T,)`` -> ``(T, K + 1)``, float32.
    """
    probabilities = np.zeros((len(times_s), num_classes + 1), np.float32)
    probabilities[:, -1] = 1
    for stroke, scores in strokes:
        first, last = np.searchsorted(times_s, [stroke.start_s, stroke.end_s])
        probabilities[first:last] = [*scores, max(0.0, 1 - scores.sum())]
    return probabilities
