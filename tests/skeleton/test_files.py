from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joint_files import keypoint_text, msr_text, ntu_text, thetis_text, walking, write

from tt_actions.errors import UnreadableError
from tt_actions.skeleton.files import read_joints
from tt_actions.skeleton.layouts import BALL, BALL2D, COCO17, KINECT20, MOVENET13, NTU25, RACKET, THETIS15
from tt_actions.sources.synthetic.skeletons import SyntheticSkeletons

REAL = Path(__file__).parents[2] / "../shared/real"


def test_of_several_bodies_the_most_moving_is_read(tmp_path):
    still, moving = walking(4, 25, speed=0.0), walking(4, 25, speed=0.3) + 5
    moving[0] = np.nan  # appears later
    file = write(tmp_path / "a.skeleton", ntu_text(np.stack([still, moving])))
    sequence = read_joints(file, NTU25)
    np.testing.assert_allclose(sequence.joints, moving)
    np.testing.assert_allclose(sequence.times_s, np.arange(4) / 30)


def test_a_standing_body_is_preferred_to_an_absent_one(tmp_path):
    joints = np.zeros((3, 5, 25, 2), np.float32)  # (C, T, V, M)
    joints[..., 1] = walking(5, 25, speed=0.0).transpose(2, 0, 1)
    np.save(tmp_path / "a.npy", joints)
    np.testing.assert_allclose(read_joints(tmp_path / "a.npy", NTU25).joints, walking(5, 25, speed=0.0))


def test_a_body_that_is_lost_for_a_frame_has_not_moved(tmp_path):
    lost, moving = walking(6, 25, speed=0.0) + 5, walking(6, 25, speed=0.3)
    lost[2] = 0
    file = write(tmp_path / "a.skeleton", ntu_text(np.stack([lost, moving])))
    np.testing.assert_allclose(read_joints(file, NTU25).joints, moving)


def test_text_files_of_thetis_and_msr(tmp_path):
    joints = walking(3, 15)
    joints[1] = 0  # tracking was lost
    read = read_joints(write(tmp_path / "t.txt", thetis_text(joints)), THETIS15)
    assert np.isnan(read.joints[1]).all()
    np.testing.assert_allclose(read.joints[[0, 2]], joints[[0, 2]])
    assert read.times_s is None
    read = read_joints(write(tmp_path / "m.txt", msr_text(walking(3, 20))), KINECT20)
    np.testing.assert_allclose(read.joints, walking(3, 20))


def test_keypoints_with_and_without_names(tmp_path):
    joints = walking(3, 13, 2)
    read = read_joints(write(tmp_path / "m.csv", keypoint_text(joints, MOVENET13.joints)), MOVENET13)
    np.testing.assert_allclose(read.joints, joints * [1, -1])  # y points up
    coco = walking(2, 17, 2)
    coco[1, 3] = 0  # not detected
    plain = "\n".join(",".join(map(str, frame.ravel())) + "," for frame in coco)
    read = read_joints(write(tmp_path / "c.csv", plain), COCO17)
    assert np.isnan(read.joints[1, 3]).all()
    np.testing.assert_allclose(read.joints[0], coco[0] * [1, -1])
    sure = np.concatenate([coco, np.ones((2, 17, 1))], -1)
    sure[0, 5, 2] = 0.01
    read = read_joints(
        write(tmp_path / "s.csv", "\n".join(",".join(map(str, f.ravel())) for f in sure)), COCO17
    )
    assert np.isnan(read.joints[0, 5]).all()
    assert np.isnan(read.joints).any(-1).sum() == 2


def test_arrays_of_two_bodies_with_padding(tmp_path):
    joints = np.zeros((3, 6, 25, 2), np.float32)  # (C, T, V, M)
    joints[..., :4, :, 1] = walking(4, 25).transpose(2, 0, 1)
    np.save(tmp_path / "a.npy", joints)
    read = read_joints(tmp_path / "a.npy", NTU25).joints
    np.testing.assert_allclose(read[:4], walking(4, 25))
    assert np.isnan(read[4:]).all()


