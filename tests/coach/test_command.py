"""The command: from a checkpoint and files to a page in a real browser."""

import csv
import json
import shutil

import numpy as np
import pytest
from coached import coach, to_words, train, write_keypoints
from drawn_motions import draw, write

from tt_actions.main import main
from tt_actions.video.encoder import write_video

LABELS = ("forehand", "smash")


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """Reference strokes in space, a folder a class, and a model that has learnt from them."""
    folder = tmp_path_factory.mktemp("coach")
    for label in LABELS:
        (folder / "references" / label).mkdir(parents=True)
        for number in range(24):
            write(folder / "references" / label / f"p{number}.npz", draw(label, number))
    return folder, train(folder, "ntu25", folder / "references")


def test_a_faulty_stroke_gets_a_page_with_what_to_change(room, tmp_path, open_page, capsys):
    folder, checkpoint = room
    stroke = write(tmp_path / "a <b> & c.npz", draw("smash", 201, "narrow_stance", "large"))
    out = tmp_path / "out"
    coach(("checkpoint", checkpoint), ("input", stroke), ("reference", folder / "references"), ("out", out))
    told = json.loads((out / "findings.json").read_text())
    with (out / "findings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert told["class"] == "smash"
    assert told["num_references"] == 24
    assert told["phases_s"]["backswing"] < told["phases_s"]["contact"] < told["phases_s"]["follow_through"]
    assert [row["finding"] for row in rows] == [finding["finding"] for finding in told["findings"]]
    assert "stance-" in [row["kind"] for row in rows]
    assert (
        "narrower than in the references at contact. Place the feet further apart." in capsys.readouterr().out
    )
    page = open_page(out / "coach.html")
    assert page.inner_text("h1") == "a <b> & c.npz: smash"
    assert page.locator("ol.findings li > span:first-child").all_inner_texts() == [
        row["finding"] for row in rows
    ]
    assert page.locator(".views figure").count() == 6
    assert page.locator("line.playing").count() == 6 * 5 + 1  # the arm's bones, and the legend
    assert page.locator("polyline.own").count() == 4
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_video_with_its_joints_shows_them_in_its_pictures(tmp_path, open_page):
    for label in LABELS:
        (tmp_path / "references" / label).mkdir(parents=True)
        for number in range(16):
            write_keypoints(tmp_path / "references" / label / f"{number}.csv", draw(label, number))
    checkpoint = train(tmp_path, "movenet13", tmp_path / "references")
    motion = draw("smash", 100)
    joints = write_keypoints(tmp_path / "joints.csv", motion)
    video = tmp_path / "smash.mp4"
    write_video(video, (np.full((240, 320, 3), 90, np.uint8) for _ in motion.ball), 30)
    known = (("checkpoint", checkpoint), ("input", video), ("reference", tmp_path / "references"))
    coach(*known, ("joints", joints), ("out", tmp_path / "out"))
    page = open_page(tmp_path / "out" / "coach.html")
    assert page.locator(".views img").count() == 3
    assert page.evaluate("[...document.images].every(image => image.naturalHeight === 360)")
    assert "% of body height" in page.inner_text("table")
    shorter = tmp_path / "shorter.csv"
    shorter.write_text("\n".join(joints.read_text().splitlines()[:-9]))
    with pytest.raises(ValueError, match=r"one row of joints for each of the \d+ frames"):
        coach(*known, ("joints", shorter), ("out", tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_without_references_the_training_clips_are_the_references(room, tmp_path):
    _, checkpoint = room
    stroke = write(tmp_path / "stroke.npz", draw("smash", 203))
    coach(("checkpoint", checkpoint), ("input", stroke), ("out", tmp_path / "out"))
    told = json.loads((tmp_path / "out" / "findings.json").read_text())
    with (checkpoint.parents[1] / "splits.csv").open(newline="") as file:
        trained = [row for row in csv.DictReader(file) if (row["split"], row["label"]) == ("train", "smash")]
    assert told["num_references"] == len(trained) < 24
    alone = tmp_path / "alone" / "checkpoints" / "best.ckpt"
    alone.parent.mkdir(parents=True)
    shutil.copy(checkpoint, alone)
    with pytest.raises(ValueError, match=r"splits.csv.* Pass `--reference`"):
        coach(("checkpoint", alone), ("input", stroke), ("out", tmp_path / "none"))
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("is_joined", [False, True])
def test_the_option_of_earlier_versions_is_accepted(room, tmp_path, is_joined, capsys):
    _, checkpoint = room
    stroke = write(tmp_path / "stroke.npz", draw("smash", 203))
    former = [f"--input={stroke}"] if is_joined else ["--input", str(stroke)]
    main(["coach", *former, *to_words(("checkpoint", checkpoint), ("out", tmp_path / "out"))])
    assert (tmp_path / "out" / "coach.html").exists()
    with pytest.raises(SystemExit):
        main(["coach", "--help"])
    assert "--input" not in capsys.readouterr().out


def test_class_and_hand_are_those_that_the_user_names(room, tmp_path):
    folder, checkpoint = room
    stroke = write(tmp_path / "stroke.npz", draw("smash", 204))
    known = (("checkpoint", checkpoint), ("input", stroke), ("reference", folder / "references"))
    coach(*known, ("class", "forehand"), ("hand", "left"), ("out", tmp_path / "out"))
    told = json.loads((tmp_path / "out" / "findings.json").read_text())
    assert told["class"] == "forehand"
    assert told["left_handed"]
    with pytest.raises(ValueError, match=r"one of the model's strokes \(forehand, smash\)"):
        coach(*known, ("class", "lob"), ("out", tmp_path / "none"))
    with pytest.raises(ValueError, match="`--fps` to be positive"):
        coach(*known, ("fps", 0), ("out", tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_a_reference_is_not_its_own_yardstick_and_counts_once(room, tmp_path):
    folder, checkpoint = room
    shutil.copytree(folder / "references", tmp_path / "references")
    own = tmp_path / "references" / "smash" / "p3.npz"
    shutil.copy(own, own.with_name("copy_of_p3.npz"))
    shutil.copy(own.with_name("p4.npz"), own.with_name("copy_of_p4.npz"))
    coach(
        ("checkpoint", checkpoint),
        ("input", own),
        ("reference", tmp_path / "references"),
        ("class", "smash"),
        ("out", tmp_path / "out"),
    )
    assert json.loads((tmp_path / "out" / "findings.json").read_text())["num_references"] == 23


@pytest.mark.parametrize(
    ("out", "reason"),
    [
        ("afile", "Expected a folder to write to, but '.*' is a file"),
        ("/proc/c", "Expected to write '/proc/c'"),
    ],
)
def test_a_folder_that_cannot_be_written_is_refused_before_the_work(tmp_path, out, reason):
    stroke = write(tmp_path / "stroke.npz", draw("smash", 202))
    (tmp_path / "afile").touch()  # nor a checkpoint
    with pytest.raises((ValueError, OSError), match=reason):
        coach(("checkpoint", tmp_path / "afile"), ("input", stroke), ("out", tmp_path / out))


def test_what_cannot_be_judged_is_refused_first(room, tmp_path):
    folder, checkpoint = room
    stroke = write(tmp_path / "stroke.npz", draw("smash", 202))
    (tmp_path / "few" / "smash").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    write(tmp_path / "few" / "smash" / "one.npz", draw("smash", 1))
    for options, words in (
        (
            (stroke, tmp_path / "few"),
            r"at least 6 different reference strokes of 'smash'.* but got 1 \(classes found: smash\)",
        ),
        ((stroke, tmp_path / "empty"), "one subfolder of videos or of joint files"),
        ((tmp_path / "gone.npz", folder / "references"), "there is no such file"),
        ((stroke, tmp_path / "gone"), "there is no such file"),
        ((stroke, stroke), "`--reference` to be a folder"),
    ):
        with pytest.raises((ValueError, OSError), match=words):
            coach(
                ("checkpoint", checkpoint),
                ("input", options[0]),
                ("reference", options[1]),
                ("out", tmp_path / "o"),
            )
    assert not (tmp_path / "o").exists()
