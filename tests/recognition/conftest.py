"""A match of drawn clips that several tests analyse."""

import numpy as np
import pytest

from tt_actions.clips.splits import read_split_clips
from tt_actions.video.encoder import write_video
from tt_actions.video.frames import read_frames

NUM_JOINED = 6


@pytest.fixture(scope="module")
def match(posed_run, make_once):
    """Some of the training clips in one video, and what is played when."""
    records = [r for r in read_split_clips(posed_run / "splits.csv") if r.split == "train"][:NUM_JOINED]
    frames = [read_frames(record.path, fps=30).values for record in records]
    folder = make_once("match", lambda out: write_video(out / "match.mp4", np.concatenate(frames), fps=30))
    ends_s = np.cumsum([len(own) for own in frames]) / 30
    return folder / "match.mp4", [record.label for record in records], ends_s
