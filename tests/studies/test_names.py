import numpy as np
import pytest
import torch

from tt_actions.main import main
from tt_actions.recognition.loading import load
from tt_actions.studies.names import best_temperature, hard_changes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a network made from twelve drawn clips."""
    folder = tmp_path_factory.mktemp("names")
    options = {
        "sports": "table_tennis",
        "runs": folder / "runs",
        "out": folder / "names",
        "data.source.out": folder / "data",
        "data.source.clips": 12,
        "data.source.players": 3,
        "data.source.size": "[320,240]",
        "data.source.workers": 1,
        "data.cache_dir": folder / "joints",
        "data.val_share": 0.33,
        "data.test_share": 0.33,
        "trainer.max_epochs": 2,
        "trainer.enable_model_summary": "false",
    }
    main(["names", *(word for key, value in options.items() for word in (f"--{key}", str(value)))])
    return folder


def test_one_command_makes_a_small_file_that_names_strokes(folder):
    path = folder / "names" / "table_tennis.ckpt"
    model = load(path)
    assert path.stat().st_size < 2e6
    assert model.class_names == ("backhand", "forehand", "no_stroke", "serve", "smash")
    (run,) = (folder / "runs" / "names_table_tennis").iterdir()
    trained = load(run / "checkpoints" / "best.ckpt")
    assert model.typical_swing.seconds == pytest.approx(0.8 * trained.typical_swing.seconds)
    clip = next((folder / "data").rglob("*.mp4"))
    ours, theirs = (m.predict(clip, 0.5, 1.5).probabilities for m in (model, trained))
    assert list(ours) == list(theirs)
    temperature = float(model.network.temperature)
    softened = np.array(list(theirs.values())) ** (1 / temperature)
    np.testing.assert_allclose(list(ours.values()), softened / softened.sum(), atol=1e-5)


def test_the_temperature_fits_a_network_that_is_too_sure():
    torch.manual_seed(0)
    labels = torch.randint(0, 3, (3000,))
    logits = torch.nn.functional.one_hot(labels, 3) * 2.0 + torch.randn(3000, 3)
    calibrated = best_temperature(logits, labels)
    assert best_temperature(2 * logits, labels) == pytest.approx(2 * calibrated, rel=0.06)


def test_harder_changes_move_the_joints_further():
    torch.manual_seed(0)
    joints, lengths = torch.rand(4, 20, 3, 15), torch.full((4,), 20)
    moved = [
        (hard_changes("thetis15", strength)(joints, lengths)[0] - joints).abs().mean() for strength in (1, 8)
    ]
    assert moved[0] < moved[1]
