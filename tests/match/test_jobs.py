"""Videos in, folders of results out: killed, on full disks, damaged, two at once."""

import json
import os
import resource
import shutil
import signal
import sys

import pytest
import torch
from brightness import PLAYED, film
from drawn_video import draw_all
from run_files import rows, wait_for

from tt_actions.errors import UserError
from tt_actions.main import main


@pytest.fixture
def match(tmp_path):
    return film(tmp_path / "match.mp4", PLAYED)


@pytest.fixture(scope="module")
def checkpoint(rally_run, tmp_path_factory):
    """That of drawn rallies, but as if trained on whole pictures, which these films are."""
    content = torch.load(rally_run / "checkpoints" / "best.ckpt", weights_only=True)
    path = tmp_path_factory.mktemp("checkpoint") / "best.ckpt"
    torch.save(content | {"has_regions": False}, path)
    return path


FILES = {"strokes.csv", "strokes.json", "frames.npz", "report.html", "analysis.json"}


def analyze(*args):
    with pytest.raises(SystemExit) as end:
        main(["analyze", *map(str, args)])
    return end.value.code


def test_a_video_becomes_a_folder_of_results(match, checkpoint, tmp_path, capsys):
    out = tmp_path / "out"
    assert analyze(match, "--checkpoint", checkpoint, "--out", out) == 0
    assert {path.name for path in out.iterdir()} == FILES | {"annotated.mp4"}
    assert "match.mp4" in capsys.readouterr().out
    told = json.loads((out / "strokes.json").read_text("utf-8"))
    assert len(told["strokes"]) == len(rows(out / "strokes.csv"))


def test_a_model_of_frames_takes_no_pose_model(match, checkpoint, tmp_path):
    words = (match, "--checkpoint", checkpoint, "--out", tmp_path / "out", "--pose", "blazepose")
    with pytest.raises(UserError, match=r"Expected no .*reads video frames"):
        main(["analyze", *map(str, words)])
    assert not (tmp_path / "out").exists()


def test_a_folder_goes_on_where_it_was_and_passes_over_what_is_broken(checkpoint, tmp_path, capsys):
    videos, out = tmp_path / "videos", tmp_path / "videos" / "results"
    (videos / "sub").mkdir(parents=True)
    film(videos / "a.mp4", PLAYED, 2)
    film(videos / "sub" / "b.mp4", PLAYED, 2)
    (videos / "empty.mp4").write_bytes(b"")
    (videos / "text.mkv").write_text("not a video")
    args = (videos, "--checkpoint", checkpoint, "--out", out, "--no-video")
    assert analyze(*args) == 1
    told = capsys.readouterr().out
    assert "empty.mp4" in told
    assert "text.mkv" in told
    assert "2 of 4 videos" in told
    assert {path.name for path in (out / "sub" / "b").iterdir()} == FILES
    before = (out / "a" / "strokes.json").stat().st_mtime_ns

    film(videos / "sub" / "b.mp4", PLAYED, 3)
    assert analyze(*args) == 1
    told = capsys.readouterr().out
    assert "a.mp4: already analysed" in told
    assert (out / "a" / "strokes.json").stat().st_mtime_ns == before
    assert json.loads((out / "sub" / "b" / "strokes.json").read_text("utf-8"))["duration_s"] == 3.0
    assert not list(videos.rglob("*.part"))


def test_results_below_those_of_another_video_find_their_place(checkpoint, tmp_path):
    videos, out = tmp_path / "videos", tmp_path / "out"
    (videos / "a").mkdir(parents=True)
    film(videos / "a.mp4", PLAYED, 1)
    film(videos / "a" / "b.mp4", PLAYED, 1)
    for _ in range(2):
        assert analyze(videos, "--checkpoint", checkpoint, "--out", out, "--no-video") == 0
    found = {path.parent.relative_to(out).as_posix() for path in out.rglob("analysis.json")}
    assert found == {"a.mp4", "a/b"}


def test_a_video_that_the_options_do_not_suit_is_passed_over(checkpoint, tmp_path, capsys):
    (tmp_path / "videos").mkdir()
    film(tmp_path / "videos" / "narrow.mp4", [], 1, size=(32, 2))
    film(tmp_path / "videos" / "wide.mp4", [], 1)
    options = ("--players", "a,b,c", "--no-video", "--out", tmp_path / "out")
    assert analyze(tmp_path / "videos", "--checkpoint", checkpoint, *options) == 1
    told = capsys.readouterr().out
    assert "Expected a region wide enough for 3 players, but got 2 pixels" in told
    assert "1 of 2 videos" in told


def test_the_work_of_another_process_is_left_alone(match, checkpoint, tmp_path):
    """What is stale belongs to the very folder, whatever its name."""
    others, own = tmp_path / ".out-2-abcdefgh.part", tmp_path / ".out-abcdefgh.part"
    others.mkdir()
    own.mkdir()
    assert analyze(match, "--checkpoint", checkpoint, "--out", tmp_path / "out", "--no-video") == 0
    assert others.is_dir()
    assert not own.exists()


