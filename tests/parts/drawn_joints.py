"""Joints of drawn strokes in the layout of NTU RGB+D, and networks that learn them in a moment."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.sources.synthetic.motion import FPS, clip_motion
from tt_actions.sources.synthetic.player import draw_player

CLASSES = ("serve", "forehand", "backhand", "smash")
PREPROCESSING = JointPreprocessing("ntu25", sampling="all")


@cache
def draw_stroke(seed, label):
    """The joints ``(T, 25, 3)`` of one stroke of one player, y up."""
    rng = np.random.default_rng(seed)
    motion = clip_motion(rng, draw_player(rng, "player"), label, 2.5, None)
    stroke = motion.strokes[0]
    inside = slice(round(FPS * stroke.start_s), round(FPS * stroke.end_s))
    return motion.players[0].joints[inside][..., [0, 2, 1]] * (1, 1, -1)


def write_joints(path: Path, joints):
    """Write joints ``(T, V, C)`` as a file that the layout's name is enough to read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.moveaxis(joints, 2, 0))
    return path


def teach(network, clips, labels, class_names=CLASSES, preprocessing=PREPROCESSING, steps=60):
    """A recogniser with the network, fitted to joints of clips that are already normalised."""
    inputs = pad_sequence([torch.from_numpy(x).movedim(-1, 1).float() for x in clips], batch_first=True)
    lengths, labels = torch.tensor([len(x) for x in clips]), torch.tensor(labels)
    if network.learns_by_gradient:
        optimizer = torch.optim.Adam(network.parameters(), 0.01)
        for _ in range(steps):
            log_probs = network.clip_log_probability(network(inputs, lengths), lengths)
            optimizer.zero_grad()
            torch.nn.functional.nll_loss(log_probs, labels).backward()
            optimizer.step()
    else:
        network.collect(inputs, lengths, labels)
        network.solve()
    return Recognizer(network, class_names, preprocessing).eval()
