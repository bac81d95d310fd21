"""The sound of a video file, on its way into an MP4."""

import io
import math
import warnings
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from typing import Any, TypeAlias

import av
from av.audio.frame import AudioFrame
from av.filter import Graph

from tt_actions.video.decoder import Decoder, VideoWarning, open_decoder

_COPIED = ("aac", "mp3")  # what every browser plays in an MP4; of AC-3, ALAC and Opus some don't
_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)  # of AAC
_BIT_RATE = 192_000
_SAMPLES = 1024  # of an AAC packet
_LONGEST_GAP_S = 60.0  # a longer one is a damaged time, and would be filled with silence
_STEP_BACK_S = 1.0  # sound may lead the pictures, or its times overlap a little
_ROUNDED_S = 2e-3  # Matroska rounds a packet's time to the millisecond

Packet: TypeAlias = "av.Packet[Any]"


class Sound:
    """Writes the sound of one video file into another at the times of the pictures.

    What every browser plays is copied as it is, the rest becomes AAC; of several tracks the best is taken.
    Where it is damaged what decodes of it is used, and a file without sound gives none.

    Args:
        source: The file that has the sound, freshly opened.
        output: The MP4 to write to, before its first packet.
    """

    def __init__(self, source: Decoder, output: av.container.OutputContainer) -> None:
        self._source, self._name, self._origin_s = source, source.path, source.origin_s
        self._damaged_s: float | None = None
        self._reached_s = 0.0
        self._packets: Iterator[tuple[float, Packet]] = iter(())
        self._output = output
        stream = source.container.streams.best("audio")
        if stream is None:
            return
        assert isinstance(stream, av.AudioStream)
        if not stream.codec_context or not stream.codec_context.sample_rate:
            self._warn("is in no known codec: the video is written without it. Convert it to AAC.")
            return
        self._stream = stream
        self._packets = self._open()

    def write_until(self, time_s: float) -> None:
        """Write what is heard before a time.

        Args:
            time_s: The time in seconds; infinity for all that is left.

        Raises:
            OSError: If it can't be written.

        Warns:
            VideoWarning: At the end of sound that is damaged.
        """
        for heard_s, packet in self._packets:
            self._mux(packet)
            if heard_s >= time_s:
                return
        if self._damaged_s is not None:
            self._warn(
                f"is damaged at {self._damaged_s:.3f} s: only what decodes is used. Copy or export it again."
            )
            self._damaged_s = None

    def _open(self) -> Iterator[tuple[float, Packet]]:
        if self._stream.codec_context.codec.canonical_name in _COPIED and _fits_as_it_is(self._source):
            self._out = self._output.add_stream_from_template(self._stream)
            return self._copy()
        given = self._stream.codec_context.sample_rate
        rate = given if given in _RATES else 48000
        layout = "mono" if self._stream.codec_context.channels == 1 else "stereo"
        self._out = self._output.add_stream("aac", rate=rate, layout=layout)
        self._out.codec_context.bit_rate = _BIT_RATE
        return self._encode(rate, layout)

    def _mux(self, packet: Packet) -> None:
        try:
            self._output.mux(packet)
        except OSError:  # the disk's, not the packet's
            raise
        except av.FFmpegError:
            self._note_damage()

    def _copy(self) -> Iterator[tuple[float, Packet]]:
        """Yield the packets as they are, their times counted in samples."""
        context = self._stream.codec_context
        ticks = Fraction(1, context.sample_rate)
        following = -math.inf  # the next packet's time if there is no gap
        for packet in self._demux():
            stamp = following
            if packet.pts is not None:
                given = round((packet.pts * packet.time_base - Fraction(self._origin_s)) / ticks)
                near = abs(given - following) < _ROUNDED_S / ticks
                stamp = following if near else max(given, following - context.frame_size + 1)
            if stamp == -math.inf:
                continue
            following = stamp + (context.frame_size or 1)
            packet.stream, packet.time_base = self._out, ticks
            packet.pts = packet.dts = int(stamp)
            packet.duration = context.frame_size or packet.duration
            yield float(stamp * ticks), packet

    def _encode(self, rate: int, layout: str) -> Iterator[tuple[float, Packet]]:
        """Yield AAC of the decoded sound, gaps and a late beginning filled with silence."""
        graph: Graph | None = None
        heard_s = 0.0
        try:
            for frame in chain(self._decode(), [None]):
                if graph is None:
                    if frame is None:
                        return
                    graph = _resample(frame, rate, layout)
                graph.push(frame)
                for sound in _pull(graph):
                    heard_s = max(heard_s, float(sound.time or 0))
                    yield from ((heard_s, packet) for packet in self._out.encode(sound))
        except (av.FFmpegError, ValueError):  # its form changed on the way
            self._note_damage()
        yield from ((heard_s, packet) for packet in self._out.encode(None))

    def _decode(self) -> Iterator[AudioFrame]:
        context = self._stream.codec_context
        for packet in chain(self._demux(), [None]):
            try:
                frames = context.decode(packet)
            except av.FFmpegError:
                self._note_damage()
                continue
            for frame in frames:
                ticks = Fraction(1, frame.sample_rate)
                if frame.pts is not None and frame.time_base is not None:
                    frame.pts = round((frame.pts * frame.time_base - Fraction(self._origin_s)) / ticks)
                frame.time_base = ticks
                yield frame

    def _demux(self) -> Iterator[Packet]:
        """Yield the packets that are whole, up to where their times can't be trusted any more."""
        try:
            for packet in self._source.container.demux(self._stream):
                if packet.size == 0 and packet.dts is None:
                    return  # PyAV's flush packet
                if packet.pts is not None:
                    start_s = float(packet.pts * packet.time_base) - self._origin_s
                    if not -_STEP_BACK_S <= start_s - self._reached_s < _LONGEST_GAP_S:
                        self._note_damage()
                        return
                    self._reached_s = start_s
                if packet.is_corrupt or packet.size == 0:
                    self._note_damage()
                    continue
                yield packet
        except av.FFmpegError:
            self._note_damage()

    def _note_damage(self) -> None:
        if self._damaged_s is None:
            self._damaged_s = max(0.0, self._reached_s)

    def _warn(self, what: str) -> None:
        warnings.warn(f"The sound of '{self._name}' {what}", VideoWarning, stacklevel=4)


