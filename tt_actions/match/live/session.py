"""Finds the strokes of a running video, and reports each as soon as it ends."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

import av
import numpy as np

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.strokes import is_stroke
from tt_actions.errors import VideoError
from tt_actions.match.live.frame_part import FrameReader
from tt_actions.match.live.frames import LiveFrame
from tt_actions.match.live.joint_part import JointReader
from tt_actions.match.live.part import Found, LivePart, LiveReader, Now
from tt_actions.match.live.results import LiveResult, LiveStatus, LiveStroke
from tt_actions.match.live.source import LiveSource, State
from tt_actions.recognition.analysis import MatchAnalysis, PlayerMotion
from tt_actions.recognition.joint_remarks import remark_on_length, remark_on_losses
from tt_actions.recognition.players import PlayerTrack, lay_tracks
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.recognition.stream import append_block
from tt_actions.video.frames import check_roi
from tt_actions.video.regions import Crop
from tt_actions.video.scaling import Scaler
from tt_actions.video.types import Roi

POLL_S = 0.1
"""Maximum seconds between two checks of the source while no frame arrives."""

MAX_BUSY_S = 0.5
"""Maximum seconds of network time for waiting frames; beyond this, the oldest are dropped."""

_MANY = 1_000_000
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
        lag: Maximum decision delay in frames: see :func:`open_reader`.

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
        model.check_crop(crop)
        self.reader = open_reader(model, source.title, crop, lag)
        if not players:  # players divide the frame among them
            model.check_region(next(iter(rois), None), crop)
        self.source, self.players = source, players
        self.rois = rois or ([self.reader.roi] if self.reader.roi else [])
        self.tracks: tuple[PlayerTrack, ...] = ()
        self.strokes: list[LiveStroke] = []
        self.is_stopping = False
        self._frame_cost_s = 0.0  # network time per frame
        self._arrivals: deque[tuple[float, float]] = deque(maxlen=round(_REMEMBERED_S * self.reader.fps))
        self._processed: deque[tuple[float, int]] = deque()
        self._part: LivePart | None = None
        self._number = 0
        self._times_s: list[np.ndarray] = []
        self._probabilities: list[np.ndarray] = []
        self._motion: list[PlayerMotion] = []
        self._now: Now = ()
        self._loss: str | None = None  # why the source is lost
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
        try:
            self._frame_cost_s = self.reader.warm_up(max(1, len(self.players), len(self.rois)))
            fps = self.reader.fps if self.reader.rate is None else self.reader.rate.rate
            self._frame = self.source.start(fps, self.reader.choice)
            height, width = Scaler(Path(self.source.title))(self._frame).shape[:2]
            self.tracks = lay_tracks(self.players, self.rois, width, height)
            for track in self.tracks:
                Scaler(Path(self.source.title), roi=track.roi)(self._frame)  # checks the region
        except BaseException:
            self.source.stop()
            self.reader.close()
            raise
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
        finally:
            self.source.stop()
            self.reader.close()
        self._finish_part(on_stroke)
        state: State = "failed" if failure else self.source.state
        message = failure or self.source.message
        if on_status is not None:
            on_status(self.status()._replace(state=state, message=message))
        return self._result(state, message)

    def _poll(self, on_stroke: Callable[[LiveStroke], object] | None) -> bool:
        """Process the available frames, and return whether the source continues."""
        state = self.source.state  # read first, so no frame that arrives now is missed
        if state in ("running", "lost"):  # one that is given up stays lost until everything is reported
            self._loss = self.source.message if state == "lost" else None
        is_paced = self.reader.rate is not None  # then what waits is not too much
        most = _MANY if is_paced else max(1, int(MAX_BUSY_S / max(self._frame_cost_s, 1e-6)))
        frames = self.source.take(most, POLL_S, self.reader.batch)
        for number, part in groupby(frames, lambda frame: frame.part):
            if number != self._number:
                self._finish_part(on_stroke)
                self._number = number
                self._part = self.reader.open_part(self.tracks)
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
        cost_s = (now_s - started_s) / len(frames)
        self._frame_cost_s += 0.5 * (cost_s - self._frame_cost_s)
        if self.reader.rate is not None:
            self.source.set_rate(self.reader.rate.update(cost_s, started_s - frames[-1].available_s))
        self._num_frames += len(frames)
        self._processed.append((now_s, len(frames)))
        latencies_s = np.array([now_s - frame.available_s for frame in frames], np.float32)
        append_block(self._latencies_s, latencies_s)
        self._frame = frames[-1].frame
        self._store(known, on_stroke)

    def _finish_part(self, on_stroke: Callable[[LiveStroke], object] | None) -> None:
        part, self._part = self._part, None
        self._number = 0
        if part is not None:
            self._store(part.finish(), on_stroke)

    def _store(self, found: Found, on_stroke: Callable[[LiveStroke], object] | None) -> None:
        self._now = found.now or self._now
        if len(found.times_s):
            append_block(self._times_s, found.times_s)
            append_block(self._probabilities, found.probabilities.astype(np.float16), axis=1)
        if found.motion is not None:
            self._motion.append(found.motion)
        for stroke in sorted(found.strokes, key=lambda stroke: stroke.end_s):
            arrivals = np.array(self._arrivals)
            arrived_s = float(np.interp(self.reader.decisive_s(stroke), arrivals[:, 0], arrivals[:, 1]))
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
        return LiveStatus(
            "running" if self._loss is None else "lost",
            self._loss or "",
            self._arrivals[-1][0] if self._arrivals else 0.0,
            sum(number for _, number in self._processed)
            / min(_RATE_S, max(now_s - self._first_arrival_s(), 0.1)),
            self._num_frames,
            self.source.num_dropped,
            float(np.median(delays_s)) if delays_s else None,
            float(np.percentile(delays_s, 95)) if delays_s else None,
            self._now,
            self._frame,
        )

    def _first_arrival_s(self) -> float:
        return self._arrivals[0][1] if self._arrivals else time.monotonic()

    def _remarks(self, motion: PlayerMotion | None) -> tuple[str, ...]:
        damaged = f"{self.source.num_damaged} packets of the stream were damaged. Their frames are missing."
        remarks = [damaged if self.source.num_damaged else None]
        if motion is not None:
            remarks += map(remark_on_losses, (track.name for track in self.tracks), motion.hand_speed)
            remarks.append(remark_on_length(motion.hand_speed.shape[1]))
        return tuple(remark for remark in remarks if remark is not None)

    def _result(self, state: State, message: str) -> LiveResult:
        strokes = sorted((live.stroke for live in self.strokes), key=lambda stroke: stroke.start_s)
        frame_classes = self.reader.frame_classes
        motion = join_motion(self._motion)
        times_s = np.concatenate([np.empty(0), *self._times_s])
        nothing = np.empty((len(self.tracks), 0, len(frame_classes)), np.float16)
        path = Path(self.source.source if self.source.is_file else self.source.title)
        analysis = MatchAnalysis(
            video=path,
            duration_s=(float(times_s[-1]) if len(times_s) else 0.0) + 1 / self.reader.fps,
            class_names=tuple(filter(is_stroke, frame_classes)),
            players=tuple(track.name for track in self.tracks),
            strokes=tuple(strokes),
            frame_classes=frame_classes,
            times_s=times_s,
            probabilities=np.concatenate([nothing, *self._probabilities], 1).astype(np.float32),
            remarks=self._remarks(motion),
            motion=motion,
            rois=tuple(track.roi for track in self.tracks),
        )
        latencies_s = np.concatenate([np.empty(0, np.float32), *self._latencies_s])
        return LiveResult(analysis, tuple(self.strokes), latencies_s, self.source.num_dropped, state, message)


def open_reader(model: Recognizer, title: str, crop: Crop | None, lag: int | None) -> LiveReader:
    """Choose how a model reads a live video: by frames or by joints.

    Args:
        model: The trained model, in eval mode.
        title: Name of the source, for messages.
        crop: ``motion`` follows the player in each region of frames; None uses the setting of the training.
        lag: Maximum delay, in frames, with which the class of a frame is decided or, for a model of joints,
            from contact to the report; None for about half a second.

    Raises:
        UserError: If the model can't read a video, or the lag is too short for it.
    """
    if isinstance(model.preprocessing, JointPreprocessing):
        return JointReader(model, title, lag)
    return FrameReader(model, title, crop, lag)


def join_motion(parts: Sequence[PlayerMotion]) -> PlayerMotion | None:
    """Return the joints of a whole session, or None if there are none.

    Args:
        parts: The joints of each part.
    """
    if not parts:
        return None
    poses, speeds = (np.concatenate([part[i] for part in parts], 1) for i in (0, 1))
    is_new_scene = np.concatenate([part.is_new_scene for part in parts])
    return PlayerMotion(poses, speeds, is_new_scene, parts[0].least_speed)


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
        lag: Maximum decision delay in frames: see :func:`open_reader`.
        on_stroke: Called with each stroke as it ends.
        on_status: Called after every check of the source.

    Raises:
        VideoError: If the source can't be read.
        ValueError: If an option is out of range, or the numbers of names and regions don't match.
    """
    analysis = LiveAnalysis(model, source, players, rois, crop, lag)
    analysis.start()
    return analysis.run(on_stroke, on_status)
