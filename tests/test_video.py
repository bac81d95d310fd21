import dataclasses
import math
import struct
import warnings
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tt_actions.decoder import open_decoder
from tt_actions.video import (
    FrameSpec,
    VideoError,
    VideoWarning,
    iter_frames,
    probe,
    read_frames,
    write_video,
)

REAL = Path(__file__).parents[1] / "../shared/real"
REAL_FILES = sorted(
    path
    for folder in ("decode_edge", "ucf101", "weizmann", "ntu", "thetis_rgb", "tt_broadcast")
    for path in (REAL / folder).rglob("*")
    if path.suffix in {".mp4", ".mov", ".avi"}
)
SUFFIXES = [".mp4", ".mov", ".mkv", ".avi", ".ts"]


def picture(number):
    """A picture that carries its number in black and white blocks, which compression can't blur away."""
    bits = [number >> bit & 1 for bit in range(10)]
    return np.repeat(np.repeat(np.uint8(bits).reshape(2, 5) * 255, 16, 0), 16, 1)[..., None].repeat(3, 2)


def number(frame):
    height, width = frame.shape[0] // 2, frame.shape[1] // 5
    bits = frame[height // 2 :: height, width // 2 :: width, 0][:2, :5].ravel() > 127
    return int((bits * 2 ** np.arange(10)).sum())


def numbers(frames):
    return [number(frame) for frame in frames]


def encode(path, stamps, time_base, *, rate=25, container_format=None, **options):
    """Write numbered pictures at given timestamps, by PyAV alone."""
    with av.open(str(path), "w", format=container_format) as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", **options})
        stream.width, stream.height, stream.pix_fmt = 80, 32, "yuv420p"
        stream.codec_context.time_base = time_base
        for i, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(picture(i))
            frame.pts, frame.time_base = stamp, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def decode_plainly(path):
    with av.open(str(path)) as container:
        yield from container.decode(video=0)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    files = {suffix: folder / f"drawn{suffix}" for suffix in SUFFIXES}
    for path in files.values():
        write_video(path, [picture(i) for i in range(40)], fps=20)
    return files


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_written_frames_are_read_in_order_with_their_times(drawn, suffix):
    frames, times_s = read_frames(drawn[suffix])
    assert numbers(frames) == list(range(40))
    assert frames.dtype == np.uint8
    np.testing.assert_allclose(times_s, np.arange(40) / 20, atol=1e-3)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_probe_tells_what_was_written(drawn, suffix):
    info = probe(drawn[suffix])
    assert (info.num_frames, info.width, info.height, info.codec) == (40, 80, 32, "h264")
    assert info.fps == pytest.approx(20)
    assert info.duration_s == pytest.approx(2, abs=2e-3)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_grid_shows_the_frame_on_display_up_to_the_last_ones_end(drawn, suffix):
    slow, fast = read_frames(drawn[suffix], fps=5), read_frames(drawn[suffix], fps=40)
    assert numbers(slow.frames) == list(range(0, 40, 4))
    assert numbers(fast.frames) == [i // 2 for i in range(80)]
    np.testing.assert_allclose(fast.times_s, np.arange(80) / 40)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_neighbouring_stretches_share_no_frame_and_miss_none(drawn, suffix):
    stretches = [(0.0, 0.5), (0.5, 1.25), (1.25, None)]
    parts = [numbers(read_frames(drawn[suffix], start_s=a, end_s=b).frames) for a, b in stretches]
    assert sum(parts, []) == list(range(40))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    gaps=st.lists(st.integers(2, 400), min_size=1, max_size=12),
    fps=st.floats(1, 60),
    start_s=st.floats(0, 1),
    suffix=st.sampled_from([".mp4", ".mkv"]),
)
def test_variable_frame_rate_is_sampled_as_brute_force_does(tmp_path, gaps, fps, start_s, suffix):
    path = tmp_path / f"vfr{suffix}"
    stamps_ms = np.cumsum([0, *gaps])
    encode(path, stamps_ms.tolist(), Fraction(1, 1000))
    every = read_frames(path)
    np.testing.assert_allclose(every.times_s, stamps_ms / 1000, atol=1e-6)
    assert numbers(every.frames) == list(range(len(stamps_ms)))
    start_s = min(start_s, stamps_ms[-1] / 1000)
    chosen = read_frames(path, fps=fps, start_s=start_s)
    shown = [max(0, np.sum(stamps_ms / 1000 <= t + 1e-3) - 1) for t in chosen.times_s]
    assert numbers(chosen.frames) == shown
    np.testing.assert_allclose(chosen.times_s, start_s + np.arange(len(shown)) / fps)
    assert chosen.times_s[-1] + 1 / fps >= stamps_ms[-1] / 1000 - 1e-3


def test_odd_time_base_keeps_exact_times(tmp_path):
    encode(tmp_path / "ntsc.mp4", range(30), Fraction(1001, 30000), rate=Fraction(30000, 1001))
    assert read_frames(tmp_path / "ntsc.mp4").times_s == pytest.approx(np.arange(30) * 1001 / 30000)
    assert len(read_frames(tmp_path / "ntsc.mp4", fps=30000 / 1001).frames) == 30


def test_times_count_from_the_start_of_a_stream_that_begins_late(tmp_path):
    encode(tmp_path / "late.ts", range(900_000, 900_000 + 20 * 3600, 3600), Fraction(1, 90_000))
    assert read_frames(tmp_path / "late.ts").times_s == pytest.approx(np.arange(20) / 25, abs=1e-4)
    assert numbers(read_frames(tmp_path / "late.ts", start_s=0.4, end_s=0.56).frames) == [10, 11, 12, 13]


def test_reordered_frames_in_avi_are_timed_by_index_and_rate(tmp_path):
    encode(tmp_path / "b.avi", range(30), Fraction(1, 25), bf="3", **{"b-adapt": "0"})
    stamps = [frame.pts for frame in decode_plainly(tmp_path / "b.avi")]
    assert stamps != sorted(stamps)
    frames, times_s = read_frames(tmp_path / "b.avi")
    assert numbers(frames) == list(range(30))
    assert times_s == pytest.approx(np.arange(30) / 25, abs=1e-12)


def test_missing_timestamps_are_replaced_by_index_and_rate(tmp_path):
    encode(tmp_path / "raw.264", range(30), Fraction(1, 25), container_format="h264")
    frames, times_s = read_frames(tmp_path / "raw.264")
    assert numbers(frames) == list(range(30))
    assert times_s == pytest.approx(np.arange(30) / 25, abs=1e-12)


def test_timestamps_that_start_again_go_on_by_rate(tmp_path):
    encode(tmp_path / "a.ts", range(30), Fraction(1, 25))
    (tmp_path / "twice.ts").write_bytes((tmp_path / "a.ts").read_bytes() * 2)
    with pytest.warns(VideoWarning, match="damaged at 1.1"):
        frames, times_s = read_frames(tmp_path / "twice.ts")
    assert numbers(frames) == [*range(30), *range(30)]
    assert times_s == pytest.approx(np.arange(60) / 25, abs=1e-4)


@pytest.mark.parametrize(("lead_s", "first_s"), [(0.02, 0.0), (0.5, 0.5)])
def test_sound_that_leads_shifts_the_picture_only_by_whole_frames(tmp_path, lead_s, first_s):
    with av.open(str(tmp_path / "sound.mkv"), "w") as container:
        video, audio = container.add_stream("libx264", rate=25), container.add_stream("pcm_s16le", rate=8000)
        video.width, video.height, video.pix_fmt = 80, 32, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.int16), layout="mono")
        sound.sample_rate, sound.pts = 8000, 0
        container.mux(audio.encode(sound))
        for i in range(10):
            frame = av.VideoFrame.from_ndarray(picture(i))
            frame.pts, frame.time_base = round(lead_s * 1000) + 40 * i, Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux([*video.encode(), *audio.encode()])
    assert read_frames(tmp_path / "sound.mkv").times_s == pytest.approx(first_s + np.arange(10) / 25)
    assert numbers(read_frames(tmp_path / "sound.mkv", fps=25).frames)[-10:] == list(range(10))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_seeking_gives_what_decoding_from_the_start_gives(tmp_path, suffix):
    path = tmp_path / f"long{suffix}"
    encode(path, range(250), Fraction(1, 25), g="17", bf="3", **{"x264-params": "open-gop=1"})
    frames, times_s = read_frames(path)
    for start_s in (3.01, 4.0, 5.32, 6.799, 9.96):
        part = read_frames(path, start_s=start_s)
        wanted = times_s >= start_s - 1e-3
        np.testing.assert_array_equal(part.frames, frames[wanted])
        np.testing.assert_array_equal(part.times_s, times_s[wanted])
        assert number(read_frames(path, start_s=start_s, fps=25).frames[0]) == math.floor(start_s * 25 + 0.025)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_late_stretch_is_reached_without_decoding_all_before(tmp_path, suffix):
    path = tmp_path / f"long{suffix}"
    encode(path, range(250), Fraction(1, 25), g="17")
    with open_decoder(path, 9.0) as decoder:
        assert 9 - 18 / 25 < next(decoder.frames())[0] <= 9


