"""Synthetic strokes as files of joints, faultless and faulty."""

import numpy as np

from tt_actions.pose.video import WORLD
from tt_actions.skeleton.files import read_joints
from tt_actions.skeleton.layouts import BLAZEPOSE33, NTU25, convert
from tt_actions.sources.synthetic.faults import faulty_motion
from tt_actions.sources.synthetic.motion import FPS, clip_motion
from tt_actions.sources.synthetic.player import draw_player
from tt_actions.video.types import Timed


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


def see_landmarks(motion, folder, start_s=0.0):
    """Landmarks of a motion as a pose model finds them, in metres from the hips."""
    joints = read_joints(write(folder / "stroke.npz", motion), NTU25).joints
    world = convert(joints, NTU25, BLAZEPOSE33)
    for side in ("left", "right"):
        world[:, BLAZEPOSE33.index(f"{side}_pinky")] = joints[:, NTU25.index(f"{side}_hand")]
        world[:, BLAZEPOSE33.index(f"{side}_fingertips")] = joints[:, NTU25.index(f"{side}_hand")]
        world[:, BLAZEPOSE33.index(f"{side}_ear")] = joints[:, NTU25.index("head")]
    hips = world[:, [BLAZEPOSE33.index(hip) for hip in BLAZEPOSE33.hips]].mean(1, keepdims=True)
    values = np.zeros((len(joints), 33, 6), np.float32)
    values[..., WORLD] = np.where(np.isnan(world), world[:, :1] * 0 + hips, world) - hips
    return Timed(values, start_s + np.arange(len(joints)) / FPS)
