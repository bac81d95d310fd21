"""Videos of the worst clips, written and read back."""

from dataclasses import replace

import numpy as np
import pytest

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.pose_spec import PoseSpec
from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.strokes import STROKES
from tt_actions.evaluation.predictions import Predictions
from tt_actions.evaluation.worst_clips import MAX_SIZE, draw_caption, write_worst_clips
from tt_actions.video.decoder import VideoWarning
from tt_actions.video.encoder import write_video
from tt_actions.video.frames import read_frames
from tt_actions.video.info import probe

PREPROCESSING = Preprocessing(fps=10, size=(16, 16), num_frames=4)


@pytest.fixture
def records(strokes):
    """Six of the synthetic clips."""
    return read_manifest(strokes)[:6]


def predicted(records, chances):
    """The true class of each clip gets its probability, the next class the rest."""
    labels = np.array([STROKES.index(record.label) for record in records])
    probabilities = np.zeros((len(records), len(STROKES)))
    probabilities[np.arange(len(records)), labels] = chances
    probabilities[np.arange(len(records)), (labels + 1) % 4] = 1 - np.array(chances)
    frames = (np.zeros(3, int),) * len(records)
    return Predictions(STROKES, tuple(r.name for r in records), labels, probabilities, frames, 0.5)


def write(folder, records, chances, preprocessing=PREPROCESSING, num_clips=4):
    named = {record.name: record for record in records}
    return write_worst_clips(folder, predicted(records, chances), named, preprocessing, num_clips)


def test_the_least_likely_clips_come_first_with_their_classes(records, tmp_path):
    worst = write(tmp_path / "report" / "worst", records, [0.9, 0.1, 0.6, 0.02, 0.3, 0.8])
    assert [clip.path.name for clip in worst] == [
        f"{rank}_{records[index].path.stem}.mp4" for rank, index in enumerate((3, 1, 4, 2), 1)
    ]
    other = STROKES[(STROKES.index(records[3].label) + 1) % 4]
    assert worst[0].caption == f"true: {records[3].label} 0.02, predicted: {other} 0.98 ({records[3].name})"
    video, source = probe(worst[0].path), probe(records[3].path)
    assert (video.codec, video.fps, video.width) == ("h264", 10, MAX_SIZE[0])
    assert video.duration_s == pytest.approx(source.duration_s, abs=0.15)
    assert sum(clip.path.stat().st_size for clip in worst) < 1e6


@pytest.mark.parametrize("crop", ["none", "motion"])
def test_the_frames_are_those_that_the_network_reads_but_larger(records, tmp_path, crop):
    preprocessing = replace(PREPROCESSING, crop=crop)
    record = records[0]
    [clip] = write(tmp_path, [record], [0.5], preprocessing, num_clips=1)
    height = MAX_SIZE[1]
    width = (
        height
        if crop == "motion"
        else height * (record.roi[2] - record.roi[0]) / (record.roi[3] - record.roi[1])
    )
    shown = read_frames(clip.path).values
    left = (MAX_SIZE[0] - round(width)) // 2
    picture = shown[:, :height, left : left + round(width)]
    expected = read_frames(
        record.path, fps=10, size=picture.shape[1:3], roi=record.roi, crop=crop, aspect="stretch"
    ).values
    assert np.abs(picture.astype(int) - expected).mean() < 6
    assert shown[:, : height - 2, : left - 2].max() < 20  # nothing next to it
    assert 30 < shown[:, height:].mean() < 60  # the caption below it


def test_a_stretch_of_a_long_video_is_cut_and_named_by_its_start(tmp_path):
    path = tmp_path / "a match, day 1.mp4"
    write_video(path, (np.full((40, 60, 3), 3 * t % 256, np.uint8) for t in range(130)), fps=8)
    records = [ClipRecord(path, "smash", 2.0, end_s) for end_s in (None, 3.5)]
    long, short = write(tmp_path / "worst", records, [0.4, 0.5])
    assert long.path.name == "1_a_match_day_1_2.00s.mp4"
    assert probe(long.path).duration_s == pytest.approx(10)
    assert probe(short.path).duration_s == pytest.approx(1.5)
    assert read_frames(short.path).values[0, 100, 240].mean() == pytest.approx(3 * 16, abs=4)


def test_joints_that_are_known_are_not_found_again(posed_clips, posed_cache, tmp_path, monkeypatch):
    clip = min(posed_clips.rglob("*.mp4"), key=lambda path: path.stat().st_size)
    record, preprocessing = ClipRecord(clip, "smash"), JointPreprocessing("ntu25")
    num_frames = len(FrameCache(posed_cache).frames(record, preprocessing.spec))

    def find(*_):
        pytest.fail("The joints are found again.")

    monkeypatch.setattr(PoseSpec, "read", find)
    named, cache = {record.name: record}, FrameCache(posed_cache)
    [shown] = write_worst_clips(tmp_path, predicted([record], [0.5]), named, preprocessing, cache=cache)
    assert probe(shown.path).num_frames == num_frames


def test_a_missing_clip_is_reported_and_skipped(records, tmp_path):
    gone = replace(records[0], path=tmp_path / "gone.mp4")
    with pytest.warns(VideoWarning, match=r"Skipping the video of the test clip '.*gone\.mp4.*': Expected"):
        worst = write(tmp_path / "worst", [gone, *records[1:3]], [0.1, 0.2, 0.3])
    assert [clip.path.name[0] for clip in worst] == ["2", "3"]


def test_a_folder_that_can_not_be_written_is_reported(records, tmp_path):
    (tmp_path / "worst").touch()
    with pytest.warns(VideoWarning, match=r"Expected to write '.*worst/1_.*mp4'"):
        assert write(tmp_path / "worst", records[:1], [0.1]) == []


def test_videos_of_an_earlier_test_are_removed(records, tmp_path):
    write(tmp_path, records, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    worst = write(tmp_path, records, [0.6, 0.5, 0.4, 0.3, 0.2, 0.1], num_clips=2)
    assert sorted(tmp_path.iterdir()) == [clip.path for clip in worst]


def test_captions_take_any_letters_and_colour_what_is_wrong():
    right, wrong = (draw_caption(["true: 发球 $x", "predicted: 发球", "x" * 300], is_correct=is_correct)
                    for is_correct in (True, False))  # fmt: skip
    assert right.shape == wrong.shape
    assert right.shape[1] == MAX_SIZE[0]
    assert (right != wrong).any()
