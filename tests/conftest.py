"""The clips and the helpers that several test files use."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tt_actions.main import main
from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.sources.synthetic.scene import World

EXPERIMENTS = Path(__file__).parents[1] / "experiments"

os.environ["WANDB_MODE"] = "disabled"  # for the processes that are started too; the tests of tracking choose their own


@pytest.fixture(scope="session")
def strokes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of 24 drawn clips, six players by four strokes."""
    out = tmp_path_factory.mktemp("strokes")
    world = World(clip_s=(2.0, 2.1), wide_share=0.0, opponent_share=0.0)
    synthesize(out, 24, 6, size=(160, 120), num_workers=2, world=world)
    return out / "manifest.csv"


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")
