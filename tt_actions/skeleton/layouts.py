"""Which joints a skeleton has, how they hang together, and which of them are the same in two skeletons."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tt_actions.errors import UserError


@dataclass(frozen=True, eq=False)
class Layout:
    """The joints of one kind of recording, in its order.

    Args:
        name: As in ``LAYOUT=``.
        parents: For each joint, by name and in the recording's order, the joint that it hangs on; the root
            hangs on itself.
        num_coordinates: 3, or 2 for joints found in a picture.
        hips: The joints whose middle is the body's centre.
        shoulders: The joints whose middle is the upper end of the trunk.

    Attributes:
        joints: Names in order, with ``left_`` or ``right_`` before those that there are two of.
    """

    name: str
    parents: Mapping[str, str]
    num_coordinates: int
    hips: tuple[str, str] = ("left_hip", "right_hip")
    shoulders: tuple[str, str] = ("left_shoulder", "right_shoulder")

    @cached_property
    def joints(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(self.parents)

    def index(self, name: str) -> int:
        """Return a joint's number.

        Args:
            name: Its name.
        """
        return self.joints.index(name)

    @cached_property
    def parent_indices(self) -> tuple[int, ...]:
        """For each joint the number of the one that it hangs on."""
        return tuple(map(self.index, self.parents.values()))

    @cached_property
    def root(self) -> int:
        """Number of the joint that hangs on itself."""
        return next(i for i, parent in enumerate(self.parent_indices) if parent == i)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """Pairs of a joint and the one that it hangs on."""
        return tuple((i, parent) for i, parent in enumerate(self.parent_indices) if i != parent)

    @cached_property
    def mirrored(self) -> tuple[int, ...]:
        """For each joint the number of its counterpart on the other side, or its own."""
        return tuple(self.index(other_side(name)) for name in self.joints)

    @cached_property
    def outwards(self) -> tuple[int, ...]:
        """Numbers of all joints, each after the one that it hangs on."""
        order = [self.root]
        for joint in order:
            order += [i for i, parent in self.bones if parent == joint]
        return tuple(order)


def other_side(joint: str) -> str:
    """Name a joint's counterpart on the other side.

    Args:
        joint: Its name.

    >>> other_side("left_knee"), other_side("head")
    ('right_knee', 'head')
    """
    for here, there in (("left_", "right_"), ("right_", "left_")):
        if joint.startswith(here):
            return there + joint.removeprefix(here)
    return joint


def _limbs(arm: str, leg: str, shoulder: str, hip: str) -> dict[str, str]:
    """What hangs on what in both arms and legs, given as chains from the trunk outwards."""
    parents: dict[str, str] = {}
    for side in ("left_", "right_"):
        for chain, trunk in ((arm, shoulder), (leg, hip)):
            names = [side + name for name in chain.split()]
            parents |= dict(zip(names, [trunk, *names], strict=False))
    return parents


def _ordered(order: str, parents: Mapping[str, str]) -> dict[str, str]:
    return {name: parents[name] for name in order.split()}


_KINECT_LIMBS = _limbs("shoulder elbow wrist hand", "hip knee ankle foot", "chest", "hips")

NTU25 = Layout(
    "ntu25",
    _ordered(
        "hips spine neck head "
        "left_shoulder left_elbow left_wrist left_hand right_shoulder right_elbow right_wrist right_hand "
        "left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot "
        "chest left_fingertips left_thumb right_fingertips right_thumb",
        {
            **_KINECT_LIMBS,
            "hips": "hips",
            "spine": "hips",
            "chest": "spine",
            "neck": "chest",
            "head": "neck",
            **{
                f"{side}_{tip}": f"{side}_hand"
                for side in ("left", "right")
                for tip in ("fingertips", "thumb")
            },
        },
    ),
    3,
)
"""The 25 joints of Kinect 2 in the order of NTU RGB+D (Shahroudy et al. 2016, figure 2)."""

KINECT20 = Layout(
    "kinect20",
    _ordered(
        "left_shoulder right_shoulder chest spine left_hip right_hip hips left_elbow right_elbow "
        "left_wrist right_wrist left_hand right_hand left_knee right_knee left_ankle right_ankle "
        "left_foot right_foot head",
        {**_KINECT_LIMBS, "hips": "hips", "spine": "hips", "chest": "spine", "head": "chest"},
    ),
    3,
)
"""The 20 joints of Kinect 1 in the order of MSR Action3D (Li et al. 2010), as its recordings show it."""

THETIS15 = Layout(
    "thetis15",
    _ordered(
        "head left_elbow left_foot left_hand left_hip left_knee left_shoulder chest "
        "right_elbow right_foot right_hand right_hip right_knee right_shoulder spine",
        {
            **_limbs("shoulder elbow hand", "hip knee foot", "chest", "spine"),
            "spine": "spine",
            "chest": "spine",
            "head": "chest",
        },
    ),
    3,
)
"""The 15 joints of OpenNI in the order of THETIS (Gourgari et al. 2013)."""

_COCO_LIMBS = {
    **_limbs("shoulder elbow wrist", "hip knee ankle", "nose", "left_hip"),
    "left_hip": "left_shoulder",
    "right_hip": "right_shoulder",
    "nose": "nose",
}

COCO17 = Layout(
    "coco17",
    _ordered(
        "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow "
        "left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle",
        {
            **_COCO_LIMBS,
            **{f"{side}_eye": "nose" for side in ("left", "right")},
            **{f"{side}_ear": f"{side}_eye" for side in ("left", "right")},
        },
    ),
    2,
)
"""The 17 keypoints of COCO (Lin et al. 2014)."""

MOVENET13 = Layout(
    "movenet13",
    _ordered(
        "nose left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist "
        "left_hip right_hip left_knee right_knee left_ankle right_ankle",
        _COCO_LIMBS,
    ),
    2,
)
"""The keypoints of MoveNet, which are COCO's, without eyes and ears."""

