"""A model that tells strokes by how bright a picture is, and videos for it."""

import numpy as np
import torch
from torch import nn

from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.clips.strokes import IDLE, STROKES
from tt_actions.models.causal import CausalModel
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.video.encoder import write_video

FPS, SIZE = 10, (16, 16)
NAMES = [*STROKES, IDLE]
LEVELS = {"serve": 200, "smash": 120, IDLE: 20}


class Brightness(CausalModel):
    """Tells the class of LEVELS whose level the picture is nearest to."""

    def __init__(self, num_classes=5):
        super().__init__(num_classes)
        self.scale = nn.Parameter(torch.tensor(40.0))
        known = torch.full((num_classes,), 9.0)
        for name, level in LEVELS.items():
            known[NAMES.index(name)] = level / 255
        self.register_buffer("known", known)

    def advance(self, inputs, state=None, lengths=None):
        del lengths
        return -self.scale * (inputs.mean((2, 3, 4))[..., None] - self.known).abs(), state


def recognizer(network, names=NAMES, **options):
    plain = {"mean": (0.0,) * 3, "std": (1.0,) * 3, "aspect": "stretch"}
    plain = plain if isinstance(network, Brightness) else {}
    given = {"fps": FPS, "size": SIZE, "num_frames": 8, "sampling": "all"} | plain | options
    how = Preprocessing(**given)
    torch.manual_seed(0)
    return Recognizer(network, list(names), how).eval()


def film(path, played, seconds=6.0, fps=20, size=(48, 64)):
    """A grey video, brighter while a stroke is played: (name, start, end) in seconds."""
    pictures = []
    for k in range(round(seconds * fps)):
        level = next((LEVELS[name] for name, start, end in played if start <= k / fps < end), LEVELS[IDLE])
        pictures.append(np.full((*size, 3), level, np.uint8))
    write_video(path, pictures, fps)
    return path


PLAYED = [("serve", 1.0, 2.1), ("smash", 3.5, 4.4)]
