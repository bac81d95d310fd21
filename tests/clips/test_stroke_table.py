import json
import shutil

import pytest

from tt_actions.clips.manifest import COLUMNS, read_manifest
from tt_actions.errors import UserError
from tt_actions.main import main
from tt_actions.recognition.loading import load
from tt_actions.recognition.stored_analysis import read_analysis
from tt_actions.sources.rally_manifest import read_recordings
from tt_actions.sources.synthetic.generate import synthesize


@pytest.fixture(scope="module")
def results(trained, make_once):
    """The folder of a real analysis of two players."""

    def fill(folder):
        synthesize(folder, 0, 2, size=(160, 120), num_rallies=1, rally_s=12.0, num_workers=1)
        video = next(folder.rglob("*.mp4")).rename(folder / "match.mp4")
        words = [str(video), "--checkpoint", str(trained / "checkpoints" / "best.ckpt"), "--no-video"]
        with pytest.raises(SystemExit):
            main(["analyze", *words, "--players", "left,right", "--out", str(folder / "out")])

    return make_once("stroke_table", fill) / "out"


@pytest.fixture
def folder(results, tmp_path):
    """A copy with strokes of two classes, as a person corrects them."""
    shutil.copytree(results, tmp_path / "out")
    lines = ["start_s,contact_s,end_s,label,confidence,player"]
    lines += [
        f"{start},,{start + 0.9},{('serve', 'smash')[start % 2]},0.5,{('left', 'right')[start // 6]}"
        for start in range(12)
    ]
    (tmp_path / "out" / "strokes.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "out"


def test_the_strokes_of_an_analysis_are_its_manifest(folder, results):
    video = results.parent / "match.mp4"
    analysis = read_analysis(folder, video)
    records = read_manifest(folder / "strokes.csv")
    regions = dict(zip(analysis.players, analysis.rois, strict=True))
    assert [(r.path, r.label, r.player) for r in records] == [
        (video, s.label, s.player) for s in analysis.strokes
    ]
    assert [r.roi for r in records] == [regions[s.player] for s in analysis.strokes]
    assert [r.end_s for r in records] == [min(s.end_s, analysis.duration_s) for s in analysis.strokes]


def test_edited_strokes_are_checked_trained_on_and_named(folder, tiny, capsys, tmp_path):
    strokes = folder / "strokes.csv"
    with pytest.raises(SystemExit) as end:
        main(["check", str(strokes)])
    assert end.value.code == 0
    assert "12 clips in 1 files, 0 of them unreadable." in capsys.readouterr().out
    runs = ["--runs", str(tmp_path / "runs"), "--trainer.max_epochs", "1"]
    with pytest.warns(UserWarning, match="All 12 clips are from 'match.mp4'"):
        main(["train", *tiny, "--data.source.path", str(strokes), *runs])
    checkpoint = tmp_path / "runs" / "tiny" / "version_0" / "checkpoints" / "best.ckpt"
    assert load(checkpoint).class_names == ("serve", "smash")
    with pytest.raises(SystemExit) as end:
        main(["predict", str(strokes), "--checkpoint", str(checkpoint)])
    assert end.value.code == 0
    assert "on 12 clips" in capsys.readouterr().out


def test_they_are_recordings_too(folder):
    left, right = read_recordings(folder / "strokes.csv", folder, 0.5, 0.5)
    assert [len(left.strokes), len(right.strokes)] == [6, 6]
    assert left.roi != right.roi


def test_the_last_stroke_ends_with_the_video(folder):
    duration_s = json.loads((folder / "strokes.json").read_text())["duration_s"]
    lines = (folder / "strokes.csv").read_text().splitlines()
    lines[-1] = lines[-1].replace("11.9", f"{duration_s + 0.2:.3f}")
    (folder / "strokes.csv").write_text("\n".join(lines) + "\n")
    assert read_manifest(folder / "strokes.csv")[-1].end_s == duration_s


def test_a_video_that_moved_with_the_strokes_is_found(folder, results):
    shutil.copy(results.parent / "match.mp4", folder / "match.mp4")
    inputs = json.loads((folder / "analysis.json").read_text())
    (folder / "analysis.json").write_text(json.dumps(inputs | {"video": "/gone/match.mp4"}))
    assert read_manifest(folder / "strokes.csv")[0].path == folder / "match.mp4"


def test_strokes_apart_from_their_analysis_say_what_is_missing(folder, tmp_path):
    shutil.copy(folder / "strokes.csv", tmp_path / "alone.csv")
    with pytest.raises(UserError, match=r"with the column `path`, or beside the files 'strokes\.json'"):
        read_manifest(tmp_path / "alone.csv")
    lines = (tmp_path / "alone.csv").read_text().splitlines()
    lines = [f"match.mp4,{line}" for line in lines]
    (tmp_path / "alone.csv").write_text("\n".join(["path" + lines[0].removeprefix("match.mp4"), *lines[1:]]))
    assert len(read_manifest(tmp_path / "alone.csv")) == 12
    assert "confidence" not in COLUMNS


def test_a_stroke_of_a_stranger_names_its_line(folder):
    text = (folder / "strokes.csv").read_text().replace(",right", ",nobody", 1)
    (folder / "strokes.csv").write_text(text)
    with pytest.raises(
        UserError, match=r"line 8: Expected a player of the analysis \(left, right\), but got 'nob"
    ):
        read_manifest(folder / "strokes.csv")
