"""Trainings of the tests, and what they leave in their run directories."""

import csv
import time

import torch

from tt_actions.main import main

PATIENCE_S = 600
"""How long tests wait for a process: a busy machine takes long, and only what hangs takes longer."""


def train(tiny, runs, *args, command="train"):
    """Train with further options; return the run directory."""
    main([command, *tiny, "--runs", str(runs), *args])
    return max((runs / "tiny").iterdir(), key=lambda path: path.stat().st_mtime_ns)


def wait_for(condition, process, seconds=PATIENCE_S):
    """Wait for what a process does meanwhile."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < end
        time.sleep(0.002)


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def content(run, name="last"):
    return torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)


def same_weights(run, other, name="last"):
    weights, others = content(run, name)["state_dict"], content(other, name)["state_dict"]
    assert weights.keys() == others.keys()
    return all(torch.equal(weights[key], others[key]) for key in weights)
