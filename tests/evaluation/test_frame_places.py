"""Where a network's input lies on the whole frame, and heat there: a bright square is found where it is."""

import numpy as np
import pytest

from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.clips.records import ClipRecord
from tt_actions.evaluation.frame_places import Place, read_whole_frames
from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.video.encoder import write_video
from tt_actions.video.frames import read_frames

NUM_FRAMES = 12
SIDE = 40

KINDS = {
    "padded": {},
    "stretched": {"aspect": "stretch"},
    "a region": {"roi": (31, 20, 211, 181)},
    "a stretched region": {"roi": (31, 20, 211, 181), "aspect": "stretch"},
    "followed": {"crop": "motion"},
    "followed in a region": {"crop": "motion", "roi": (31, 20, 221, 221)},
    "with flow": {"flow": True},
    "followed with flow": {"flow": True, "crop": "motion"},
}


def film_square(path, size):
    """A bright square that goes to the right over a dark, textured scene; and its left edge in each frame."""
    height, width = size
    rng = np.random.default_rng(0)
    scene = np.kron(rng.integers(20, 70, (height // 8 + 1, width // 8 + 1, 1)), np.ones((8, 8, 3)))
    frames = np.repeat(scene[None, :height, :width].astype(np.uint8), NUM_FRAMES, 0)
    lefts = 80 + 4 * np.arange(NUM_FRAMES)
    for frame, left in zip(frames, lefts, strict=True):
        frame[60 : 60 + SIDE, left : left + SIDE] = 250
    write_video(path, frames, fps=15, crf=0)
    return lefts


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(426, 240), (400, 1280)], ids=["portrait", "wide"])
def test_what_is_bright_in_the_input_is_hot_where_it_is_in_the_frame(kind, size, tmp_path):
    path = tmp_path / "square.mp4"
    lefts = film_square(path, size)
    preprocessing = Preprocessing(15, (96, 72), num_frames=NUM_FRAMES, **KINDS[kind])
    frames, times_s = preprocessing.read_clip(path)
    heat = ((frames[..., :3].mean(-1) - 100) / 150).clip(0, 1)  # the square alone
    whole = read_whole_frames(preprocessing, ClipRecord(path), times_s, [0, 5, 11])
    originals = read_frames(path).values
    x0, y0, x1, y1 = preprocessing.roi or (0, 0, size[1], size[0])
    for index in (0, 5, 11):
        np.testing.assert_array_equal(whole.images[index], originals[index])
        found = whole.places[index].spread(heat[index], size)
        assert found.shape == size
        outside = np.ones(size, bool)
        outside[y0:y1, x0:x1] = False
        assert not found[outside].any()
        bx0, by0, bx1, by1 = whole.places[index].box
        pixel = max((bx1 - bx0) / 72, (by1 - by0) / 96)  # of the input, in pixels of the frame
        rows, columns = np.indices(size)
        left = lefts[index]
        near = (abs(rows - 79.5) < 20 + 3 * pixel) & (abs(columns - left - 19.5) < 20 + 3 * pixel)
        assert found[near].sum() > 0.95 * found.sum() > 0
        for positions, middle in ((rows, 79.5), (columns, left + 19.5)):
            assert (found * positions).sum() / found.sum() == pytest.approx(middle, abs=0.5 * pixel + 0.6)


@pytest.mark.parametrize(("size", "num_seen"), [((426, 240), 96), ((400, 1280), 22)])
def test_black_bars_show_nothing(size, num_seen, tmp_path):
    path = tmp_path / "square.mp4"
    film_square(path, size)
    preprocessing = Preprocessing(15, (96, 72), num_frames=4)
    frames, times_s = preprocessing.read_clip(path)
    whole = read_whole_frames(preprocessing, ClipRecord(path), times_s, [0])
    seen = whole.places[0].is_seen((96, 72))
    assert abs(int(seen.any(1).sum()) - num_seen) <= 1
    assert not frames[:, ~seen].any()
    assert frames[:, seen].any(-1).mean() > 0.99
    full = whole.places[0].spread(np.ones((96, 72)), size)
    assert full == pytest.approx(1, abs=1e-4)  # the whole frame is seen, and the bars are not a part of it


def test_a_smaller_picture_of_a_frame_has_the_same_heat():
    place = Place((10.0, -30.0, 110.0, 130.0), (0, 0, 120, 100))
    heat = np.random.default_rng(0).uniform(size=(8, 5))
    large, small = place.spread(heat, (100, 120)), place.spread(heat, (50, 60), 0.5)
    assert small == pytest.approx(large.reshape(50, 2, 60, 2).mean((1, 3)), abs=0.05)
    assert np.abs(np.diff(large[:, 20:100], axis=0)).max() < 0.1  # smooth


def test_depth_alone_is_shown_in_grey_and_beside_a_video_in_its_colours(tmp_path):
    synthesize(tmp_path, 4, 2, size=(160, 120), num_workers=1, depth=True)
    video = sorted(tmp_path.rglob("*.mp4"))[0]
    depth = next(
        path for path in (video.with_suffix(".npz"), video.with_name(f"{video.stem}_depth")) if path.exists()
    )
    preprocessing = Preprocessing(15, (64, 48), num_frames=4, picture="depth", depth_range_m=(2.0, 12.0))
    for path, is_grey in ((video, False), (depth, True)):
        _, times_s = preprocessing.read_clip(path)
        whole = read_whole_frames(preprocessing, ClipRecord(path), times_s, [0, 3])
        assert whole.images[3].shape == (120, 160, 3)
        assert (whole.images[3].max(-1) == whole.images[3].min(-1)).all() == is_grey
        assert whole.places[0].is_seen((64, 48)).any(1).sum() in (36, 37)
