import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joint_files import msr_text, thetis_text, walking, write

from tt_actions.clips.joint_preprocessing import JointPreprocessing, JointSpec
from tt_actions.errors import UnreadableError
from tt_actions.skeleton.layouts import KINECT20, NTU25, THETIS15
from tt_actions.skeleton.normalise import face_camera, fill_gaps, place_unseen, resample

SPEC = JointSpec("kinect20")


def body(num_frames=6, seed=0):
    """Return a body that faces the camera and moves a little: ``(T, 20, 3)``, metres."""
    rng = np.random.default_rng(seed)
    places = rng.normal(0, 0.1, (1, 20, 3)) + rng.normal(0, 0.02, (num_frames, 20, 3)) + [0.3, 0.5, 3]
    for side, sign in (("left", -1), ("right", 1)):
        places[:, KINECT20.index(f"{side}_shoulder")] = [0.3 + 0.2 * sign, 1.0, 3]
        places[:, KINECT20.index(f"{side}_hip")] = [0.3 + 0.1 * sign, 0.5, 3]
    return places.astype(np.float32)


def read(tmp_path, joints, spec=SPEC, **times):
    return spec.read(write(tmp_path / "a.txt", msr_text(joints)), **times).values


@settings(max_examples=20, deadline=None)
@given(
    move=st.tuples(*[st.floats(-3, 3)] * 3),
    size=st.floats(0.5, 2),
    turn=st.floats(-3, 3),
)
def test_position_size_and_heading_make_no_difference(move, size, turn, tmp_path_factory):
    folder = tmp_path_factory.mktemp("joints")
    joints = body()
    cos, sin = np.cos(turn), np.sin(turn)
    turned = size * joints @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]]) + move
    np.testing.assert_allclose(read(folder, turned), read(folder, joints), atol=2e-3)


def test_normalised_bodies_are_centred_scaled_and_face_the_camera(tmp_path):
    joints = read(tmp_path, body())
    hips = (joints[:, KINECT20.index("left_hip")] + joints[:, KINECT20.index("right_hip")]) / 2
    shoulders = (joints[:, KINECT20.index("left_shoulder")] + joints[:, KINECT20.index("right_shoulder")]) / 2
    np.testing.assert_allclose(hips, 0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(shoulders, axis=1), 1, atol=1e-5)
    across = joints[:, KINECT20.index("left_hip")] - joints[:, KINECT20.index("right_hip")]
    assert (across[:, 0] < 0).all()
    np.testing.assert_allclose(across[:, 2], 0, atol=1e-5)


def test_centring_on_the_clip_keeps_the_players_movement(tmp_path):
    joints = body() + np.arange(6, dtype=np.float32)[:, None, None] * np.float32([0.1, 0, 0])
    centred = read(tmp_path, joints, JointSpec("kinect20", centre="clip"))
    left = centred[:, KINECT20.index("left_hip"), 0]
    np.testing.assert_allclose(np.diff(left), 0.1 / 0.5, atol=1e-3)


def test_centring_on_each_joint_keeps_only_movement(tmp_path):
    stiff = read(tmp_path, np.repeat(body(1), 6, axis=0), JointSpec("kinect20", centre="joint"))
    np.testing.assert_allclose(stiff, 0, atol=1e-5)
    moving = read(tmp_path, body(), JointSpec("kinect20", centre="joint"))
    np.testing.assert_allclose(np.diff(moving, axis=0), np.diff(read(tmp_path, body()), axis=0), atol=1e-5)


def test_empty_frames_are_cut_off_filled_in_or_dropped(tmp_path):
    joints = body(8)
    joints[[0, 3, 7]] = 0
    filled = read(tmp_path, joints)
    assert len(filled) == 6
    np.testing.assert_allclose(filled[2], (filled[1] + filled[3]) / 2, atol=1e-4)
    dropped = read(tmp_path, joints, JointSpec("kinect20", empty_frames="drop"))
    assert len(dropped) == 5


