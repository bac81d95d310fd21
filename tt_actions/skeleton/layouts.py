"""Joint layouts: which joints a skeleton has, how they connect, and which joints two layouts share."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tt_actions.errors import UserError


@dataclass(frozen=True, eq=False)
class Layout:
    """The joints of one kind of recording, in its order.

    Args:
        name: Name of the layout, as in ``LAYOUT=``.
        parents: The parent of each joint, by name and in the order of the recording. The root is its own
            parent.
        num_coordinates: 3, or 2 for joints in an image.
        hips: The joints whose midpoint is the centre of the body.
        shoulders: The joints whose midpoint is the upper end of the trunk.

    Attributes:
        joints: Names in order; joints of both sides begin with ``left_`` or ``right_``.
    """

    name: str
    parents: Mapping[str, str]
    num_coordinates: int
    hips: tuple[str, str] = ("left_hip", "right_hip")
    shoulders: tuple[str, str] = ("left_shoulder", "right_shoulder")

    @cached_property
    def joints(self) -> tuple[str, ...]:
        """Names of the joints, in order."""
        return tuple(self.parents)

    def index(self, name: str) -> int:
        """Return the index of a joint.

        Args:
            name: Name of the joint.
        """
        return self.joints.index(name)

    @cached_property
    def parent_indices(self) -> tuple[int, ...]:
        """Index of each joint's parent."""
        return tuple(map(self.index, self.parents.values()))

    @cached_property
    def root(self) -> int:
        """Index of the root, the joint that is its own parent."""
        return next(i for i, parent in enumerate(self.parent_indices) if parent == i)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """Pairs of indices of a joint and its parent."""
        return tuple((i, parent) for i, parent in enumerate(self.parent_indices) if i != parent)

    @cached_property
    def mirrored(self) -> tuple[int, ...]:
        """For each joint, the index of its counterpart on the other side, or its own index."""
        return tuple(self.index(other_side(name)) for name in self.joints)

    @cached_property
    def outwards(self) -> tuple[int, ...]:
        """Indices of all joints, each after its parent."""
        order = [self.root]
        for joint in order:
            order += [i for i, parent in self.bones if parent == joint]
        return tuple(order)


def other_side(joint: str) -> str:
    """Return the name of a joint's counterpart on the other side, or the name itself if it has none.

    Args:
        joint: Name of the joint.

    >>> other_side("left_knee"), other_side("head")
    ('right_knee', 'head')
    """
    for here, there in (("left_", "right_"), ("right_", "left_")):
        if joint.startswith(here):
            return there + joint.removeprefix(here)
    return joint


def _limbs(arm: str, leg: str, shoulder: str, hip: str) -> dict[str, str]:
    """Return the parents of the joints in both arms and legs, given as chains from the trunk outwards."""
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

_BLAZEPOSE_PARENTS = {
    **_COCO_LIMBS,
    **{
        f"{side}_{name}": f"{side}_{parent}" if parent != "nose" else "nose"
        for side in ("left", "right")
        for name, parent in (
            ("inner_eye", "nose"),
            ("eye", "inner_eye"),
            ("outer_eye", "eye"),
            ("ear", "outer_eye"),
            ("mouth", "nose"),
            ("pinky", "wrist"),
            ("fingertips", "wrist"),
            ("thumb", "wrist"),
            ("heel", "ankle"),
            ("foot", "heel"),
        )
    },
}
_BLAZEPOSE_ORDER = (
    "nose left_inner_eye left_eye left_outer_eye right_inner_eye right_eye right_outer_eye left_ear "
    "right_ear left_mouth right_mouth left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_pinky right_pinky left_fingertips right_fingertips left_thumb right_thumb "
    "left_hip right_hip left_knee right_knee left_ankle right_ankle left_heel right_heel left_foot "
    "right_foot"
)

BLAZEPOSE33 = Layout("blazepose33", _ordered(_BLAZEPOSE_ORDER, _BLAZEPOSE_PARENTS), 3)
"""The 33 landmarks of BlazePose in space (Bazarevsky et al. 2020); ``fingertips`` is the index finger."""

