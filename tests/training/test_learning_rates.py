"""Parts of a network that learn slower than others, or not at all."""

import copy
from functools import partial
from pathlib import Path

import pytest
import torch
from pytorch_lightning.cli import ReduceLROnPlateau
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, CyclicLR, LinearLR, OneCycleLR

from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.main import main
from tt_actions.models import C3D, CNN, CNNLSTM, CRF, HistogramKernel, PoseLSTMFuzzy, R3DTransformer
from tt_actions.training.augmentation import Augmentation
from tt_actions.training.compatibility import check_exact_fit, check_input, check_learning, check_one_process
from tt_actions.training.optimizers import check_rates, freeze_statistics, group_parameters


def made(schedule, scales=(1.0, 0.1)):
    """An optimizer of a group a factor, once the schedule has set its first rates."""
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": 0.01 * scale} for scale in scales]
    optimizer = SGD(groups, lr=0.01)
    schedule(optimizer)
    return optimizer, scales


@pytest.mark.parametrize(
    "schedule",
    [
        partial(CosineAnnealingLR, T_max=5),
        partial(LinearLR, start_factor=0.1),
        partial(ReduceLROnPlateau, monitor="val/loss"),
        partial(OneCycleLR, max_lr=[0.01, 0.001], total_steps=5),
    ],
)
def test_a_schedule_that_scales_each_rate_is_taken(schedule):
    check_rates(*made(schedule), "it")


@pytest.mark.parametrize(
    "schedule",
    [partial(OneCycleLR, max_lr=0.01, total_steps=5), partial(CyclicLR, base_lr=0.01, max_lr=0.1)],
)
def test_a_schedule_that_sets_one_rate_for_all_is_refused(schedule):
    with pytest.raises(ValueError, match="keeps the factors of `lr_scales`, but OneCycleLR sets its own"):
        check_rates(*made(schedule), "OneCycleLR")
    check_rates(*made(schedule, [1.0]), "OneCycleLR")


@pytest.mark.parametrize("scale", [-1, float("nan"), float("inf")])
def test_a_factor_that_is_none_is_refused(scale):
    with pytest.raises(ValueError, match=rf"factors of at least 0, but got cnn: {scale}\."):
        group_parameters(CNNLSTM(4), {"cnn": scale})


def test_something_is_left_to_learn():
    with pytest.raises(
        ValueError, match="Expected `lr_scales` to leave at least one part of the network trainable"
    ):
        group_parameters(CNN(4), {"cnn": 0, "head": 0})


@pytest.mark.parametrize(
    ("network", "part"),
    [(R3DTransformer(4), "st"), (C3D(4), "layers"), (CNN(4, batch_norm=True), "cnn")],
    ids=lambda value: type(value).__name__,
)
def test_a_frozen_part_keeps_its_statistics(network, part):
    group_parameters(network, {part: 0})
    freeze_statistics(network)
    before = copy.deepcopy(network.state_dict())
    network(torch.rand(2, 3, 3, 32, 32), torch.tensor([3, 2]))
    assert "running_mean" in " ".join(before)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert network.head.training


def test_statistics_without_parameters_are_not_frozen():
    network = PoseLSTMFuzzy(4, "kinect20")
    freeze_statistics(network)
    assert network.norm.training


def test_a_training_keeps_the_statistics_of_a_frozen_part(tiny, tmp_path):
    options = ["--model.network.batch_norm=true", '--model.lr_scales={"cnn": 0}', "--trainer.max_epochs=2"]
    main(["fit", *tiny, *options, "--runs", str(tmp_path)])
    last = torch.load(tmp_path / "tiny" / "version_0" / "checkpoints" / "last.ckpt", weights_only=True)
    means = [value for name, value in last["state_dict"].items() if name.endswith("running_mean")]
    assert len(means) == 3
    assert not any(mean.any() for mean in means)  # as they began


@pytest.mark.parametrize("monitor", [[], ["--model.scheduler.monitor=val/accuracy"]])
def test_a_rate_that_waits_for_a_plateau_falls_on_one(tiny, tmp_path, monitor):
    package = "pytorch_lightning.cli" if monitor else "torch.optim.lr_scheduler"
    options = [f"--model.scheduler={package}.ReduceLROnPlateau", *monitor]
    options += ["--model.scheduler.patience=0", "--model.scheduler.threshold=100", "--trainer.max_epochs=3"]
    main(["fit", *tiny, *options, "--runs", str(tmp_path)])
    last = torch.load(tmp_path / "tiny" / "version_0" / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["optimizer_states"][0]["param_groups"][0]["lr"] < 1e-3


def test_a_network_and_how_it_learns_must_suit_each_other():
    check_learning(CNN(4), ["optimizer", "frame_loss"])
    check_learning(HistogramKernel(4), [])
    with pytest.raises(ValueError, match="Expected `mixup` to be 0 with CRF"):
        check_input(CRF(4), Augmentation(mixup=0.4), Preprocessing(10, (32, 32)))
    with pytest.raises(ValueError, match="Expected `optimizer` for CNN"):
        check_learning(CNN(4), ["frame_loss"])
    with pytest.raises(ValueError, match="which is fitted without gradients, but got optimizer, frame_loss"):
        check_learning(HistogramKernel(4), ["optimizer", "frame_loss"])


def test_what_learns_by_gradient_is_free_to_be_cut_short_and_shared_out():
    check_exact_fit(CNN(4), is_cut_short=True, is_balanced=True)
    check_one_process(CNN(4), 2)
    check_exact_fit(HistogramKernel(4), is_cut_short=False, is_balanced=False)
    check_one_process(HistogramKernel(4), 1)


@pytest.mark.parametrize(
    ("options", "cure"),
    [
        (["--trainer.max_steps", "2"], "Remove `trainer.max_steps`"),
        (["--trainer.max_time", "00:00:10:00"], "Remove `trainer.max_steps`"),
        (["--data.balanced", "true"], "Set `data.balanced` to false"),
    ],
)
def test_an_exact_fit_is_to_each_clip_once(options, cure, strokes, cache_dir, tmp_path):
    experiment = Path(__file__).parents[2] / "experiments" / "clips.yaml"
    source = ["--data.source.path", str(strokes), "--data.cache_dir", str(cache_dir)]
    with pytest.raises(ValueError, match=cure):
        main(["train", "--config", str(experiment), *source, "--runs", str(tmp_path), *options])
    assert not list(tmp_path.iterdir())


def test_an_exact_fit_is_of_one_process(strokes, cache_dir, tmp_path):
    experiment = Path(__file__).parents[2] / "experiments" / "clips.yaml"
    source = ["--data.source.path", str(strokes), "--data.cache_dir", str(cache_dir)]
    devices = ["--trainer.devices", "2", "--trainer.accelerator", "cpu"]
    with pytest.raises(ValueError, match=r"--trainer\.devices 1"):
        main(["train", "--config", str(experiment), *source, "--runs", str(tmp_path), *devices])
