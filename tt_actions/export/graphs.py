"""The two graphs of a trained network: one for whole clips, one for the next frames of a stream."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.errors import UserError
from tt_actions.models.base import ActionModel, repeat_last_frame
from tt_actions.models.cnn_lstm_plus import PlusState
from tt_actions.recognition.recognizer import Recognizer

Replace = Callable[[nn.Module], nn.Module | None]
"""Makes the replacement of a layer, which is called in the same way; None keeps the layer."""

Leaves = list[tuple[str, Tensor]]
"""The tensors of a state with their names."""


def check_exportable(model: Recognizer) -> None:
    """Check that a model can be written as a graph of tensor operations.

    Args:
        model: The trained model.

    Raises:
        ValueError: If it computes something that a graph can't.
    """
    network = model.network.frame_network
    if network.graph_obstacle is not None:
        raise UserError(
            f"Expected a network that a graph can represent, but got {type(network).__name__}: "
            f"{network.graph_obstacle}. Use the checkpoint instead."
        )


def has_step_graph(model: Recognizer) -> bool:
    """Return whether a model gets a graph for the next frames of a stream: a causal network of frames.

    Args:
        model: The trained model.
    """
    return model.network.frame_network.is_causal and isinstance(model.preprocessing, Preprocessing)


def copy_network(network: ActionModel, replace: Replace) -> ActionModel:
    """Copy a network in eval mode and without gradients, with some layers replaced.

    Args:
        network: The network.
        replace: Makes the replacement of a layer.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    for module in list(network.modules()):
        for name, part in list(module.named_children()):
            if (replacement := replace(part)) is not None:
                setattr(module, name, replacement)
    return network


class _Graph(nn.Module):
    """The network of a model, reading frames as decoded from a video.

    For a CRF, it is the frame network below the chain.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: Recognizer, replace: Replace) -> None:
        super().__init__()
        self.network = copy_network(model.network.frame_network, replace)
        self.register_buffer("mean", model.normalise.mean.clone())
        self.register_buffer("std", model.normalise.std.clone())
        self.eval()

    def normalise(self, frames: Tensor) -> Tensor:
        """Convert decoded frames into the input of the network.

        Args:
            frames: Frames as decoded from the video.

        Shape:
            frames ``(B, T, C, H, W)``, uint8 -> the same, float32.
        """
        return (frames.float() / 255 - self.mean) / self.std


class ClipGraph(_Graph):
    """The graph for whole clips: it returns per-frame logits.

    Causal networks read the padding too, which does not matter because it comes after all valid frames.

    Args:
        model: The trained model.
        replace: Makes the replacement of a layer.
    """

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits; ignore those beyond ``lengths``.

        Args:
            frames: The clips, padded to the longest.
            lengths: Number of valid frames of each clip.

        Shape:
            frames ``(B, T, C, H, W)``, uint8, lengths ``(B,)`` -> logits ``(B, T, K)``.
        """
        network = self.network
        if not network.is_causal:
            logits: Tensor = network(self.normalise(frames), lengths)
            return logits
        if network.delay:
            frames = repeat_last_frame(frames, lengths, network.delay)
        logits, _ = network.advance(self.normalise(frames))
        return logits[:, network.delay :]


