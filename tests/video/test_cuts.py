import numpy as np
import pytest

from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.video.cuts import CutDetector
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
    cuts = [detector.push(image) for image in np.concatenate([first, second])]
    assert np.flatnonzero(cuts).tolist() == [len(first)]


def test_a_slow_change_of_light_is_no_cut(scenes):
    detector = CutDetector()
    image = scenes[0][0]
    assert not any(detector.push((image * share).astype(np.uint8)) for share in np.linspace(1, 0.1, 30))