def _fits_as_it_is(source: Decoder) -> bool:
    """Try whether an MP4 takes the sound as it is, by its first packet."""
    try:
        with (
            open_decoder(source.path) as trial,
            av.open(io.BytesIO(), "w", format="mp4") as output,
        ):
            stream = trial.container.streams.best("audio")
            assert isinstance(stream, av.AudioStream)
            copy = output.add_stream_from_template(stream)
            packet = next(trial.container.demux(stream))
            packet.stream = copy
            output.mux(packet)
    except (av.FFmpegError, ValueError):
        return False
    return stream.codec_context.sample_rate > 0


def _resample(frame: AudioFrame, rate: int, layout: str) -> Graph:
    """Make the filters that bring sound like a frame's to what the encoder takes."""
    graph = Graph()
    parts = [
        graph.add_abuffer(
            sample_rate=frame.sample_rate,
            format=frame.format.name,
            layout=frame.layout.name,
            time_base=Fraction(1, frame.sample_rate),
        ),
        graph.add("aresample", f"{rate}:async=1:first_pts=0"),
        graph.add("aformat", f"sample_fmts=fltp:sample_rates={rate}:channel_layouts={layout}"),
        graph.add("asetnsamples", f"{_SAMPLES}:p=0"),
        graph.add("abuffersink"),
    ]
    graph.link_nodes(*parts).configure()
    return graph


def _pull(graph: Graph) -> Iterator[AudioFrame]:
    while True:
        try:
            sound = graph.pull()
        except (BlockingIOError, EOFError):
            return
        assert isinstance(sound, AudioFrame)
        yield sound
