"""What a coach would measure of a pose: angles, heights, speeds and distances, each with a name."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from tt_actions.errors import UserError
from tt_actions.skeleton.layouts import PATHS, STAND_INS, Layout

ANGLES = {
    "elbow": ("shoulder", "elbow", "wrist"),
    "shoulder": ("hip", "shoulder", "elbow"),
    "hip": ("shoulder", "hip", "knee"),
    "knee": ("hip", "knee", "ankle"),
}
"""For each angle the joints before, at and after it."""

SIDES = ("left", "right")


class PoseFeatures:
    """Named features of a pose and its motion.

    Angles, in degrees, at elbows, shoulders, hips and knees; where the wrists are beside, above and, in
    space, in front of the middle of the shoulders, and how far they move in a frame; how far wrists and feet
    are apart, all in lengths of the trunk; how far the trunk leans, and how far the shoulders are turned
    against the hips, or in a picture how much broader they look than these. Hands and feet stand for wrists
    and ankles that a layout lacks.

    Args:
        layout: What the joints are.

    Attributes:
        names: Names of the features in order.

    Raises:
        ValueError: If the layout is no body's.
    """

    def __init__(self, layout: Layout) -> None:
        if layout in PATHS:
            raise UserError(f"Expected `layout` of a body, but got '{layout.name}', a path.")
        self.layout = layout
        zeros = torch.zeros(1, 1, layout.num_coordinates, len(layout.joints))
        self.names = tuple(name for name, _ in self._measure(zeros, zeros))

    def __call__(self, joints: Tensor, before: Tensor | None = None) -> Tensor:
        """Measure poses.

        Args:
            joints: Normalised joints.
            before: Those of the frame before the first, or None where there is none.

        Shape:
            joints ``(B, T, C, V)``, before ``(B, 1, C, V)`` -> ``(B, T, F)``.
        """
        earlier = torch.cat([joints[:, :1] if before is None else before, joints[:, :-1]], 1)
        return torch.stack([values for _, values in self._measure(joints, earlier)], -1)

    def _measure(self, joints: Tensor, earlier: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Each feature's name and values ``(B, T)``."""

        def place(name: str, of: Tensor = joints) -> Tensor:  # (B, T, C)
            found = name if name in self.layout.joints else STAND_INS[name]
            return of[..., self.layout.index(found)]

        chest = (place("left_shoulder") + place("right_shoulder")) / 2
        for side in SIDES:
            for name, corners in ANGLES.items():
                one, middle, other = (place(f"{side}_{corner}") for corner in corners)
                yield f"{side}_{name}_angle", angle(one - middle, other - middle)
            wrist = place(f"{side}_wrist")
            for axis, way in enumerate(("beside", "above", "before")[: self.layout.num_coordinates]):
                sign = -1 if way == "before" else 1  # who faces the camera faces -z
                yield f"{side}_wrist_{way}_chest", sign * (wrist - chest)[..., axis]
            yield f"{side}_wrist_speed", (wrist - place(f"{side}_wrist", earlier)).norm(dim=-1)
        yield "wrists_apart", (place("left_wrist") - place("right_wrist")).norm(dim=-1)
        yield "feet_apart", (place("left_ankle") - place("right_ankle")).norm(dim=-1)
        hips, shoulders = (place(f"left_{name}") - place(f"right_{name}") for name in ("hip", "shoulder"))
        trunk = chest - (place("left_hip") + place("right_hip")) / 2
        upright = torch.zeros_like(trunk)
        upright[..., 1] = 1
        yield "trunk_lean", angle(trunk, upright)
        if self.layout.num_coordinates == 2:
            yield "shoulders_broader", shoulders[..., 0].abs() - hips[..., 0].abs()
        else:
            beside = hips[..., 2] * shoulders[..., 0] - hips[..., 0] * shoulders[..., 2]
            along = hips[..., 0] * shoulders[..., 0] + hips[..., 2] * shoulders[..., 2]
            yield "trunk_turn", torch.atan2(beside, along) * (180 / math.pi)


def angle(one: Tensor, other: Tensor) -> Tensor:
    """Return the angle between vectors in degrees, 0 where one has no length.

    Args:
        one: The ones.
        other: The others.

    Shape:
        twice ``(..., C)`` -> ``(...)``.

    >>> angle(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 2.0], [-1.0, 0.0]]))
    tensor([ 90., 180.])
    """
    dot = (one * other).sum(-1)
    beside = (one.square().sum(-1) * other.square().sum(-1) - dot.square()).clamp(min=0).sqrt()
    return torch.atan2(beside, dot) * (180 / math.pi)
