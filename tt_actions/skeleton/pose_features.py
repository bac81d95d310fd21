"""Named features of a pose, like those that a coach would measure: angles, heights, speeds and distances."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from tt_actions.errors import UserError
from tt_actions.skeleton.layouts import PATHS, SUBSTITUTES, Layout

ANGLES = {
    "elbow": ("shoulder", "elbow", "wrist"),
    "shoulder": ("hip", "shoulder", "elbow"),
    "hip": ("shoulder", "hip", "knee"),
    "knee": ("hip", "knee", "ankle"),
}
"""For each angle, the joints before, at and after its vertex."""

SIDES = ("left", "right")


class PoseFeatures:
    """Computes named features of a pose and its motion.

    The features are:

    - angles at elbows, shoulders, hips and knees, in degrees;
    - for each wrist, how far it is beside, above and, in 3D, in front of the midpoint of the shoulders, and
      how far it moves per frame, in trunk lengths;
    - the distances between the wrists and between the feet, in trunk lengths;
    - the lean of the trunk, in degrees;
    - the angle of the shoulders relative to the hips, in degrees, or in 2D how much broader the shoulders
      look than the hips, in trunk lengths.

    Hands and feet replace wrists and ankles that a layout lacks.

    Args:
        layout: Layout of the joints.

    Attributes:
        names: Names of the features, in order.

    Raises:
        ValueError: If the layout is a trajectory, without a body.
    """

    def __init__(self, layout: Layout) -> None:
        if layout in PATHS:
            raise UserError(
                f"Expected `layout` of a body, but got '{layout.name}', which is a trajectory. "
                "Use the layout of a body."
            )
        self.layout = layout
        zeros = torch.zeros(1, 1, layout.num_coordinates, len(layout.joints))
        self.names = tuple(name for name, _ in self._measure(zeros, zeros))

    def __call__(self, joints: Tensor, before: Tensor | None = None) -> Tensor:
        """Compute the features of poses.

        Args:
            joints: Normalised joints.
            before: Joints in the frame before the first, or None if there is no such frame.

        Shape:
            joints ``(B, T, C, V)``, before ``(B, 1, C, V)`` -> ``(B, T, F)``.
        """
        earlier = torch.cat([joints[:, :1] if before is None else before, joints[:, :-1]], 1)
        return torch.stack([values for _, values in self._measure(joints, earlier)], -1)

    def _measure(self, joints: Tensor, earlier: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield the name and the values ``(B, T)`` of each feature."""

        def position(name: str, of: Tensor = joints) -> Tensor:  # (B, T, C)
            found = name if name in self.layout.joints else SUBSTITUTES[name]
            return of[..., self.layout.index(found)]

        chest = (position("left_shoulder") + position("right_shoulder")) / 2
        for side in SIDES:
            for name, corners in ANGLES.items():
                one, middle, other = (position(f"{side}_{corner}") for corner in corners)
                yield f"{side}_{name}_angle", angle(one - middle, other - middle)
            wrist = position(f"{side}_wrist")
            for axis, offset in enumerate(("beside", "above", "before")[: self.layout.num_coordinates]):
                sign = -1 if offset == "before" else 1  # a person who faces the camera faces -z
                yield f"{side}_wrist_{offset}_chest", sign * (wrist - chest)[..., axis]
            yield f"{side}_wrist_speed", (wrist - position(f"{side}_wrist", earlier)).norm(dim=-1)
        yield "wrists_apart", (position("left_wrist") - position("right_wrist")).norm(dim=-1)
        yield "feet_apart", (position("left_ankle") - position("right_ankle")).norm(dim=-1)
        hips, shoulders = (
            position(f"left_{name}") - position(f"right_{name}") for name in ("hip", "shoulder")
        )
        trunk = chest - (position("left_hip") + position("right_hip")) / 2
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
    """Return the angle between vectors in degrees, or 0 if a vector has no length.

    Args:
        one: The first vectors.
        other: The second vectors.

    Shape:
        one and other ``(..., C)`` -> ``(...)``.

    >>> angle(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 2.0], [-1.0, 0.0]]))
    tensor([ 90., 180.])
    """
    dot = (one * other).sum(-1)
    beside = (one.square().sum(-1) * other.square().sum(-1) - dot.square()).clamp(min=0).sqrt()
    return torch.atan2(beside, dot) * (180 / math.pi)
