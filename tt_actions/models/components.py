"""Principal components of several joint streams: a few numbers that describe a frame."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tt_actions.models.checks import check_positive
from tt_actions.skeleton.layouts import Layout
from tt_actions.skeleton.streams import Stream, check_joints, check_streams, make_stream

MIN_SPREAD = 1e-4
"""Added to the variance of each component, so that scaling does not amplify components that hardly vary."""


class PrincipalComponents(nn.Module):
    """Concatenates joint streams and projects them onto the directions in which frames differ most.

    Each stream is divided by its own root mean square over joints and frames, so that motions count as much
    as positions. The components are scaled to variance 1. They are fitted without gradients and stored in
    buffers.

    Args:
        layout: Layout of the joints.
        streams: Input streams: any of ``joint``, ``bone``, ``joint_motion`` and ``bone_motion``.
        num_components: Number of components *P*; reduced to the number of features if that is smaller.

    Raises:
        ValueError: If ``num_components`` is below 1 or a stream is unknown.
    """

    offset: Tensor
    projection: Tensor

    def __init__(self, layout: Layout, streams: Sequence[Stream], num_components: int) -> None:
        super().__init__()
        check_streams(streams)
        check_positive(num_components=num_components)
        self.layout, self.streams = layout, tuple(streams)
        self.stream_size = layout.num_coordinates * len(layout.joints)
        num_features = len(streams) * self.stream_size
        self.num_components = min(num_components, num_features)
        self.register_buffer("offset", torch.zeros(num_features))
        self.register_buffer("projection", torch.zeros(num_features, self.num_components))

    def read(self, joints: Tensor) -> Tensor:
        """Return the concatenated streams.

        Args:
            joints: Clips of one batch.

        Shape:
            joints ``(B, T, C, V)`` -> ``(B, T, D)``.
        """
        check_joints(joints, self.layout)
        return torch.cat([make_stream(joints, self.layout, name) for name in self.streams], 2).flatten(2)

    def fit(self, frames: Tensor) -> None:
        """Compute the principal components from frames.

        Args:
            frames: The output of :meth:`read` for all valid frames.

        Shape:
            frames ``(N, D)``.
        """
        centred = frames.double() - frames.double().mean(0)
        squares = centred.square().mean(0).view(-1, self.stream_size)
        scales = squares.mean(1).sqrt().clamp(min=MIN_SPREAD).repeat_interleave(self.stream_size)
        scaled = centred / scales
        variances, directions = torch.linalg.eigh(scaled.T @ scaled / len(frames))  # in ascending order
        chosen = slice(-self.num_components, None)
        spreads = (variances[chosen].clamp(min=0) + MIN_SPREAD).sqrt()
        self.offset = frames.double().mean(0).to(self.offset)
        self.projection = (directions[:, chosen] / (scales[:, None] * spreads)).to(self.projection)

    def forward(self, frames: Tensor) -> Tensor:
        """Return the principal components of frames.

        Args:
            frames: The output of :meth:`read`.

        Shape:
            frames ``(..., D)`` -> ``(..., P)``.
        """
        return (frames - self.offset.to(frames)) @ self.projection.to(frames)
