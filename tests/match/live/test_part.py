"""Pictures of frames that come one by one, against those of the file."""

import numpy as np
import pytest

from tt_actions.clips.specs import FrameSpec, iter_tracks
from tt_actions.match.live.frame_part import TrackPictures
from tt_actions.match.live.frames import FrameGrid
from tt_actions.video.decoder import open_decoder
from tt_actions.video.encoder import write_video

BALL = np.random.default_rng(0).integers(0, 256, (5, 5, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)


def pictures(fps):
    """A second of a speckled square that moves to the right before a wall."""
    for k in range(fps):
        picture = np.full((96, 144, 3), 90, np.uint8)
        left = 24 + round(48 * k / fps)
        picture[28:68, left : left + 40] = BALL
        yield picture


@pytest.mark.parametrize("source_fps", [10, 24, 60])
def test_flow_is_that_of_the_file_at_any_rate_of_the_source(tmp_path, source_fps):
    write_video(tmp_path / "a.mp4", pictures(source_fps), source_fps)
    spec = FrameSpec(30, (32, 48), roi=None, flow=True)
    of_file = iter_tracks(tmp_path / "a.mp4", spec, [None])
    expected = {round(30 * time_s): images[0] for time_s, images in of_file}
    live, grid = TrackPictures("a", None, spec), FrameGrid(30, gap_s=2.0)
    with open_decoder(tmp_path / "a.mp4") as decoder:
        given = [given for time_s, frame in decoder.frames() for given in grid.push(time_s, time_s, frame)]
    found = {round(30 * frame.time_s): live(frame) for frame in given}
    assert len(found) > 20
    assert np.ptp(found[15][..., 3]) > 0
    for number, picture in found.items():
        np.testing.assert_allclose(picture.astype(int), expected[number].astype(int), atol=1)