def rotate(path, turned, quarter_turns):
    """Copy an MP4 with a display matrix that asks for clockwise quarter turns."""
    cos, sin = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarter_turns]
    one = 1 << 16
    matrix = struct.pack(">9i", cos * one, sin * one, 0, -sin * one, cos * one, 0, 0, 0, 1 << 30)
    unturned = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
    data = path.read_bytes()
    at = data.index(unturned, data.index(b"tkhd"))
    turned.write_bytes(data[:at] + matrix + data[at + len(matrix) :])


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_rotated_video_is_read_upright(drawn, tmp_path, quarter_turns):
    turned = tmp_path / "turned.mp4"
    rotate(drawn[".mp4"], turned, quarter_turns)
    upright = np.rot90(read_frames(drawn[".mp4"]).frames, -quarter_turns, axes=(1, 2))
    np.testing.assert_array_equal(read_frames(turned).frames, upright)
    assert (probe(turned).height, probe(turned).width) == upright.shape[1:3]
    cut = read_frames(turned, roi=(2, 1, 30, 29)).frames
    np.testing.assert_array_equal(cut, upright[:, 1:29, 2:30])


def test_region_is_cut_out_before_scaling(drawn):
    frames = read_frames(drawn[".mp4"]).frames
    scaled = read_frames(drawn[".mp4"], roi=(16, 0, 80, 32), size=(8, 16)).frames
    wanted = [cv2.resize(frame[:, 16:], (16, 8), interpolation=cv2.INTER_AREA) for frame in frames]
    np.testing.assert_array_equal(scaled, wanted)


