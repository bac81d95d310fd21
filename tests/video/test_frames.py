import dataclasses
import math
import struct
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from drawn_video import SUFFIXES, decode_plainly, draw_all, numbers, picture

from tt_actions.clips.specs import FrameSpec, iter_tracks
from tt_actions.errors import VideoError
from tt_actions.video.encoder import write_video
from tt_actions.video.frames import iter_frames, read_frames
from tt_actions.video.info import probe

REAL = Path(__file__).parents[2] / "../shared/real"
REAL_FILES = sorted(
    path
    for folder in ("decode_edge", "ucf101", "weizmann", "ntu", "thetis_rgb", "tt_broadcast")
    for path in (REAL / folder).rglob("*")
    if path.suffix in {".mp4", ".mov", ".avi"}
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return draw_all(tmp_path_factory.mktemp("drawn"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_written_frames_are_read_in_order_with_their_times(drawn, suffix):
    frames, times_s = read_frames(drawn[suffix])
    assert numbers(frames) == list(range(40))
    assert frames.dtype == np.uint8
    np.testing.assert_allclose(times_s, np.arange(40) / 20, atol=1e-3)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_probe_reports_the_written_file(drawn, suffix):
    info = probe(drawn[suffix])
    assert (info.num_frames, info.width, info.height, info.codec) == (40, 80, 32, "h264")
    assert info.fps == pytest.approx(20)
    assert info.duration_s == pytest.approx(2, abs=2e-3)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_grid_shows_the_frame_on_display_up_to_the_last_ones_end(drawn, suffix):
    slow, fast = read_frames(drawn[suffix], fps=5), read_frames(drawn[suffix], fps=40)
    assert numbers(slow.values) == list(range(0, 40, 4))
    assert numbers(fast.values) == [i // 2 for i in range(80)]
    np.testing.assert_allclose(fast.times_s, np.arange(80) / 40)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_adjacent_stretches_share_no_frame_and_miss_none(drawn, suffix):
    stretches = [(0.0, 0.5), (0.5, 1.25), (1.25, None)]
    parts = [numbers(read_frames(drawn[suffix], start_s=a, end_s=b).values) for a, b in stretches]
    assert [number for part in parts for number in part] == list(range(40))


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
    upright = np.rot90(read_frames(drawn[".mp4"]).values, -quarter_turns, axes=(1, 2))
    np.testing.assert_array_equal(read_frames(turned).values, upright)
    assert (probe(turned).height, probe(turned).width) == upright.shape[1:3]
    cut = read_frames(turned, roi=(2, 1, 30, 29)).values
    np.testing.assert_array_equal(cut, upright[:, 1:29, 2:30])
    small = read_frames(turned, roi=(2, 1, 30, 29), size=(14, 10), aspect="stretch").values
    for scaled, frame in zip(small, upright, strict=True):
        check_like(scaled, cv2.resize(frame[1:29, 2:30], (10, 14), interpolation=cv2.INTER_AREA))


def test_region_is_cut_out_before_scaling(drawn):
    frames = read_frames(drawn[".mp4"]).values
    scaled = read_frames(drawn[".mp4"], roi=(16, 0, 80, 32), size=(8, 16)).values
    wanted = [cv2.resize(frame[:, 16:], (16, 8), interpolation=cv2.INTER_AREA) for frame in frames]
    check_like(scaled, wanted)


def test_padding_keeps_the_aspect_and_stretching_does_not(drawn):
    frame = read_frames(drawn[".mp4"]).values[37]
    padded = read_frames(drawn[".mp4"], size=(40, 40)).values[37]
    check_like(padded[12:28], cv2.resize(frame, (40, 16), interpolation=cv2.INTER_AREA))
    assert not padded[:12].any()
    assert not padded[28:].any()
    stretched = read_frames(drawn[".mp4"], size=(40, 40), aspect="stretch").values[37]
    check_like(stretched, cv2.resize(frame, (40, 40), interpolation=cv2.INTER_AREA))


def check_like(scaled, wanted):
    """Averaging before or after the conversion to RGB gives the same result, except at sharp edges."""
    difference = np.abs(scaled.astype(int) - wanted)
    assert difference.mean() < 1.5
    assert difference.max() < 32


def test_regions_read_at_once_are_those_read_alone(drawn):
    rois = [(0, 0, 40, 32), (33, 5, 80, 32), None]
    for options in ({}, {"crop": "motion"}, {"crop": "motion", "flow": True}, {"flow": True}):
        spec = FrameSpec(fps=10, size=(16, 12), **options)
        times_s, frames = zip(*iter_tracks(drawn[".mp4"], spec, rois), strict=True)
        for track, roi in zip(zip(*frames, strict=True), rois, strict=True):
            alone = read_frames(drawn[".mp4"], fps=10, size=(16, 12), roi=roi, **options)
            np.testing.assert_array_equal(np.stack(track), alone.values)
            np.testing.assert_array_equal(times_s, alone.times_s)


def test_closing_early_closes_the_file(drawn):
    frames = iter_frames(drawn[".mp4"])
    next(frames)
    assert str(drawn[".mp4"]) in [opened.path for opened in psutil.Process().open_files()]
    frames.close()
    assert str(drawn[".mp4"]) not in [opened.path for opened in psutil.Process().open_files()]


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
def test_a_stretch_or_region_outside_the_video_is_refused_with_its_name(drawn, suffix, request_):
    with pytest.raises(VideoError, match=f"drawn{suffix}"):
        read_frames(drawn[suffix], **request_)


def test_a_stretch_within_a_frames_display_gives_that_frame_at_a_rate(drawn):
    assert numbers(read_frames(drawn[".mp4"], fps=10, start_s=0.51, end_s=0.52).values) == [10]


@pytest.mark.parametrize(
    "request_", [{"fps": 0}, {"size": (0, 4)}, {"aspect": "crop"}, {"roi": (4, 4, 4, 8)}]
)
def test_invalid_options_are_refused_by_function_and_spec(drawn, request_):
    (name,) = request_
    with pytest.raises(ValueError, match=f"Expected `{name}`"):
        iter_frames(drawn[".mp4"], **request_)
    with pytest.raises(ValueError, match=f"Expected `{name}`"):
        FrameSpec(**{"fps": 10, "size": (8, 8), **request_})


def test_a_spec_is_restored_from_plain_types():
    spec = FrameSpec(12.5, (64, 80), "stretch", (0, 0, 10, 10))
    plain = dataclasses.asdict(spec)
    assert FrameSpec(**plain) == spec
    assert FrameSpec(**(plain | {"size": [64, 80], "roi": [0, 0, 10, 10]})) == spec


def test_a_written_mp4_plays_in_browsers(drawn):
    data = drawn[".mp4"].read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert next(decode_plainly(drawn[".mp4"])).format.name == "yuv420p"


def test_odd_sizes_grow_by_a_pixel(tmp_path):
    frame = np.random.default_rng(0).integers(0, 256, (31, 33), np.uint8).repeat(3).reshape(31, 33, 3)
    write_video(tmp_path / "odd.mp4", [frame], fps=10, crf=0)
    read = read_frames(tmp_path / "odd.mp4").values[0].astype(int)
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
