"""A live video for a model of joints."""

import time
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from tt_actions.clips.strokes import IDLE, Stroke, is_stroke
from tt_actions.match.live.frames import FramePicker, LiveFrame, PoseRate
from tt_actions.match.live.part import Found, LivePart, LiveReader, Now
from tt_actions.pose.model import PoseModel
from tt_actions.pose.regions import Region
from tt_actions.pose.video import ScenePoses, borrow_models
from tt_actions.recognition.analysis import PlayerMotion
from tt_actions.recognition.joint_pipeline import ScoredStroke, StrokeReader, spread
from tt_actions.recognition.players import PlayerTrack
from tt_actions.recognition.pose_log import PoseLog
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.recognition.swing_stream import WAIT_S, SwingStream
from tt_actions.recognition.swings import MIN_SPEED
from tt_actions.skeleton.landmarks import NUM_LANDMARKS
from tt_actions.video.scaling import Scaler

_WARM_SIZE = 256
_SHOWN_S = 1.0  # time after contact for which a stroke is the current one


class JointPart(LivePart):
    """Finds the joints of each player, and the swings in them.

    Args:
        reader: What finds and classifies the swings.
        models: A pose model for each player.
        threads: At least one thread for each player.
        tracks: Regions of the players.
        wait_s: Seconds from contact to the report.
    """

    def __init__(
        self,
        reader: StrokeReader,
        models: Sequence[PoseModel],
        threads: Executor,
        tracks: Sequence[PlayerTrack],
        wait_s: float,
    ) -> None:
        self.reader, self.tracks = reader, tracks
        self.scalers = [Scaler(reader.video, roi=track.roi) for track in tracks]
        self.poses = ScenePoses(models, threads, reader.fps, [track.roi for track in tracks])
        self.streams = [SwingStream(reader, wait_s) for _ in tracks]
        self.found: list[list[ScoredStroke]] = [[] for _ in tracks]
        self.log = PoseLog()
        self.last_s: float | None = None

    def push(self, frames: Sequence[LiveFrame]) -> Found:
        """Process the next frames.

        Args:
            frames: The frames.

        Raises:
            VideoError: If a region is not inside the frame.
        """
        strokes = [stroke for frame in frames for stroke in self._push(frame)]
        return Found(np.empty(0), self._no_probabilities(), strokes, self._now(frames[-1].time_s))

    def finish(self) -> Found:
        """Return the remaining strokes, the joints and the speeds of the whole part."""
        if self.last_s is None:  # the first frame failed
            return Found(np.empty(0), self._no_probabilities(), [])
        strokes = [
            self._keep(k, scored) for k, stream in enumerate(self.streams) for scored in stream.finish()
        ]
        times_s, values, is_new_scene = self.log.poses()
        speeds = np.full(values.shape[:2], np.nan, np.float32)
        for own, speed in zip(values, speeds, strict=True):
            for scene, _, known in self.reader.scenes(own, times_s, is_new_scene):
                speed[scene] = np.interp(times_s[scene], known.times_s, known.values)
        num_classes = len(self.reader.class_names)
        probabilities = np.stack([spread(own, times_s, num_classes) for own in self.found])
        now = self._now(float(times_s[-1]))
        is_new_scene[0] = True  # nothing is carried across an interruption
        least_speed = MIN_SPEED * self.reader.typical.speed
        motion = PlayerMotion(values, speeds, is_new_scene, least_speed)
        return Found(times_s, probabilities, strokes, now, motion)

    def _push(self, frame: LiveFrame) -> list[Stroke]:
        images = [scaler(frame.frame) for scaler in self.scalers]
        fps = None if self.last_s is None else 1 / max(frame.time_s - self.last_s, 1e-3)
        self.last_s = frame.time_s
        found = self.poses.push(frame.time_s, images, fps)
        self.log.push(found)
        return [
            self._keep(k, scored)
            for k, (stream, pose) in enumerate(zip(self.streams, found.poses, strict=True))
            for scored in stream.push(found.time_s, pose, found.is_new_scene)
        ]

    def _keep(self, player: int, scored: ScoredStroke) -> Stroke:
        stroke = replace(scored.stroke, player=self.tracks[player].name)
        self.found[player].append(scored._replace(stroke=stroke))
        return stroke

    def _no_probabilities(self) -> np.ndarray:
        return np.empty((len(self.tracks), 0, len(self.reader.class_names) + 1))

    def _now(self, time_s: float) -> Now:
        """Return the last stroke of each player for a while, and idle time otherwise."""
        last = [own[-1].stroke if own else None for own in self.found]
        return tuple(
            (IDLE, 1.0)
            if stroke is None or time_s > (stroke.contact_s or 0.0) + _SHOWN_S
            else (stroke.label, stroke.confidence or 0.0)
            for stroke in last
        )


class JointReader(LiveReader):
    """Reads a live video by the joints of the players, as many times per second as the machine allows.

    Args:
        model: The trained model, in eval mode.
        title: Name of the source, for messages.
        lag: Time from contact to the report, in frames of the training clips; None for
            :data:`~tt_actions.recognition.swing_stream.WAIT_S`.

    Raises:
        UserError: If the model does not know what a swing is, or the lag is too short.
    """

    choice = FramePicker
    unit = "poses"
    delay_from = "contact"
    batch = 1  # so that a stroke is reported at once

    def __init__(self, model: Recognizer, title: str, lag: int | None) -> None:
        fps = model.preprocessing.fps
        super().__init__(model, fps, (*filter(is_stroke, model.class_names), IDLE))
        self.wait_s = WAIT_S if lag is None else lag / fps
        self.reader = StrokeReader(model, Path(title), fps)
        SwingStream(self.reader, self.wait_s)  # checks the lag

    def warm_up(self, num_players: int) -> float:
        """Load the pose models and run all networks, and return the seconds that a frame takes.

        Args:
            num_players: Number of players.
        """
        self.models = self.borrowed.enter_context(borrow_models(num_players, self.reader.spec.pose))
        self.threads = self.borrowed.enter_context(ThreadPoolExecutor(num_players))
        region = Region(_WARM_SIZE / 2, _WARM_SIZE / 2, _WARM_SIZE)
        image = np.zeros((_WARM_SIZE, _WARM_SIZE, 3), np.uint8)
        stream = SwingStream(self.reader, self.wait_s)
        landmarks = np.random.default_rng(0).normal(size=(90, NUM_LANDMARKS, 6)).astype(np.float32)
        for k, pose in enumerate(landmarks):
            stream.push(k / self.fps, pose)
        cost_s = 0.0
        for _ in range(3):
            started_s = time.monotonic()
            for found in self.threads.map(lambda model: model.find_landmarks(image, region), self.models):
                assert found.points.shape == (NUM_LANDMARKS, 2)
            cost_s = time.monotonic() - started_s
        self.rate = PoseRate(self.fps)
        self.rate.update(cost_s, 0.0)
        return cost_s

    def open_part(self, tracks: Sequence[PlayerTrack]) -> JointPart:
        """Begin a part of the video.

        Args:
            tracks: Regions of the players.
        """
        return JointPart(self.reader, self.models, self.threads, tracks, self.wait_s)

    def decisive_s(self, stroke: Stroke) -> float:
        """Return the time of the contact of a stroke.

        Args:
            stroke: The stroke.
        """
        assert stroke.contact_s is not None
        return stroke.contact_s
