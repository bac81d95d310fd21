"""Decoding of one open video file: its frames in display order, each with its time."""

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
_REORDERED_FRAMES = 16  # H.264 and HEVC reorder at most so many frames
_SEEK_FROM_S = 3.0  # before this time, decoding from the start is as quick
_INDEXED_FORMATS = ("mov", "matroska")  # their index maps times to keyframes
_TS_PACKETS = (188, 192)  # bytes; the header of a transport stream does not give its length

TimedFrames = Iterator[tuple[float, av.VideoFrame]]


class VideoWarning(UserWarning):
    """A video file is damaged, but part of it can be decoded."""


@contextmanager
def open_decoder(path: Path, start_s: float = 0.0) -> Iterator["Decoder"]:
    """Open a video file for reading from a given time, or from a keyframe before it.

    Args:
        path: The video file.
        start_s: Time in seconds at which reading starts.

    Yields:
        The decoder. It is closed at the end of the block.

    Raises:
        VideoError: If there is no such file, or it contains no video.
    """
    with open_container(path) as container:
        decoder = Decoder(path, container)
        if start_s <= _SEEK_FROM_S or decoder.seek(start_s):
            yield decoder
            return
    with open_container(path) as container:
        yield Decoder(path, container)


class Decoder:
    """Decodes the frames of one open file with their times, and notes where the file is damaged.

    Times count from the container's start. If timestamps are missing or run backwards, times are computed
    from the frame's index and the average rate. The same holds for every AVI file, which has no timestamps
    for reordered frames.

    Args:
        path: The video file, for messages.
        container: The open file.

    Raises:
        VideoError: If the file contains no video stream that can be decoded.
    """

    def __init__(self, path: Path, container: av.container.InputContainer) -> None:
        self.path, self.container = path, container
        self.stream = video_stream(path, container)
        self.stream.thread_type = "AUTO"
        self.frame_s = frame_length_s(path, self.stream)
        self.origin_s = self._origin_s()
        self.end_s = 0.0  # end of display of the last frame so far
        self._from_s = -self.frame_s  # no frame is earlier
        self.exhausted = False
        self._reached_s = 0.0  # end of the last packet of any stream so far
        self._broken_at_s: float | None = None
        self._decoded = self._decode()

    def _origin_s(self) -> float:
        start_s = (self.container.start_time or 0) / av.time_base
        if self.stream.start_time is not None:
            video_s = self._seconds(self.stream.start_time)
            # if the sound starts earlier by less than a frame, the frames must not start late
            if -_SAME_TIME_S <= video_s - start_s < self.frame_s:
                return video_s
        return start_s

    def _seconds(self, ticks: int) -> float:
        assert self.stream.time_base is not None
        return float(ticks * self.stream.time_base)

    @property
    def duration_s(self) -> float | None:
        """Length of the video stream in seconds, or None if the header does not give it."""
        if self.stream.duration is None:
            return None
        return self._seconds((self.stream.start_time or 0) + self.stream.duration) - self.origin_s

    @property
    def header_duration_s(self) -> float | None:
        """Length of the longest stream in seconds, or None if the header does not give it reliably.

        It is unreliable in a Matroska file that begins late: some programs count the length from 0, others
        from the first frame.
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
        """Seek to a keyframe at or before a time.

        Args:
            start_s: The time in seconds.

        Returns:
            Whether the seek succeeded. If not, this decoder can't be used any more.
        """
        if not self.container.format.name.startswith(_INDEXED_FORMATS):
            return False
        assert self.stream.time_base is not None
        try:
            self.container.seek(int((start_s + self.origin_s) / self.stream.time_base), stream=self.stream)
        except av.FFmpegError:
            return False
        for frame in self._decoded:
            # frames shown before the keyframe may depend on frames that were skipped
            if frame.key_frame:
                if frame.pts is None:
                    return False
                self._decoded = chain([frame], self._decoded)
                self._from_s = self._seconds(frame.pts) - self.origin_s
                return self._from_s <= start_s
        return False

    def frames(self) -> TimedFrames:
        """Yield every frame with its time in seconds; times never decrease."""
        head = list(islice(self._decoded, _REORDERED_FRAMES + 1))
        stamped = self.container.format.name != "avi" and _is_increasing([frame.pts for frame in head])
        last_s, counted_from = self._from_s, (0, 0.0)
        ordered = chain(head, self._decoded)
        del head  # its frames take much memory
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
            self._note_damage()

    def _ends_early(self) -> bool:
        if self.container.format.name == "mpegts":
            return all(self.container.size % packet for packet in _TS_PACKETS)
        if matroska_bytes(self.path) > self.container.size:
            return True
        missing_s = (self.header_duration_s or 0) - max(self._reached_s, self.end_s)
        return missing_s > 0.9 * self.frame_s

    def frames_between(self, start_s: float, end_s: float) -> TimedFrames:
        """Yield the frames whose display starts in the interval [start_s, end_s).

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
        """Yield the frame displayed at start_s + k / fps, for each k whose time is below end_s.

        Args:
            fps: Frames per second.
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
        """Count the frames without decoding them.

        Returns:
            The number of frames, and the time in seconds at which the display of the last frame ends.
        """
        stamps = [packet.pts for packet in self._packets() if packet is not None]
        given = [stamp for stamp in stamps if stamp is not None]
        if self.container.format.name == "avi" or len(given) < len(stamps) or not stamps:
            return len(stamps), len(stamps) * self.frame_s
        return len(stamps), self._seconds(max(given)) - self.origin_s + self.frame_s

    def check_within_duration(self, start_s: float, end_s: float, duration_s: float) -> None:
        """Raise an error for times that lie outside the file by more than a frame.

        Args:
            start_s: Start in seconds.
            end_s: End in seconds, or infinity.
            duration_s: Length of the file in seconds.

        Raises:
            VideoError: If the times lie outside the file.
        """
        if start_s >= duration_s or duration_s + self.frame_s < end_s < math.inf:
            raise VideoError(
                f"Expected times within the {duration_s:.3f} s of '{self.path}', but got {start_s:g} s to "
                f"{'the end' if math.isinf(end_s) else f'{end_s:g} s'}. Correct `start_s` and `end_s`."
            )

    def report_damage(self, start_s: float, end_s: float, *, found: bool) -> None:
        """Raise an error or warn about problems that came up while reading a stretch of video.

        Args:
            start_s: Start of the stretch in seconds.
            end_s: End of the stretch in seconds, or infinity.
            found: Whether reading yielded a frame.

        Raises:
            VideoError: If the stretch contains no frame that can be decoded, or lies outside the file.

        Warns:
            VideoWarning: If the file is cut off or damaged within the stretch.
        """
        broken_s = self._broken_at_s
        if self.end_s == 0 or (broken_s is not None and not found):
            damage = "" if broken_s is None else f" (the file is cut off or damaged at {broken_s:.3f} s)"
            raise VideoError(
                f"Expected '{self.path}' to contain frames from {start_s:g} s on, but none can be "
                f"decoded{damage}. Copy or export it again."
            )
        if broken_s is not None and broken_s < end_s:
            warnings.warn(
                f"'{self.path}' is cut off or damaged at {broken_s:.3f} s: only the frames that can be "
                "decoded are used. Copy or export it again.",
                VideoWarning,
                stacklevel=3,
            )
        elif self.exhausted:
            self.check_within_duration(start_s, end_s, self.end_s)
        if not found:
            raise VideoError(
                f"Expected at least one frame of '{self.path}' to start between {start_s:g} s and "
                f"{end_s:g} s, but none does. Use a longer time range, or set `fps`."
            )

    def _decode(self) -> Iterator[av.VideoFrame]:
        for packet in self._packets():
            try:
                frames = self.stream.codec_context.decode(packet)
            except av.FFmpegError:
                self._note_damage()
                continue
            yield from frames

    def _packets(self) -> Iterator["av.Packet[Any] | None"]:
        try:
            for packet in self.container.demux():
                if packet.size == 0 and packet.dts is None:
                    break  # PyAV's flush packets, which fail if a damaged stream appeared midway
                if packet.pts is not None:
                    end = (packet.pts + (packet.duration or 0)) * packet.time_base
                    self._reached_s = max(self._reached_s, float(end) - self.origin_s)
                if packet.stream_index == self.stream.index:
                    if packet.is_corrupt:
                        self._note_damage()
                        # in other formats it is cut short, and its error would spoil good frames too
                        if self.container.format.name != "mpegts":
                            continue
                    if packet.size:
                        yield packet
        except av.FFmpegError:
            self._note_damage()
        yield None

    def _note_damage(self) -> None:
        if self._broken_at_s is None:
            self._broken_at_s = self._reached_s


def _is_increasing(stamps: list[int | None]) -> bool:
    given = [stamp for stamp in stamps if stamp is not None]
    return len(given) == len(stamps) and given == sorted(given) and (len(given) < 2 or given[0] < given[-1])
