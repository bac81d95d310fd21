"""Synthetic strokes as files of joints, faultless and faulty."""

import numpy as np

from tt_actions.sources.synthetic.faults import faulty_motion
from tt_actions.sources.synthetic.motion import FPS, clip_motion
from tt_actions.sources.synthetic.player import draw_player


def draw(label, number, fault=None, size="medium"):
    """A motion of a player, who is the same whatever is played."""
    player, rng = (
        draw_player(np.random.default_rng([9, number]), f"p{number}"),
        np.random.default_rng([8, number]),
    )
    if fault is None:
        return clip_motion(rng, player, label, 2.4, None)
    return faulty_motion(rng, player, label, 2.4, fault, size)


def write(path, motion, joints=None):
    joints = motion.players[0].joints if joints is None else joints
    np.savez(path, joints_3d=joints, fps=FPS)
    return path
