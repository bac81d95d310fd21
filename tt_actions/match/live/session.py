"""The strokes of a video that goes on, each told as soon as it is over."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import av
import numpy as np

from tt_actions.clips.strokes import IDLE, Stroke
from tt_actions.errors import VideoError
from tt_actions.match.live.part import LivePart
from tt_actions.match.live.results import LiveResult, LiveStatus, LiveStroke
from tt_actions.match.live.source import LiveFrame, LiveSource, State
from tt_actions.recognition.analysis import MatchAnalysis
from tt_actions.recognition.pipeline import open_stream
from tt_actions.recognition.players import PlayerTrack, lay_tracks
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.recognition.segmenter import stroke_timing
from tt_actions.recognition.stream import append_block
from tt_actions.video.frames import check_roi
from tt_actions.video.regions import Crop
from tt_actions.video.scaling import Scaler
from tt_actions.video.types import Roi

FEEDBACK_S = 0.47
"""Seconds after a stroke's last frame by which it is to be told, the time to compute left out."""

POLL_S = 0.1
"""Seconds between two looks at the source, of which nothing comes."""

MOST_BUSY_S = 0.5
"""Seconds that the network may be at work on what waited; of more frames the oldest are dropped."""

_RECENT = 20  # strokes that the delay is told of
_RATE_S = 5.0  # over which the frame rate is told
_REMEMBERED_S = 120.0  # how long it is known when a frame came


