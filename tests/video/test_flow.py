import cv2
import numpy as np
import pytest

from tt_actions.clips.specs import FrameSpec
from tt_actions.video.encoder import write_video
from tt_actions.video.flow import FULL_SCALE, MEAN, STD, ZERO_FLOW, optical_flow, with_flow
from tt_actions.video.frames import read_frames


def texture(seed, height, width):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)


def disc_over(background, x, y, radius=20):
    """Return the background with a textured disc at (x, y)."""
    picture, disc = background.copy(), texture(7, 2 * radius + 1, 2 * radius + 1)
    rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    inside = rows**2 + columns**2 <= radius**2
    part = picture[y - radius : y + radius + 1, x - radius : x + radius + 1]
    part[inside] = disc[inside]
    return picture


def test_flow_is_the_shift_of_the_image_in_pixels():
    picture = texture(0, 96, 128)
    moved = np.roll(picture, (2, 3), (0, 1))
    flow = optical_flow(picture, moved)[20:-20, 20:-20]
    np.testing.assert_allclose(np.median(flow, (0, 1)), (3, 2), atol=0.1)


def test_a_frame_contains_colours_and_flow_in_heights_per_second():
    background = texture(1, 128, 128)
    before, after = disc_over(background, 60, 64), disc_over(background, 64, 62)
    frame = with_flow(before, after, fps=10)
    assert frame.shape == (64, 64, 5)
    assert frame.dtype == np.uint8
    np.testing.assert_array_equal(frame[..., :3], cv2.resize(after, (64, 64), interpolation=cv2.INTER_AREA))
    speed = (frame[..., 3:] / 255 - MEAN) / STD
    np.testing.assert_allclose(speed[31, 32], (10 * 4 / 128, -10 * 2 / 128), atol=0.04)
    assert (np.abs(speed[:8]) < 0.05).all()


def test_the_cameras_motion_is_removed():
    background = texture(2, 160, 160)
    before = disc_over(background, 80, 80)[16:144, 16:144]
    after = disc_over(background, 86, 80)[16:144, 20:148]  # the camera turns to the right
    speed = (with_flow(before, after, fps=10)[..., 3:] / 255 - MEAN) / STD
    np.testing.assert_allclose(speed[32, 32], (10 * 6 / 128, 0), atol=0.05)
    np.testing.assert_allclose(np.median(speed[:8], (0, 1)), (0, 0), atol=0.03)


def test_faster_motion_saturates_at_full_scale():
    background = texture(3, 128, 128)
    frame = with_flow(disc_over(background, 60, 64), disc_over(background, 66, 64), fps=1000)
    assert frame[32, 32, 3] == ZERO_FLOW + 127
    assert frame[2, 2, 3] in range(ZERO_FLOW - 20, ZERO_FLOW + 21)
    assert (255 / 255 - MEAN[0]) / STD[0] == pytest.approx(FULL_SCALE)


@pytest.fixture(scope="module")
def moving_disc(tmp_path_factory):
    """A video at 15 fps of a disc that moves a tenth of the height per frame."""
    path, background = tmp_path_factory.mktemp("flow") / "disc.mp4", texture(4, 120, 240) // 4
    write_video(path, [disc_over(background, 25 + 6 * i, 60) for i in range(30)], fps=15, crf=4)
    return path


def speeds(frames):
    return (frames[..., 3:] / 255 - MEAN) / STD


def disc_speed(frames, which, pictures_a_frame):
    """Return the median speed in the middle of the disc."""
    centres = [(i, round((25 + 6 * int(i * pictures_a_frame)) / 2)) for i in which]
    inside = [speeds(frames)[i, 28:33, x - 2 : x + 3] for i, x in centres]
    return np.median(inside, (0, 1, 2))


def test_frames_with_flow_have_the_colours_of_those_without(moving_disc):
    plain = read_frames(moving_disc, fps=15, size=(60, 120))
    frames, times_s = read_frames(moving_disc, fps=15, size=(60, 120), flow=True)
    np.testing.assert_array_equal(times_s, plain.times_s)
    difference = np.abs(frames[..., :3].astype(int) - plain.values)
    assert difference.mean() < 1
    assert difference.max() < 20  # noise is clipped at 0 or 255, in two steps or in one
    assert (frames[0, ..., 3:] == ZERO_FLOW).all()
    x, y = disc_speed(frames, range(3, 28), pictures_a_frame=1)
    assert x == pytest.approx(15 * 6 / 120, rel=0.1)
    assert abs(y) < 0.05


def test_a_repeated_frame_keeps_its_flow(moving_disc):
    frames = read_frames(moving_disc, fps=30, size=(60, 120), flow=True).values
    np.testing.assert_array_equal(frames[10], frames[11])
    x, _ = disc_speed(frames, range(6, 56), pictures_a_frame=0.5)
    assert x == pytest.approx(15 * 6 / 120, rel=0.1)  # speed of the disc, whatever the sampling rate


def test_flow_in_a_window_that_follows_the_player_is_the_players(moving_disc):
    followed = read_frames(moving_disc, fps=15, size=(64, 64), crop="motion", flow=True).values
    assert followed.shape == (30, 64, 64, 5)
    fastest = np.quantile(speeds(followed)[10:25, ..., 0], 0.99, axis=(1, 2))
    assert ((fastest > 0.5) & (fastest < 0.7)).all()  # constant, although the window moves and grows


def test_flow_needs_a_rate_and_a_size(moving_disc):
    with pytest.raises(ValueError, match="Expected `fps` and `size` with `flow`"):
        read_frames(moving_disc, size=(60, 120), flow=True)
    with pytest.raises(ValueError, match="at least 8 pixels"):
        FrameSpec(10, (64, 5), flow=True)
    assert FrameSpec(10, (8, 8), flow=True) != FrameSpec(10, (8, 8))
