"""An uninterrupted part of a live video: from incoming frames to strokes."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tt_actions.clips.specs import FrameSpec
from tt_actions.clips.strokes import Stroke
from tt_actions.match.live.source import LiveFrame
from tt_actions.recognition.fixed_lag import FixedLagSegmenter
from tt_actions.recognition.pipeline import open_stream
from tt_actions.recognition.players import PlayerTrack
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.recognition.segmenter import make_segmenter
from tt_actions.video.flow import DETAIL, with_flow
from tt_actions.video.following import PlayerFollower, Window, cut_out
from tt_actions.video.scaling import Scaler
from tt_actions.video.types import Roi


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


class LivePart:
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

    def push(self, frames: Sequence[LiveFrame]) -> tuple[np.ndarray, np.ndarray, list[Stroke]]:
        """Process the next frames.

        Args:
            frames: The frames.

        Returns:
            Times and log-probabilities of the frames that are known now, and the strokes that have ended.

        Shape:
            ``(m,)`` and ``(P, m, K)``.

        Raises:
            VideoError: If a region is not inside the frame.
        """
        images = [[make(frame) for frame in frames] for make in self.pictures]
        self.pending.extend(round(frame.time_s * self.fps) for frame in frames)
        return self._segment(self.stream.push(np.stack([np.stack(track) for track in images])).numpy())

    def finish(self) -> tuple[np.ndarray, np.ndarray, list[Stroke]]:
        """Return the remaining results at the end, in the form of :meth:`push`."""
        times_s, log_probs, strokes = np.empty(0), np.empty((len(self.tracks), 0, 0)), list[Stroke]()
        if self.pending:
            times_s, log_probs, strokes = self._segment(self.stream.finish().numpy())
        for track, segmenter in zip(self.tracks, self.segmenters, strict=True):
            strokes += [replace(stroke, player=track.name) for stroke in segmenter.finish()]
        return times_s, log_probs, strokes

    def _segment(self, known: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[Stroke]]:
        if not known.shape[1]:
            return np.empty(0), known, []
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
        return times_s, log_probs, strokes
