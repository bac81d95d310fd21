"""The command label: its results, its errors, and what is left when it is killed."""

import re
import signal
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from labelling import Desk, ask, is_shown, own, press, said, store
from marked import film, make_match
from pages import wait_for

from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.strokes import Stroke
from tt_actions.errors import UserError
from tt_actions.files import write_json
from tt_actions.main import main
from tt_actions.recognition.stored_analysis import read_analysis
from tt_actions.video.encoder import write_video
from tt_actions.video.frames import read_frames

STROKES = [Stroke("serve", 1.0 + 2 * i, 2.0 + 2 * i, 1.5 + 2 * i, 0.5 + i / 10, "anna") for i in range(4)]


@pytest.fixture
def folder(tmp_path):
    return store(tmp_path / "out", make_match(tmp_path / "match.mp4", STROKES))


@pytest.fixture
def label(start):
    """Starts the command, and gives the process and the address of its page."""

    def start_label(*words, wanted="url"):
        process = start("label", *words, "--no-browser")
        said = []
        for line in process.stdout:
            said.append(line)
            if found := re.match(
                r"Open (http://127\.0\.0\.1:\d+/) to mark strokes\. Press Ctrl-C to end\.$", line
            ):
                return process, found[1] if wanted == "url" else "".join(said)
        pytest.fail("".join(said))

    return start_label


@pytest.fixture
def open_page(visits):
    yield visits.open
    visits.close()


def test_a_killed_server_loses_nothing_and_the_page_goes_on(folder, tmp_path, label, open_page):
    marks = tmp_path / "marks.csv"
    process, url = label(folder / "strokes.csv", "--out", marks, "--port", 0)
    page = open_page(url)
    is_shown(page, "#done", "0 of 4 checked")
    press(page, "1", "2", "x")
    is_shown(page, "#done", "3 of 4 checked")
    saved = marks.read_bytes()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [record.label for record in read_manifest(marks)] == ["serve", "forehand"]
    wait_for(page, "!document.getElementById('gone').hidden")
    press(page, "3")
    said(page, "Not saved")
    is_shown(page, "#done", "3 of 4 checked")
    port = url.rstrip("/").rpartition(":")[2]
    with page.expect_event("load", timeout=30_000):  # the page notices another server
        desk = Desk(marks, read_analysis(folder, tmp_path / "match.mp4"), port=int(port))
    try:
        wait_for(page, "document.getElementById('gone').hidden")
        is_shown(page, "#done", "3 of 4 checked")
        assert marks.read_bytes() == saved
        press(page, "z")
        is_shown(page, "#done", "2 of 4 checked")
        press(page, "4", "n", "3")
        is_shown(page, "#done", "4 of 4 checked")
        assert [label for _, label in desk.rows()] == ["serve", "forehand", "smash", "backhand"]
    finally:
        desk.close()


def test_one_process_at_a_time_writes_and_says_at_its_end_what_it_has(folder, tmp_path, label):
    marks = tmp_path / "marks.csv"
    process, url = label("--from", folder, "--out", marks, "--port", 0)
    action = {"kind": "accept", "mark": 1, "label": "lob"}
    sent = {"video": 0, "revision": 0, "action": action}
    assert ask(url, "/apply", "POST", sent, **own(url))[0] == 200
    refuse("another one does", "--from", folder, "--out", marks, "--port", 0)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    assert process.stdout.read() == (
        f"1 stroke is marked in '{marks}'. Go on with the same command.\n"
        f'Train a model on them: make train EXP=strokes DATA="{marks}"\n'
    )


