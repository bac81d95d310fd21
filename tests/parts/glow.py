"""A model that tells strokes by how bright a picture glows, at its own speed, and videos for it."""

import time
from dataclasses import asdict

import numpy as np
import torch
from torch import nn

from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.models.causal import CausalModel
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.video.encoder import write_video

CLASSES = ("serve", "forehand", "backhand", "smash")
PLAYERS = ("left", "right")
PREPROCESSING = asdict(Preprocessing(10, (16, 16), aspect="stretch", sampling="all"))
FILES = {"strokes.csv", "strokes.json", "frames.npz", "report.html"}
LEFT = [(0.4, 1.0, 0), (1.6, 2.2, 2)]
RIGHT = [(0.8, 1.6, 1), (2.2, 2.9, 3)]


class Glow(CausalModel):
    """Tells the class by how bright a picture is, in ``slow_s`` seconds a frame."""

    def __init__(self, num_classes: int, slow_s: float = 0.0, delay: int = 0):
        super().__init__(num_classes, delay=delay)
        self.slow_s = slow_s
        self.gain = nn.Parameter(torch.ones(()))  # a network has something to learn

    def advance(self, inputs, state=None, lengths=None):  # noqa: ARG002
        time.sleep(self.slow_s * inputs.shape[1])
        brightness = (inputs.mean((2, 3, 4)) * 0.25 + 0.5) * 255
        if self.delay:
            late = inputs.new_zeros(len(inputs), self.delay) if state is None else state
            brightness = torch.cat([late, brightness], 1)
            brightness, state = brightness[:, : inputs.shape[1]], brightness[:, inputs.shape[1] :]
        levels = torch.tensor([*(60.0 * (c + 1) for c in range(self.num_classes - 1)), 0.0])
        return -self.gain * ((brightness[..., None] - levels) / 15) ** 2, state


def recognizer(names=CLASSES, **options):
    network = Glow(len(names) + 1, **options)
    return Recognizer(network, [*names, "idle"], Preprocessing(**PREPROCESSING)).eval()


def draw(path, left, right, duration_s=3.4, fps=20):
    """A video whose halves are bright while their player plays, the brighter the later the class."""
    frames = np.zeros((round(duration_s * fps), 48, 64, 3), np.uint8)
    for half, strokes in ((slice(0, 32), left), (slice(32, 64), right)):
        for start_s, end_s, label in strokes:
            frames[round(start_s * fps) : round(end_s * fps), :, half] = 60 * (label + 1)
    write_video(path, frames, fps=fps)
    return path