BLAZEPOSE33_2D = Layout("blazepose33_2d", _ordered(_BLAZEPOSE_ORDER, _BLAZEPOSE_PARENTS), 2)
"""The landmarks of BlazePose in the image."""

RACKET = Layout("racket", {"racket": "racket"}, 3)
"""The 3D trajectory of the centre of the racket's blade: a skeleton with one joint."""

BALL = Layout("ball", {"ball": "ball"}, 3)
"""The 3D trajectory of a ball."""

BALL2D = Layout("ball2d", {"ball": "ball"}, 2)
"""The 2D trajectory of a ball in an image."""

PATHS = (RACKET, BALL, BALL2D)
"""The layouts of trajectories, which have one joint and no body."""

BODIES = (NTU25, KINECT20, THETIS15, COCO17, MOVENET13, BLAZEPOSE33, BLAZEPOSE33_2D)
"""The layouts of bodies."""

LAYOUTS = {layout.name: layout for layout in (*BODIES, *PATHS)}

MEANS: dict[str, tuple[str, ...]] = {
    "hips": ("left_hip", "right_hip"),
    "chest": ("left_shoulder", "right_shoulder"),
    "spine": ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
    "head": ("left_ear", "right_ear"),
    "left_hand": ("left_pinky", "left_fingertips"),
    "right_hand": ("right_pinky", "right_fingertips"),
}
"""For each joint, those whose mean replaces it if a recording lacks it."""

SUBSTITUTES = {
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
"""For each joint, the one that replaces it if a recording lacks it: nearby, but not the same."""


def find_layout(name: str) -> Layout:
    """Return the layout with a given name.

    Args:
        name: A key of :data:`LAYOUTS`.

    Raises:
        ValueError: If there is no layout with that name.
    """
    if name not in LAYOUTS:
        raise UserError(f"Expected `layout` to be one of {', '.join(LAYOUTS)}, but got '{name}'.")
    return LAYOUTS[name]


def convert(joints: np.ndarray, source: Layout, target: Layout) -> np.ndarray:
    """Convert joints from one layout to another.

    Joints with the same name are the same joint. If the source lacks a joint, the mean of its neighbours is
    used (:data:`MEANS`): of the hips, of the shoulders, of the ears for the head, of two fingers for a hand.
    Without these, its substitute is used (:data:`SUBSTITUTES`): a wrist for a hand and the other way round, a
    foot for an ankle, the head for the nose, the chest for the neck. The match is not exact: the spine of
    THETIS, OpenNI's torso centre, is a little higher than the middle of the spine in the Kinect layouts, its
    hands are estimated from the depth image, and the hips of a Kinect are deeper in the body than COCO's.
    Other joints without a counterpart are missing, such as eyes and ears from a Kinect.

    Args:
        joints: Positions, NaN if unknown.
        source: Layout of the joints.
        target: Layout of the result.

    Returns:
        Positions of the target's joints, NaN if the source has no counterpart.

    Shape:
        joints ``(..., V, C)`` -> ``(..., W, C)``.
    """
    if source is target:
        return joints
    found = np.full((*joints.shape[:-2], len(target.joints), joints.shape[-1]), np.nan, joints.dtype)
    for i, name in enumerate(target.joints):
        others = [source.index(other) for other in _stand_ins(name, source)]
        if others:
            found[..., i, :] = joints[..., others, :].mean(-2)
    return found


def _stand_ins(name: str, source: Layout) -> tuple[str, ...]:
    """Return the joints of a layout whose mean stands for a joint; none if it has no counterpart."""
    substitute = SUBSTITUTES.get(name, name)
    for others in ((name,), MEANS.get(name, ()), (substitute,), MEANS.get(substitute, ())):
        if others and set(others) <= set(source.joints):
            return others
    return ()


def middle(joints: np.ndarray, layout: Layout, pair: tuple[str, str]) -> np.ndarray:
    """Return the midpoint of two joints.

    Args:
        joints: Positions.
        layout: Layout of the joints.
        pair: Names of the two joints.

    Shape:
        joints ``(..., V, C)`` -> ``(..., C)``.
    """
    one, other = map(layout.index, pair)
    return np.asarray((joints[..., one, :] + joints[..., other, :]) / 2)
