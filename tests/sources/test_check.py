import numpy as np
import pytest

from tt_actions.clips.manifest import write_manifest
from tt_actions.clips.records import ClipRecord
from tt_actions.sources.command import check
from tt_actions.video.encoder import write_video


@pytest.fixture
def clips(tmp_path):
    for i, label in enumerate(["smash", "serve", "serve"]):
        (tmp_path / label).mkdir(exist_ok=True)
        write_video(tmp_path / label / f"{i}.mp4", [np.zeros((32, 48, 3), np.uint8)] * 10 * (i + 1), fps=10)
    return tmp_path


def rows(output):
    return [line.strip("│ ").split() for line in output.replace("│", " ").splitlines() if line.strip()]


def test_a_good_folder_is_counted_and_measured(clips, capsys):
    assert check(clips) == 0
    printed = rows(capsys.readouterr().out)
    assert ["serve", "2", "0", "0", "2.00", "2.50", "3.00"] in printed
    assert ["smash", "1", "0", "0", "1.00", "1.00", "1.00"] in printed
    assert ["48x32", "10", "h264", "3"] in printed


def test_what_cannot_be_read_is_listed_and_told_by_the_exit_code(clips, capsys):
    (clips / "serve" / "bad.mp4").write_text("text")
    assert check(clips) == 1
    output = capsys.readouterr().out
    assert "unreadable: Expected" in output
    assert "bad.mp4" in output
    assert ["serve", "3", "0", "1", "2.00", "2.50", "3.00"] in rows(output)


def test_a_manifests_groups_times_and_regions_are_checked(clips, capsys):
    video = clips / "serve" / "2.mp4"
    records = [
        ClipRecord(video, "serve", 0.0, 1.5, group="anna"),
        ClipRecord(video, "smash", 1.5, 2.0, group="anna"),
        ClipRecord(video, "smash", 9.0, None, group="bert"),
        ClipRecord(video, "smash", 0.0, 9.5, group="bert"),
        ClipRecord(video, "smash", 2.0, 3.0, roi=(0, 0, 49, 32), group="bert"),
    ]
    write_manifest(clips / "m.csv", records)
    assert check(clips / "m.csv") == 1
    output = capsys.readouterr().out
    assert output.count("unreadable: Expected `start_s` and `end_s` within the duration") == 2
    assert "unreadable: Expected `roi` within the 48x32 pixels" in output
    assert ["anna", "1", "1", "2"] in rows(output)
    assert ["bert", "0", "3", "3"] in rows(output)
    assert ["smash", "4", "2", "3", "0.50", "0.50", "0.50"] in rows(output)


def test_clips_without_labels_are_counted(clips, capsys):
    write_manifest(clips / "m.csv", [ClipRecord(clips / "serve" / "2.mp4"), ClipRecord(clips / "x.mp4")])
    assert check(clips / "m.csv") == 1
    assert ["(none)", "2", "0", "1", "3.00", "3.00", "3.00"] in rows(capsys.readouterr().out)


@pytest.mark.parametrize("name", ["m.xml", "."])
def test_the_strokes_of_annotated_recordings_are_counted_as_clips(tmp_path, capsys, name):
    write_video(tmp_path / "m.mp4", [np.zeros((32, 48, 3), np.uint8)] * 40, fps=10)
    moves = [(2, 12, "Serve Forehand Topspin"), (15, 20, "Offensive Forehand Hit")]
    lines = [f'<action begin="{begin}" end="{end}" move="{move}"/>' for begin, end, move in moves]
    (tmp_path / "m.xml").write_text(f'<?xml version="1.0"?><video name="m">{"".join(lines)}</video>')
    assert check(tmp_path / name) == 0
    printed = rows(capsys.readouterr().out)
    assert ["serve", "1", "1", "0", "1.00", "1.00", "1.00"] in printed
    assert ["forehand", "1", "1", "0", "0.50", "0.50", "0.50"] in printed
    assert ["m", "1", "1", "2"] in printed


def test_a_manifest_of_recordings_is_checked(clips, capsys):
    (clips / "m.csv").write_text(
        "path,label,start_s,end_s,contact_s\nserve/2.mp4,lob,0.5,1.5,1\nserve/2.mp4,serve,2,2.5,\n"
    )
    assert check(clips / "m.csv") == 0
    printed = rows(capsys.readouterr().out)
    assert ["lob", "1", "1", "0", "1.00", "1.00", "1.00"] in printed
    assert ["serve", "1", "1", "0", "0.50", "0.50", "0.50"] in printed


def test_the_notes_of_a_camera_are_no_annotations(clips, capsys):
    (clips / "serve" / "camera.xml").write_text("<notes/>")
    assert check(clips) == 0
    assert ["smash", "1", "0", "0", "1.00", "1.00", "1.00"] in rows(capsys.readouterr().out)