def test_a_port_in_use_is_reported(folder, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(OSError, match=r"in use\. Choose another `port`"):
            main(["label", "--from", str(folder), "--out", str(tmp_path / "m.csv"), "--port", port])


def refuse(match, *words, error=ValueError):
    with pytest.raises(error, match=match):
        main(["label", *map(str, words)])


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("", r"a file for the marks, but '\.' is a folder\. Choose another `--out`"),
        ("folder", "but 'folder' is a folder"),
        ("file/marks.csv", "a folder for the marks, but 'file' is a file"),
        ("none/marks.csv", "a folder for the marks, but 'none' does not exist"),
        ("/dev/full", "but '/dev/full' is no ordinary file"),
        ("file", r"'file' to be a new file, .* but there is no such log\. Move it away"),
        ("a" * 300, "'a+', but got: File name too long"),
        ("/proc/marks.csv", "Expected to write '/proc/marks.csv', but got: .* or choose another `--out`"),
    ],
)
def test_a_place_that_can_not_hold_marks_is_refused_before_the_work(tmp_path, monkeypatch, out, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    film(tmp_path / "match.mp4", 3.0)
    with pytest.raises((UserError, OSError), match=message) as refused:
        main(["label", "match.mp4", "--out", out])
    assert "\n" not in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "match.mp4"]
    assert (tmp_path / "file").read_text() == "mine"


def test_a_wrong_list_of_videos_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    film(tmp_path / "match.mp4", 3.0)
    (tmp_path / "text.mp4").write_text("not a video")
    refuse(r"text\.mp4' to be a video", "match.mp4", "text.mp4")
    refuse("each video only once, but got '.*/match.mp4' twice", "match.mp4", tmp_path / "match.mp4")
    assert not (tmp_path / "runs").exists()


def test_other_players_than_before_are_refused_before_the_work(folder, tmp_path, monkeypatch, label):
    monkeypatch.chdir(tmp_path)
    process, url = label("--from", folder, "--port", 0)
    sent = {"video": 0, "revision": 0, "action": {"kind": "reject", "mark": 1}}
    assert ask(url, "/apply", "POST", sent, **own(url))[0] == 200
    process.terminate()
    assert process.wait(10) == 0
    refuse(
        "the players anna, but got 10.0 s and the players left, right", "match.mp4", "--players", "left,right"
    )
    assert not Path("runs/labels/match").exists()


def test_a_video_that_is_cut_off_can_be_marked_again(tmp_path, monkeypatch, label):
    """Its header says 10 s, but an analysis finds fewer."""
    monkeypatch.chdir(tmp_path)
    mine = [replace(stroke, player="player") for stroke in STROKES[:2]]
    match = replace(make_match(tmp_path / "match.mp4", mine, ("player",)), duration_s=6.0)
    folder = store(tmp_path / "out", match)
    refuse(r"which is 6\.0 s long, but '.*match\.mp4' is 10\.0 s long", "--from", folder)
    inputs = {"video": str(match.video), "bytes": match.video.stat().st_size}
    write_json(folder / "analysis.json", inputs)
    process, url = label("--from", folder, "--port", 0)
    sent = {"video": 0, "revision": 0, "action": {"kind": "accept", "mark": 1}}
    assert ask(url, "/apply", "POST", sent, **own(url))[0] == 200
    process.terminate()
    assert process.wait(10) == 0
    refuse("missing.ckpt", "match.mp4", "--checkpoint", "missing.ckpt", error=FileNotFoundError)  # no length
    film(match.video, 9.0)
    refuse(r"with 6\.0 s and the players player, but got 9\.0 s", "match.mp4")


def test_marks_that_another_process_writes_are_refused_before_the_work(folder, tmp_path, monkeypatch, label):
    monkeypatch.chdir(tmp_path)
    label("--from", folder, "--out", tmp_path / "marks.csv", "--port", 0)
    film(tmp_path / "other.mp4", 3.0)
    refuse("another one does", "other.mp4", "--out", tmp_path / "marks.csv")
    assert not (tmp_path / "runs").exists()


def test_runs_that_is_a_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").write_text("mine")
    film(tmp_path / "match.mp4", 3.0)
    refuse("or choose another `--out`", "match.mp4", error=OSError)


