"""A trained network as two functions of tensors alone: of whole clips, and of a stretch of a stream."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from tt_actions.errors import UserError
from tt_actions.models.base import ActionModel, repeat_last_frame
from tt_actions.models.cnn_lstm_plus import PlusState
from tt_actions.models.peephole_lstm import PeepholeLSTM
from tt_actions.recognition.recognizer import Recognizer

Leaves = list[tuple[str, Tensor]]
"""The tensors of a state, each with its name."""


def check_exportable(model: Recognizer) -> None:
    """Refuse a model that is no function of tensors alone.

    Args:
        model: The trained model.

    Raises:
        ValueError: If it is fitted in closed form.
    """
    if not model.network.learns_by_gradient:
        raise UserError(
            f"Expected a network that is trained by gradient, but got {type(model.network).__name__}: it "
            "describes each clip by itself, over as many frames as that one has, and no graph of tensors "
            "does that for a batch. Use it from its checkpoint."
        )


def copy_network(network: ActionModel, replace: Callable[[PeepholeLSTM], nn.Module]) -> ActionModel:
    """Copy a network in eval mode and without gradients, with another recurrence.

    Args:
        network: The network.
        replace: Makes what takes the place of each LSTM; called as one.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    for module in list(network.modules()):
        for name, part in list(module.named_children()):
            if isinstance(part, PeepholeLSTM):
                setattr(module, name, replace(part))
    return network


class _Graph(nn.Module):
    """The network of a model, of a CRF that below it, on frames as they come from a video."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: Recognizer, replace: Callable[[PeepholeLSTM], nn.Module]) -> None:
        super().__init__()
        self.network = copy_network(model.network.frame_network, replace)
        self.register_buffer("mean", model.normalise.mean.clone())
        self.register_buffer("std", model.normalise.std.clone())
        self.eval()

    def normalise(self, frames: Tensor) -> Tensor:
        """Return frames as the network reads them.

        Args:
            frames: As they come from the video.

        Shape:
            frames ``(B, T, C, H, W)``, uint8 -> the same, float32.
        """
        return (frames.float() / 255 - self.mean) / self.std


class ClipGraph(_Graph):
    """Per-frame logits of whole clips. Causal networks read the padding too: it comes after all that counts.

    Args:
        model: The trained model.
        replace: Makes what takes the place of each LSTM.
    """

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return per-frame logits; those past ``lengths`` mean nothing.

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
    """The next frames of a stream: logits as they come out, and the state to hand on.

    A state is a row of tensors. A track that begins is marked, and its rows of the state are not looked at,
    so that tracks of one batch begin and end as they like.

    Args:
        model: The trained model, of a causal network.
        replace: Makes what takes the place of each LSTM.
    """

    def __init__(self, model: Recognizer, replace: Callable[[PeepholeLSTM], nn.Module]) -> None:
        super().__init__(model, replace)
        self.like = example_state(model)

    def forward(self, frames: Tensor, is_first: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Return the logits that come out at each frame, and the tensors of the new state.

        Args:
            frames: The next frames of each track.
            is_first: Whether they are the track's first.
            *state: The tensors of the state before, in the order of :func:`flatten`.

        Shape:
            frames ``(P, n, C, H, W)``, uint8, is_first ``(P,)``, bool, state ``(P, ...)`` each -> logits
            ``(P, n, K)``, state.
        """
        assert self.network.is_causal
        frames = self.normalise(frames)
        kept = (part.where(~_beside(is_first, part), torch.zeros_like(part)) for part in state)
        before = rebuild(self.like, kept)
        if isinstance(before, PlusState):  # the frame before the first is the first: nothing has moved
            first = frames[:, 0]
            before = before._replace(frame=torch.where(_beside(is_first, first), first, before.frame))
        logits, after = self.network.advance(frames, before)
        return logits, *(part for _, part in flatten(after))


def _beside(flags: Tensor, part: Tensor) -> Tensor:
    """Give flags ``(P,)`` as many dimensions as a tensor ``(P, ...)`` has."""
    return flags.view(-1, *(1,) * (part.ndim - 1))


@torch.no_grad()
def example_state(model: Recognizer) -> Any:
    """Return the state of a causal network after a black frame: its structure and its shapes.

    Args:
        model: The trained model.
    """
    network = model.network.frame_network
    assert network.is_causal
    black = torch.zeros(2, 1, len(model.normalise.mean), *model.frame_preprocessing.size, dtype=torch.uint8)
    return network.advance(model.normalise(black), None)[1]


def flatten(state: Any, name: str = "state") -> Leaves:
    """List the tensors of a state with names that tell where they stand.

    Args:
        state: Tensors in tuples and lists, or None.
        name: That of the whole.

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
    """Make a state of the tensors that :func:`flatten` lists.

    Args:
        like: A state of the same structure.
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
    """Return arguments of a :class:`ClipGraph` to trace it with: no dimension that may change is 1.

    Args:
        model: The trained model.
    """
    frames = torch.zeros(3, 7, len(model.normalise.mean), *model.frame_preprocessing.size, dtype=torch.uint8)
    return frames, torch.tensor([7, 2, 5])


def step_example(model: Recognizer) -> tuple[Tensor, ...]:
    """Return arguments of a :class:`StepGraph` to trace it with.

    Args:
        model: The trained model.
    """
    frames = torch.zeros(2, 5, len(model.normalise.mean), *model.frame_preprocessing.size, dtype=torch.uint8)
    state = (part.clone() for _, part in flatten(example_state(model)))
    return frames, torch.tensor([True, False]), *state
