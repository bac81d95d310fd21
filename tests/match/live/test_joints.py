"""Strokes by joints in a video that runs: a paced file, a lost stream, a machine that is too slow."""

import csv
import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from broadcast import Broadcast
from glow import FILES

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.typical_swing import find_typical_swing
from tt_actions.errors import UserError, VideoError
from tt_actions.main import main
from tt_actions.match.live.frames import FramePicker, PoseRate
from tt_actions.match.live.session import LiveAnalysis, run_live
from tt_actions.match.live.source import LiveSource
from tt_actions.models import JointKernel
from tt_actions.recognition.loading import load
from tt_actions.skeleton.layouts import find_layout
from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.video.encoder import write_video
from tt_actions.video.frames import read_frames

CLASSES = ("forehand", "smash")
PREPROCESSING = JointPreprocessing("ntu25", num_frames=128, sampling="all")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A drawn clip of each class."""
    out = tmp_path_factory.mktemp("drawn")
    synthesize(out, 4, 2, size=(640, 480), num_workers=1)
    return [next(out.rglob(f"{name}*.mp4")) for name in CLASSES]


@pytest.fixture(scope="module")
def checkpoint(drawn, tmp_path_factory):
    """A file like those of a training, of a model that knows these clips."""
    clips = [PREPROCESSING.read(video).values for video in drawn]
    network = JointKernel(2, "ntu25")
    for label, joints in enumerate(clips):
        for noise in (-0.02, 0.02):
            inputs = torch.from_numpy(joints + np.float32(noise)).movedim(-1, 1)[None]
            network.collect(inputs, torch.tensor([len(joints)]), torch.tensor([label]))
    network.solve()
    spec = {"class_path": "tt_actions.models.JointKernel", "init_args": {"num_classes": 2, "layout": "ntu25"}}
    content = {
        "pytorch-lightning_version": "2.6.0",
        "hparams_name": "kwargs",
        "state_dict": {f"network.{name}": value for name, value in network.state_dict().items()},
        "hyper_parameters": {
            "network": spec,
            "class_names": list(CLASSES),
            "preprocessing": asdict(PREPROCESSING),
            "_instantiator": "pytorch_lightning.cli.instantiate_module",
        },
        "typical_swing": find_typical_swing(clips, find_layout("ntu25"), 30).to_plain(),
    }
    path = tmp_path_factory.mktemp("checkpoint") / "best.ckpt"
    torch.save(content, path)
    return path


@pytest.fixture(scope="module")
def match(drawn, tmp_path_factory):
    """The smash three times in a row."""
    path = tmp_path_factory.mktemp("match") / "match.mp4"
    write_video(path, np.concatenate([read_frames(drawn[1]).values] * 3), fps=30)
    return path


def test_a_paced_file_gives_the_strokes_of_its_analysis(match, checkpoint):
    model = load(checkpoint)
    whole = model.analyze(match)
    assert [stroke.label for stroke in whole.strokes] == ["smash"] * 3
    for _ in range(6):  # a machine that stands still for a while drops frames
        told, seen = [], []
        result = run_live(model, LiveSource(str(match)), on_stroke=told.append, on_status=seen.append)
        if not result.num_dropped:
            break
    found = result.analysis
    assert result.state == "ended"
    assert [stroke.label for stroke in found.strokes] == ["smash"] * 3
    contacts_s = [stroke.contact_s for stroke in found.strokes]
    for contact_s, stroke in zip(contacts_s, whole.strokes, strict=True):  # live knows no later peak
        assert stroke.start_s < contact_s < stroke.contact_s + 0.15
    assert result.strokes == tuple(told)
    assert min(stroke.delay_s for stroke in told[:2]) > 0.3  # from contact, so the wait is part of it
    num_poses = len(found.times_s)
    assert num_poses == len(result.latencies_s) <= 195 - result.num_dropped
    assert found.motion.poses.shape == (1, num_poses, 33, 6)
    assert np.nanmax(found.motion.hand_speed) == pytest.approx(np.nanmax(whole.motion.hand_speed), rel=0.3)
    assert found.probabilities.shape == (1, num_poses, 3)
    during = (found.times_s >= found.strokes[1].start_s) & (found.times_s < found.strokes[1].end_s)
    assert (found.probabilities[0, during].argmax(1) == 1).all()
    assert {status.now[0][0] for status in seen if status.now} == {"smash", "idle"}
    assert 195 / 30 - 0.2 < found.duration_s < 195 / 30 + 0.1


def test_a_lost_stream_begins_anew_and_the_files_are_those_of_analyze(drawn, checkpoint, tmp_path, capsys):
    stream = tmp_path / "smash.ts"
    write_video(stream, read_frames(drawn[1]).values, fps=30)
    server = Broadcast(stream, 65 / 30, times=2)
    words = ["live", "--checkpoint", checkpoint, "--source", server.address, "--out", tmp_path / "out"]
    with pytest.raises(VideoError, match="but got none"):
        main([str(word) for word in [*words, "--retry-s", 2, "--no-page"]])
    said = capsys.readouterr().out
    assert "is lost: the stream ended; reconnecting in 1 s." in said
    assert "is back" in said
    strokes = json.loads((tmp_path / "out" / "strokes.json").read_text())["strokes"]
    assert len(strokes) == 2
    assert strokes[1]["start_s"] - strokes[0]["end_s"] > 0.9  # nothing is carried across the loss
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*FILES, "joints.npz"}
    with (tmp_path / "out" / "strokes.csv").open() as file:
        assert all(float(row["contact_s"]) < float(row["end_s"]) for row in csv.DictReader(file))


def test_two_players_share_the_frames(match, checkpoint):
    players, rois = ("near", "far"), [(0, 0, 640, 480), (0, 0, 60, 60)]  # nobody is in the corner
    for _ in range(3):  # a machine that is too busy for two players drops most frames
        result = run_live(load(checkpoint), LiveSource(str(match)), players, rois)
        if result.num_dropped < 20:
            break
    assert {stroke.player for stroke in result.analysis.strokes} == {"near"}
    assert np.isnan(result.analysis.motion.hand_speed[1]).all()
    assert any("far is not found in the video" in remark for remark in result.analysis.remarks)


def test_one_image_is_too_short_as_analyze_says(drawn, checkpoint, tmp_path):
    write_video(tmp_path / "one.mp4", read_frames(drawn[1]).values[:1], fps=30)
    model = load(checkpoint)
    remarks = model.analyze(tmp_path / "one.mp4").remarks
    assert remarks[-1] == "With 1 image, the video is too short to show a stroke."
    assert run_live(model, LiveSource(str(tmp_path / "one.mp4"))).analysis.remarks == remarks


def test_a_region_outside_the_picture_is_reported(match, checkpoint):
    with pytest.raises(VideoError, match="Expected `roi` to lie within the 640x480 pixels"):
        run_live(load(checkpoint), LiveSource(str(match)), rois=[(0, 0, 999, 99)])


def test_what_does_not_suit_is_refused_before_the_source_is_opened(match, checkpoint):
    model = load(checkpoint)
    with pytest.raises(UserError, match="`lag` of at least 6 frames"):
        LiveAnalysis(model, LiveSource(str(match)), lag=3)
    model.typical_swing = None
    with pytest.raises(UserError, match="Train it again"):
        LiveAnalysis(model, LiveSource(str(match)))


@pytest.mark.parametrize(
    ("source_fps", "fps", "expected"), [(30, 30, 30), (60, 30, 30), (30, 20, 20), (25, 30, 25)]
)
def test_frames_are_picked_evenly_and_once(source_fps, fps, expected):
    picker = FramePicker(fps, gap_s=2.0)
    times_s = np.arange(4 * source_fps) / source_fps
    picked = [given for time_s in times_s for given in picker.push(time_s, time_s, None)]
    assert len(picked) == pytest.approx(4 * expected, abs=1)
    assert [frame.time_s for frame in picked] == sorted({frame.time_s for frame in picked})
    assert np.ptp(np.diff([frame.time_s for frame in picked])) <= 1 / source_fps + 1e-9
    assert {frame.part for frame in picked} == {1}


def test_a_gap_and_a_loss_begin_a_new_part():
    picker = FramePicker(10, gap_s=2.0)
    parts = [frame.part for time_s in (0.0, 0.5, 3.0) for frame in picker.push(time_s, 0.0, None)]
    picker.interrupt()
    assert [*parts, *(frame.part for frame in picker.push(3.5, 0.0, None))] == [1, 1, 2, 3]


def test_the_rate_follows_the_machine_but_not_below_fifteen():
    rate = PoseRate(30.0)
    assert rate.update(0.01, 0.0) == 30
    assert [rate.update(0.05, 0.0) for _ in range(60)][-1] == pytest.approx(17, abs=0.2)
    assert [rate.update(0.2, 0.0) for _ in range(60)][-1] == 15
    assert [rate.update(0.02, 0.0) for _ in range(200)][-1] == 30  # faster again
    assert rate.update(0.02, 0.3) < 28  # frames wait, whatever a pose takes