RACKET = Layout("racket", {"racket": "racket"}, 3)
"""The path of the blade's centre: a skeleton of one joint."""

BALL = Layout("ball", {"ball": "ball"}, 3)
"""The path of a ball in space."""

BALL2D = Layout("ball2d", {"ball": "ball"}, 2)
"""The path of a ball in a picture."""

PATHS = (RACKET, BALL, BALL2D)
"""The layouts of one joint, which have no body."""

LAYOUTS = {layout.name: layout for layout in (NTU25, KINECT20, THETIS15, COCO17, MOVENET13, *PATHS)}

STAND_INS = {
    "neck": "chest",
    "nose": "head",
    "head": "nose",
    "left_hand": "left_wrist",
    "right_hand": "right_wrist",
} | {
    f"{side}_{here}": f"{side}_{there}"
    for side in ("left", "right")
    for here, there in (("wrist", "hand"), ("ankle", "foot"), ("foot", "ankle"))
}
"""Joints that take another's place where a recording lacks them: near, but not the same."""


def find_layout(name: str) -> Layout:
    """Return the layout of a name.

    Args:
        name: One of :data:`LAYOUTS`.

    Raises:
        ValueError: If there is none of that name.
    """
    if name not in LAYOUTS:
        raise UserError(f"Expected `layout` to be one of {', '.join(LAYOUTS)}, but got '{name}'.")
    return LAYOUTS[name]


def convert(joints: np.ndarray, source: Layout, target: Layout) -> np.ndarray:
    """Bring joints from one layout to another.

    Joints of one name are the same. Where the source lacks one its stand-in (:data:`STAND_INS`) is taken: a
    wrist for a hand and the other way round, a foot for an ankle, the head for the nose, the chest for the
    neck. THETIS's spine, OpenNI's torso centre, is a little higher than the spine's middle of the Kinects,
    its hands are what a depth picture shows as such, and a Kinect's hips lie deeper than COCO's. What has no
    counterpart at all is missing: eyes and ears from a Kinect; from COCO head, spine, hips' middle and chest,
    of which the last two are the middles of hips and of shoulders.

    Args:
        joints: Places, NaN where not known.
        source: Their layout.
        target: The layout wanted.

    Returns:
        The places of the target's joints, NaN where the source has none.

    Shape:
        joints ``(..., V, C)`` -> ``(..., W, C)``.
    """
    if source is target:
        return joints
    found = np.full((*joints.shape[:-2], len(target.joints), joints.shape[-1]), np.nan, joints.dtype)
    middles = {"hips": source.hips, "chest": source.shoulders}
    for i, name in enumerate(target.joints):
        if name in source.joints:
            found[..., i, :] = joints[..., source.index(name), :]
        elif STAND_INS.get(name) in source.joints:
            found[..., i, :] = joints[..., source.index(STAND_INS[name]), :]
        elif name in middles:
            found[..., i, :] = middle(joints, source, middles[name])
    return found


def middle(joints: np.ndarray, layout: Layout, pair: tuple[str, str]) -> np.ndarray:
    """Return the middle of two joints.

    Args:
        joints: Places.
        layout: Their layout.
        pair: Names of the two.

    Shape:
        joints ``(..., V, C)`` -> ``(..., C)``.
    """
    one, other = map(layout.index, pair)
    return np.asarray((joints[..., one, :] + joints[..., other, :]) / 2)
