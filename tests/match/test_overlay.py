"""The annotated video: times, sound and pictures of real files, before and after."""

import resource
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from drawn_video import encode

from tt_actions.clips.strokes import Stroke
from tt_actions.errors import VideoError
from tt_actions.match.overlay import Overlay, write_annotated
from tt_actions.recognition.analysis import MatchAnalysis
from tt_actions.recognition.players import PlayerTrack, lay_tracks
from tt_actions.video.decoder import VideoWarning, open_decoder
from tt_actions.video.encoder import write_video, write_with_sound
from tt_actions.video.frames import iter_frames, read_frames
from tt_actions.video.info import probe

RATE = 48000
CLICK_S = 1.2
SIZE = (240, 320)
CLASSES = ("serve", "forehand")
STROKES = (
    Stroke("forehand", 0.4, 1.2, 0.8, 0.87, "left"),
    Stroke("serve", 1.0, 1.6, None, None, "right"),
)
MANY = tuple(f"a class number {i}" for i in range(30))
HOSTILE = (
    "",
    "$x_2^{",
    "a\nb\tc\0",
    "发球" * 40,
    "\u202eRTL \u05e9\u05dc\u05d5\u05dd",
    "é\u0301" * 30,
    "🏓",
    "\udcff",
    "_other",
    "%s{}<b>",
)


def analyse(video, strokes=STROKES, classes=CLASSES, players=("left", "right"), duration_s=2.0, fps=25):
    times_s = np.arange(0, duration_s, 1 / fps)
    logits = np.random.default_rng(0).normal(size=(len(players), len(times_s), len(classes) + 1)) * 2
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return MatchAnalysis(
        Path(video),
        duration_s,
        classes,
        players,
        strokes,
        (*classes, "idle"),
        times_s,
        probabilities.astype(np.float32),
    )


def halves(width=320, height=240):
    return lay_tracks(["left", "right"], [], width, height)


def sound(seconds=2.0):
    """A soft hum with one loud click in it."""
    samples = 0.05 * np.sin(np.arange(int(seconds * RATE)) * 2 * np.pi * 220 / RATE)
    start = int(CLICK_S * RATE)
    samples[start : start + 96] = 0.9
    return samples


def shoot(path, codec=None, video_from_s=0.0, sound_from_s=0.0, size=SIZE):
    """Write two seconds of grey pictures at 25 fps, with sound if a codec is named."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        heard = container.add_stream(codec, rate=RATE, layout="mono") if codec else None
        for i in range(50):
            frame = av.VideoFrame.from_ndarray(np.full((*size, 3), 90 + i, np.uint8))
            frame.pts, frame.time_base = round(1000 * video_from_s) + 40 * i, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        for packet in () if heard is None else hum(heard, sound_from_s):
            container.mux(packet)
    return path


def hum(stream, from_s):
    samples = sound()
    for start in range(0, len(samples), 960):
        part = (samples[None, start : start + 960] * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
        frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
        frame.pts = start + round(from_s * RATE)
        yield from stream.encode(frame)
    yield from stream.encode()


def hear(path):
    """The sound's samples in order, and when the first is heard on the clock of iter_frames."""
    with open_decoder(path) as decoder:
        frames = list(decoder.container.decode(audio=0))
        starts_s = frames[0].time - decoder.origin_s
    samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    return samples / (32768 if samples.dtype == np.int16 else 1), starts_s


def click_s(path):
    samples, starts_s = hear(path)
    return starts_s + np.argmax(np.abs(samples) > 0.5) / RATE


def times(path):
    return np.array([time_s for time_s, _ in iter_frames(path)])


