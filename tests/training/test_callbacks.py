from collections import defaultdict

import numpy as np
import pytest
import torch
from run_files import rows

from tt_actions.main import main


def fit(tiny, runs, *options):
    """Train plainly, all clips in one step an epoch."""
    plain = ["--model.optimizer=torch.optim.SGD", "--data.batch_size=100", "--trainer.max_epochs=1"]
    main(["fit", *tiny, "--runs", str(runs), *plain, *options])
    return runs / "tiny" / "version_0"


def weights(run):
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def norms(run):
    """What was logged of the gradients, by step."""
    return {
        int(row["step"]): {name: float(cell) for name, cell in row.items() if cell and "grad_norm" in name}
        for row in rows(run / "metrics.csv")
        if row.get("train/grad_norm")
    }


@pytest.mark.parametrize("clip", ["0", "0.01"])
def test_gradient_norms_are_those_of_a_plain_step_before_clipping(tiny, tmp_path, clip):
    before = weights(fit(tiny, tmp_path / "still", "--model.optimizer.lr=0"))
    after = weights(fit(tiny, tmp_path / "moved", "--model.optimizer.lr=1", "--trainer.gradient_clip_val=0"))
    run = fit(tiny, tmp_path / "clipped", "--model.optimizer.lr=1", f"--trainer.gradient_clip_val={clip}")
    squares = defaultdict(float)
    for name, weight in after.items():
        if name.startswith("network."):
            squares[name.split(".")[1]] += float((weight - before[name]).square().sum())
    [logged] = norms(run).values()
    assert set(squares) == {"cnn", "lstm", "head"}
    expected = {f"grad_norm/{part}": np.sqrt(square) for part, square in squares.items()}
    expected["train/grad_norm"] = np.sqrt(sum(squares.values()))
    assert logged == pytest.approx(expected, rel=1e-4)


def test_gradient_norms_are_logged_at_the_first_step_and_every_so_many(tiny, tmp_path):
    options = ["--trainer.max_epochs=5", "--trainer.log_every_n_steps=2"]
    assert list(norms(fit(tiny, tmp_path, "--model.optimizer.lr=0.1", *options))) == [0, 2, 4]


def test_frozen_parts_have_no_gradient_norm(tiny, tmp_path):
    [logged] = norms(fit(tiny, tmp_path, "--model.optimizer.lr=0.1", "--model.lr_scales.cnn=0")).values()
    assert set(logged) == {"train/grad_norm", "grad_norm/lstm", "grad_norm/head"}
