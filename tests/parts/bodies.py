"""Bodies of which one hand swings at given times, as landmarks of a pose model, and a model for them."""

import numpy as np
import torch

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.typical_swing import find_typical_swing
from tt_actions.models import JointKernel
from tt_actions.pose.video import VISIBILITY, WORLD
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.skeleton.layouts import BLAZEPOSE33, find_layout

CLASSES = ("lift", "chop")
SECONDS, CONTACT = 1.6, 0.6
"""Length of a clip, and when the hand is fastest as a share of it."""

PREPROCESSING = JointPreprocessing("ntu25", num_frames=128, sampling="all")
PARTS = {"shoulder": (0.2, 0.5), "hip": (0.1, 0.0), "knee": (0.1, -0.4), "elbow": (0.3, 0.3)}
LOW = {"ankle": (0.1, -0.8), "heel": (0.1, -0.85), "foot": (0.1, -0.85)}
HAND = ("wrist", "pinky", "fingertips", "thumb")


def body():
    """A body that stands: the landmarks without motion."""
    joints = np.zeros((33, 3))
    joints[:, 1] = 0.7  # the face
    for name, (x, y) in (PARTS | LOW).items():
        for side, sign in (("left", 1), ("right", -1)):
            joints[BLAZEPOSE33.index(f"{side}_{name}")] = sign * x, y, 0
    for name in HAND:
        for side, sign in (("left", 1), ("right", -1)):
            joints[BLAZEPOSE33.index(f"{side}_{name}")] = sign * 0.35, 0.1, 0
    return joints


def landmarks(times_s, swings, size=1.0):
    """The landmarks at some times; each swing is a contact, a class and perhaps another speed."""
    joints = np.repeat(body()[None], len(times_s), 0)
    for contact_s, label, *speed in swings:
        # the hand goes to the side before, through the contact fast, and slowly back
        since = np.asarray(times_s) - contact_s
        way = np.tanh(since / 0.1) * np.exp(-np.maximum(np.abs(since) - 0.3, 0) / 0.2)
        for name in HAND:
            index = BLAZEPOSE33.index(f"right_{name}")
            joints[:, index, 2] -= 0.4 * size * (speed or [1.0])[0] * way
            joints[:, index, 1] += (0.3 if label == "lift" else -0.3) * way
    poses = np.zeros((len(times_s), 33, 6), np.float32)
    poses[..., WORLD] = joints
    poses[..., VISIBILITY] = 1
    return poses


def clip(label, size):
    times_s = np.arange(round(30 * SECONDS)) / 30
    poses = landmarks(times_s, [(CONTACT * SECONDS, label)], size)
    joints = PREPROCESSING.spec.convert_landmarks(poses, "clip")
    return PREPROCESSING.spec.complete(joints, times_s, "clip", is_timed=True).values


def recognizer(names=CLASSES):
    """A model that knows both classes, by the given names, from clips of one swing each."""
    clips = [clip(label, size) for size in (0.9, 1.0, 1.1) for label in CLASSES]
    network = JointKernel(2, "ntu25")
    inputs = torch.from_numpy(np.stack(clips)).movedim(-1, 2)
    network.collect(inputs, torch.full((6,), inputs.shape[1]), torch.tensor([0, 1] * 3))
    network.solve()
    model = Recognizer(network, names, PREPROCESSING).eval()
    model.typical_swing = find_typical_swing(clips, find_layout("ntu25"), 30)
    return model