def packets(path):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def check_playable(path):
    data = path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        keys = [float(p.pts * p.time_base) for p in container.demux(stream) if p.is_keyframe and p.size]
    assert np.diff(keys).max(initial=0) <= 2.1
    assert list(path.parent.glob(".*")) == []


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "aac"), ("a.mkv", "aac"), ("a.ts", "aac"), ("a.mkv", "libmp3lame"), ("a.mp4", "libmp3lame")],
)
def test_sound_that_browsers_play_is_copied(tmp_path, name, codec):
    source, out = shoot(tmp_path / name, codec), tmp_path / "out.mp4"
    write_annotated(out, analyse(source), halves())
    check_playable(out)
    np.testing.assert_allclose(times(out), times(source), atol=1e-3)
    assert probe(out).duration_s == pytest.approx(2, abs=0.04)
    if name != "a.ts":  # there each packet has a header of its own
        assert packets(out) == packets(source)
    assert click_s(out) == pytest.approx(click_s(source), abs=1e-3)
    before, after = (
        samples[np.argmax(np.abs(samples) > 0.5) - RATE :] for samples, _ in map(hear, (source, out))
    )
    num_samples = 3 * RATE // 2
    np.testing.assert_allclose(after[:num_samples], before[:num_samples], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mkv", "pcm_s16le"),
        ("a.avi", "pcm_s16le"),
        ("a.mp4", "ac3"),
        ("a.webm.mkv", "libopus"),
    ],
)
def test_other_sound_becomes_aac_in_its_place(tmp_path, name, codec):
    source, out = shoot(tmp_path / name, codec), tmp_path / "out.mp4"
    write_annotated(out, analyse(source), halves())
    check_playable(out)
    np.testing.assert_allclose(times(out), times(source), atol=1e-3)
    with av.open(str(out)) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
    assert click_s(out) == pytest.approx(click_s(source), abs=2e-3)


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
@pytest.mark.parametrize(("video_from_s", "sound_from_s"), [(0, 0.4), (0.4, 0), (0.03, 0)])
def test_sound_that_starts_at_another_time_stays_in_place(tmp_path, codec, video_from_s, sound_from_s):
    source = shoot(tmp_path / "a.mkv", codec, video_from_s, sound_from_s)
    write_annotated(tmp_path / "out.mp4", analyse(source), halves())
    out = tmp_path / "out.mp4"
    np.testing.assert_allclose(times(out), times(source), atol=1e-3)
    assert click_s(out) - times(out)[0] == pytest.approx(CLICK_S + sound_from_s - video_from_s, abs=3e-3)


def test_sound_stays_in_place_after_a_gap(tmp_path):
    whole, source = shoot(tmp_path / "whole.mkv", "pcm_s16le"), tmp_path / "a.mkv"
    with av.open(str(whole)) as given, av.open(str(source), "w") as made:
        streams = {stream.index: made.add_stream_from_template(stream) for stream in given.streams}
        for packet in given.demux():
            is_lost = packet.stream_index == 1 and packet.pts and 0.4 < packet.pts * packet.time_base < 0.9
            if packet.size and not is_lost:
                packet.stream = streams[packet.stream_index]
                made.mux(packet)
    write_annotated(tmp_path / "out.mp4", analyse(source), halves())
    with open_decoder(tmp_path / "out.mp4") as decoder:
        loud_s = [f.time for f in decoder.container.decode(audio=0) if np.abs(f.to_ndarray()).max() > 0.5]
    assert loud_s[0] == pytest.approx(CLICK_S, abs=1024 / RATE)


