import math
import struct
import warnings
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from drawn_video import SUFFIXES, decode_plainly, draw_all, encode, number, numbers, picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tt_actions.errors import VideoError
from tt_actions.video.decoder import VideoWarning, open_decoder
from tt_actions.video.frames import read_frames
from tt_actions.video.info import probe


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return draw_all(tmp_path_factory.mktemp("drawn"))


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
    assert numbers(every.values) == list(range(len(stamps_ms)))
    start_s = min(start_s, stamps_ms[-1] / 1000)
    chosen = read_frames(path, fps=fps, start_s=start_s)
    shown = [max(0, np.sum(stamps_ms / 1000 <= t + 1e-3) - 1) for t in chosen.times_s]
    assert numbers(chosen.values) == shown
    np.testing.assert_allclose(chosen.times_s, start_s + np.arange(len(shown)) / fps)
    assert chosen.times_s[-1] + 1 / fps >= stamps_ms[-1] / 1000 - 1e-3


def test_odd_time_base_keeps_exact_times(tmp_path):
    encode(tmp_path / "ntsc.mp4", range(30), Fraction(1001, 30000), rate=Fraction(30000, 1001))
    assert read_frames(tmp_path / "ntsc.mp4").times_s == pytest.approx(np.arange(30) * 1001 / 30000)
    assert len(read_frames(tmp_path / "ntsc.mp4", fps=30000 / 1001).values) == 30


def test_times_count_from_the_start_of_a_stream_that_begins_late(tmp_path):
    encode(tmp_path / "late.ts", range(900_000, 900_000 + 20 * 3600, 3600), Fraction(1, 90_000))
    assert read_frames(tmp_path / "late.ts").times_s == pytest.approx(np.arange(20) / 25, abs=1e-4)
    assert numbers(read_frames(tmp_path / "late.ts", start_s=0.4, end_s=0.56).values) == [10, 11, 12, 13]


def test_a_matroska_file_that_begins_late_is_not_taken_for_a_cut_one(tmp_path):
    encode(tmp_path / "late.mkv", range(5000, 7000, 40), Fraction(1, 1000))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        every = read_frames(tmp_path / "late.mkv")
    assert every.times_s == pytest.approx(np.arange(50) / 25)
    assert len(read_frames(tmp_path / "late.mkv", start_s=0.5, end_s=1.9).values) == 35


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


def test_times_continue_at_the_frame_rate_if_timestamps_restart(tmp_path):
    encode(tmp_path / "a.ts", range(30), Fraction(1, 25))
    (tmp_path / "twice.ts").write_bytes((tmp_path / "a.ts").read_bytes() * 2)
    with pytest.warns(VideoWarning, match="damaged at 1.1"):
        frames, times_s = read_frames(tmp_path / "twice.ts")
    assert numbers(frames) == [*range(30), *range(30)]
    assert times_s == pytest.approx(np.arange(60) / 25, abs=1e-4)


@pytest.mark.parametrize(("lead_s", "first_s"), [(0.02, 0.0), (0.5, 0.5)])
def test_sound_that_starts_earlier_shifts_frames_only_by_whole_frames(tmp_path, lead_s, first_s):
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
    assert numbers(read_frames(tmp_path / "sound.mkv", fps=25).values)[-10:] == list(range(10))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_seeking_gives_what_decoding_from_the_start_gives(tmp_path, suffix):
    path = tmp_path / f"long{suffix}"
    encode(path, range(250), Fraction(1, 25), g="17", bf="3", **{"x264-params": "open-gop=1"})
    frames, times_s = read_frames(path)
    for start_s in (3.01, 4.0, 5.32, 6.799, 9.96):
        part = read_frames(path, start_s=start_s)
        wanted = times_s >= start_s - 1e-3
        np.testing.assert_array_equal(part.values, frames[wanted])
        np.testing.assert_array_equal(part.times_s, times_s[wanted])
        assert number(read_frames(path, start_s=start_s, fps=25).values[0]) == math.floor(
            start_s * 25 + 0.025
        )


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_late_stretch_is_read_without_decoding_everything_before_it(tmp_path, suffix):
    path = tmp_path / f"long{suffix}"
    encode(path, range(250), Fraction(1, 25), g="17")
    with open_decoder(path, 9.0) as decoder:
        assert 9 - 18 / 25 < next(decoder.frames())[0] <= 9


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
        (lambda _: None, "there is no file"),
        (lambda path: path.mkdir(), "there is no file"),
        (lambda path: path.touch(), "it is empty"),
        (lambda path: path.write_text("serve, forehand\n" * 50), "can't be opened"),
        (
            lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)),
            "can't be opened|no(ne| frame)",
        ),
        (make_png, "contain a video stream"),
        (make_sound, "contain a video stream"),
    ],
)
def test_files_that_are_not_videos_are_refused_with_their_name(tmp_path, make, message):
    path = tmp_path / "clip.mp4"
    make(path)
    for read in (read_frames, probe):
        with pytest.raises(VideoError, match=message) as caught:
            read(path)
        assert "clip.mp4" in str(caught.value)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True), suffix=st.sampled_from(SUFFIXES))
def test_a_cut_file_yields_its_frames_with_a_warning_or_is_refused(drawn, tmp_path, share, suffix):
    data = drawn[suffix].read_bytes()
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(data[: int(len(data) * share)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            frames = read_frames(cut).values
        except VideoError as error:
            assert "cut" in str(error)  # noqa: PT017 - either outcome is right
            return
    assert 1 <= len(frames) <= 40
    assert set(numbers(frames[:-1])) <= set(range(40))
    if len(frames) < 40 and (suffix != ".ts" or cut.stat().st_size % 188):
        assert [warning.category for warning in caught] == [VideoWarning]
        assert f"cut{suffix}' is cut off or damaged at" in str(caught[0].message)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), suffix=st.sampled_from(SUFFIXES))
def test_a_damaged_file_yields_frames_or_a_video_error(drawn, tmp_path, data, suffix):
    content = bytearray(drawn[suffix].read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=20)):
        content[at] ^= 1 << at % 8
    damaged = tmp_path / f"damaged{suffix}"
    damaged.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VideoWarning)
        try:
            assert len(read_frames(damaged, fps=10, size=(32, 80)).values) >= 1
        except VideoError as error:
            assert "damaged" in str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize("seconds_a_frame", [30, 2**31 - 1])
def test_a_damaged_frame_rate_does_not_make_endless_frames(drawn, tmp_path, seconds_a_frame):
    content = bytearray(drawn[".avi"].read_bytes())
    struct.pack_into("<II", content, content.index(b"strh") + 28, seconds_a_frame, 1)
    (tmp_path / "damaged.avi").write_bytes(content)
    if seconds_a_frame < 60:
        assert len(read_frames(tmp_path / "damaged.avi", fps=0.1).values) == 40 * seconds_a_frame // 10
    else:
        with pytest.raises(VideoError, match=r"damaged\.avi' to give a valid frame rate"):
            read_frames(tmp_path / "damaged.avi", fps=10)