def test_synthetic_clips_in_3d_in_2d_and_as_trajectories(tmp_path):
    source = SyntheticSkeletons(tmp_path, clips=4, players=2, seed=0, halls=2)
    source.prepare()
    path = source.records()[1].path
    with np.load(path) as truth:
        joints, racket, ball, fps = (truth[k] for k in ("joints_3d", "racket_position", "ball", "fps"))
    read = read_joints(path, NTU25)
    np.testing.assert_allclose(read.joints[..., 1], joints[..., 2])  # up
    np.testing.assert_allclose(read.joints[..., 2], -joints[..., 0])  # +x becomes -z, towards the camera
    np.testing.assert_allclose(np.linalg.det(_turn(joints[0], read.joints[0])), 1, atol=1e-3)  # not mirrored
    np.testing.assert_allclose(read.times_s[-1], (len(joints) - 1) / fps)
    assert read_joints(path, MOVENET13).joints.shape == (len(joints), 13, 2)
    np.testing.assert_allclose(read_joints(path, RACKET).joints[:, 0, 1], racket[:, 2])
    np.testing.assert_array_equal(np.isnan(read_joints(path, BALL).joints).any((1, 2)), np.isnan(ball).any(1))


def _turn(one, other):
    """Return the rotation that maps one cloud of points to another."""
    return np.linalg.lstsq(one - one.mean(0), other - other.mean(0), rcond=None)[0]


def test_ball_trajectories(tmp_path):
    text = "Timestamp,X,Y,Z\n12.5,0.1,0.2,0.3\n12.51,0.4,0.5,0.6\n"
    read = read_joints(write(tmp_path / "b.csv", text), BALL)
    np.testing.assert_allclose(read.joints[:, 0], [[0.1, 0.3, -0.2], [0.4, 0.6, -0.5]], rtol=1e-6)
    np.testing.assert_allclose(read.times_s, [0, 0.01])
    marks = '{"1": {"x": 5, "y": 6}, "3": {"x": -1, "y": -1}}'
    read = read_joints(write(tmp_path / "ball_markup.json", marks), BALL2D)
    assert np.isnan(read.joints[[0, 2, 3]]).all()
    assert read.joints[1, 0].tolist() == [5, -6]


@pytest.mark.parametrize(
    ("name", "text", "layout", "message"),
    [
        ("a.skeleton", "1\n1\n1 2 3\n", NTU25, "line 3: Expected 10 fields of a body, but got 3"),
        ("a.skeleton", "1\n1\n", NTU25, "line 2: Expected a body after this line, but got the end"),
        ("a.skeleton", "999999999\n0\n", NTU25, "line 1: Expected at most 1 frames, one a line"),
        ("a.skeleton", "9" * 30, NTU25, "line 1: Expected the number of frames"),
        ("a.txt", "1 2 1e39 4\n" * 20, KINECT20, "line 1: Expected 4 finite numbers below 1e"),
        ("a.csv", ",,\n", COCO17, "but got nothing but commas"),
        (
            "b.csv",
            "Timestamp,X,Y,Z\n1,0,0,0\n2,0,0,0\n",
            COCO17,
            "contains ball with 3. Set `layout` to ball",
        ),
        ("a.json", "[" * 100000, BALL2D, "Expected frames such as"),
        ("a.json", '{"0": {"x": 1e400, "y": 2}}', BALL2D, "pixels below 1e"),
        ("a.skeleton", "1\n0\n", NTU25, "Expected a body, but got none in any frame"),
        ("a.skeleton", "x\n", NTU25, "line 1: Expected the number of frames, but got 'x'"),
        ("a.txt", "FRAME: 0\n1 2 3\n", THETIS15, "Expected 15 joints in the last frame, but got 1"),
        ("a.txt", "1 2 3 4\n" * 21, KINECT20, "line 21: Expected 20 lines per frame, but got 21"),
        (
            "a.txt",
            "1 2 3 4\n1 2 nan 4\n",
            KINECT20,
            "line 2: Expected 4 finite numbers below 1e.09, but got '1 2 nan 4'",
        ),
        ("a.txt", "1 2 3 4\n1 b 3 4\n", KINECT20, "line 2: Expected 4 numbers"),
        ("a.txt", "", KINECT20, "Expected a joint file, but got an empty file"),
        (
            "a.csv",
            "1,2,3\n",
            COCO17,
            "line 1: Expected 34, 51, 99, 132 or 165 numbers, or names .*, but got 3 cells",
        ),
        ("a.csv", "nose_x,nose_y\n1,2\n", MOVENET13, "line 1: Expected a column left_shoulder_x"),
        ("a.csv", "nose_x,tail_y\n1,2\n", MOVENET13, "line 1: .* but got 'tail_y'"),
        ("b.csv", "Timestamp,X,Y,Z\n2,0,0,0\n1,0,0,0\n", BALL, "line 3: Expected a later time .*, but got 1"),
        ("a.json", '{"1": {"x": 5}}', BALL2D, "Expected frames such as"),
        ("a.json", "[1]", BALL2D, "Expected frames such as"),
        ("a.mp4", "0", NTU25, "Expected a joint file"),
        ("a.txt", "1 2 3 4\n" * 20, MOVENET13, "Expected joints of `layout` movenet13 with 2 coordinates"),
    ],
)
def test_malformed_files_are_refused_with_line_and_reason(tmp_path, name, text, layout, message):
    with pytest.raises(UnreadableError, match=message):
        read_joints(write(tmp_path / name, text), layout)


