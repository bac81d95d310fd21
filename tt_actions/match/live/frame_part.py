"""A live video for a model of frames."""

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tt_actions.clips.specs import FrameSpec
from tt_actions.clips.strokes import Stroke
from tt_actions.match.live.frames import LiveFrame
from tt_actions.match.live.part import Found, LivePart, LiveReader
from tt_actions.recognition.fixed_lag import FixedLagSegmenter
from tt_actions.recognition.pipeline import open_stream
from tt_actions.recognition.players import PlayerTrack
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.recognition.segmenter import make_segmenter, stroke_timing
from tt_actions.video.flow import DETAIL, with_flow
from tt_actions.video.following import PlayerFollower, Window, cut_out
from tt_actions.video.regions import Crop
from tt_actions.video.scaling import Scaler
from tt_actions.video.types import Roi

FEEDBACK_S = 0.47
"""Seconds after a stroke's last frame within which it is reported, not counting computing time."""


class TrackPictures:
    """Crops one player's images out of frames that come one by one, as ``iter_tracks`` does for a file.

    Before the first motion, the images show the middle of the region, because a live video can't wait for it.

    Args:
        title: Name of the source, for messages.
        roi: The player's region, or None for the whole frame.
        spec: Preprocessing of the frames.
    """

    def __init__(self, title: str, roi: Roi | None, spec: FrameSpec) -> None:
        self.size = (spec.size[0] * DETAIL, spec.size[1] * DETAIL) if spec.flow else spec.size
        self.follower = PlayerFollower() if spec.crop == "motion" else None
        self.scaler = Scaler(Path(title), None if self.follower else self.size, spec.aspect, roi)
        self.fps, self.has_flow = spec.fps, spec.flow
        self.frame: LiveFrame | None = None
        self.since_before_s = math.inf
        self.before: np.ndarray = np.empty(0)
        self.image: np.ndarray = np.empty(0)

    def __call__(self, frame: LiveFrame) -> np.ndarray:
        """Return the player's image in a frame.

        Args:
            frame: The frame; the same one again if it is still on display.

        Shape:
            ``(H, W, C)``, uint8.

        Raises:
            VideoError: If the region is not inside the frame.
        """
        if self.frame is None or frame.frame is not self.frame.frame:
            image = self.scaler(frame.frame)
            self.before = image if self.frame is None else self.image
            self.since_before_s = math.inf if self.frame is None else frame.shown_s - self.frame.shown_s
            self.frame, self.image = frame, image
        window = None
        if self.follower is not None:
            height, width = self.image.shape[:2]
            middle = Window((width - 1) / 2, (height - 1) / 2, height / 2)
            window = self.follower.update(self.image, frame.time_s) or middle
        picture = self._cut(self.image, window)
        if not self.has_flow:
            return picture
        return with_flow(self._cut(self.before, window), picture, min(self.fps, 1 / self.since_before_s))

    def _cut(self, image: np.ndarray, window: Window | None) -> np.ndarray:
        return image if window is None else cut_out(image, window, self.size)


