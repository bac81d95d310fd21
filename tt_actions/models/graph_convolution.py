"""The convolution of joints with their neighbours."""

import math

import torch
from torch import Tensor, nn

from tt_actions.skeleton.layouts import Layout


class GraphConvolution(nn.Module):
    """A convolution over joints that are neighbours in the body, or in a graph learned from the data.

    After 2s-AGCN (Shi et al. 2019, arXiv:1805.07694, equations 2 to 4): there are three partitions of
    neighbours (the joint itself, towards the root, outwards). Each has a fixed adjacency A, a learned one B
    that starts at 0, and one C computed from the clip: the softmax over joints of the products of two
    embeddings. Our reading: the embeddings use the mean of the features over time (over the frames so far in
    a causal network), and C has a learned weight that starts at 0 (as in the authors' later multi-stream
    version).

    Args:
        in_channels: Width of the input.
        out_channels: Width of the output.
        layout: Layout of the joints, with their bones.
        embedding: Width of the embeddings.
    """

    adjacency: Tensor

    def __init__(self, in_channels: int, out_channels: int, layout: Layout, embedding: int) -> None:
        super().__init__()
        self.register_buffer("adjacency", partitions(layout), persistent=False)  # (P, V, V)
        num = len(self.adjacency)
        self.learned = nn.Parameter(torch.zeros_like(self.adjacency))
        self.factor = nn.Parameter(torch.zeros(()))
        self.embed = nn.Linear(in_channels, 2 * num * embedding)
        self.mix = nn.Parameter(torch.empty(num, in_channels, out_channels))
        nn.init.normal_(self.mix, 0, math.sqrt(2 / (num * out_channels)))

    def forward(self, x: Tensor, mean: Tensor) -> Tensor:
        """Return the convolved features of each joint at each frame.

        Args:
            x: Features of each joint at each frame.
            mean: Mean of the features over the clip (S = 1) or up to each frame (S = T).

        Shape:
            x ``(B, V, T, C)``, mean ``(B, V, S, C)`` -> ``(B, V, T, D)``.
        """
        pairs = self.embed(mean).unflatten(-1, (2, len(self.adjacency), -1))
        one, other = pairs.permute(3, 4, 0, 2, 1, 5)  # (P, B, S, V, E) each
        found = (one @ other.mT / math.sqrt(one.shape[-1])).softmax(-1)
        fixed = (self.adjacency + self.learned)[:, None, None]
        graphs = fixed + self.factor * found  # (P, B, S, V, V): weights of all joints for each joint
        mixed = x.new_zeros(x[..., 0].numel(), self.mix.shape[2])
        for graph, weight in zip(graphs, self.mix, strict=True):
            gathered = gather(graph, x).reshape(-1, x.shape[3])
            mixed = mixed.addmm_(
                gathered.to(mixed.dtype), weight.to(mixed.dtype)
            )  # autocast mixes two dtypes
        return mixed.view(*x.shape[:3], -1)


def gather(graph: Tensor, x: Tensor) -> Tensor:
    """Combine the features of joints with the weights of a graph.

    Args:
        graph: Weights of all joints for each joint, for the whole clip (S = 1) or for each frame (S = T).
        x: Features of each joint at each frame.

    Shape:
        graph ``(B, S, V, V)``, x ``(B, V, T, C)`` -> ``(B, V, T, C)``.
    """
    if graph.shape[1] == 1:  # one product for all frames
        return torch.bmm(graph[:, 0], x.flatten(2)).view(x.shape)
    return (graph @ x.transpose(1, 2)).transpose(1, 2)


def partitions(layout: Layout) -> Tensor:
    """Return three normalised adjacency matrices: joint itself, inward neighbours, outward neighbours.

    Each row sums to 1, or to 0 if the joint has no neighbour of that kind (Yan et al. 2018, section 3.3,
    "spatial configuration", with the root of the tree in place of the centre of gravity).

    Args:
        layout: Layout of the joints, with their bones.

    Shape:
        ``(3, V, V)``.
    """
    num = len(layout.joints)
    adjacency = torch.zeros(3, num, num)
    adjacency[0] = torch.eye(num)
    for joint, parent in layout.bones:
        adjacency[1, joint, parent] = 1
        adjacency[2, parent, joint] = 1
    return adjacency / adjacency.sum(-1, keepdim=True).clamp(min=1)