@pytest.mark.filterwarnings("ignore:.*is cut off")  # of slow MP3 libav promises more than there is
@pytest.mark.parametrize(("codec", "rate"), [("libmp3lame", 8000), ("pcm_s16le", 96000), ("pcm_s16le", 5512)])
def test_sound_of_an_unusual_rate_becomes_aac(tmp_path, codec, rate):
    source, out = tmp_path / "a.avi", tmp_path / "out.mp4"
    with av.open(str(source), "w") as container:
        pictures, heard = container.add_stream("libx264", rate=25), container.add_stream(codec, rate=rate)
        pictures.height, pictures.width = SIZE
        for _ in range(50):
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(np.full((*SIZE, 3), 90, np.uint8))))
        frame = av.AudioFrame.from_ndarray(np.full((1, 18 * rate // 10), 999, np.int16), "s16", "mono")
        frame.sample_rate = rate
        container.mux([*pictures.encode(), *heard.encode(frame), *heard.encode()])
    write_annotated(out, analyse(source), halves())
    with av.open(str(out)) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
    samples, starts_s = hear(out)
    assert starts_s + len(samples) / RATE == pytest.approx(1.8, abs=0.2)  # MP3 is padded


def test_sound_in_no_known_codec_is_left_out(tmp_path):
    source = shoot(tmp_path / "a.mkv", "ac3")
    source.write_bytes(source.read_bytes().replace(b"A_AC3", b"A_XY3"))
    with pytest.warns(VideoWarning, match=r"The sound of '.*a\.mkv' has an unsupported codec"):
        write_annotated(tmp_path / "out.mp4", analyse(source), halves())
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_a_file_without_sound_has_none_then_either(tmp_path):
    source, told = shoot(tmp_path / "a.mp4"), []
    write_annotated(tmp_path / "out.mp4", analyse(source), halves(), told.append)
    check_playable(tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]
    assert told == pytest.approx([1.24, 1.96])


def test_damaged_sound_does_not_lose_the_video(tmp_path):
    source = shoot(tmp_path / "a.mkv", "ac3")
    data = bytearray(source.read_bytes())
    at = 0
    for number, packet in enumerate(packets(source)):
        at = data.index(packet, at)
        if number < 10:
            continue
        data[at : at + len(packet)] = bytes(len(packet))
    source.write_bytes(data)
    with pytest.warns(VideoWarning, match=r"The sound of '.*a\.mkv' is damaged at 0\.3\d\d s"):
        write_annotated(tmp_path / "out.mp4", analyse(source), halves())
    check_playable(tmp_path / "out.mp4")
    np.testing.assert_allclose(times(tmp_path / "out.mp4"), times(source), atol=1e-3)


def test_of_a_video_that_breaks_off_what_decodes_is_written(tmp_path):
    source = shoot(tmp_path / "a.mkv", "aac")
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    with pytest.warns(VideoWarning, match="is cut off"):
        write_annotated(tmp_path / "out.mp4", analyse(source), halves())
    with pytest.warns(VideoWarning, match="is cut off"):
        expected = times(source)
    np.testing.assert_allclose(times(tmp_path / "out.mp4"), expected, atol=1e-3)


def test_every_frame_keeps_its_time(tmp_path):
    stamps = np.cumsum([0, 40, 40, 7, 93, 500, 33, 33, 1, 200])
    encode(tmp_path / "a.mkv", stamps.tolist(), Fraction(1, 1000))
    write_annotated(tmp_path / "out.mp4", analyse(tmp_path / "a.mkv"), halves(80, 32))
    np.testing.assert_allclose(times(tmp_path / "out.mp4"), stamps / 1000, atol=1e-3)
    check_playable(tmp_path / "out.mp4")


def test_a_frame_rate_of_television_is_kept(tmp_path):
    write_video(tmp_path / "a.mp4", (np.full((64, 96, 3), i, np.uint8) for i in range(30)), 30000 / 1001)
    write_annotated(tmp_path / "out.mp4", analyse(tmp_path / "a.mp4"), halves(96, 64))
    np.testing.assert_allclose(times(tmp_path / "out.mp4"), np.arange(30) * 1001 / 30000, atol=1e-5)
    assert probe(tmp_path / "out.mp4").fps == pytest.approx(30000 / 1001)


def test_pixels_change_where_something_is_drawn_and_nowhere_else(tmp_path):
    source, out = shoot(tmp_path / "a.mp4"), tmp_path / "out.mp4"
    tracks = (PlayerTrack("left", (40, 60, 120, 180)), PlayerTrack("right", (200, 60, 280, 180)))
    write_annotated(out, analyse(source), tracks)
    before, whole = (read_frames(path).values.astype(int) for path in (source, out))
    after, band = whole[:, :240], whole[:, 240:]
    assert 30 <= band.shape[1] <= 50
    changed = np.abs(after - before).max(-1) > 24  # (T, H, W)
    expected = np.zeros(changed.shape, bool)
    overlay = Overlay(analyse(source), tracks, SIZE)
    for t, grey in enumerate(before.astype(np.uint8)):
        drawn = overlay.draw(t / 25, grey)[:240]
        expected[t] |= (drawn != grey).any(-1)
        near = np.abs(after[t] - drawn).mean()
        assert near < 4
    grown = expected.copy()
    for axis in (1, 2):
        for by in range(-4, 5):  # ringing of the coder
            grown |= np.roll(expected, by, axis)
    assert not (changed & ~grown).any()
    assert (np.ptp(band, axis=2).max(-1) > 100).mean() > 0.8  # text or colours in every row
    assert changed[:, 60, 41:119].all() or changed[:, 60:62, 41:119].any(1).mean() > 0.95
    labels = [(after[t, 67:80, 75:118] - before[t, 67:80, 75:118]).std() for t in (2, 20)]
    assert labels[1] > labels[0] + 5  # the stroke is named while it runs


def test_contacts_flash():
    image, tracks = np.full((*SIZE, 3), 90, np.uint8), halves()
    overlay = Overlay(analyse("a.mp4"), tracks, SIZE, frame_s=0.04)
    edges = [overlay.draw(time_s, image)[100, 1].tolist() for time_s in (0.7, 0.8, 0.9, 1.0)]
    assert edges[0] == edges[3] == [230, 159, 0]
    assert edges[1] == edges[2] == [255, 255, 255]
    assert overlay.draw(0.0, image)[100, 0].tolist() == [190, 190, 190]
    assert (image == 90).all()


def test_probabilities_are_stacked_by_class_over_time():
    found = analyse("a.mp4", strokes=(), duration_s=10.0)
    found.probabilities[:] = [0.5, 0.25, 0.25]
    found.probabilities[0, found.times_s < 5] = [0, 0, 1]
    drawn = Overlay(found, halves(1280, 720), (720, 1280)).draw(7.5, np.zeros((720, 1280, 3), np.uint8))
    strip = drawn[720 + 30 :].astype(int)  # below the names
    past, now, other = strip[:, 200], strip[:, 600], strip[:, 700 + 200]
    blue = (np.abs(now - np.array([0, 114, 178])).max(-1) < 3).mean()
    amber = (np.abs(now - np.array([230, 159, 0])).max(-1) < 3).mean()
    assert (blue, amber) == pytest.approx((0.5, 0.25), abs=0.06)
    assert (past == 24).all()
    assert (other == now).all()


@pytest.mark.parametrize(
    ("size", "classes", "players"),
    [
        ((32, 80), HOSTILE, ("\n$a$" * 60,)),
        ((240, 320), HOSTILE, ("left", "right")),
        ((240, 320), MANY, ("发球", "b", "c", "", "e")),
        ((1080, 1920), MANY, ("left", "right")),
        ((1920, 1080), CLASSES, ("\n$a$" * 60, "b")),
    ],
)
def test_any_names_at_any_size(size, classes, players):
    strokes = tuple(
        Stroke(name, 0.1 * i, 0.1 * i + 0.2, 0.1 * i + 0.1, 1.0, players[i % len(players)])
        for i, name in enumerate(classes)
    )
    found = analyse("a.mp4", strokes, classes, players)
    overlay = Overlay(found, lay_tracks(players, [], *size[::-1]), size)
    image = np.full((*size, 3), 90, np.uint8)
    for time_s in (0.0, 0.55, 1.9, 7.0):
        drawn = overlay.draw(time_s, image)
        assert drawn.shape[1:] == image.shape[1:]
        assert size[0] < drawn.shape[0] <= max(1.3 * size[0], size[0] + 45)
        assert drawn.dtype == np.uint8
    assert (drawn[size[0] // 2, size[1] // 3] == 90).all() or size[0] < 100


def test_without_strokes_or_probabilities_the_video_is_whole(tmp_path):
    source = shoot(tmp_path / "a.mp4")
    found = MatchAnalysis(source, 2.0, (), ("player",), (), (), np.zeros(0), np.zeros((1, 0, 0), np.float32))
    write_annotated(tmp_path / "out.mp4", found, [PlayerTrack("player", None)])
    assert len(times(tmp_path / "out.mp4")) == 50


@pytest.mark.parametrize(
    ("size", "expected"),
    [((33, 81), (34 + 42, 82)), ((64, 2560), (48 + 42, 1920)), ((2000, 96), (1920 + 220, 92))],
)
def test_odd_sizes_grow_and_large_ones_shrink(tmp_path, size, expected):
    write_video(tmp_path / "a.mkv", (np.full((*size, 3), 9 * i, np.uint8) for i in range(5)), fps=5)
    size = probe(tmp_path / "a.mkv")
    write_annotated(tmp_path / "out.mp4", analyse(tmp_path / "a.mkv"), halves(size.width, size.height))
    written = probe(tmp_path / "out.mp4")
    assert (written.height, written.width, written.num_frames) == (*expected, 5)


def test_a_picture_of_odd_size_is_padded(tmp_path):
    source = shoot(tmp_path / "a.mp4")
    write_with_sound(tmp_path / "out.mp4", ((t, i[:33, :81]) for t, i in iter_frames(source)), source)
    assert read_frames(tmp_path / "out.mp4").values.shape == (50, 34, 82, 3)


def test_a_rotated_video_is_written_upright(tmp_path):
    with (
        av.open(str(shoot(tmp_path / "flat.mp4", "aac"))) as given,
        av.open(str(tmp_path / "a.mp4"), "w") as made,
    ):
        streams = {s.index: made.add_stream_from_template(s) for s in given.streams}
        for packet in given.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                made.mux(packet)
    data = (tmp_path / "a.mp4").read_bytes()
    upright, turned = ((0x10000, 0, 0, 0, 0x10000, 0), (0, 0x10000, 0, -0x10000, 0, 0))
    old, new = (b"".join(n.to_bytes(4, "big", signed=True) for n in matrix) for matrix in (upright, turned))
    at = data.index(old, data.index(b"tkhd"))
    (tmp_path / "a.mp4").write_bytes(data[:at] + new + data[at + len(new) :])
    assert (probe(tmp_path / "a.mp4").height, probe(tmp_path / "a.mp4").width) == (320, 240)
    write_annotated(tmp_path / "out.mp4", analyse(tmp_path / "a.mp4"), halves(240, 320))
    assert read_frames(tmp_path / "out.mp4").values.shape == (50, 320 + 42, 240, 3)
    assert click_s(tmp_path / "out.mp4") == pytest.approx(click_s(tmp_path / "a.mp4"), abs=1e-3)


@pytest.mark.parametrize("matrix", [1, 9, 2])
def test_colours_stay_those_of_the_source(tmp_path, matrix):
    source, colour = tmp_path / "a.mkv", np.zeros((64, 64, 3), np.uint8) + np.uint8([200, 40, 90])
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=5, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.colorspace = matrix
        frame = av.VideoFrame.from_ndarray(colour)
        container.mux(
            stream.encode(frame.reformat(format="yuv420p", dst_colorspace=matrix if matrix != 2 else 5))
        )
        container.mux(stream.encode())
    write_with_sound(tmp_path / "out.mp4", iter_frames(source), source, crf=1)
    planes = []
    for path in (source, tmp_path / "out.mp4"):
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
            planes.append(frame.to_ndarray().astype(int))
            assert int(frame.colorspace) == matrix
    assert np.abs(planes[0] - planes[1]).max() <= 3


@pytest.mark.skipif(sys.platform == "win32", reason="has no limit of a file's size")
def test_a_full_disk_is_named_and_leaves_no_file(tmp_path):
    source = shoot(tmp_path / "a.mkv", "pcm_s16le")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, limit[1]))
    try:
        with pytest.raises((OSError, VideoError), match=r"Expected to write '.*out\.mp4', but got"):
            write_annotated(tmp_path / "out.mp4", analyse(source), halves())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


def test_senseless_requests_are_refused(tmp_path):
    source = shoot(tmp_path / "a.mp4")
    found = analyse(source)
    with pytest.raises(ValueError, match="Expected `tracks` of left, right, but got right, left"):
        write_annotated(tmp_path / "out.mp4", found, halves()[::-1])
    for path in (source, tmp_path / "x" / ".." / "a.mp4", tmp_path / "out.mkv"):
        with pytest.raises(ValueError, match=r"Expected an '\.mp4' file other than the source"):
            write_annotated(path, found, halves())
    with pytest.raises(VideoError, match="there is no file"):
        write_annotated(tmp_path / "out.mp4", analyse(tmp_path / "gone.mp4"), halves())
    with pytest.raises(ValueError, match="at least one frame"):
        write_with_sound(tmp_path / "out.mp4", [], source)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
