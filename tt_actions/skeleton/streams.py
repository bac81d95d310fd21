"""Input streams of networks that read joints: positions, bones, and the motion of both."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from tt_actions.errors import UserError
from tt_actions.skeleton.layouts import Layout

Stream = Literal["joint", "bone", "joint_motion", "bone_motion"]


def check_streams(streams: Sequence[str]) -> None:
    """Raise an error for unknown or repeated streams.

    Args:
        streams: Names of the streams.

    Raises:
        ValueError: If there is no stream, or a stream is unknown or repeated.
    """
    if not streams or set(streams) - set(get_args(Stream)) or len(set(streams)) < len(streams):
        raise UserError(
            f"Expected `streams` to be one or more of {get_args(Stream)}, each at most once, but got "
            f"{list(streams)}."
        )


def make_stream(joints: Tensor, layout: Layout, stream: Stream, before: Tensor | None = None) -> Tensor:
    """Compute one stream from joint positions.

    A bone is the vector from a joint's parent to the joint, 0 at the root. Motion is the change since the
    previous frame, 0 in a clip's first frame (Shi et al. 2020, "Skeleton-based action recognition with
    multi-stream adaptive graph convolutional networks").

    Args:
        joints: Positions.
        layout: Layout of the joints.
        stream: Name of the stream.
        before: Positions in the frame before the first, or None if there is no such frame.

    Shape:
        joints ``(B, T, C, V)``, before ``(B, 1, C, V)`` -> ``(B, T, C, V)``.
    """
    if stream.endswith("motion"):
        joints = torch.diff(joints, dim=1, prepend=joints[:, :1] if before is None else before)
    if stream.startswith("bone"):
        joints = joints - joints[..., list(layout.parent_indices)]
    return joints


def check_joints(joints: Tensor, layout: Layout) -> None:
    """Raise an error for joint clips that a network can't read.

    Args:
        joints: Clips of one batch.
        layout: Layout that the network reads.

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
