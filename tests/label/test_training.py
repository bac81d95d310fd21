"""What was marked is what a training takes."""

from pathlib import Path

import numpy as np
import pytest

import tt_actions
from tt_actions.clips.splits import read_split_clips
from tt_actions.label.proposals import unmarked
from tt_actions.label.session import LabelSession
from tt_actions.main import main
from tt_actions.video.encoder import write_video
from tt_actions.video.frames import read_frames

EXPERIMENT = Path(__file__).parents[2] / "experiments" / "strokes.yaml"


@pytest.fixture
def marks(posed_clips, tmp_path):
    """The marks of a single video of twelve drawn strokes."""
    clips = sorted(posed_clips.glob("*/*.mp4"))
    frames = [read_frames(clip, fps=30, start_s=0.5, end_s=1.5).values for clip in clips]
    ends_s = np.cumsum([len(own) for own in frames]) / 30
    write_video(tmp_path / "match.mp4", np.concatenate(frames), fps=30)
    session = LabelSession(tmp_path / "marks.csv", [unmarked(tmp_path / "match.mp4", ["anna"])])
    for number, (clip, end_s) in enumerate(zip(clips, ends_s.tolist(), strict=True)):
        start_s = end_s - len(frames[number]) / 30
        times_s = {"start_s": start_s, "contact_s": (start_s + end_s) / 2, "end_s": end_s}
        action = {"kind": "add", "player": "anna", "label": clip.parent.name, **times_s}
        session.apply(0, action, number)
    session.close()
    return tmp_path / "marks.csv"


def test_a_single_marked_match_is_enough_to_train_on(marks, tmp_path):
    words = ["train", "--config", str(EXPERIMENT), "--data", str(marks), "--runs", str(tmp_path / "runs")]
    with pytest.warns(UserWarning, match=r"All 12 clips are from 'match\.mp4'"):
        main([*words, "--data.cache_dir", str(tmp_path / "cache")])
    run = tmp_path / "runs" / "strokes" / "version_0"
    model = tt_actions.load(run / "checkpoints" / "best.ckpt")
    assert model.class_names == ("serve", "forehand", "backhand", "smash")
    assert (run / "report" / "metrics.json").is_file()
    splits = [clip.split for clip in read_split_clips(run / "splits.csv")]
    assert {"train", "test"} == set(splits)
    assert len(splits) == 12