class FramePart(LivePart):
    """Finds the strokes in a part of a video without interruptions.

    A dropped frame gets the probabilities of the frame before, so the segmenter keeps the time.

    Args:
        model: The trained model, in eval mode.
        title: Name of the source, for messages.
        tracks: Regions of the players.
        spec: Preprocessing of the frames.
        lag: Maximum delay, in frames, with which the class of a frame is decided.
    """

    def __init__(
        self, model: Recognizer, title: str, tracks: Sequence[PlayerTrack], spec: FrameSpec, lag: int
    ) -> None:
        self.tracks, self.fps = tracks, spec.fps
        self.stream = open_stream(model)
        self.pictures = [TrackPictures(title, track.roi, spec) for track in tracks]
        segmenter = make_segmenter(model)
        self.segmenters = [FixedLagSegmenter(segmenter, lag) for _ in tracks]
        self.pending: deque[int] = deque()  # numbers of the frames without probabilities yet
        self.last: tuple[int, np.ndarray] | None = None  # newest known frame: number, log-probabilities

    def push(self, frames: Sequence[LiveFrame]) -> Found:
        """Process the next frames.

        Args:
            frames: The frames.

        Raises:
            VideoError: If a region is not inside the frame.
        """
        images = [[make(frame) for frame in frames] for make in self.pictures]
        self.pending.extend(round(frame.time_s * self.fps) for frame in frames)
        return self._segment(self.stream.push(np.stack([np.stack(track) for track in images])).numpy())

    def finish(self) -> Found:
        """Return the remaining results at the end."""
        found = Found(np.empty(0), np.empty((len(self.tracks), 0, 0)), [])
        if self.pending:
            found = self._segment(self.stream.finish().numpy())
        for track, segmenter in zip(self.tracks, self.segmenters, strict=True):
            found.strokes.extend(replace(stroke, player=track.name) for stroke in segmenter.finish())
        return found

    def _segment(self, known: np.ndarray) -> Found:
        if not known.shape[1]:
            return Found(np.empty(0), known, [])
        numbers = np.array([self.pending.popleft() for _ in range(known.shape[1])])
        if self.last is not None:
            numbers, known = np.r_[self.last[0], numbers], np.concatenate([self.last[1], known], 1)
        grid = np.arange(numbers[0] if self.last is None else numbers[0] + 1, numbers[-1] + 1)
        log_probs = known[:, np.searchsorted(numbers, grid, side="right") - 1]
        self.last = int(numbers[-1]), known[:, -1:]
        times_s = grid / self.fps
        strokes = [
            replace(stroke, player=track.name)
            for track, segmenter, own in zip(self.tracks, self.segmenters, log_probs, strict=True)
            for stroke in segmenter.push(own, times_s)
        ]
        probabilities = np.exp(log_probs)
        names = self.segmenters[0].segmenter.timing.class_names
        now = tuple((names[row.argmax()], float(row.max())) for row in probabilities[:, -1])
        return Found(times_s, probabilities, strokes, now)


class FrameReader(LiveReader):
    """Reads a live video frame by frame, and decides the class of each with a fixed lag.

    Args:
        model: The trained model, in eval mode.
        title: Name of the source, for messages.
        crop: ``motion`` follows the player in each region; None uses the setting of the training.
        lag: Maximum delay, in frames, with which the class of a frame is decided; None uses
            :func:`choose_lag`.
    """

    def __init__(self, model: Recognizer, title: str, crop: Crop | None, lag: int | None) -> None:
        preprocessing = model.video_preprocessing
        super().__init__(model, preprocessing.fps, stroke_timing(model).class_names)
        self.title = title
        self.spec = replace(preprocessing.spec, crop=crop or preprocessing.crop)
        self.lag = choose_lag(model) if lag is None else lag

    def warm_up(self, num_players: int) -> float:
        """Run the network, and return the seconds that a frame takes.

        Args:
            num_players: Number of players.
        """
        num_channels = len(self.model.frame_preprocessing.channel_means)
        frames = np.zeros((num_players, 1, *self.spec.size, num_channels), np.uint8)
        stream, cost_s = open_stream(self.model), 0.0
        for _ in range(3):
            started_s = time.monotonic()
            stream.push(frames)
            cost_s = time.monotonic() - started_s
        return cost_s

    def open_part(self, tracks: Sequence[PlayerTrack]) -> FramePart:
        """Begin a part of the video.

        Args:
            tracks: Regions of the players.
        """
        return FramePart(self.model, self.title, tracks, self.spec, self.lag)

    def decisive_s(self, stroke: Stroke) -> float:
        """Return the time of the last frame of a stroke.

        Args:
            stroke: The stroke.
        """
        return stroke.end_s - 0.5 / self.fps


def choose_lag(model: Recognizer) -> int:
    """Return the largest lag with which strokes are reported in time, after the network's own delay.

    A stroke ends when the class of the frame after it is decided.

    Args:
        model: The trained model.
    """
    network = model.network.frame_network
    delay = network.delay
    return max(1, int(FEEDBACK_S * model.frame_preprocessing.fps) - delay - 1)
