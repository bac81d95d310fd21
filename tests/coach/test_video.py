"""The command on videos alone: the built-in pose model finds the joints of strokes and references."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from coached import coach, to_words

from tt_actions.errors import UserError
from tt_actions.files import write_rows
from tt_actions.main import main
from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.video.encoder import write_video
from tt_actions.video.frames import read_frames
from tt_actions.video.info import probe

LABELS = ("forehand", "smash")
REGION = "0,0,320,240"


def stored(cache):
    return set(cache.rglob("*.npy"))


def contact(video):
    """When the ball is hit in a drawn video."""
    return float(np.load(video.with_suffix(".npz"))["stroke_contact_s"][0])


def stretch(video):
    """Start and end of the stroke alone: the joints of every other image would take time."""
    start_s, end_s = max(0.0, contact(video) - 0.9), min(probe(video).duration_s, contact(video) + 0.6)
    return round(start_s, 3), round(end_s, 3)


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A run of experiments/strokes.yaml on a manifest of drawn videos, and a smash that it has not seen."""
    folder = tmp_path_factory.mktemp("videos")
    synthesize(folder / "drawn", 28, 7, num_workers=1)
    rows = []
    for label in LABELS:
        for video in sorted((folder / "drawn").rglob(f"{label}/*.mp4")):
            split = "test" if "player_03" in video.stem else "train"
            part = ("", "") if split == "test" else stretch(video)
            rows.append([video, *part, label, *REGION.split(","), "right", split])
    columns = ["path", "start_s", "end_s", "label", "x0", "y0", "x1", "y1", "hand", "split"]
    write_rows(folder / "clips.csv", columns, rows)
    experiment = Path(__file__).parents[2] / "experiments" / "strokes.yaml"
    words = ["--runs", str(folder / "runs"), "--data.cache_dir", str(folder / "cache")]
    main(["train", "--config", str(experiment), "--data", str(folder / "clips.csv"), *words])
    checkpoint = folder / "runs" / "strokes" / "version_0" / "checkpoints" / "best.ckpt"
    return folder, checkpoint, next((folder / "drawn").rglob("smash_*_player_03.mp4"))


def test_a_video_is_judged_by_the_videos_of_the_training(room, tmp_path, browser, capsys):
    folder, checkpoint, video = room
    before = stored(folder / "cache")
    known = (("checkpoint", checkpoint), ("input", video), ("roi", REGION), ("class", "smash"))
    coach(*known, ("out", tmp_path / "out"))
    told = json.loads((tmp_path / "out" / "findings.json").read_text())
    assert told["num_references"] == 6
    sentence = "Compared with 6 strokes of class smash on which the model was trained, from "
    assert told["references"].startswith(sentence)
    assert told["references"] in capsys.readouterr().out
    assert not told["left_handed"]
    assert told["phases_s"]["contact"] == pytest.approx(contact(video), abs=0.1)
    assert stored(folder / "cache") <= before  # joints are found only once
    page = browser.new_page()
    page.goto((tmp_path / "out" / "coach.html").as_uri())
    assert page.locator(".views img").count() == 3
    assert page.evaluate("[...document.images].every(image => image.naturalHeight === 360)")
    assert told["references"] in page.inner_text("header")
    assert " cm" in page.inner_text("table").replace("\t", " ")
    page.close()


