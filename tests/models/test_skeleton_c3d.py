import numpy as np
import pytest
import torch

from tt_actions.models import SkeletonC3D


def drawn(layout, joints):
    """The heat maps of one frame, one per joint and view: (views, V, size, size)."""
    v = joints.shape[-1]
    model = SkeletonC3D(2, layout, maps=v, spread=0.5)
    model.mix.data = torch.eye(v).expand_as(model.mix).clone()
    with torch.no_grad():
        maps = model.draw(joints[None, None])[0, 0]
    return model, maps.unflatten(0, (-1, v)).numpy()


def test_a_joint_is_a_spot_where_it_is_seen_from_the_front_and_the_side():
    joints = torch.randn(3, 20)
    model, maps = drawn("kinect20", joints)
    centres = model.centres.numpy()
    for view, axis in enumerate((0, 2)):
        for joint, (across, up) in enumerate(zip(joints[axis].tolist(), joints[1].tolist(), strict=True)):
            squared = (centres[None] - across) ** 2 + (
                -centres[:, None] - up
            ) ** 2  # the first row is the top
            expected = np.exp(-squared / (2 * 0.5**2))
            np.testing.assert_allclose(maps[view, joint], expected, rtol=1e-4, atol=1e-6)


def test_a_picture_has_one_view():
    _, maps = drawn("movenet13", torch.zeros(2, 13))
    assert maps.shape == (1, 13, 24, 24)
    assert maps[0, 0].max() == pytest.approx(maps[0, 0, 11:13, 11:13].min())


def test_later_layers_are_shorter_and_smaller():
    model, shapes = SkeletonC3D(2, "kinect20").eval(), []
    for layer in model.network.layers:
        layer.register_forward_hook(lambda _, __, output: shapes.append(tuple(output.shape[2:])))
    assert model(torch.randn(1, 8, 3, 20), torch.tensor([8])).shape == (1, 8, 2)
    assert shapes == [(8, 24, 24), (8, 12, 12), (4, 6, 6)]


@pytest.mark.parametrize("options", [{"size": 7}, {"reach": 0.0}, {"spread": -1.0}])
def test_what_makes_no_sense_is_refused(options):
    with pytest.raises(ValueError, match="Expected `reach` and `spread` above 0, and `size`"):
        SkeletonC3D(2, "kinect20", **options)
