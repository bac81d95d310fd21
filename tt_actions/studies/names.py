"""Making the networks that name strokes: drawn clips, their joints, a training, and one small file."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from omegaconf import OmegaConf
from torch import Tensor

from tt_actions.clips.dataset import collate
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.files import write_atomically
from tt_actions.models.swing_net import SwingNet
from tt_actions.recognition.checkpoint import read_checkpoint
from tt_actions.recognition.loading import load
from tt_actions.recognition.stroke_names import NamedSport
from tt_actions.training.command import train
from tt_actions.training.joint_augmentation import JointAugmentation
from tt_actions.training.parser import make_data

EXPERIMENTS = Path("experiments")
KEPT = ("network", "preprocessing", "class_names")
"""What a checkpoint needs to name strokes, of all that describes its training."""

AS_RIGHT_AS_REAL = 0.7
"""Accuracy on changed drawn clips at which probabilities are calibrated: about that on real recordings."""

SHARE = 0.8
"""Length of the time around a swing that is read, as a share of the drawn clips: in the training, random
crops keep 0.6 to 1 of a clip."""

TEMPERATURES = np.geomspace(0.5, 4.0, 43)
_STRENGTHS = np.arange(1.0, 8.1, 0.5)
_REPEATS = 8


def make_names(sport: NamedSport, options: Sequence[str], runs: Path, out: Path) -> Path:
    """Train the network of one sport, and write what it needs to name strokes.

    Args:
        sport: The sport.
        options: Options of the training.
        runs: Folder for the training.
        out: Folder for the network.

    Returns:
        The file of the network.
    """
    config = EXPERIMENTS / f"names_{sport}.yaml"
    train("--config", str(config), "--runs", str(runs), *options)
    versions = (runs / config.stem).glob("version_*/checkpoints/best.ckpt")
    best = max(versions, key=lambda path: path.stat().st_mtime)
    temperature = find_temperature(best)
    path = out / f"{sport}.ckpt"
    write_small(best, path, temperature)
    sys.stdout.write(f"{path}: {path.stat().st_size / 1e6:.2f} MB, temperature {temperature:.2f}\n")
    return path


def find_temperature(checkpoint: Path) -> float:
    """Return the temperature with which a network is as sure of changed drawn clips as it is right.

    A network is nearly always right on drawn clips of players that it never saw, and less often on real ones.
    So the test clips of the training are changed more and more, until the network is right as seldom as on
    real recordings (:data:`AS_RIGHT_AS_REAL`). The temperature is the one of the highest likelihood there.
    No real clip is needed.

    Args:
        checkpoint: Checkpoint of a run, in its run directory.
    """
    model = load(checkpoint)
    assert isinstance(model.preprocessing, JointPreprocessing)
    settings = OmegaConf.to_container(OmegaConf.load(checkpoint.parents[1] / "config.yaml"), resolve=True)
    data = make_data(cast("dict[str, Any]", settings))
    data.prepare_data()
    dataset = data.dataset("test")
    batch = collate([dataset[index] for index in range(len(dataset))])
    labels = batch.label.repeat(_REPEATS)
    torch.manual_seed(0)
    for strength in _STRENGTHS.tolist():
        changes = hard_changes(model.preprocessing.layout, strength)
        with torch.no_grad():
            changed = [changes(batch.inputs, batch.lengths)[0] for _ in range(_REPEATS)]
            logits = torch.cat([model(joints, batch.lengths)[:, 0] for joints in changed])
        if (logits.argmax(1) == labels).float().mean() <= AS_RIGHT_AS_REAL:
            break
    return best_temperature(logits, labels)


def hard_changes(layout: str, strength: float) -> JointAugmentation:
    """Return random changes of joints that are harder than those of the training.

    Args:
        layout: Layout of the joints.
        strength: 1 for about twice the changes of the training, or more.
    """
    return JointAugmentation(
        layout,
        mirror=0.5,
        rotation_deg=min(45 * strength, 180),
        tilt_deg=min(15 * strength, 60),
        scale=min(0.3 * strength, 0.9),
        noise=0.06 * strength,
        dropout=min(0.08 * strength, 0.6),
        speed=0.4,
        crop=(0.6, 1.0),
    )


def best_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature that makes labels most probable (Guo et al. 2017).

    Args:
        logits: Logits of a network.
        labels: The true classes.

    Shape:
        logits ``(N, K)``, labels ``(N,)``.

    >>> logits = torch.tensor([[4.0, 0.0], [4.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    >>> 3 < best_temperature(logits, torch.zeros(4, dtype=torch.long)) < 4  # right in three cases of four
    True
    """
    losses = [torch.nn.functional.cross_entropy(logits / t, labels) for t in TEMPERATURES.tolist()]
    return float(TEMPERATURES[int(torch.stack(losses).argmin())])


def write_small(checkpoint: Path, path: Path, temperature: float) -> None:
    """Write what naming strokes needs of a checkpoint: weights, classes, preprocessing, typical swing.

    Args:
        checkpoint: Checkpoint of a run.
        path: File to write.
        temperature: Temperature of the probabilities.
    """
    content = read_checkpoint(checkpoint)
    trained, swing = content["hyper_parameters"], content["typical_swing"]
    assert trained["network"]["class_path"].endswith(SwingNet.__name__)
    weights: dict[str, Any] = dict(content["state_dict"])
    weights["network.temperature"] = torch.tensor(temperature)
    small = {
        "state_dict": weights,
        "hyper_parameters": {name: trained[name] for name in KEPT},
        "typical_swing": {**swing, "seconds": SHARE * swing["seconds"]},
        "has_regions": False,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as temporary:
        torch.save(small, temporary)
