import numpy as np
import pytest

from tt_actions.skeleton.layouts import (
    BLAZEPOSE33,
    BLAZEPOSE33_2D,
    COCO17,
    KINECT20,
    LAYOUTS,
    MOVENET13,
    NTU25,
    PATHS,
    THETIS15,
    convert,
    find_layout,
)
from tt_actions.sources.synthetic.body import BONES, MIRRORED

BODIES = [layout for layout in LAYOUTS.values() if layout not in PATHS]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_joints_form_one_tree(layout):
    assert len(layout.bones) == len(layout.joints) - 1
    assert sorted(layout.outwards) == list(range(len(layout.joints)))
    seen = set()
    for joint in layout.outwards:
        assert joint == layout.root or layout.parent_indices[joint] in seen
        seen.add(joint)


@pytest.mark.parametrize("layout", BODIES, ids=lambda layout: layout.name)
def test_mirroring_swaps_sides_and_keeps_bones(layout):
    mirrored = layout.mirrored
    assert [mirrored[i] for i in mirrored] == list(range(len(layout.joints)))
    for joint, name in enumerate(layout.joints):
        assert (mirrored[joint] != joint) == name.startswith(("left_", "right_"))
    bones = {frozenset(bone) for bone in layout.bones}
    swapped = {frozenset(mirrored[i] for i in bone) for bone in bones}
    if layout.num_coordinates == 3:
        assert swapped == bones
    else:  # keypoints have no spine: on each side, shoulder and hip connect to the nose
        assert swapped == bones


def test_ntu_is_the_synthetic_bodys_order():
    assert {frozenset(bone) for bone in NTU25.bones} == {frozenset(bone) for bone in BONES}
    assert NTU25.mirrored == MIRRORED


@pytest.mark.parametrize(
    ("source", "target", "lacking"),
    [
        (NTU25, KINECT20, set()),
        (NTU25, THETIS15, set()),
        (NTU25, COCO17, {"left_eye", "right_eye", "left_ear", "right_ear"}),
        (COCO17, MOVENET13, set()),
        (COCO17, KINECT20, set()),
        (BLAZEPOSE33, NTU25, set()),
        (BLAZEPOSE33_2D, COCO17, set()),
    ],
)
def test_conversion_finds_every_joint_that_the_source_has(source, target, lacking):
    joints = np.arange(len(source.joints) * source.num_coordinates, dtype=np.float32)
    joints = joints.reshape(1, -1, source.num_coordinates)
    found = convert(joints, source, target)
    missing = {target.joints[i] for i in np.flatnonzero(np.isnan(found[0]).any(-1))}
    assert missing == lacking
    for i, name in enumerate(target.joints):
        if name in source.joints:
            np.testing.assert_array_equal(found[0, i], joints[0, source.index(name)])


def test_a_missing_joint_is_replaced_by_a_nearby_one():
    joints = np.zeros((1, 17, 2), np.float32)
    joints[0, COCO17.index("left_hip")], joints[0, COCO17.index("right_hip")] = (2, 0), (4, 6)
    joints[0, COCO17.index("left_wrist")] = (7, 8)
    found = convert(joints, COCO17, KINECT20)
    assert found[0, KINECT20.index("hips")].tolist() == [3, 3]
    assert found[0, KINECT20.index("left_hand")].tolist() == [7, 8]


def test_unknown_layout_is_refused():
    with pytest.raises(
        ValueError, match=r"Expected `layout` to be one of ntu25, kinect20, .*, but got 'smpl'"
    ):
        find_layout("smpl")