def test_a_renamed_video_keeps_its_marks(folder, tmp_path, monkeypatch, label):
    monkeypatch.chdir(tmp_path)
    process, url = label("--from", folder, "--port", 0)
    action = {"kind": "accept", "mark": 1, "label": "lob"}
    assert ask(url, "/apply", "POST", {"video": 0, "revision": 0, "action": action}, **own(url))[0] == 200
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    Path("match.mp4").rename("final.mp4")
    for is_new in (True, False):
        process, said = label("final.mp4", "--from", folder, "--port", 0, wanted="lines")
        line = "'final.mp4' is the video that was marked as .*match.mp4'; its marks in .*match.csv' are kept."
        assert bool(re.search(line, said)) == is_new
        process.send_signal(signal.SIGINT)
        assert "1 stroke is marked in 'runs/labels/match.csv'" in process.communicate()[0]
    assert [record.path for record in read_manifest(Path("runs/labels/match.csv"))] == [
        tmp_path / "final.mp4"
    ]


def test_marks_of_a_video_in_another_file_are_pointed_out(folder, tmp_path, monkeypatch, label):
    monkeypatch.chdir(tmp_path)
    other = store(tmp_path / "second", make_match(tmp_path / "other.mp4", STROKES, duration_s=9.0))
    line = (
        "What was marked in '.*other.mp4' before is in 'runs/labels/other.csv' and not shown; it begins anew "
        "in 'runs/labels/match.csv'. To go on with it, pass that file as `--out`."
    )
    both = [folder, other]
    for folders, is_said in [([folder], False), ([other], False), (both, True), (both, False)]:
        process, said = label("--from", *folders, "--port", 0, wanted="lines")
        assert bool(re.search(line, said)) == is_said
        process.terminate()
        assert process.wait(10) == 0


def test_what_is_missing_is_named(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse("a video or the folder of an analysis, but got none")
    refuse("without `--checkpoint`", "--from", folder, "--players", "left,right")
    refuse("to be a video file, but", tmp_path)
    refuse("1 videos and 2 folders", "a.mp4", "--from", folder, folder)
    refuse("none', but there is no such", "--from", tmp_path / "none", error=FileNotFoundError)
    refuse("there is no 'gone.mp4'", "gone.mp4", "--from", folder, error=FileNotFoundError)
    film(tmp_path / "other.mp4", 3.0)
    refuse("either `checkpoint` or `sport`", "other.mp4", "--checkpoint", "other.mp4", "--sport", "tennis")
    refuse(r"which is 10\.0 s long, but 'other\.mp4' is 3\.0 s", "other.mp4", "--from", folder)
    (tmp_path / "text.mp4").write_text("not a video")
    refuse(r"text\.mp4' to be a video", "text.mp4", "--from", folder)
    (folder / "analysis.json").unlink()
    refuse("does not say where it is. Give its path", "--from", folder, error=FileNotFoundError)
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").rglob("*.csv"))


def test_a_checkpoint_finds_the_proposals_once(
    joint_checkpoint, joint_film, tmp_path, monkeypatch, label, open_page
):
    monkeypatch.chdir(tmp_path)
    words = (joint_film / "match.mp4", "--checkpoint", joint_checkpoint, "--port", 0)
    process, url = label(*words)
    page = open_page(url)
    wait_for(page, "/^0 of [1-9]/.test(document.getElementById('done').textContent)")
    assert page.is_visible("#bones")
    process.terminate()
    assert process.wait(10) == 0
    assert "0 strokes are marked in 'runs/labels/match.csv'" in process.stdout.read()
    written = Path("runs/labels/match/strokes.csv").stat().st_mtime_ns
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "match.mp4"
    write_video(other, read_frames(joint_film / "match.mp4", end_s=0.5).values, fps=30)
    process, _ = label(joint_film / "match.mp4", other, *words[1:])
    process.terminate()
    assert process.wait(10) == 0
    assert Path("runs/labels/match_2/strokes.csv").is_file()
    assert Path("runs/labels/match/strokes.csv").stat().st_mtime_ns == written
