import numpy as np
import pytest

from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.video.cuts import Change, CutDetector
from tt_actions.video.frames import read_frames


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Two drawn strokes in halls of different colours."""
    out = tmp_path_factory.mktemp("scenes")
    synthesize(out, 2, 2, size=(160, 120), num_workers=1)
    first, second = (read_frames(video).values for video in sorted(out.rglob("*.mp4")))
    assert np.abs(first[0].astype(int) - second[0]).mean() > 25
    return first, second


def test_a_cut_is_noticed_and_movement_is_not(scenes):
    first, second = scenes
    detector = CutDetector()
    changes = [detector.push([image]) for image in np.concatenate([first, second])]
    assert changes[len(first) : len(first) + 2] == [Change.ODD, Change.CUT]
    assert set(changes[: len(first)] + changes[len(first) + 2 :]) == {Change.NONE}


def test_a_flash_is_odd_but_no_cut(scenes):
    images = scenes[0].copy()
    images[9] = np.minimum(images[9].astype(int) + 60, 255)
    images[-1] = 0
    detector = CutDetector()
    changes = [detector.push([image]) for image in images]
    assert [number for number, change in enumerate(changes) if change is Change.ODD] == [9, len(images) - 1]
    assert Change.CUT not in changes


def test_a_cut_in_one_region_counts():
    dark, light = (np.full((60, 80, 3), level, np.uint8) for level in (0, 60))
    detector = CutDetector()
    changes = [detector.push(regions) for regions in ([dark, dark], [dark, light], [dark, light])]
    assert changes == [Change.NONE, Change.ODD, Change.CUT]


def test_a_slow_change_of_light_is_no_cut(scenes):
    detector = CutDetector()
    image = scenes[0][0]
    changes = [detector.push([(image * share).astype(np.uint8)]) for share in np.linspace(1, 0.1, 30)]
    assert set(changes) == {Change.NONE}
