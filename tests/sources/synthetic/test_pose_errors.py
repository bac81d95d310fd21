import numpy as np
import pytest

from tt_actions.skeleton.files import read_joints
from tt_actions.skeleton.layouts import COCO17, NTU25, RACKET
from tt_actions.sources.synthetic.body import BONES, MIRRORED
from tt_actions.sources.synthetic.camera import look_at, project, view_of
from tt_actions.sources.synthetic.excerpts import excerpt_motion
from tt_actions.sources.synthetic.player import draw_varied_player
from tt_actions.sources.synthetic.pose_errors import find_joints, find_motion, find_racket

WRISTS, SHOULDERS = [6, 10], [4, 8]


def camera_at(motion, degrees):
    """A camera 4 m from the player; 0 degrees is in front of the player, 90 on the left."""
    middle = motion.players[0].joints[:, 0].mean(0)
    angle = np.radians(degrees)
    position = middle + 4.0 * np.array([np.cos(angle), np.sin(angle), 0.1])
    return look_at(position, middle, 600.0, np.array([320.0, 240.0]))


def motions(num):
    rng = np.random.default_rng(0)
    return [excerpt_motion(rng, draw_varied_player(rng, "a"), "forehand") for _ in range(num)]


def errors(degrees, num=40):
    """Errors in the camera's directions, in trunk lengths, for each clip: ``(T, 25, 3)``."""
    found = []
    for index, motion in enumerate(motions(num)):
        camera, joints = camera_at(motion, degrees), motion.players[0].joints.astype(float)
        error = find_joints(np.random.default_rng(index), joints, camera) - joints
        found.append(error @ view_of(camera).T / np.linalg.norm(joints[0, 20] - joints[0, 0]))
    return found


@pytest.fixture(scope="module")
def from_the_left():
    return errors(90)


def size(found, joints, axes):
    return np.sqrt(np.mean(np.concatenate([error[:, joints][..., axes] for error in found]) ** 2))


def test_the_same_seed_gives_the_same_errors():
    assert all(map(np.array_equal, errors(30, 3), errors(30, 3)))


def test_depth_is_the_least_certain_and_the_hips_are_the_most_certain(from_the_left):
    assert size(from_the_left, WRISTS, [2]) > 1.2 * size(from_the_left, WRISTS, [0, 1])
    assert size(from_the_left, WRISTS, [0, 1, 2]) > 1.6 * size(from_the_left, SHOULDERS, [0, 1, 2])
    assert size(from_the_left, [0], [0, 1, 2]) < 0.01


def test_errors_are_as_large_as_those_of_pose_models_and_kinects(from_the_left):
    assert 0.2 < size(from_the_left, WRISTS, [2]) < 0.8
    assert 0.1 < size(from_the_left, WRISTS, [0, 1]) < 0.5


def test_the_hidden_side_is_less_certain(from_the_left):
    assert size(from_the_left, [6], [0, 1]) < 0.85 * size(from_the_left, [10], [0, 1])
    from_the_right = errors(-90)
    assert size(from_the_right, [10], [0, 1]) < 0.85 * size(from_the_right, [6], [0, 1])


def test_errors_have_a_memory(from_the_left):
    change = np.concatenate([np.diff(error[:, WRISTS], axis=0) for error in from_the_left])
    assert np.sqrt(np.mean(change**2)) < 0.5 * size(from_the_left, WRISTS, [0, 1, 2])


def test_bones_keep_about_their_length():
    ratios = []
    for index, motion in enumerate(motions(20)):
        joints = motion.players[0].joints.astype(float)
        found = find_joints(np.random.default_rng(index), joints, camera_at(motion, 60))
        for parent, joint in ((5, 6), (9, 10), (12, 13), (16, 17)):
            assert (parent, joint) in BONES
            ratios.append(
                np.linalg.norm(found[:, joint] - found[:, parent], axis=-1)
                / np.linalg.norm(joints[:, joint] - joints[:, parent], axis=-1)
            )
    assert np.percentile(np.concatenate(ratios), [10, 90]) == pytest.approx([0.8, 1.1], abs=0.13)


def test_left_and_right_are_swapped_in_few_clips():
    swapped = 0
    for index, motion in enumerate(motions(120)):
        joints = motion.players[0].joints.astype(float)
        found = find_joints(np.random.default_rng(index), joints, camera_at(motion, 10))
        for limbs in ([5, 6, 9, 10], [13, 14, 17, 18]):
            own = np.linalg.norm((found - joints)[:, limbs], axis=-1).sum(1)
            other = np.linalg.norm((found - joints[:, MIRRORED])[:, limbs], axis=-1).sum(1)
            swapped += bool((other < 0.7 * own).any())
    assert 1 <= swapped <= 24


def test_the_picture_shows_no_error_in_depth():
    motion = motions(1)[0]
    camera = camera_at(motion, 45)
    player = motion.players[0]
    cameras = np.tile(camera, (len(player.joints), 1, 1))
    found = find_motion(np.random.default_rng(0), player, camera, cameras)
    np.testing.assert_allclose(found["true_joints_2d"], project(camera, player.joints)[0], atol=0.01)
    error = (found["joints_3d"] - found["true_joints_3d"]) @ view_of(camera).T
    depth = project(camera, player.joints)[1]
    expected = 600.0 * error[..., :2] / depth[..., None]
    np.testing.assert_allclose(found["joints_2d"] - found["true_joints_2d"], expected, atol=0.1)


def test_a_fast_racket_is_lost_and_a_slow_one_is_not():
    camera = look_at(np.array([0.0, -4.0, 0.0]), np.zeros(3), 600.0, np.zeros(2))
    rng = np.random.default_rng(0)
    times_s = np.arange(30)[:, None] / 30
    still = np.zeros((30, 3))
    slow, fast = (find_racket(rng, times_s * [speed, 0, 0], still, camera) for speed in (1.0, 10.0))
    assert not np.isnan(slow).any()
    assert 10 < np.isnan(fast).any(1).sum() < 29
    assert not np.isnan(fast[[0, -1]]).any()
    assert np.abs(slow - times_s * [1.0, 0, 0]).max() < 0.15
    deep = find_racket(rng, times_s * [1.0, 0, 0], np.tile([0.1, 0.3, 0.2], (30, 1)), camera)
    assert (deep - times_s * [1.0, 0, 0])[:, 1].mean() == pytest.approx(0.3, abs=0.05)  # y is ahead


def test_found_joints_are_read_in_every_layout(tmp_path):
    motion = motions(1)[0]
    camera = camera_at(motion, 45)
    cameras = np.tile(camera, (len(motion.ball), 1, 1))
    found = find_motion(np.random.default_rng(0), motion.players[0], camera, cameras)
    np.savez(tmp_path / "a.npz", fps=np.array(30.0), **found)
    for layout in (NTU25, RACKET, COCO17):
        joints = read_joints(tmp_path / "a.npz", layout).joints
        assert joints.shape == (len(motion.ball), len(layout.joints), layout.num_coordinates)
