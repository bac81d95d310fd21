"""The graph of a network that reads joints, and drawn joints for checking it."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.export.graphs import Replace, copy_network
from tt_actions.models.base import repeat_last_frame
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.skeleton.layouts import NTU25, PATHS, convert, find_layout
from tt_actions.sources.synthetic.motion import FPS, clip_motion
from tt_actions.sources.synthetic.player import draw_player

_STROKES = ("serve", "forehand", "backhand", "smash")
_STROKE_S = 2.5


class JointGraph(nn.Module):
    """The graph for clips of joints: it returns per-frame logits.

    Causal networks read the padding too, which does not matter because it comes after all valid frames. For a
    CRF, it is the frame network below the chain.

    Args:
        model: The trained model.
        replace: Makes the replacement of a layer.
    """

    def __init__(self, model: Recognizer, replace: Replace) -> None:
        super().__init__()
        self.network = copy_network(model.network.frame_network, replace)
        self.eval()

    def forward(self, joints: Tensor, lengths: Tensor, hands: Tensor) -> Tensor:
        """Return per-frame logits; ignore those beyond ``lengths``.

        Args:
            joints: Normalised joints of each clip, padded to the longest; those of given left-handers are
                mirrored.
            lengths: Number of valid frames of each clip.
            hands: Playing hand of each clip: 1 for right, -1 for left, 0 if unknown.

        Shape:
            joints ``(B, T, C, V)``, float32, lengths and hands ``(B,)``, int64 -> logits ``(B, T, K)``.
        """
        network = self.network
        if not network.is_causal:
            return network.forward_with_hands(joints, lengths, hands)
        if network.delay:
            joints = repeat_last_frame(joints, lengths, network.delay)
        logits, _ = network.advance(joints)
        return logits[:, network.delay :]


def joint_example(model: Recognizer) -> tuple[Tensor, ...]:
    """Return example arguments for tracing a :class:`JointGraph`; no variable dimension has size 1.

    Args:
        model: The trained model.
    """
    return draw_joints(model, (7, 2, 5), 0)


def draw_joints(model: Recognizer, lengths: tuple[int, ...], seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draw the joints of synthetic strokes, or random trajectories, as a batch with lengths and hands.

    Args:
        model: The trained model.
        lengths: Number of frames of each clip.
        seed: Random seed.

    Shape:
        joints ``(B, T, C, V)``, float32, lengths and hands ``(B,)``, int64.
    """
    preprocessing = model.preprocessing
    assert isinstance(preprocessing, JointPreprocessing)
    rng = np.random.default_rng(seed)
    clips = [_draw_clip(preprocessing, rng) for _ in lengths]
    layout = find_layout(preprocessing.layout)
    batch = np.zeros((len(lengths), max(lengths), len(layout.joints), layout.num_coordinates), np.float32)
    for row, clip, length in zip(batch, clips, lengths, strict=True):
        row[:length] = clip[np.linspace(0, len(clip) - 1, length).round().astype(int)]
    hands = torch.arange(len(lengths)) % 3 - 1
    return torch.from_numpy(batch).movedim(-1, 2).contiguous(), torch.tensor(lengths), hands


def _draw_clip(preprocessing: JointPreprocessing, rng: np.random.Generator) -> np.ndarray:
    """Return the normalised joints ``(T, V, C)`` of a synthetic stroke, or of a random trajectory."""
    layout = find_layout(preprocessing.layout)
    if layout in PATHS:
        joints = rng.normal(size=(40, 1, layout.num_coordinates)).cumsum(0)
    else:
        motion = clip_motion(rng, draw_player(rng, "player"), str(rng.choice(_STROKES)), _STROKE_S, None)
        upright = motion.players[0].joints[..., [0, 2, 1]] * (1, 1, -1)  # the height is y
        joints = convert(upright, NTU25, layout)[..., : layout.num_coordinates]
    return preprocessing.complete(joints, np.arange(len(joints)) / FPS, Path("drawn"), is_timed=True).values
