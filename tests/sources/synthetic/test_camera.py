import numpy as np
import pytest

from tt_actions.sources.synthetic.camera import centre_of, draw_shake, frame_points, look_at, project


def test_projection_equals_the_case_counted_by_hand():
    # From 4 m behind the origin, 1 m up, looking along +x: y is to the left, 100 px of focal length.
    camera = look_at(np.array([-4.0, 0, 1]), np.array([0.0, 0, 1]), 100.0, np.array([160.0, 120.0]))
    points = np.array([[0.0, 0, 1], [0, 1, 1], [0, 0, 2], [1, -2, 0]])
    pixels, depth = project(camera, points)
    np.testing.assert_allclose(pixels, [[160, 120], [135, 120], [160, 95], [200, 140]], atol=1e-9)
    np.testing.assert_allclose(depth, [4, 4, 4, 5])


def test_depth_is_metres_along_the_axis_of_a_slanted_camera():
    position, target = np.array([2.0, -3, 1.5]), np.array([-1.0, 0.5, 0.8])
    camera = look_at(position, target, 350.0, np.array([100.0, 50.0]))
    pixels, depth = project(camera, target[None])
    np.testing.assert_allclose(depth, np.linalg.norm(target - position))
    np.testing.assert_allclose(pixels, [[100, 50]])
    np.testing.assert_allclose(centre_of(camera), position)


@pytest.mark.parametrize("axis", [0, 1])
def test_framed_points_fill_the_share_asked_for_and_stay_in_the_picture(axis):
    rng = np.random.default_rng(0)
    points = rng.uniform([-0.3, -0.3, 0], [0.3, 0.3, 1.7], (50, 30, 3))
    camera = frame_points(rng, np.array([-4.0, 1, 1.5]), points, (320, 320), 0.3, axis)
    pixels, _ = project(camera, points)
    assert np.ptp(pixels[..., axis], axis=1).mean() == pytest.approx(0.3 * 320)
    assert np.mean((pixels >= 0) & (pixels < 320)) > 0.99


def test_drift_moves_the_picture_slowly_and_a_tremor_keeps_it_moving():
    def shifts(drift, tremor):
        shake = draw_shake(np.random.default_rng(3), 90, 30.0, (320, 240), drift, tremor)
        np.testing.assert_allclose(np.linalg.det(shake), 1)
        return (shake @ [160.0, 120.0, 1.0])[:, :2]

    slow, fast = shifts(0.006, 0.0), shifts(0.0, 0.006)
    assert 0.5 < np.ptp(slow, axis=0).max() < 12
    assert 0.5 < np.ptp(fast, axis=0).max() < 12
    assert np.abs(np.diff(slow, axis=0)).mean() < 0.5 * np.abs(np.diff(fast, axis=0)).mean()
