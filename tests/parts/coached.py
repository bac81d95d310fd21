"""The command ``coach``, and a small model with reference strokes for it."""

from pathlib import Path

import numpy as np

from tt_actions.files import write_rows
from tt_actions.main import main
from tt_actions.skeleton.layouts import MOVENET13, NTU25, convert


def train(folder, layout, data):
    """A small network that has seen a few strokes a few times."""
    options = {
        "data.source.class_path": "UserJoints",
        "data.source.init_args.path": data,
        "data.preprocessing.layout": layout,
        "data.preprocessing.num_frames": 24,
        "data.cache_dir": folder / "cache",
        "model.network.init_args.channels": [8, 16],
        "model.network.init_args.blocks": 1,
        "model.optimizer.init_args.lr": 0.01,
        "trainer.max_epochs": 15,
        "trainer.accelerator": "cpu",
        "trainer.enable_model_summary": False,
        "runs": folder / "runs",
    }
    config = Path(__file__).parents[2] / "experiments" / "stgcn.yaml"
    main(["fit", "--config", str(config), *(f"--{name}={value}" for name, value in options.items())])
    return next(folder.rglob("best.ckpt"))


def write_keypoints(path, motion):
    """The joints as a camera at the side sees them, in pixels of 320x240, as MoveNet's in a CSV."""
    joints = motion.players[0].joints
    seen = np.stack([160 + 100 * (joints[..., 0] - joints[0, 0, 0]), 220 - 100 * joints[..., 2]], -1)
    points = convert(seen, NTU25, MOVENET13)
    header = [f"{name}_{axis}" for name in MOVENET13.joints for axis in "xy"]
    write_rows(path, header, points.reshape(len(points), -1).round(2).tolist())
    return path


def to_words(*options):
    """The words of a command line; the ``input`` has no name."""
    return [str(value) if name == "input" else f"--{name}={value}" for name, value in options]


def coach(*options):
    """Run the command."""
    main(["coach", *to_words(*options)])
