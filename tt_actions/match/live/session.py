"""Finds the strokes of a running video, and reports each as soon as it ends."""

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
"""Seconds after a stroke's last frame within which it is reported, not counting computing time."""

POLL_S = 0.1
"""Maximum seconds between two checks of the source while no frame arrives."""

MAX_BUSY_S = 0.5
"""Maximum seconds of network time for waiting frames; beyond this, the oldest are dropped."""

_RECENT = 20  # strokes over which the delay is reported
_RATE_S = 5.0  # over which the frame rate is reported
_REMEMBERED_S = 120.0  # for which arrival times are kept


class LiveAnalysis:
    """Processes a source until it ends or is stopped, and keeps the results but no frames.

    Args:
        model: The trained model, in eval mode.
        source: The source.
        players: Names of the players, in the order of ``rois`` or from left to right; empty for one.
        rois: Regions (x0, y0, x1, y1) in pixels: one for each player, one that the players share, or none.
        crop: ``motion`` follows the player in each region; None uses the setting of the training.
        lag: Maximum delay, in frames, with which the class of a frame is decided; None uses
            :func:`choose_lag`.

    Raises:
        UserError: If the model was trained on regions, and none, no players and no ``crop`` are given.
        ValueError: If the lag is negative, or a region contains no pixel.
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
        preprocessing = model.video_preprocessing
        if not players:  # players divide the frame among them
            model.check_region(next(iter(rois), None), crop)
        self.model, self.source = model, source
        self.players, self.rois = players, rois or ([preprocessing.roi] if preprocessing.roi else [])
        self.spec = replace(preprocessing.spec, crop=crop or preprocessing.crop)
        self.lag = choose_lag(model) if lag is None else lag
        self.frame_classes = stroke_timing(model).class_names
        self.tracks: tuple[PlayerTrack, ...] = ()
        self.strokes: list[LiveStroke] = []
        self.is_stopping = False
        self._frame_cost_s = 0.0  # network time per frame
        self._arrivals: deque[tuple[float, float]] = deque(maxlen=round(_REMEMBERED_S * preprocessing.fps))
        self._processed: deque[tuple[float, int]] = deque()
        self._part: LivePart | None = None
        self._number = 0
        self._times_s: list[np.ndarray] = []
        self._probabilities: list[np.ndarray] = []
        self._latencies_s: list[np.ndarray] = []
        self._num_frames = 0
        self._frame: av.VideoFrame | None = None

    def start(self) -> tuple[int, int]:
        """Warm up the network, open the source and divide its frame among the players.

        Returns:
            Width and height of the frames, in pixels.

        Raises:
            VideoError: If the source can't be read.
            ValueError: If the numbers of names and regions don't match.
        """
        num_tracks = max(1, len(self.players), len(self.rois))
        shape = (num_tracks, 1, *self.spec.size, len(self.model.frame_preprocessing.channel_means))
        stream = open_stream(self.model)
        for _ in range(3):
            started_s = time.monotonic()
            stream.push(np.zeros(shape, np.uint8))
            self._frame_cost_s = time.monotonic() - started_s
        self._frame = self.source.start(self.spec.fps)
        height, width = Scaler(Path(self.source.title))(self._frame).shape[:2]
        self.tracks = lay_tracks(self.players, self.rois, width, height)
        return width, height

    def stop(self) -> None:
        """Ask :meth:`run` to finish; may be called from a signal handler."""
        self.is_stopping = True

    def run(
        self,
        on_stroke: Callable[[LiveStroke], object] | None = None,
        on_status: Callable[[LiveStatus], object] | None = None,
    ) -> LiveResult:
        """Process the source until it ends or is stopped.

        Args:
            on_stroke: Called with each stroke as it ends.
            on_status: Called after every check of the source.
        """
        failure = ""
        try:
            while not self.is_stopping:
                is_running = self._poll(on_stroke)
                if on_status is not None:
                    on_status(self.status())
                if not is_running:
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

    def _poll(self, on_stroke: Callable[[LiveStroke], object] | None) -> bool:
        """Process the available frames, and return whether the source continues."""
        state = self.source.state  # read first, so no frame that arrives now is missed
        frames = self.source.take(max(1, int(MAX_BUSY_S / max(self._frame_cost_s, 1e-6))), POLL_S)
        for number, part in groupby(frames, lambda frame: frame.part):
            if number != self._number:
                self._finish_part(on_stroke)
                self._number = number
                self._part = LivePart(self.model, self.source.title, self.tracks, self.spec, self.lag)
            self._process(list(part), on_stroke)
        if not frames and state == "lost":
            self._finish_part(on_stroke)
        return bool(frames) or state in ("running", "lost")

    def _process(self, frames: list[LiveFrame], on_stroke: Callable[[LiveStroke], object] | None) -> None:
        assert self._part is not None
        started_s = time.monotonic()
        self._arrivals.extend((frame.time_s, frame.available_s) for frame in frames)
        known = self._part.push(frames)
        now_s = time.monotonic()
        self._frame_cost_s += 0.5 * ((now_s - started_s) / len(frames) - self._frame_cost_s)
        self._num_frames += len(frames)
        self._processed.append((now_s, len(frames)))
        latencies_s = np.array([now_s - frame.available_s for frame in frames], np.float32)
        append_block(self._latencies_s, latencies_s)
        self._frame = frames[-1].frame
        self._store(*known, on_stroke)

    def _finish_part(self, on_stroke: Callable[[LiveStroke], object] | None) -> None:
        part, self._part = self._part, None
        self._number = 0
        if part is not None:
            self._store(*part.finish(), on_stroke)

    def _store(
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
            arrivals = np.array(self._arrivals)
            arrived_s = float(np.interp(last_s, arrivals[:, 0], arrivals[:, 1]))
            live_stroke = LiveStroke(stroke, time.monotonic() - arrived_s)
            self.strokes.append(live_stroke)
            if on_stroke is not None:
                on_stroke(live_stroke)

    def status(self) -> LiveStatus:
        """Return the current state of the analysis."""
        assert self._frame is not None
        now_s = time.monotonic()
        while self._processed and self._processed[0][0] < now_s - _RATE_S:
            self._processed.popleft()
        delays_s = [recent.delay_s for recent in self.strokes[-_RECENT:]]
        newest = self._probabilities[-1][:, -1] if self._probabilities else np.empty((0, 1))
        # a source that has ended counts as running until everything is reported
        is_lost = self.source.state == "lost"
        return LiveStatus(
            "lost" if is_lost else "running",
            self.source.message if is_lost else "",
            self._arrivals[-1][0] if self._arrivals else 0.0,
            sum(number for _, number in self._processed)
            / min(_RATE_S, max(now_s - self._first_arrival_s(), 0.1)),
            self._num_frames,
            self.source.num_dropped,
            float(np.median(delays_s)) if delays_s else None,
            float(np.percentile(delays_s, 95)) if delays_s else None,
            tuple((self.frame_classes[row.argmax()], float(row.max())) for row in newest),
            self._frame,
        )

    def _first_arrival_s(self) -> float:
        return self._arrivals[0][1] if self._arrivals else time.monotonic()

    def _remarks(self) -> tuple[str, ...]:
        if not self.source.num_damaged:
            return ()
        return (f"{self.source.num_damaged} packets of the stream were damaged. Their frames are missing.",)

    def _result(self, state: State, message: str) -> LiveResult:
        strokes = sorted((live.stroke for live in self.strokes), key=lambda stroke: stroke.start_s)
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
    """Return the largest lag with which strokes are reported in time, after the network's own delay.

    A stroke ends when the class of the frame after it is decided.

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
    """Process a source until it ends; see :class:`LiveAnalysis`.

    Args:
        model: The trained model, in eval mode.
        source: The source.
        players: Names of the players; empty for one.
        rois: Their regions in pixels: one for each player, one that the players share, or none.
        crop: ``motion`` follows the player in each region; None uses the setting of the training.
        lag: Maximum delay, in frames, with which the class of a frame is decided; None uses
            :func:`choose_lag`.
        on_stroke: Called with each stroke as it ends.
        on_status: Called after every check of the source.

    Raises:
        VideoError: If the source can't be read.
        ValueError: If an option is out of range, or the numbers of names and regions don't match.
    """
    analysis = LiveAnalysis(model, source, players, rois, crop, lag)
    analysis.start()
    return analysis.run(on_stroke, on_status)