class LiveAnalysis:
    """Follows a source till it ends or is stopped, and remembers what it found, but no picture.

    Args:
        model: The trained model, in eval mode.
        source: What to watch.
        players: Names of the players, in the order of ``rois`` or from left to right; empty for one.
        rois: Regions (x0, y0, x1, y1) in pixels: of each player, or one that the players share, or none.
        crop: ``motion`` follows the player in each region; None for what the model was trained with.
        lag: Frames after which a frame is decided at the latest; None for :func:`choose_lag`.

    Raises:
        UserError: If the model was trained on regions, and none, no players and no ``crop`` are given.
        ValueError: If the lag is negative, or a region holds no pixel.
    """

    def __init__(
        self,
        model: Recognizer,
        source: LiveSource,
        players: Sequence[str] = (),
        rois: Sequence[Roi] = (),
        crop: Crop | None = None,
        lag: int | None = None,
    ) -> None:
        for roi in rois:
            check_roi(roi)
        how = model.video_preprocessing
        if not players:  # which share the picture out
            model.check_region(next(iter(rois), None), crop)
        self.model, self.source = model, source
        self.players, self.rois = players, rois or ([how.roi] if how.roi else [])
        self.spec = replace(how.spec, crop=crop or how.crop)
        self.lag = choose_lag(model) if lag is None else lag
        self.frame_classes = stroke_timing(model).class_names
        self.tracks: tuple[PlayerTrack, ...] = ()
        self.strokes: list[LiveStroke] = []
        self.is_stopping = False
        self._cost_s = 0.0  # of a frame in the network
        self._came: deque[tuple[float, float]] = deque(maxlen=round(_REMEMBERED_S * how.fps))
        self._went: deque[tuple[float, int]] = deque()
        self._part: LivePart | None = None
        self._number = 0
        self._times_s: list[np.ndarray] = []
        self._probabilities: list[np.ndarray] = []
        self._latencies_s: list[np.ndarray] = []
        self._num_frames = 0
        self._frame: av.VideoFrame | None = None

    def start(self) -> tuple[int, int]:
        """Warm the network up, open the source and lay out the players' parts of its picture.

        Returns:
            Width and height of the picture, in pixels.

        Raises:
            VideoError: If the source can't be read.
            ValueError: If names and regions don't go together.
        """
        num_tracks = max(1, len(self.players), len(self.rois))
        shape = (num_tracks, 1, *self.spec.size, len(self.model.frame_preprocessing.channel_means))
        stream = open_stream(self.model)
        for _ in range(3):
            begun_s = time.monotonic()
            stream.push(np.zeros(shape, np.uint8))
            self._cost_s = time.monotonic() - begun_s
        self._frame = self.source.start(self.spec.fps)
        height, width = Scaler(Path(self.source.title))(self._frame).shape[:2]
        self.tracks = lay_tracks(self.players, self.rois, width, height)
        return width, height

    def stop(self) -> None:
        """Ask :meth:`run` to come to its end; a signal's handler may."""
        self.is_stopping = True

    def run(
        self,
        on_stroke: Callable[[LiveStroke], object] | None = None,
        on_status: Callable[[LiveStatus], object] | None = None,
    ) -> LiveResult:
        """Follow the source to its end.

        Args:
            on_stroke: Called with each stroke as it ends.
            on_status: Called after every look at the source.
        """
        failure = ""
        try:
            while not self.is_stopping:
                is_on = self._look(on_stroke)
                if on_status is not None:
                    on_status(self.status())
                if not is_on:
                    break
        except VideoError as error:
            failure = str(error)
        self.source.stop()
        self._finish_part(on_stroke)
        state: State = "failed" if failure else self.source.state
        message = failure or self.source.message
        if on_status is not None:
            on_status(self.status()._replace(state=state, message=message))
        return self._result(state, message)

    def _look(self, on_stroke: Callable[[LiveStroke], object] | None) -> bool:
        """Take in what the source has, and say whether it goes on."""
        state = self.source.state  # before, so that no frame is missed that came just now
        frames = self.source.take(max(1, int(MOST_BUSY_S / max(self._cost_s, 1e-6))), POLL_S)
        for number, part in groupby(frames, lambda frame: frame.part):
            if number != self._number:
                self._finish_part(on_stroke)
                self._number = number
                self._part = LivePart(self.model, self.source.title, self.tracks, self.spec, self.lag)
            self._take_in(list(part), on_stroke)
        if not frames and state == "lost":
            self._finish_part(on_stroke)
        return bool(frames) or state in ("running", "lost")

    def _take_in(self, frames: list[LiveFrame], on_stroke: Callable[[LiveStroke], object] | None) -> None:
        assert self._part is not None
        begun_s = time.monotonic()
        self._came.extend((frame.time_s, frame.available_s) for frame in frames)
        known = self._part.push(frames)
        now_s = time.monotonic()
        self._cost_s += 0.5 * ((now_s - begun_s) / len(frames) - self._cost_s)
        self._num_frames += len(frames)
        self._went.append((now_s, len(frames)))
        latencies_s = np.array([now_s - frame.available_s for frame in frames], np.float32)
        append_block(self._latencies_s, latencies_s)
        self._frame = frames[-1].frame
        self._keep(*known, on_stroke)

    def _finish_part(self, on_stroke: Callable[[LiveStroke], object] | None) -> None:
        part, self._part = self._part, None
        self._number = 0
        if part is not None:
            self._keep(*part.finish(), on_stroke)

    def _keep(
        self,
        times_s: np.ndarray,
        log_probs: np.ndarray,
        strokes: list[Stroke],
        on_stroke: Callable[[LiveStroke], object] | None,
    ) -> None:
        if len(times_s):
            append_block(self._times_s, times_s)
            append_block(self._probabilities, np.exp(log_probs).astype(np.float16), axis=1)
        for stroke in sorted(strokes, key=lambda stroke: stroke.end_s):
            last_s = stroke.end_s - 0.5 / self.spec.fps
            came = np.array(self._came)
            told = LiveStroke(stroke, time.monotonic() - float(np.interp(last_s, came[:, 0], came[:, 1])))
            self.strokes.append(told)
            if on_stroke is not None:
                on_stroke(told)

    def status(self) -> LiveStatus:
        """Return how it stands."""
        assert self._frame is not None
        now_s = time.monotonic()
        while self._went and self._went[0][0] < now_s - _RATE_S:
            self._went.popleft()
        delays_s = [told.delay_s for told in self.strokes[-_RECENT:]]
        newest = self._probabilities[-1][:, -1] if self._probabilities else np.empty((0, 1))
        is_lost = self.source.state == "lost"  # one that is over is running till all of it is told
        return LiveStatus(
            "lost" if is_lost else "running",
            self.source.message if is_lost else "",
            self._came[-1][0] if self._came else 0.0,
            sum(number for _, number in self._went) / min(_RATE_S, max(now_s - self._since_s(), 0.1)),
            self._num_frames,
            self.source.num_dropped,
            float(np.median(delays_s)) if delays_s else None,
            float(np.percentile(delays_s, 95)) if delays_s else None,
            tuple((self.frame_classes[row.argmax()], float(row.max())) for row in newest),
            self._frame,
        )

    def _since_s(self) -> float:
        return self._came[0][1] if self._came else time.monotonic()

    def _remarks(self) -> tuple[str, ...]:
        if not self.source.num_damaged:
            return ()
        return (f"{self.source.num_damaged} packets of the stream were damaged: their frames are missing.",)

    def _result(self, state: State, message: str) -> LiveResult:
        strokes = sorted((told.stroke for told in self.strokes), key=lambda stroke: stroke.start_s)
        num_classes = len(self.frame_classes)
        times_s = np.concatenate([np.empty(0), *self._times_s])
        nothing = np.empty((len(self.tracks), 0, num_classes), np.float16)
        path = Path(self.source.source if self.source.is_file else self.source.title)
        analysis = MatchAnalysis(
            video=path,
            duration_s=(float(times_s[-1]) if len(times_s) else 0.0) + 1 / self.spec.fps,
            class_names=tuple(name for name in self.frame_classes if name != IDLE),
            players=tuple(track.name for track in self.tracks),
            strokes=tuple(strokes),
            frame_classes=self.frame_classes,
            times_s=times_s,
            probabilities=np.concatenate([nothing, *self._probabilities], 1).astype(np.float32),
            remarks=self._remarks(),
        )
        latencies_s = np.concatenate([np.empty(0, np.float32), *self._latencies_s])
        return LiveResult(analysis, tuple(self.strokes), latencies_s, self.source.num_dropped, state, message)


