import time

import av
import numpy as np
import pytest

from tt_actions.errors import VideoError
from tt_actions.label.playable import MAX_HEIGHT, Conversion, is_playable
from tt_actions.video.encoder import write_video
from tt_actions.video.frames import iter_frames
from tt_actions.video.info import probe

NUM = 30


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A video that gets brighter."""
    frames = np.arange(NUM, dtype=np.uint8)[:, None, None, None] * 8 + np.zeros((1, 48, 64, 3), np.uint8)
    path = tmp_path_factory.mktemp("drawn") / "drawn.mp4"
    write_video(path, frames, fps=10)
    return path


def encode(source, out, codec, pixels="yuv420p", size=(64, 48)):
    with av.open(str(source)) as old, av.open(str(out), "w") as new:
        stream = new.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        for frame in old.decode(video=0):
            new.mux(stream.encode(frame.reformat(*size, format=pixels)))
        new.mux(stream.encode())
    return out


def brightness(path):
    return np.array([image.mean() for _, image in iter_frames(path)])


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "plays"),
    [
        ("a.mp4", "libx264", "yuv420p", True),
        ("a.mov", "libx264", "yuv420p", True),
        ("a.webm", "libvpx", "yuv420p", True),
        ("a.mkv", "libx264", "yuv420p", True),
        ("a.mkv", "mpeg4", "yuv420p", False),
        ("a.avi", "mpeg4", "yuv420p", False),
        ("a.avi", "libx264", "yuv420p", False),
        ("a.mp4", "libx264", "yuv422p", False),
        ("a.mp4", "mpeg4", "yuv420p", False),
    ],
)
def test_what_browsers_play_depends_on_container_codec_and_pixels(
    drawn, tmp_path, name, codec, pixels, plays
):
    assert is_playable(encode(drawn, tmp_path / name, codec, pixels)) is plays


def run(conversion):
    conversion.start()
    conversion.start()  # of another window
    for _ in range(200):
        if conversion.is_done or conversion.message:
            break
        time.sleep(0.05)
    return conversion.progress


def test_a_conversion_keeps_times_and_pictures(drawn, tmp_path):
    video = encode(drawn, tmp_path / "a.avi", "mpeg4")
    conversion = Conversion(video, tmp_path / "new.mp4")
    assert run(conversion) == {"share": 0.967, "is_done": True, "message": None}
    assert is_playable(conversion.out)
    assert np.allclose(brightness(conversion.out), brightness(video), atol=4)
    assert [round(time_s, 2) for time_s, _ in iter_frames(conversion.out)] == [
        round(number / 10, 2) for number in range(NUM)
    ]


def test_a_large_video_becomes_smaller(drawn, tmp_path):
    video = encode(drawn, tmp_path / "a.avi", "mpeg4", size=(1920, 1080))
    conversion = Conversion(video, tmp_path / "new.mp4")
    assert run(conversion)["is_done"]
    info = probe(conversion.out)
    assert (info.width, info.height) == (1280, MAX_HEIGHT)


def test_a_conversion_is_stopped(drawn, tmp_path):
    video = encode(drawn, tmp_path / "a.avi", "mpeg4", size=(1920, 1080))
    conversion = Conversion(video, tmp_path / "new.mp4")
    conversion.start()
    conversion.stop()
    assert not conversion.is_done
    assert list(tmp_path.glob(".new*")) == []


def test_a_video_that_is_gone_is_reported(drawn, tmp_path):
    video = encode(drawn, tmp_path / "a.avi", "mpeg4")
    conversion = Conversion(video, tmp_path / "new.mp4")
    video.unlink()
    assert "there is no file" in run(conversion)["message"]
    with pytest.raises(VideoError, match="there is no file"):
        is_playable(video)
