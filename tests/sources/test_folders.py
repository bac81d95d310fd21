from pathlib import Path

import pytest

from tt_actions.clips.records import ClipRecord
from tt_actions.sources.folders import FolderSource


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_every_video_is_a_clip_of_its_folders_class(tmp_path):
    touch(tmp_path, "smash/b.MP4", "smash/a.avi", "serve/x.mov", "serve/y.Mkv", "serve/z.webm")
    touch(tmp_path, "smash/notes.txt", "smash/._a.avi", ".cache/c.mp4", "readme.md")
    assert FolderSource(tmp_path).records() == [
        ClipRecord(tmp_path / "serve/x.mov", "serve"),
        ClipRecord(tmp_path / "serve/y.Mkv", "serve"),
        ClipRecord(tmp_path / "serve/z.webm", "serve"),
        ClipRecord(tmp_path / "smash/a.avi", "smash"),
        ClipRecord(tmp_path / "smash/b.MP4", "smash"),
    ]


@pytest.mark.parametrize(
    ("pattern", "groups"), [(r"p\d+", ["p3", "p12"]), (r"^p(\d+)_", ["3", "12"]), (None, [None, None])]
)
def test_the_group_is_found_in_the_name(tmp_path, pattern, groups):
    touch(tmp_path, "serve/p3_s1.mp4", "smash/p12_s2.mp4")
    assert [record.group for record in FolderSource(tmp_path, pattern).records()] == groups


def test_a_name_without_a_group_is_refused(tmp_path):
    touch(tmp_path, "serve/p3_s1.mp4", "smash/odd.mp4")
    with pytest.raises(ValueError, match=r"finds none in '.*odd\.mp4'"):
        FolderSource(tmp_path, r"p\d+").records()


def test_a_broken_pattern_is_refused_at_once(tmp_path):
    with pytest.raises(ValueError, match=r"regular expression, but got '\('"):
        FolderSource(tmp_path, "(")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "0 subfolders without such files"),
        (["a.mp4", "b.mp4"], "0 subfolders without such files"),
        (["serve/a.txt", "smash/b.txt"], "2 subfolders without such files"),
        (["serve/a.mp4", "smash/b.txt"], "found none in smash"),
        (["serve/a.mp4", "serve/b.mp4"], "two classes"),
    ],
)
def test_a_folder_that_cannot_be_learnt_from_is_refused(tmp_path, names, message):
    touch(tmp_path, *names)
    with pytest.raises(ValueError, match=message):
        FolderSource(tmp_path).records()


def test_a_name_that_is_not_utf_8_is_refused(tmp_path):
    for name in ("serve", "smash"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "od\udcffd.mp4").touch()
    with pytest.raises(ValueError, match=r"as UTF-8, .* but got '.*serve/od\\udcffd\.mp4'\. Rename the file"):
        FolderSource(tmp_path).records()


def test_a_missing_folder_is_refused():
    with pytest.raises(FileNotFoundError, match="no folder 'nowhere'"):
        FolderSource(Path("nowhere")).records()
