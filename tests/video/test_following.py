import cv2
import numpy as np
import pytest

from tt_actions.clips.manifest import read_manifest
from tt_actions.video.following import (
    INTERVAL_S,
    PlayerFollower,
    Window,
    camera_motion,
    cut_out,
    follow_player,
    mean_shift,
)
from tt_actions.video.frames import iter_frames, read_frames

SIZE = (180, 320)


def texture(seed, height, width):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // 6, width // 6, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def panning_shot(num_frames, pan_px=4, flat=False):
    """Frames of a figure that walks and waves, filmed by a panning camera, and the figure's positions."""
    wall = np.full((240, 800, 3), 60, np.uint8) if flat else texture(0, 240, 800)
    if flat:
        cv2.rectangle(wall, (0, 200), (800, 204), (255, 255, 255), -1)
        for x in range(0, 800, 90):
            cv2.rectangle(wall, (x, 20), (x + 8, 60), (200, 200, 200), -1)
    frames, places = [], []
    for t in range(num_frames):
        scene = wall.copy()
        x, y = 260 + 3 * t, 120
        cv2.rectangle(scene, (x - 10, y - 35), (x + 10, y + 35), (200, 40, 40), -1)
        hand = int(x + 28 * np.cos(0.7 * t)), int(y - 20 + 28 * np.sin(0.7 * t))
        cv2.line(scene, (x, y - 20), hand, (250, 220, 180), 6)
        left = 100 + pan_px * t
        frames.append(np.ascontiguousarray(scene[30 : 30 + SIZE[0], left : left + SIZE[1]]))
        places.append((x - left, y - 30))
    return frames, np.array(places)


def track(frames, every_s=INTERVAL_S):
    tracker = PlayerFollower()
    return [tracker.update(frame, i * every_s) for i, frame in enumerate(frames)]


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("pan_px", [0, 4])
def test_the_moving_person_is_followed_despite_camera_motion(pan_px, flat):
    frames, places = panning_shot(40, pan_px, flat)
    windows = track(frames)
    assert windows[0] is None
    found = np.array([window[:2] for window in windows[6:]])
    assert np.linalg.norm(found - places[6:], axis=1).max() < 35
    heights = np.array([2 * window.half_height for window in windows[10:]])
    assert heights.min() > 60
    assert flat or heights.max() < 170  # a bare wall has few corners, so the camera's motion is less exact


def test_a_window_does_not_depend_on_what_comes_later():
    frames, _ = panning_shot(20)
    assert track(frames)[:12] == track(frames[:12])


@pytest.mark.parametrize("times", [2, 3])
def test_a_faster_video_is_followed_alike(times):
    frames, _ = panning_shot(80)
    assert track(frames, INTERVAL_S / times)[::times] == track(frames[::times])


@pytest.mark.parametrize(
    ("fps", "num_analysed"), [(10, 10), (17.5, 17), (20, 20), (24, 12), (25, 13), (60, 20)]
)
def test_about_fifteen_frames_per_second_are_analysed(fps, num_analysed, monkeypatch):
    analysed = []
    monkeypatch.setattr(PlayerFollower, "_add_motion", lambda *given: analysed.append(given))
    track([np.zeros((8, 8, 3), np.uint8)] * int(fps), 1 / fps)
    assert len(analysed) == num_analysed


def test_a_static_video_has_no_player():
    assert track([texture(1, *SIZE)] * 5) == [None] * 5


def test_the_camera_motion_is_that_of_the_wall():
    wall = texture(2, 240, 400)
    matrix = camera_motion(wall[20:200, 20:300], wall[23:203, 15:295])
    np.testing.assert_allclose(matrix, [[1, 0, 5], [0, 1, -3]], atol=0.1)


def test_an_image_without_corners_has_no_camera_motion():
    np.testing.assert_array_equal(camera_motion(*np.zeros((2, 60, 80, 3), np.uint8)), np.eye(2, 3))


def test_mean_shift_finds_mean_and_spread_of_a_gaussian():
    y, x = np.mgrid[:120, :200]
    weights = np.exp(-0.5 * (((x - 120) / 12) ** 2 + ((y - 50) / 12) ** 2))
    found = (100.0, 60.0, 15.0)
    for _ in range(4):
        found = mean_shift(weights, *found)
    np.testing.assert_allclose(found, (120, 50, 12), rtol=0.02)


def test_a_window_beyond_the_frame_repeats_the_edge_pixels():
    image = texture(3, 60, 80)
    whole = cut_out(image, Window(39.5, 29.5, 30), (60, 80))
    np.testing.assert_array_equal(whole, image)
    corner = cut_out(image, Window(0, 0, 10.5), (21, 21))
    np.testing.assert_array_equal(corner[10:, 10:], image[:11, :11])
    np.testing.assert_array_equal(corner[:10, :10], np.broadcast_to(image[0, 0], (10, 10, 3)))


def test_frames_before_the_first_motion_get_its_window():
    frames, _ = panning_shot(12)
    times = [t / 10 for t in range(15)]
    still = [frames[0]] * 3
    followed = list(follow_player(zip(times, still + frames, strict=True)))
    assert [time_s for time_s, _, _ in followed] == times
    assert followed[0][2] == followed[2][2] != followed[-1][2]


@pytest.mark.parametrize("patience_s", [2, 100])
def test_without_motion_the_window_is_at_the_centre(patience_s):
    image = texture(4, 60, 80)
    followed = list(follow_player(((float(t), image) for t in range(5)), patience_s))
    assert len(followed) == 5
    for _, picture, window in followed:
        np.testing.assert_array_equal(cut_out(picture, window, (60, 80)), image)


def test_the_player_of_a_drawn_clip_is_in_the_window(strokes):
    inside = []
    for record in read_manifest(strokes)[:8]:
        joints = np.load(record.path.with_suffix(".npz"))["joints_2d"]  # 30 per second
        tracker = PlayerFollower()
        for i, (time_s, frame) in enumerate(iter_frames(record.path, fps=15)):
            window = tracker.update(frame, time_s)
            if window is not None and i >= 8:
                offset = np.abs(joints[round(30 * time_s), 1] - window[:2])  # mid spine
                inside.append(offset.max() < 0.7 * window.half_height)
    assert len(inside) > 150
    assert np.mean(inside) > 0.9


def test_reading_with_a_motion_crop_gives_the_frames_of_the_window(strokes):
    record = read_manifest(strokes)[0]
    frames, times_s = read_frames(record.path, fps=15, size=(48, 40), crop="motion")
    assert frames.shape == (len(times_s), 48, 40, 3)
    np.testing.assert_array_equal(times_s, read_frames(record.path, fps=15, size=(48, 40)).times_s)
    with pytest.raises(ValueError, match="Expected `size`, the size of the window"):
        read_frames(record.path, crop="motion")
    with pytest.raises(ValueError, match="Expected `crop` to be one of"):
        read_frames(record.path, size=(48, 40), crop="face")
