"""Copying the sound of a video file into an MP4."""

import warnings
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, TypeAlias

import av
from av.audio.frame import AudioFrame

from tt_actions.video.decoder import Decoder, VideoWarning

_COPIED = ("aac", "mp3")  # every browser plays these in an MP4; some don't play AC-3, ALAC or Opus
_MIN_COPIED_HZ = 16_000  # an MP4 can't contain MP3 of a lower rate
_RATE_HZ, _BIT_RATE = 48_000, 192_000  # of encoded sound

Packet: TypeAlias = "av.Packet[Any]"


class Sound:
    """Writes the sound of a video file into another file, synchronised with the frames.

    AAC and MP3 are copied unchanged; other sound is converted to AAC. If there are several audio tracks, the
    best is used. If the sound is damaged, only the part that can be decoded is used. If the file has no
    sound, nothing is written.

    Args:
        source: The file with the sound, freshly opened.
        output: The MP4 to write to, before its first packet.
    """

    def __init__(self, source: Decoder, output: av.container.OutputContainer) -> None:
        self._source, self._output = source, output
        self._damaged_s: float | None = None
        self._reached_s = 0.0
        self._packets: Iterator[tuple[float, Packet]] = iter(())
        stream = source.container.streams.best("audio")
        if stream is None:
            return
        assert isinstance(stream, av.AudioStream)
        context = stream.codec_context
        if not context:
            self._warn("has an unsupported codec: the video is written without sound. Convert it to AAC.")
        elif context.codec.canonical_name in _COPIED and context.sample_rate >= _MIN_COPIED_HZ:
            self._packets = self._copy(stream, output.add_stream_from_template(stream))
        else:
            layout = "mono" if context.channels == 1 else "stereo"
            encoder = output.add_stream("aac", rate=_RATE_HZ, layout=layout)
            encoder.codec_context.bit_rate = _BIT_RATE
            self._packets = self._encode(stream, encoder)

    def write_until(self, time_s: float) -> None:
        """Write the sound up to a given time.

        Args:
            time_s: The time in seconds; infinity for the rest of the sound.

        Raises:
            OSError: If the sound can't be written.

        Warns:
            VideoWarning: At the end of the sound, if it is damaged.
        """
        for start_s, packet in self._packets:
            self._output.mux(packet)
            if start_s >= time_s:
                return
        if self._damaged_s is not None:
            self._warn(
                f"is damaged at {self._damaged_s:.3f} s: only the part that can be decoded is used. "
                "Copy or export it again."
            )
            self._damaged_s = None

    def _copy(self, stream: av.AudioStream, copy: av.AudioStream) -> Iterator[tuple[float, Packet]]:
        """Yield the packets unchanged, with their times on the clock of the frames."""
        last: int | None = None
        for packet in self._demux(stream):
            if packet.pts is None:
                continue
            start = self._shift(packet.pts, packet.time_base)
            last = start if last is None else max(start, last + 1)  # times in an MP4 must increase
            packet.stream, packet.pts, packet.dts = copy, last, last
            yield float(last * packet.time_base), packet

    def _encode(self, stream: av.AudioStream, encoder: av.AudioStream) -> Iterator[tuple[float, Packet]]:
        """Yield the decoded sound as AAC packets."""
        for frame in self._decode(stream):
            assert frame.time_base is not None
            if frame.pts is not None:
                frame.pts = self._shift(frame.pts, frame.time_base)
            start_s = frame.time or 0.0
            yield from ((start_s, packet) for packet in encoder.encode(frame))
        yield from ((self._reached_s, packet) for packet in encoder.encode(None))

    def _shift(self, ticks: int, time_base: Fraction) -> int:
        """Move a time to the clock of the frames, which starts at the source's origin."""
        return ticks - round(Fraction(self._source.origin_s) / time_base)

    def _decode(self, stream: av.AudioStream) -> Iterator[AudioFrame]:
        for packet in self._demux(stream):
            try:
                yield from stream.codec_context.decode(packet)
            except av.FFmpegError:
                self._note_damage()

    def _demux(self, stream: av.AudioStream) -> Iterator[Packet]:
        try:
            for packet in self._source.container.demux(stream):
                if packet.pts is not None:
                    self._reached_s = float(packet.pts * packet.time_base) - self._source.origin_s
                if packet.size:
                    yield packet
        except av.FFmpegError:
            self._note_damage()

    def _note_damage(self) -> None:
        if self._damaged_s is None:
            self._damaged_s = max(0.0, self._reached_s)

    def _warn(self, problem: str) -> None:
        warnings.warn(f"The sound of '{self._source.path}' {problem}", VideoWarning, stacklevel=4)
