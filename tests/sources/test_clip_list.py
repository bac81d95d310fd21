"""Which clips of a file, a folder or a manifest a model classifies."""

import pytest

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.errors import UserError
from tt_actions.sources.clip_list import list_clips

FRAMES = Preprocessing(fps=10, size=(16, 16))
JOINTS = JointPreprocessing("ntu25")
DEPTH = Preprocessing(fps=10, size=(16, 16), picture="depth")


@pytest.fixture
def folder(tmp_path):
    """Clips of every kind, and files that are none."""
    for name in (
        "a.mp4",
        "serve/b.MOV",
        "serve/.hidden.mp4",
        "c.skeleton",
        "d.npz",
        "d.mp4",
        "notes.pdf",
        "predictions.json",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "manifest.csv").write_text("path,label\na.mp4,serve\n")
    (tmp_path / "strokes.csv").write_text("start_s,end_s,label\n0,1,serve\n")
    (tmp_path / "joints.csv").write_text("0.5,0.5\n")
    (tmp_path / "depth").mkdir()
    (tmp_path / "depth" / "0.png").touch()
    return tmp_path


def listed(folder, preprocessing):
    found = list_clips(folder, preprocessing, ["serve", "smash"])
    return {str(record.path.relative_to(folder)): record.label for record in found}


def test_a_folder_gives_what_the_model_reads(folder):
    assert listed(folder, FRAMES) == {"a.mp4": None, "d.mp4": None, "serve/b.MOV": "serve"}
    expected = {"a.mp4": None, "c.skeleton": None, "d.npz": None, "joints.csv": None, "serve/b.MOV": "serve"}
    assert listed(folder, JOINTS) == expected
    assert listed(folder, DEPTH) == {"d.npz": None, "depth": None}


def test_a_table_is_a_manifest_or_joints(folder):
    assert [r.path.name for r in list_clips(folder / "manifest.csv", JOINTS, ["serve"])] == ["a.mp4"]
    assert [r.path.name for r in list_clips(folder / "joints.csv", JOINTS, ["serve"])] == ["joints.csv"]
    for preprocessing in (FRAMES, JOINTS):
        with pytest.raises(UserError, match=r"beside the files 'strokes\.json'"):
            list_clips(folder / "strokes.csv", preprocessing, ["serve"])
    with pytest.raises(UserError, match="to contain `path`"):
        list_clips(folder / "joints.csv", FRAMES, ["serve"])


def test_a_folder_of_depth_images_is_a_clip(folder):
    assert [r.path for r in list_clips(folder / "depth", DEPTH, ["serve"])] == [folder / "depth"]
    with pytest.raises(UserError, match=r"Expected clips \(\.mp4, .*found none"):
        list_clips(folder / "depth", FRAMES, ["serve"])


def test_what_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="Expected a clip, a folder or a manifest"):
        list_clips(tmp_path / "nowhere.mp4", FRAMES, ["serve"])