def test_padding_keeps_the_aspect_and_stretching_does_not(drawn):
    frame = read_frames(drawn[".mp4"]).frames[37]
    padded = read_frames(drawn[".mp4"], size=(40, 40)).frames[37]
    np.testing.assert_array_equal(padded[12:28], cv2.resize(frame, (40, 16), interpolation=cv2.INTER_AREA))
    assert not padded[:12].any()
    assert not padded[28:].any()
    stretched = read_frames(drawn[".mp4"], size=(40, 40), aspect="stretch").frames[37]
    np.testing.assert_array_equal(stretched, cv2.resize(frame, (40, 40), interpolation=cv2.INTER_AREA))


def test_closing_early_closes_the_file(drawn):
    frames = iter_frames(drawn[".mp4"])
    next(frames)
    assert str(drawn[".mp4"]) in [opened.path for opened in psutil.Process().open_files()]
    frames.close()
    assert str(drawn[".mp4"]) not in [opened.path for opened in psutil.Process().open_files()]


def make_png(path):
    path.write_bytes(cv2.imencode(".png", picture(0))[1].tobytes())


def make_sound(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        sound.sample_rate = 8000
        container.mux([*stream.encode(sound), *stream.encode()])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "there is no file"),
        (lambda path: path.mkdir(), "there is no file"),
        (lambda path: path.touch(), "it is empty"),
        (lambda path: path.write_text("serve, forehand\n" * 50), "can't be opened"),
        (lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)), "can't be opened|no(ne| frame)"),
        (make_png, "hold a video stream"),
        (make_sound, "hold a video stream"),
    ],
)
def test_what_is_no_video_is_refused_by_name(tmp_path, make, message):
    path = tmp_path / "clip.mp4"
    make(path)
    for read in (read_frames, probe):
        with pytest.raises(VideoError, match=message) as caught:
            read(path)
        assert "clip.mp4" in str(caught.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "request_",
    [
        {"start_s": 2.1},
        {"start_s": 100.0},
        {"end_s": 2.2},
        {"start_s": 1.0, "end_s": 1.0},
        {"start_s": -1.0},
        {"start_s": math.nan},
        {"roi": (0, 0, 81, 32)},
        {"roi": (0, 0, 80, 33)},
        {"start_s": 0.51, "end_s": 0.52},
    ],
)
def test_a_stretch_or_region_outside_is_refused_by_name(drawn, suffix, request_):
    with pytest.raises(VideoError, match=f"drawn{suffix}"):
        read_frames(drawn[suffix], **request_)


def test_a_stretch_within_a_frames_display_gives_that_frame_at_a_rate(drawn):
    assert numbers(read_frames(drawn[".mp4"], fps=10, start_s=0.51, end_s=0.52).frames) == [10]