def test_times_choose_frames_and_an_empty_stretch_is_refused(tmp_path):
    joints = body(60)
    joints[40:] = 0
    assert len(read(tmp_path, joints, start_s=0.5, end_s=1.0)) == 15
    with pytest.raises(UnreadableError, match=r"Expected joints in '.*a.txt' at the times of the clip"):
        read(tmp_path, joints, start_s=1.5)
    with pytest.raises(UnreadableError, match="Expected no region for a joint file"):
        read(tmp_path, joints, roi=(0, 0, 1, 1))


@pytest.mark.parametrize("times", [{"start_s": -1.0}, {"end_s": 40.0}])
def test_times_beyond_the_file_are_refused(tmp_path, times):
    with pytest.raises(UnreadableError, match=r"Expected times within the 2\.000 s of .*a.txt"):
        read(tmp_path, body(60), **times)


def test_times_in_other_units_than_seconds_are_refused(tmp_path):
    path = tmp_path / "ball.csv"
    path.write_text("Timestamp,X,Y,Z\n" + "".join(f"{8e6 * i:.0f},{i},0,0\n" for i in range(20)))
    with pytest.raises(UnreadableError, match="Convert the times to seconds"):
        JointPreprocessing("ball").read(path)


def test_bodies_without_a_trunk_are_refused(tmp_path):
    with pytest.raises(UnreadableError, match="shoulders and hips at different positions"):
        read(tmp_path, np.ones((3, 20, 3), np.float32))


def test_files_with_a_rate_are_resampled():
    joints, times_s = walking(31, 1), np.arange(31) / 30
    moved, moved_s = resample(joints, times_s, 15)
    np.testing.assert_allclose(moved_s, np.arange(16) / 15)
    np.testing.assert_allclose(moved, joints[::2], rtol=1e-5)


def test_long_gaps_keep_the_last_position():
    x = np.full((12, 1, 1), np.nan)
    x[[1, 3, 10], 0, 0] = 1, 3, 10
    assert fill_gaps(x, 3).ravel().tolist() == [1, 1, 2, 3, 3, 3, 3, 3, 3, 3, 10, 10]


def test_joints_that_are_never_visible_are_at_their_parent():
    joints = walking(2, 15)
    for name in ("left_hand", "left_elbow", "head"):
        joints[:, THETIS15.index(name)] = np.nan
    placed = place_unseen(joints, THETIS15)
    for name, parent in (("left_hand", "left_shoulder"), ("left_elbow", "left_shoulder"), ("head", "chest")):
        np.testing.assert_array_equal(placed[:, THETIS15.index(name)], joints[:, THETIS15.index(parent)])


def test_facing_the_camera_rotates_about_the_vertical():
    joints = np.random.default_rng(0).normal(size=(5, 25, 3))
    turned = face_camera(joints, NTU25)
    np.testing.assert_allclose(turned[..., 1], joints[..., 1])
    np.testing.assert_allclose(np.linalg.norm(turned, axis=-1), np.linalg.norm(joints, axis=-1))
    across = sum(
        turned[:, NTU25.index(f"left_{j}")] - turned[:, NTU25.index(f"right_{j}")]
        for j in ("hip", "shoulder")
    )
    assert across[..., 0].mean() < 0
    np.testing.assert_allclose(across[..., 2].mean(), 0, atol=1e-9)


def test_a_trained_network_reads_the_same_frames(tmp_path):
    how = JointPreprocessing("thetis15", num_frames=4)
    file = write(tmp_path / "a.txt", thetis_text(walking(9, 15)))
    joints, times_s = how.read_clip(file)
    np.testing.assert_allclose(times_s, np.array([1, 3, 5, 7]) / 30)
    np.testing.assert_array_equal(joints, how.spec.read(file).values[[1, 3, 5, 7]])


@pytest.mark.parametrize(
    "wrong",
    [
        {"layout": "x"},
        {"fps": 0},
        {"centre": "x"},
        {"empty_frames": "x"},
        {"longest_gap": -1},
        {"num_frames": 0},
    ],
)
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="Expected"):
        JointPreprocessing(**{"layout": "ntu25", **wrong})