class StepGraph(_Graph):
    """The graph for the next frames of a stream: it returns logits and the new state.

    The state is a sequence of tensors. For a track that starts, ``is_first`` is set and its rows of the state
    are ignored. The tracks of a batch can therefore start and end independently.

    Args:
        model: The trained model with a causal network.
        replace: Makes the replacement of a layer.
    """

    def __init__(self, model: Recognizer, replace: Replace) -> None:
        super().__init__(model, replace)
        self.like, self.dims = example_state(model), batch_dims(model)

    def forward(self, frames: Tensor, is_first: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Return the logits emitted at each frame, and the tensors of the new state.

        Args:
            frames: The next frames of each track.
            is_first: Whether they are the first frames of the track.
            *state: The tensors of the previous state, in the order of :func:`flatten`.

        Shape:
            frames ``(P, n, C, H, W)``, uint8, is_first ``(P,)``, bool, state ``(P, ...)`` each -> logits
            ``(P, n, K)``, state.
        """
        assert self.network.is_causal
        frames = self.normalise(frames)
        kept = (part.where(~_like_dims(is_first, part), torch.zeros_like(part)) for part in state)
        own = (part.movedim(0, dim) for part, dim in zip(kept, self.dims, strict=True))
        before = rebuild(self.like, own)
        if isinstance(before, PlusState):  # at the start, the previous frame equals the first: no motion
            first = frames[:, 0]
            before = before._replace(frame=torch.where(_like_dims(is_first, first), first, before.frame))
        logits, after = self.network.advance(frames, before)
        parts = (part for _, part in flatten(after))
        return logits, *(part.movedim(dim, 0) for part, dim in zip(parts, self.dims, strict=True))


def _like_dims(flags: Tensor, part: Tensor) -> Tensor:
    """Reshape flags ``(P,)`` to the number of dimensions of a tensor ``(P, ...)``."""
    return flags.view(-1, *(1,) * (part.ndim - 1))


@torch.no_grad()
def example_state(model: Recognizer, num_tracks: int = 2) -> Any:
    """Return the state of a causal network after a black frame, which shows its structure and shapes.

    Args:
        model: The trained model.
        num_tracks: Number of tracks.
    """
    network = model.network.frame_network
    assert network.is_causal
    shape = (num_tracks, 1, len(model.normalise.mean), *model.frame_preprocessing.size)
    return network.advance(model.normalise(torch.zeros(shape, dtype=torch.uint8)), None)[1]


def batch_dims(model: Recognizer) -> list[int]:
    """Return which dimension of each tensor of the state counts the tracks: in PyTorch's layers, the second.

    Args:
        model: The trained model.

    Raises:
        UserError: If a tensor has no such dimension.
    """
    dims = []
    for (name, two), (_, three) in zip(*(flatten(example_state(model, n)) for n in (2, 3)), strict=True):
        differing = [
            dim for dim, sizes in enumerate(zip(two.shape, three.shape, strict=True)) if len({*sizes}) > 1
        ]
        if len(differing) != 1:
            raise UserError(
                f"Expected one dimension of {name} to be the number of clips, but its shape is "
                f"{tuple(two.shape)} for two clips and {tuple(three.shape)} for three. Keep a state per clip."
            )
        dims += differing
    return dims


def state_leaves(model: Recognizer) -> Leaves:
    """List the tensors of a state as in the step graph, whose first dimension counts the tracks.

    Args:
        model: The trained model.
    """
    leaves = zip(flatten(example_state(model)), batch_dims(model), strict=True)
    return [(name, part.movedim(dim, 0)) for (name, part), dim in leaves]


def flatten(state: Any, name: str = "state") -> Leaves:
    """List the tensors of a state, named by their position in it.

    Args:
        state: Tensors in tuples and lists, or None.
        name: Name of the whole state.

    >>> [name for name, _ in flatten((torch.ones(1), [torch.ones(1)]))]
    ['state_0', 'state_1_0']
    """
    if state is None:
        return []
    if isinstance(state, Tensor):
        return [(name, state)]
    keys = getattr(state, "_fields", range(len(state)))
    return [leaf for key, part in zip(keys, state, strict=True) for leaf in flatten(part, f"{name}_{key}")]


def rebuild(like: Any, leaves: Iterator[Tensor]) -> Any:
    """Rebuild a state from the tensors that :func:`flatten` lists.

    Args:
        like: A state with the same structure.
        leaves: The tensors.

    >>> rebuild((torch.ones(1), [torch.ones(1)]), iter([torch.tensor(1), torch.tensor(2)]))
    (tensor(1), [tensor(2)])
    """
    if like is None:
        return None
    if isinstance(like, Tensor):
        return next(leaves)
    parts = [rebuild(part, leaves) for part in like]
    return type(like)(*parts) if hasattr(like, "_fields") else type(like)(parts)


def clip_example(model: Recognizer) -> tuple[Tensor, Tensor]:
    """Return example arguments for tracing a :class:`ClipGraph`; no variable dimension has size 1.

    Args:
        model: The trained model.
    """
    frames = torch.zeros(3, 7, len(model.normalise.mean), *model.frame_preprocessing.size, dtype=torch.uint8)
    return frames, torch.tensor([7, 2, 5])


def step_example(model: Recognizer) -> tuple[Tensor, ...]:
    """Return example arguments for tracing a :class:`StepGraph`.

    Args:
        model: The trained model.
    """
    frames = torch.zeros(2, 5, len(model.normalise.mean), *model.frame_preprocessing.size, dtype=torch.uint8)
    state = (part.clone() for _, part in state_leaves(model))
    return frames, torch.tensor([True, False]), *state