def test_results_of_another_video_are_not_replaced(match, checkpoint, tmp_path):
    out = tmp_path / "out"
    options = ("--checkpoint", str(checkpoint), "--out", str(out), "--no-video")
    assert analyze(match, *options) == 0
    with pytest.raises(ValueError, match=r"those of '.*match\.mp4'. Choose another `--out`"):
        main(["analyze", str(film(tmp_path / "other.mp4", [], 1)), *options])
    assert json.loads((out / "strokes.json").read_text("utf-8"))["video"] == "match.mp4"


def test_a_manifest_gives_videos_their_regions(checkpoint, tmp_path):
    film(tmp_path / "a.mp4", PLAYED, 2)
    manifest = tmp_path / "videos.csv"
    manifest.write_text("path,x0,y0,x1,y1\na.mp4,0,0,32,48\na.mp4,32,0,64,48\n")
    assert analyze(manifest, "--checkpoint", checkpoint, "--out", tmp_path / "out", "--no-video") == 0
    told = json.loads((tmp_path / "out" / "a" / "strokes.json").read_text("utf-8"))
    assert told["players"] == ["player_1", "player_2"]


def test_a_killed_analysis_leaves_no_results_and_is_done_again(checkpoint, tmp_path, start):
    videos, out = tmp_path / "videos", tmp_path / "out"
    videos.mkdir()
    film(videos / "a.mp4", PLAYED, 1)
    film(videos / "b.mp4", PLAYED, 30)
    args = ("analyze", videos, "--checkpoint", checkpoint, "--out", out)
    process = start(*args)
    wait_for(lambda: (out / "a").is_dir() and any(out.glob(".b-*.part/strokes.csv")), process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "b").exists()

    process = start(*args)
    assert process.wait(120) == 0, process.stdout.read()
    assert "a.mp4: already analysed" in process.stdout.read()
    assert (out / "b" / "annotated.mp4").is_file()
    assert not list(out.glob("*.part"))


@pytest.mark.skipif(sys.platform != "linux", reason="has no such names")
def test_names_that_are_no_text_are_analysed(checkpoint, tmp_path):
    videos, out = tmp_path / "videos", tmp_path / "out"
    videos.mkdir()
    film(videos / "a.mp4", [], 1).rename(os.fsdecode(os.fsencode(videos) + b"/\xff.mp4"))
    assert analyze(videos, "--checkpoint", checkpoint, "--out", out, "--no-video") == 0
    assert len(list(out.rglob("analysis.json"))) == 1


def test_files_of_the_user_beside_results_are_not_removed(match, checkpoint, tmp_path):
    out = tmp_path / "out"
    assert analyze(match, "--checkpoint", checkpoint, "--out", out, "--no-video") == 0
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"contains other files, such as 'notes\.txt'"):
        main(["analyze", str(match), "--checkpoint", str(checkpoint), "--out", str(out)])
    assert (out / "notes.txt").read_text() == "mine"


def test_results_do_not_replace_other_files(match, checkpoint, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="contains other files"):
        main(["analyze", str(match), "--checkpoint", str(checkpoint), "--out", str(out)])
    assert (out / "thesis.txt").read_text() == "mine"


def test_a_full_disk_is_told_and_leaves_nothing(match, checkpoint, tmp_path):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, limit[1]))
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(OSError, match=r"Expected to write '.*/out/"):
            main(["analyze", str(match), "--checkpoint", str(checkpoint), "--out", str(tmp_path / "out")])
    finally:
        signal.signal(signal.SIGXFSZ, before)
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out-*"))


@pytest.mark.parametrize("what", ["short", "without frames", "of changing size"])
def test_videos_that_are_not_whole_are_analysed_or_refused_by_name(what, checkpoint, tmp_path):
    out = tmp_path / "out"
    if what == "short":
        whole = draw_all(tmp_path)[".ts"]
        video = tmp_path / "short.ts"
        video.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
        with pytest.warns(UserWarning, match=r"short\.ts"):
            assert analyze(video, "--checkpoint", checkpoint, "--out", out, "--no-video") == 0
        remark, *_ = json.loads((out / "strokes.json").read_text("utf-8"))["remarks"]
        assert "is cut off" in remark
        assert "is cut off" in (out / "report.html").read_text("utf-8")
    elif what == "without frames":
        video = tmp_path / "none.mp4"
        shutil.copy(film(tmp_path / "whole.mp4", [], 1), video)
        data = video.read_bytes()
        at = data.index(b"mdat")
        video.write_bytes(data[: at + 4] + os.urandom(len(data) - at - 4))
        with pytest.raises(ValueError, match=r"none\.mp4"):
            main(["analyze", str(video), "--checkpoint", str(checkpoint), "--out", str(out)])
        assert not out.exists()
    else:
        parts = [
            film(tmp_path / f"{n}.ts", PLAYED, 2, size=size) for n, size in enumerate([(48, 64), (32, 80)])
        ]
        video = tmp_path / "changing.ts"
        video.write_bytes(b"".join(part.read_bytes() for part in parts))
        for crop in ("none", "motion"):
            options = ("--checkpoint", checkpoint, "--out", out, "--no-video", "--crop", crop)
            with pytest.warns(UserWarning, match=r"changing\.ts"):  # the second part's times begin anew
                assert analyze(video, *options) == 0
            told = json.loads((out / "strokes.json").read_text("utf-8"))
            assert told["duration_s"] == pytest.approx(4, abs=0.2)
