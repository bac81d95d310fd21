"""Joints of bodies of which one arm moves."""

import math

import torch

NUM_CLASSES = 3


def strokes(num, seed=0, t=20):
    """Clips of kinect20 joints of which one arm goes up, down or round, by class, and their classes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(num) % NUM_CLASSES
    joints = 0.1 * torch.randn(num, t, 3, 20, generator=generator)
    ways = [lambda s: s, lambda s: 1 - s, lambda s: torch.sin(2 * math.pi * s)]
    for clip, label in zip(joints, labels.tolist(), strict=True):
        clip[:, 1, 7:13] += ways[label](torch.linspace(0, 1, t))[:, None]
    return joints, torch.full((num,), t), labels
