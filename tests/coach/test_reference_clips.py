"""Clips of reference strokes: which are left out, and what is said about them."""

import pytest
from drawn_motions import draw, write

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.records import ClipRecord
from tt_actions.coach.reference_clips import ClipReader, list_references, make_coach
from tt_actions.coach.references import FewReferencesError
from tt_actions.errors import UserError
from tt_actions.sources.synthetic.motion import FPS


@pytest.fixture(scope="module")
def smashes(tmp_path_factory):
    """Files of seven complete strokes."""
    folder = tmp_path_factory.mktemp("smashes")
    return [write(folder / f"p{number}.npz", draw("smash", number)) for number in range(7)]


def left_out(files, folder):
    """What is said about the clips that are left out of these references."""
    reader = ClipReader(JointPreprocessing("ntu25"), FrameCache(folder / "cache"), FPS)
    coach, remarks = make_coach(reader, [ClipRecord(file, "smash") for file in files], "", "smash", files[0])
    assert len(coach.references.strokes) == 6
    return remarks


def test_all_complete_strokes_are_references(smashes, tmp_path):
    assert left_out(smashes, tmp_path) == []


def test_clips_that_cannot_be_read_are_told_apart_from_those_without_a_stroke(smashes, tmp_path):
    video, joints = tmp_path / "broken.mp4", tmp_path / "broken.npz"
    for file in (video, joints):
        file.write_text(f"not {file.suffix}")
    motion = draw("smash", 8)
    still = motion.players[0].joints.copy()
    still[:] = still[0]
    short = [write(tmp_path / f"{name}.npz", motion, still + 0.01 * name) for name in range(5)]
    unreadable, incomplete = left_out([*smashes, video, joints, *short], tmp_path)
    assert unreadable.startswith(
        "These reference clips could not be read: broken.mp4, broken.npz. The first "
    )
    assert "reason: Expected" in unreadable
    assert str(video) in unreadable
    assert incomplete == (
        "No complete stroke was found in these reference clips: 0.npz, 1.npz, 2.npz and 2 more."
    )


def test_a_manifest_without_labels_is_refused_and_rows_without_are_no_class(smashes, tmp_path):
    manifest = tmp_path / "references.csv"
    manifest.write_text("path\n" + "".join(f"{file}\n" for file in smashes))
    with pytest.raises(UserError, match=r"no row has a label\. Fill in the column `label`\."):
        list_references(manifest)
    manifest.write_text(
        "path,label\n" + "".join(f"{file},\n" for file in smashes[1:]) + f"{smashes[0]},lob\n"
    )
    reader = ClipReader(JointPreprocessing("ntu25"), FrameCache(tmp_path / "cache"), FPS)
    with pytest.raises(FewReferencesError, match=r"got 0 \(classes found: lob\)"):
        make_coach(reader, *list_references(manifest), "smash", smashes[0])