def test_arrays_of_other_formats_are_refused(tmp_path):
    np.save(tmp_path / "objects.npy", np.array({"a": 1}, dtype=object))
    with pytest.raises(UnreadableError, match="but got Python objects"):
        read_joints(tmp_path / "objects.npy", NTU25)
    np.save(tmp_path / "shape.npy", np.zeros((3, 5, 20), np.float32))
    with pytest.raises(UnreadableError, match=r"Expected an array \(3, T, 25\[, M\]\) with `layout` ntu25"):
        read_joints(tmp_path / "shape.npy", NTU25)
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(UnreadableError, match="Expected `joints_3d` and `fps`"):
        read_joints(tmp_path / "other.npz", NTU25)
    numbers = np.ones((3, 5, 25))
    for name, values in (
        ("text.npy", numbers.astype(str)),
        ("complex.npy", numbers * 1j),
        ("huge.npy", numbers * 1e30),
        ("nan.npy", numbers * np.nan),
    ):
        np.save(tmp_path / name, values)
        with pytest.raises(UnreadableError, match=f"{name}'.* (array of|finite) numbers"):
            read_joints(tmp_path / name, NTU25)
    np.savez(tmp_path / "rates.npz", joints_3d=np.ones((5, 25, 3)), fps=[30, 30])
    with pytest.raises(UnreadableError, match="one `fps`"):
        read_joints(tmp_path / "rates.npz", NTU25)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "other.npz").read_bytes()[:50])
    with pytest.raises(UnreadableError, match="Expected an array of numbers"):
        read_joints(tmp_path / "cut.npz", NTU25)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_cuts_of_a_file_are_read_or_refused_with_its_name(tmp_path, data):
    name, text, layout = data.draw(
        st.sampled_from(
            [
                ("a.skeleton", ntu_text(walking(2, 25)[None]), NTU25),
                ("a.txt", thetis_text(walking(2, 15)), THETIS15),
                ("a.csv", keypoint_text(walking(2, 13, 2), MOVENET13.joints), MOVENET13),
            ]
        )
    )
    start, end = sorted(data.draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=2)))
    file = write(tmp_path / name, text[:start] + text[end:])
    try:
        assert read_joints(file, layout).joints.shape[1:] == (len(layout.joints), layout.num_coordinates)
    except UnreadableError as error:
        assert str(file) in str(error)  # noqa: PT017 - one or the other


@pytest.mark.parametrize(
    ("pattern", "layout", "num_files"),
    [
        ("ntu/*.skeleton", NTU25, 1),
        ("ntu/example_ntu_CxTxVxM.npy", NTU25, 1),
        ("msr_action3d_skeleton20/a0[1-3]*.txt", KINECT20, 27),
        ("thetis_skeleton15/ONI_EXPERTS/smash/*.txt", THETIS15, 9),
        ("tennis_pose13_movenet/alcaraz/*.csv", MOVENET13, 129),
        ("tennis_pose17_yolo/*.csv", COCO17, 16),
        ("tt_ball3d/*.csv", BALL, 20),
        ("openttgames_ext/*/ball_markup.json", BALL2D, 4),
    ],
)
def test_real_recordings_are_read(pattern, layout, num_files):
    if not REAL.is_dir():
        pytest.skip(f"no real recordings in '{REAL}'")
    files = sorted(REAL.glob(pattern))
    assert len(files) == num_files
    for file in files:
        joints = read_joints(file, layout).joints
        assert joints.shape[1:] == (len(layout.joints), layout.num_coordinates)
        assert not np.isnan(joints).all()
