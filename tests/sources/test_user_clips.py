from pathlib import Path

import pytest

from tt_actions.clips.records import ClipRecord
from tt_actions.sources.folders import FolderSource
from tt_actions.sources.user_clips import ManifestSource, UserClips, UserJoints


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "clips.csv"
    path.write_text("path,label,group,split\na.mp4,serve,anna,train\nb.mp4,smash,bert,test\n")
    return path


def test_rows_become_clips(manifest):
    assert ManifestSource(manifest).records() == [
        ClipRecord(manifest.parent / "a.mp4", "serve", group="anna", split="train"),
        ClipRecord(manifest.parent / "b.mp4", "smash", group="bert", split="test"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,label\na.mp4,serve\nb.mp4,\n", "Expected a label for every clip"),
        ("path,label\na.mp4,serve\nb.mp4,serve\n", "two classes"),
        ("path,label\na.mp4,serve\na.mp4,smash\n", "appears twice"),
    ],
)
def test_a_manifest_that_cannot_be_learnt_from_is_refused(manifest, content, message):
    manifest.write_text(content)
    with pytest.raises(ValueError, match=message):
        ManifestSource(manifest).records()


def test_user_clips_are_a_manifest_or_a_folder(manifest, tmp_path):
    assert UserClips(manifest).records() == ManifestSource(manifest).records()
    for name in ("serve/p1.mp4", "smash/p2.mp4"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    assert UserClips(tmp_path, r"p\d").records() == FolderSource(tmp_path, r"p\d").records()


def test_user_clips_that_are_missing_are_named_for_what_they_look_like(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file '.*gone\.csv'"):
        UserClips(tmp_path / "gone.csv").records()
    with pytest.raises(FileNotFoundError, match=r"no folder '.*gone'"):
        UserClips(tmp_path / "gone").records()


def test_a_group_pattern_with_a_manifest_is_refused(manifest):
    with pytest.raises(ValueError, match="Fill its `group` column"):
        UserClips(manifest, "p")


def test_user_clips_without_a_path_say_how_to_give_one():
    with pytest.raises(ValueError, match="make train EXP=clips DATA=my_clips"):
        UserClips(Path("???"))


@pytest.mark.parametrize(
    ("files", "suffix"),
    [
        (["a/1.mp4", "b/2.mov", "b/.3.csv", ".c/4.csv"], (".mp4", ".mov")),
        (["a/1.csv", "b/2.npy"], (".csv", ".npy")),
        (["a/1.mp4", "a/1.npz", "b/2.mp4", "b/2.npz"], (".npz",)),
    ],
)
def test_a_folder_contains_videos_or_joints(tmp_path, files, suffix):
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    assert {record.path.suffix for record in UserJoints(tmp_path).records()} == set(suffix)


def test_videos_and_other_joints_in_one_folder_are_refused(tmp_path):
    for file in ("a/1.mp4", "a/notes.txt", "b/2.mp4"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    with pytest.raises(ValueError, match=r"but got the video '1\.mp4' and 'notes\.txt'"):
        UserJoints(tmp_path)
