"""A stretch of video without a break, from frames as they come to strokes."""

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
    """Makes one player's pictures of frames that come one by one, as :func:`iter_tracks` does of a file.

    Only before the first motion, for which nothing can wait, they are of the middle of the region.

    Args:
        title: Name of the source, for messages.
        roi: The player's region, or None for all.
        spec: How video becomes frames.
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
        """Return a frame's picture.

        Args:
            frame: The frame; the same again where it is still shown.

        Shape:
            ``(H, W, C)``, uint8.

        Raises:
            VideoError: If the region does not lie in the picture.
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
    """A stretch of a video without a break, from frames to strokes.

    The chain's clock keeps time where frames were dropped: it gets the probabilities of the frame before.

    Args:
        model: The trained model, in eval mode.
        title: Name of the source, for messages.
        tracks: Where the players are.
        spec: How video becomes frames.
        lag: Frames after which a frame is decided at the latest.
    """

    def __init__(
        self, model: Recognizer, title: str, tracks: Sequence[PlayerTrack], spec: FrameSpec, lag: int
    ) -> None:
        self.tracks, self.fps = tracks, spec.fps
        self.stream = open_stream(model)
        self.pictures = [TrackPictures(title, track.roi, spec) for track in tracks]
        segmenter = make_segmenter(model)
        self.segmenters = [FixedLagSegmenter(segmenter, lag) for _ in tracks]
        self.untold: deque[int] = deque()  # frames whose probabilities are still to come, by number
        self.last: tuple[int, np.ndarray] | None = None  # the newest frame that is known, and what is known

    def push(self, frames: Sequence[LiveFrame]) -> tuple[np.ndarray, np.ndarray, list[Stroke]]:
        """Take in the next frames.

        Args:
            frames: They.

        Returns:
            Times and log-probabilities of the frames that are known now, and the strokes that are over.

        Shape:
            ``(m,)`` and ``(P, m, K)``.

        Raises:
            VideoError: If a region does not lie in the picture.
        """
        images = [[make(frame) for frame in frames] for make in self.pictures]
        self.untold.extend(round(frame.time_s * self.fps) for frame in frames)
        return self._segment(self.stream.push(np.stack([np.stack(track) for track in images])).numpy())

    def finish(self) -> tuple[np.ndarray, np.ndarray, list[Stroke]]:
        """Return what is left at the end, as :meth:`push` does."""
        times_s, log_probs, strokes = np.empty(0), np.empty((len(self.tracks), 0, 0)), list[Stroke]()
        if self.untold:
            times_s, log_probs, strokes = self._segment(self.stream.finish().numpy())
        for track, segmenter in zip(self.tracks, self.segmenters, strict=True):
            strokes += [replace(stroke, player=track.name) for stroke in segmenter.finish()]
        return times_s, log_probs, strokes

    def _segment(self, told: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[Stroke]]:
        if not told.shape[1]:
            return np.empty(0), told, []
        numbers = np.array([self.untold.popleft() for _ in range(told.shape[1])])
        if self.last is not None:
            numbers, told = np.r_[self.last[0], numbers], np.concatenate([self.last[1], told], 1)
        grid = np.arange(numbers[0] if self.last is None else numbers[0] + 1, numbers[-1] + 1)
        log_probs = told[:, np.searchsorted(numbers, grid, side="right") - 1]
        self.last = int(numbers[-1]), told[:, -1:]
        times_s = grid / self.fps
        strokes = [
            replace(stroke, player=track.name)
            for track, segmenter, own in zip(self.tracks, self.segmenters, log_probs, strict=True)
            for stroke in segmenter.push(own, times_s)
        ]
        return times_s, log_probs, strokes
