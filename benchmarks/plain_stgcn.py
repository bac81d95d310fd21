"""A plain implementation of STGCN on ``(B, C, T, V)``, with which its outputs and speed are compared."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tt_actions.models.stgcn import STGCN, Block
from tt_actions.skeleton.streams import make_stream


class PlainSTGCN(nn.Module):
    """A non-causal STGCN for whole clips, with the weights of a trained model in plain layers."""

    def __init__(self, model: STGCN) -> None:
        super().__init__()
        self.model = model
        self.blocks = nn.ModuleList(
            nn.ModuleList(_PlainBlock(block) for block in network.blocks) for network in model.networks
        )

    def forward(self, joints: Tensor) -> Tensor:
        """Return the per-frame log-probabilities of joints ``(B, T, C, V)``: ``(B, T, K)``."""
        probabilities = []
        for name, network, blocks in zip(self.model.streams, self.model.networks, self.blocks, strict=True):
            x = make_stream(joints, self.model.layout, name)
            b, t, c, v = x.shape
            x = network.norm(x.reshape(b * t, c * v)).view(b, t, c, v)
            x = (network.embed(x.permute(0, 1, 3, 2)) + network.names[:, 0]).permute(0, 3, 1, 2)
            for block in blocks:
                x = block(x)
            pooled = torch.einsum("nctv,vc->ntc", x, network.pool[:, 0])
            logits = network.head(pooled).repeat_interleave(self.model.shrinkage, 1)[:, :t]
            probabilities.append(logits.softmax(-1))
        return torch.stack(probabilities).mean(0).log()


class _PlainBlock(nn.Module):
    def __init__(self, block: Block) -> None:
        super().__init__()
        self.embed, self.adjacency = block.graph.embed, block.graph.adjacency + block.graph.learned.detach()
        self.factor = block.graph.factor.item()
        self.mix = nn.ModuleList(_pointwise(weight.T) for weight in block.graph.mix)
        self.norms = nn.ModuleList(_norm_of(norm) for norm in (block.graph_norm, block.time_norm))
        width = block.time.weight.shape[0]
        kernel_size, stride = block.time.kernel_size[1], block.stride
        self.time = nn.Conv2d(width, width, (kernel_size, 1), (stride, 1), (kernel_size // 2, 0), bias=False)
        self.time.weight.data = block.time.weight.detach().transpose(2, 3).clone()
        has_weights = isinstance(block.past_graph, nn.Linear)
        self.past = _pointwise(block.past_graph.weight) if has_weights else nn.Identity()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(2).transpose(1, 2)  # (N, V, C)
        pairs = self.embed(mean).unflatten(-1, (2, len(self.mix), -1))  # (N, V, 2, P, E)
        y = 0
        for p, mix in enumerate(self.mix):
            scores = torch.einsum("nve,nwe->nvw", pairs[:, :, 0, p], pairs[:, :, 1, p])
            graph = self.adjacency[p] + self.factor * (scores / math.sqrt(pairs.shape[-1])).softmax(-1)
            y = y + mix(torch.einsum("nctw,nvw->nctv", x, graph))
        h = F.relu(self.norms[0](y) + self.past(x))
        return F.relu(self.norms[1](self.time(h)) + h[:, :, :: self.stride])


def _pointwise(weight: Tensor) -> nn.Conv2d:
    convolution = nn.Conv2d(weight.shape[1], weight.shape[0], 1, bias=False)
    convolution.weight.data = weight.detach()[:, :, None, None].clone()
    return convolution


def _norm_of(norm: nn.BatchNorm1d) -> nn.BatchNorm2d:
    plain = nn.BatchNorm2d(norm.num_features)
    plain.load_state_dict(norm.state_dict())
    return plain