def choose_lag(model: Recognizer) -> int:
    """Return the lag that lets a stroke be told in time: a network's own delay leaves the less of it.

    A stroke is over when the frame after it is decided.

    Args:
        model: The trained model.
    """
    network = model.network.frame_network
    delay = network.delay
    return max(1, int(FEEDBACK_S * model.frame_preprocessing.fps) - delay - 1)


def run_live(
    model: Recognizer,
    source: LiveSource,
    players: Sequence[str] = (),
    rois: Sequence[Roi] = (),
    crop: Crop | None = None,
    lag: int | None = None,
    on_stroke: Callable[[LiveStroke], object] | None = None,
    on_status: Callable[[LiveStatus], object] | None = None,
) -> LiveResult:
    """Follow a source to its end: see :class:`LiveAnalysis`.

    Args:
        model: The trained model, in eval mode.
        source: What to watch.
        players: Names of the players; empty for one.
        rois: Their regions in pixels: of each player, or one that the players share, or none.
        crop: ``motion`` follows the player in each region; None for what the model was trained with.
        lag: Frames after which a frame is decided at the latest; None for :func:`choose_lag`.
        on_stroke: Called with each stroke as it ends.
        on_status: Called after every look at the source.

    Raises:
        VideoError: If the source can't be read.
        ValueError: If an option is out of range, or names and regions don't go together.
    """
    analysis = LiveAnalysis(model, source, players, rois, crop, lag)
    analysis.start()
    return analysis.run(on_stroke, on_status)