@pytest.mark.parametrize("request_", [{"fps": 0}, {"size": (0, 4)}, {"aspect": "crop"}, {"roi": (4, 4, 4, 8)}])
def test_senseless_requests_are_refused_by_function_and_spec_alike(drawn, request_):
    (name,) = request_
    with pytest.raises(ValueError, match=f"Expected `{name}`"):
        iter_frames(drawn[".mp4"], **request_)
    with pytest.raises(ValueError, match=f"Expected `{name}`"):
        FrameSpec(**{"fps": 10, "size": (8, 8), **request_})


def test_spec_goes_through_plain_types():
    spec = FrameSpec(12.5, (64, 80), "stretch", (0, 0, 10, 10))
    plain = dataclasses.asdict(spec)
    assert FrameSpec(**plain) == spec
    assert FrameSpec(**(plain | {"size": [64, 80], "roi": [0, 0, 10, 10]})) == spec


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True), suffix=st.sampled_from(SUFFIXES))
def test_a_cut_file_gives_its_frames_with_a_warning_or_is_refused(drawn, tmp_path, share, suffix):
    data = drawn[suffix].read_bytes()
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(data[: int(len(data) * share)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            frames = read_frames(cut).frames
        except VideoError as error:
            assert "cut" in str(error)  # noqa: PT017 - either outcome is right
            return
    assert 1 <= len(frames) <= 40
    assert set(numbers(frames[:-1])) <= set(range(40))
    if len(frames) < 40 and (suffix != ".ts" or cut.stat().st_size % 188):
        assert [warning.category for warning in caught] == [VideoWarning]
        assert f"cut{suffix}' breaks off or is damaged at" in str(caught[0].message)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), suffix=st.sampled_from(SUFFIXES))
def test_a_damaged_file_never_fails_otherwise(drawn, tmp_path, data, suffix):
    content = bytearray(drawn[suffix].read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=20)):
        content[at] ^= 1 << at % 8
    damaged = tmp_path / f"damaged{suffix}"
    damaged.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VideoWarning)
        try:
            assert len(read_frames(damaged, fps=10, size=(32, 80)).frames) >= 1
        except VideoError as error:
            assert "damaged" in str(error)  # noqa: PT017 - either outcome is right


def test_written_mp4_suits_browsers(drawn):
    data = drawn[".mp4"].read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert next(decode_plainly(drawn[".mp4"])).format.name == "yuv420p"


def test_odd_sizes_grow_by_a_pixel(tmp_path):
    frame = np.random.default_rng(0).integers(0, 256, (31, 33), np.uint8).repeat(3).reshape(31, 33, 3)
    write_video(tmp_path / "odd.mp4", [frame], fps=10, crf=0)
    read = read_frames(tmp_path / "odd.mp4").frames[0].astype(int)
    assert read.shape == (32, 34, 3)
    assert abs(read[:31, :33] - frame).max() <= 4
    assert abs(read[31, :33] - frame[30]).max() <= 4


def broken_frames():
    yield picture(0)
    raise RuntimeError("camera unplugged")


@pytest.mark.parametrize(
    ("frames", "error", "message"),
    [
        ([], ValueError, "at least one frame"),
        ([picture(0), picture(0)[:16]], ValueError, "of one size"),
        ([picture(0) / 255], ValueError, "uint8"),
        ([picture(0)[..., 0]], ValueError, "uint8"),
        (broken_frames(), RuntimeError, "unplugged"),
    ],
)
def test_a_failed_write_leaves_nothing(tmp_path, frames, error, message):
    with pytest.raises(error, match=message):
        write_video(tmp_path / "clip.mp4", frames, fps=10)
    assert not list(tmp_path.iterdir())


def test_writing_to_an_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"to end in one of \.mp4"):
        write_video(tmp_path / "clip.gif", [picture(0)], fps=10)


@pytest.mark.skipif(not REAL_FILES, reason="the real recordings are not here")
@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.name)
def test_real_files_decode_like_plain_pyav(path):
    info = probe(path)
    count = last_s = 0
    for plain, (time_s, frame) in zip(decode_plainly(path), iter_frames(path), strict=True):
        upright = (plain.width, plain.height)[:: -1 if plain.rotation % 180 else 1]
        assert (frame.shape[1], frame.shape[0]) == upright == (info.width, info.height)
        expected_s = count / info.fps if path.suffix == ".avi" else plain.time
        assert time_s == pytest.approx(expected_s, abs=1e-9)
        count, last_s = count + 1, time_s
    assert count == info.num_frames
    assert info.duration_s == pytest.approx(last_s + 1 / info.fps, abs=1 / info.fps + 1e-3)