def test_references_are_videos_of_a_manifest(room, tmp_path):
    folder, checkpoint, video = room
    known = (("checkpoint", checkpoint), ("input", video), ("reference", folder / "clips.csv"))
    shutil.copytree(folder / "cache", tmp_path / "cache")
    for file in stored(tmp_path / "cache"):
        if np.load(file).shape[1:] != (33, 6):
            file.unlink()  # the network's input; landmarks are enough
    landmarks = stored(tmp_path / "cache")
    lost = min(landmarks)
    lost.unlink()
    options = (("class", "smash"), ("cache-dir", tmp_path / "cache"))
    coach(*known, *options, ("roi", REGION), ("out", tmp_path / "out"))
    told = json.loads((tmp_path / "out" / "findings.json").read_text())
    assert told["num_references"] == 6
    assert f"from '{folder / 'clips.csv'}'" in told["references"]
    assert landmarks - {lost} <= stored(tmp_path / "cache") <= landmarks
    joints = video.with_suffix(".npz")
    with pytest.raises(UserError, match="no `--pose` or `--roi` with `--joints`"):
        coach(*known, ("roi", REGION), ("joints", joints), ("out", tmp_path / "none"))
    own = tmp_path / "own.onnx"
    own.touch()
    with pytest.raises(UserError, match="joints in the image only, but got "):
        coach(*known, ("roi", REGION), ("pose", f"onnx:{own}"), ("out", tmp_path / "none"))
    with pytest.raises(UserError, match="but got the joint file"):
        coach(("checkpoint", checkpoint), ("input", joints), ("roi", REGION), ("out", tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_joints_in_space_cannot_be_drawn_into_a_video(room, tmp_path):
    _, checkpoint, video = room
    with pytest.raises(UserError, match=r"contains 3D joints\. Pass only the video"):
        coach(
            ("checkpoint", checkpoint),
            ("input", video),
            ("joints", video.with_suffix(".npz")),
            ("out", tmp_path / "none"),
        )


def join(clips, video):
    """Write clips as one video; return the times of contact."""
    frames = [read_frames(clip, fps=30).values for clip in clips]
    write_video(video, np.concatenate(frames), fps=30)
    starts_s = np.cumsum([0, *(len(own) / 30 for own in frames)])
    return [start_s + contact(clip) for start_s, clip in zip(starts_s[:-1], clips, strict=True)]


def coach_match(room, video, out, *more):
    known = (("checkpoint", room[1]), ("input", video), ("roi", REGION), ("hand", "right"), ("out", out))
    main(["coach", "--match", *to_words(*known, *more)])
    return json.loads((out / "findings.json").read_text())


def test_every_stroke_of_a_match_is_judged(room, tmp_path, open_page, capsys):
    clips = sorted((room[0] / "drawn").rglob("forehand/*.mp4"))[:4]
    contacts_s = join(clips, tmp_path / "match.mp4")
    told = coach_match(room, tmp_path / "match.mp4", tmp_path / "out")
    found_s = np.array([one["contact_s"] for one in told["strokes"] if one["class"] == "forehand"])
    assert sum(np.abs(found_s - contact_s).min() < 0.15 for contact_s in contacts_s) >= 3
    judged = [one for one in told["strokes"] if one["phases_s"]]
    assert len(judged) >= 2
    for one in judged:
        assert one["phases_s"]["contact"] == pytest.approx(one["contact_s"], abs=0.3)
    said = capsys.readouterr().out
    assert said.startswith("match.mp4\n")
    assert "strokes of class forehand on which the model was trained, from " in told["references"]["forehand"]
    assert told["references"]["forehand"] in said
    page = open_page(tmp_path / "out" / "coach.html")
    assert page.locator("article").count() == len(told["strokes"])
    assert page.locator("article img").count() % 3 == 0
    assert page.locator("article img").count() >= 3
    assert page.evaluate("[...document.images].every(image => image.naturalHeight === 240)")


def test_a_match_is_compared_with_its_own_typical_strokes(room, tmp_path):
    drawn = sorted((room[0] / "drawn").rglob("forehand/*.mp4"))
    join([*drawn, *drawn[:2]], tmp_path / "match.mp4")
    told = coach_match(
        room, tmp_path / "match.mp4", tmp_path / "out", ("against", "own"), ("class", "forehand")
    )
    assert {one["class"] for one in told["strokes"]} == {"forehand"}
    assert "of class forehand of this match, the most typical of " in told["references"]["forehand"]


def test_options_that_do_not_go_together_are_refused(room, tmp_path):
    folder, checkpoint, video = room
    known = (("checkpoint", checkpoint), ("input", video), ("out", tmp_path / "none"))
    for more, reason in (
        ((("against", "own"),), "Expected `--match` with"),
        ((("player", "left"),), "Expected `--match` with"),
        ((("roi", REGION), ("roi", "0,0,160,240")), "Expected `--match` with"),
    ):
        with pytest.raises(UserError, match=reason):
            coach(*known, *more)
    for more, reason in (
        ((("against", "own"), ("reference", folder / "clips.csv")), "no `--reference` with `--against own`"),
        ((("players", "left,right"),), r"one of the players \(left, right\), but got none"),
        ((("players", "left,right"), ("player", "anna")), "but got 'anna'"),
        ((("joints", video),), "Expected only a video with `--match`"),
    ):
        with pytest.raises(UserError, match=reason):
            main(["coach", "--match", *to_words(*known, *more)])
    assert not (tmp_path / "none").exists()
