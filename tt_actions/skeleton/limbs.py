"""The limbs of a layout: groups of joints that move together."""

from tt_actions.skeleton.layouts import Layout

LIMBS = {
    "head": ("nose", "eye", "ear", "mouth", "head", "neck"),
    "trunk": ("shoulder", "hip", "hips", "chest", "spine"),
    "arm": ("elbow", "wrist", "hand", "fingertips", "thumb", "pinky"),
    "leg": ("knee", "ankle", "foot", "heel"),
}
"""The joints of each limb, without their side; arms and legs have a side."""


def find_limbs(layout: Layout) -> dict[str, tuple[int, ...]]:
    """Return the joints of the head, the trunk, each arm and each leg, from top to bottom.

    Shoulders and hips belong to the trunk. A trajectory has one limb: the object itself.

    Args:
        layout: Layout of the joints.

    >>> from tt_actions.skeleton.layouts import THETIS15
    >>> limbs = find_limbs(THETIS15)
    >>> [THETIS15.joints[joint] for joint in limbs["left arm"]]
    ['left_elbow', 'left_hand']
    >>> list(limbs)
    ['head', 'trunk', 'left arm', 'right arm', 'left leg', 'right leg']
    """
    names = ["head", "trunk", "left arm", "right arm", "left leg", "right leg"]
    found: dict[str, list[int]] = {name: [] for name in names}
    for index, joint in enumerate(layout.joints):
        found.setdefault(_limb_of(joint), []).append(index)
    return {name: tuple(joints) for name, joints in found.items() if joints}


def _limb_of(joint: str) -> str:
    side, _, rest = joint.partition("_")
    has_side = side in ("left", "right")
    kind = (rest if has_side else joint).rpartition("_")[2]  # the outer eye is an eye
    limb = next((name for name, joints in LIMBS.items() if kind in joints), joint)
    return f"{side} {limb}" if limb in ("arm", "leg") else limb
