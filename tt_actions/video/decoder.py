"""One open video file: its frames in order of display, each with its time."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

import av

from tt_actions.errors import VideoError
from tt_actions.video.container import (
    LONGEST_FRAME_S,
    frame_length_s,
    matroska_bytes,
    open_container,
    video_stream,
)

_SAME_TIME_S = 1e-3  # Matroska rounds to the millisecond
_REORDERED_FRAMES = 16  # H.264 and HEVC reorder over no more
_SEEK_FROM_S = 3.0  # below, decoding from the start is as quick
_INDEXED_FORMATS = ("mov", "matroska")  # their index maps times to keyframes
_TS_PACKETS = (188, 192)  # bytes; a transport stream has no header that tells its length

TimedFrames = Iterator[tuple[float, av.VideoFrame]]


class VideoWarning(UserWarning):
    """A video file is damaged, but a part of it decodes."""


@contextmanager
def open_decoder(path: Path, start_s: float = 0.0) -> Iterator["Decoder"]:
    """Open a video file to read it from a time on, or from a keyframe before it.

    Args:
        path: The video file.
        start_s: Where reading is to start, in seconds.

    Yields:
        The decoder; it is closed with the block.

    Raises:
        VideoError: If there is no such file or it holds no video.
    """
    with open_container(path) as container:
        decoder = Decoder(path, container)
        if start_s <= _SEEK_FROM_S or decoder.seek(start_s):
            yield decoder
            return
    with open_container(path) as container:
        yield Decoder(path, container)


class Decoder:
    """The frames of one open file with their times, and what broke on the way.

    Times count from the container's start. Where timestamps are missing or run backwards (and in every AVI,
    which has none for reordered frames), they come from the frame's index and the average rate.

    Args:
        path: The video file, for messages.
        container: The open file.

    Raises:
        VideoError: If it holds no video stream that can be decoded.
    """

    def __init__(self, path: Path, container: av.container.InputContainer) -> None:
        self.path, self.container = path, container
        self.stream = video_stream(path, container)
        self.stream.thread_type = "AUTO"
        self.frame_s = frame_length_s(path, self.stream)
        self.origin_s = self._origin_s()
        self.end_s = 0.0  # end of display of the last frame so far
        self._from_s = -self.frame_s  # no frame comes before
        self.exhausted = False
        self._reached_s = 0.0  # end of the last packet of any stream so far
        self._broken_at_s: float | None = None
        self._decoded = self._decode()

    def _origin_s(self) -> float:
        start_s = (self.container.start_time or 0) / av.time_base
        if self.stream.start_time is not None:
            video_s = self._seconds(self.stream.start_time)
            # sound that leads by less than a frame must not shift every frame past its time
            if -_SAME_TIME_S <= video_s - start_s < self.frame_s:
                return video_s
        return start_s

    def _seconds(self, ticks: int) -> float:
        assert self.stream.time_base is not None
        return float(ticks * self.stream.time_base)

    @property
    def duration_s(self) -> float | None:
        """Length of the video stream in seconds, where the header tells it."""
        if self.stream.duration is None:
            return None
        return self._seconds((self.stream.start_time or 0) + self.stream.duration) - self.origin_s

    @property
    def promised_s(self) -> float | None:
        """Length of the longest stream in seconds, where the header tells it and it is not a guess.

        That of a Matroska file that begins late is counted from 0 or from its first frame, as its writer
        liked.
        """
        if not self.container.format.name.startswith((*_INDEXED_FORMATS, "avi")):
            return None
        if self.container.duration is None:
            return None
        if self.container.format.name.startswith("matroska") and self.container.start_time:
            return None
        end = (self.container.start_time or 0) + self.container.duration
        return end / av.time_base - self.origin_s

    def seek(self, start_s: float) -> bool:
        """Go to a keyframe at or before a time.

        Args:
            start_s: The time in seconds.

        Returns:
            Whether it worked; if not, this decoder is used up.
        """
        if not self.container.format.name.startswith(_INDEXED_FORMATS):
            return False
        assert self.stream.time_base is not None
        try:
            self.container.seek(int((start_s + self.origin_s) / self.stream.time_base), stream=self.stream)
        except av.FFmpegError:
            return False
        for frame in self._decoded:
            # frames shown before the keyframe may refer to what was skipped
            if frame.key_frame:
                if frame.pts is None:
                    return False
                self._decoded = chain([frame], self._decoded)
                self._from_s = self._seconds(frame.pts) - self.origin_s
                return self._from_s <= start_s
        return False

    def frames(self) -> TimedFrames:
        """Yield every frame with its time in seconds, which never runs backwards."""
        head = list(islice(self._decoded, _REORDERED_FRAMES + 1))
        stamped = self.container.format.name != "avi" and _run_forward([frame.pts for frame in head])
        last_s, counted_from = self._from_s, (0, 0.0)
        ordered = chain(head, self._decoded)
        del head  # its pictures are large
        for index, frame in enumerate(ordered):
            stamp_s = None if frame.pts is None else self._seconds(frame.pts) - self.origin_s
            if stamped and stamp_s is not None and 0 <= stamp_s - last_s < LONGEST_FRAME_S:
                own_s = self._seconds(frame.duration)
                last_s, shown_s = stamp_s, max(own_s if own_s < LONGEST_FRAME_S else 0, self.frame_s)
            else:
                if stamped:
                    stamped, counted_from = False, (index, last_s + self.frame_s)
                last_s, shown_s = counted_from[1] + (index - counted_from[0]) * self.frame_s, self.frame_s
            self.end_s = last_s + shown_s
            yield last_s, frame
        self.exhausted = True
        if self._ends_early():
            self._note_break()

    def _ends_early(self) -> bool:
        if self.container.format.name == "mpegts":
            return all(self.container.size % packet for packet in _TS_PACKETS)
        if matroska_bytes(self.path) > self.container.size:
            return True
        missing_s = (self.promised_s or 0) - max(self._reached_s, self.end_s)
        return missing_s > 0.9 * self.frame_s

    def frames_between(self, start_s: float, end_s: float) -> TimedFrames:
        """Yield the frames whose display starts in [start_s, end_s).

        Args:
            start_s: Start in seconds.
            end_s: End in seconds, or infinity.
        """
        for time_s, frame in self.frames():
            if time_s >= end_s - _SAME_TIME_S:
                return
            if time_s >= start_s - _SAME_TIME_S:
                yield time_s, frame

    def frames_at(self, fps: float, start_s: float, end_s: float) -> TimedFrames:
        """Yield the frame on display at start_s + k / fps, for every k that stays below end_s.

        Args:
            fps: Frames a second.
            start_s: Start in seconds.
            end_s: End in seconds, or infinity.
        """
        shown, k = None, 0
        for time_s, frame in self.frames():
            while shown is not None and start_s + k / fps + _SAME_TIME_S < time_s:
                yield start_s + k / fps, shown
                k += 1
                if start_s + k / fps >= end_s:
                    return
            shown = frame
        while shown is not None and start_s + k / fps < min(end_s, self.end_s - _SAME_TIME_S):
            yield start_s + k / fps, shown
            k += 1

    def count(self) -> tuple[int, float]:
        """Count the frames, without decoding.

        Returns:
            Their number, and the end of the last one's display in seconds.
        """
        stamps = [packet.pts for packet in self._packets() if packet is not None]
        given = [stamp for stamp in stamps if stamp is not None]
        if self.container.format.name == "avi" or len(given) < len(stamps) or not stamps:
            return len(stamps), len(stamps) * self.frame_s
        return len(stamps), self._seconds(max(given)) - self.origin_s + self.frame_s

    def check_inside(self, start_s: float, end_s: float, duration_s: float) -> None:
        """Refuse times that lie outside the file by more than a frame.

        Args:
            start_s: Start in seconds.
            end_s: End in seconds, or infinity.
            duration_s: Length of the file in seconds.

        Raises:
            VideoError: If they do.
        """
        if start_s >= duration_s or duration_s + self.frame_s < end_s < math.inf:
            raise VideoError(
                f"Expected times within the {duration_s:.3f} s of '{self.path}', but got {start_s:g} s to "
                f"{'the end' if math.isinf(end_s) else f'{end_s:g} s'}. Correct `start_s` and `end_s`."
            )

    def check_outcome(self, start_s: float, end_s: float, *, found: bool) -> None:
        """Say what was wrong once the frames of a stretch have been read.

        Args:
            start_s: Start of the stretch in seconds.
            end_s: Its end in seconds, or infinity.
            found: Whether it gave a frame.

        Raises:
            VideoError: If there was no frame to give.

        Warns:
            VideoWarning: If the file breaks off or is damaged within the stretch.
        """
        broken_s = self._broken_at_s
        if self.end_s == 0 or (broken_s is not None and not found):
            where = "" if broken_s is None else f" (it breaks off or is damaged at {broken_s:.3f} s)"
            raise VideoError(
                f"Expected '{self.path}' to hold frames from {start_s:g} s on, but none decodes{where}. "
                "Copy or export it again."
            )
        if broken_s is not None and broken_s < end_s:
            warnings.warn(
                f"'{self.path}' breaks off or is damaged at {broken_s:.3f} s: only what decodes is used. "
                "Copy or export it again.",
                VideoWarning,
                stacklevel=3,
            )
        elif self.exhausted:
            self.check_inside(start_s, end_s, self.end_s)
        if not found:
            raise VideoError(
                f"Expected a frame of '{self.path}' between {start_s:g} s and {end_s:g} s, but none starts "
                "there. Widen the stretch or set `fps`."
            )

    def _decode(self) -> Iterator[av.VideoFrame]:
        for packet in self._packets():
            try:
                frames = self.stream.codec_context.decode(packet)
            except av.FFmpegError:
                self._note_break()
                continue
            yield from frames

    def _packets(self) -> Iterator["av.Packet[Any] | None"]:
        try:
            for packet in self.container.demux():
                if packet.size == 0 and packet.dts is None:
                    break  # PyAV's flush packets, which fail where a damaged stream appeared on the way
                if packet.pts is not None:
                    end = (packet.pts + (packet.duration or 0)) * packet.time_base
                    self._reached_s = max(self._reached_s, float(end) - self.origin_s)
                if packet.stream_index == self.stream.index:
                    if packet.is_corrupt:
                        self._note_break()
                        # elsewhere it was cut short, and its error would take whole frames along
                        if self.container.format.name != "mpegts":
                            continue
                    if packet.size:
                        yield packet
        except av.FFmpegError:
            self._note_break()
        yield None

    def _note_break(self) -> None:
        if self._broken_at_s is None:
            self._broken_at_s = self._reached_s


def _run_forward(stamps: list[int | None]) -> bool:
    given = [stamp for stamp in stamps if stamp is not None]
    return len(given) == len(stamps) and given == sorted(given) and (len(given) < 2 or given[0] < given[-1])
