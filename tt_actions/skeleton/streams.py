"""What a network may be shown of joints: where they are, their bones, and how both move."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from tt_actions.errors import UserError
from tt_actions.skeleton.layouts import Layout

Stream = Literal["joint", "bone", "joint_motion", "bone_motion"]


def check_streams(streams: Sequence[str]) -> None:
    """Refuse streams that there are not.

    Args:
        streams: Their names.

    Raises:
        ValueError: If there is none, one is unknown or one is there twice.
    """
    if not streams or set(streams) - set(get_args(Stream)) or len(set(streams)) < len(streams):
        raise UserError(f"Expected `streams` out of {get_args(Stream)}, each once, but got {list(streams)}.")


def make_stream(joints: Tensor, layout: Layout, stream: Stream, before: Tensor | None = None) -> Tensor:
    """Return one stream of joints.

    A bone is the vector from the joint that a joint hangs on, 0 at the root; motion is what has changed since
    the frame before, 0 in a clip's first frame (Shi et al. 2020, "Skeleton-based action recognition with
    multi-stream adaptive graph convolutional networks").

    Args:
        joints: Places.
        layout: What the joints are.
        stream: Which.
        before: Places in the frame before the first, or None where there is none.

    Shape:
        joints ``(B, T, C, V)``, before ``(B, 1, C, V)`` -> ``(B, T, C, V)``.
    """
    if stream.endswith("motion"):
        joints = torch.diff(joints, dim=1, prepend=joints[:, :1] if before is None else before)
    if stream.startswith("bone"):
        joints = joints - joints[..., list(layout.parent_indices)]
    return joints


def check_joints(joints: Tensor, layout: Layout) -> None:
    """Refuse clips of joints that a network can't read.

    Args:
        joints: Clips of one batch.
        layout: What the network reads.

    Raises:
        ValueError: If the rank, the coordinates or the joints differ, or there is no frame.
    """
    shape = tuple(joints.shape)
    wanted = (layout.num_coordinates, len(layout.joints))
    if len(shape) != 4 or shape[1] < 1 or shape[2:] != wanted:
        raise UserError(
            f"Expected `joints` to be (B, T, {wanted[0]}, {wanted[1]}) of layout {layout.name}, but got "
            f"{shape}. Set `layout` of the model to that of the data."
        )
