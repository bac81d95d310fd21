import json
import math
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from run_files import content, rows, same_weights, train

from tt_actions.clips.manifest import read_manifest, write_manifest
from tt_actions.evaluation.significance import wilson_interval
from tt_actions.recognition.loading import load


def test_the_seed_decides_the_weights(tiny, short, tmp_path):
    again, other = (
        train(tiny, tmp_path, f"--seed_everything={seed}", "--trainer.max_epochs=2", command="fit")
        for seed in (0, 1)
    )
    assert same_weights(again, short)
    assert not same_weights(other, short)


def test_the_best_checkpoint_is_that_of_the_best_epoch(trained):
    validated = [row for row in rows(trained / "metrics.csv") if row["val/loss"]]
    best = min(validated, key=lambda row: float(row["val/loss"]))
    assert content(trained, "best")["epoch"] == int(best["epoch"])
    assert content(trained, "last")["epoch"] == 5


def test_the_monitor_decides_which_epoch_is_best(tiny, tmp_path):
    run = train(tiny, tmp_path, "--monitor", "val/accuracy", "--model.optimizer.lr", "0.01", command="fit")
    values = [float(row["val/accuracy"]) for row in rows(run / "metrics.csv") if row["val/accuracy"]]
    assert content(run, "best")["epoch"] == values.index(max(values))


def test_an_unknown_monitor_is_reported_with_the_known_ones(tiny, tmp_path):
    with pytest.raises(ValueError, match=r"`monitor` to be one of val/loss, .*val/f1, .* but got 'val/f2'"):
        train(tiny, tmp_path, "--monitor", "val/f2")
    assert not list(tmp_path.iterdir())


def test_one_class_may_be_monitored(tiny, tmp_path):
    run = train(tiny, tmp_path, "--monitor=val/class_accuracy/smash", "--trainer.max_epochs=1", command="fit")
    assert (run / "checkpoints" / "best.ckpt").is_file()


def test_without_validation_the_last_weights_are_the_best(tiny, tmp_path, capsys):
    epochs = "--trainer.max_epochs=2"
    with pytest.raises(ValueError, match=r"val_share` 0\. Raise it, or use `--monitor null`"):
        train(tiny, tmp_path, "--monitor=val/loss", "--data.val_share=0", epochs)
    assert not list(tmp_path.iterdir())
    run = train(tiny, tmp_path, "--monitor=null", "--data.val_share=0", epochs)
    assert {row["split"] for row in rows(run / "splits.csv")} == {"train", "test"}
    best, last = content(run, "best"), content(run, "last")
    assert best["epoch"] == last["epoch"] == 1
    assert all(torch.equal(best["state_dict"][key], weight) for key, weight in last["state_dict"].items())
    assert (run / "report" / "curves.png").is_file()
    assert (
        len(re.findall(r"^epoch \d/2  train loss \S+  accuracy \S+  \S+ s$", capsys.readouterr().out, re.M))
        == 2
    )


def test_validation_without_validation_clips_is_refused(tiny, trained, tmp_path):
    none = ["--monitor=null", "--data.val_share=0", "--ckpt_path", str(trained / "checkpoints" / "best.ckpt")]
    with pytest.raises(ValueError, match=r"validation clips, but .* none \(`val_share` is 0\)\. Use `test`"):
        train(tiny, tmp_path, *none, command="validate")
    assert not list(tmp_path.iterdir())


def test_without_a_monitor_validation_is_shown_but_decides_nothing(tiny, tmp_path, capsys):
    shown = ["--monitor=null", "--model.frame_loss=100", "--trainer.max_epochs=3"]
    run = train(tiny, tmp_path, *shown, command="fit")
    assert content(run, "best")["epoch"] == 2
    printed = capsys.readouterr().out
    assert len(re.findall(r"^epoch \d/3 .* val loss \S+ .* s$", printed, re.M)) == 3
    num_clips = sum(row["split"] == "val" for row in rows(run / "splits.csv"))
    explained = f"In brackets: 95 % interval of the accuracy on {num_clips} clips for validation, as if"
    assert printed.count(explained) == 1
    shown = re.findall(r"val loss \S+  accuracy (\S+) \[(\S+), (\S+)\]  consistency", printed)
    measured = [float(row["val/accuracy"]) for row in rows(run / "metrics.csv") if row["val/accuracy"]]
    assert shown == [
        (f"{accuracy:.3f}", *(f"{end:.2f}" for end in wilson_interval(accuracy, num_clips)))
        for accuracy in measured
    ]


@pytest.mark.filterwarnings("ignore:.*could not find the monitored key")
def test_the_last_weights_are_tested_where_nothing_was_validated(tiny, tmp_path, capsys):
    run = train(tiny, tmp_path, "--trainer.limit_val_batches=0", "--trainer.max_epochs=1")
    assert capsys.readouterr().out.count("No validation ran, so there is no best checkpoint: testing") == 1
    assert (run / "report" / "metrics.json").is_file()
    assert not (run / "checkpoints" / "best.ckpt").exists()


def test_a_loss_that_is_not_finite_ends_the_run_and_names_the_clips(tiny, strokes, tmp_path):
    with pytest.raises(FloatingPointError, match="Expected a finite loss, but got nan in ") as error:
        train(tiny, tmp_path, "--model.optimizer.lr", "1e30")
    named = [record.name for record in read_manifest(strokes) if record.name in str(error.value)]
    assert 1 <= len(named) <= 3  # of one batch
    assert content(tmp_path / "tiny" / "version_0")["global_step"] == 0  # it can be resumed from its start


def test_the_reported_loss_is_the_mean_over_clips_whatever_the_batches(tiny, tmp_path):
    run = train(tiny, tmp_path, "--model.frame_loss=0", "--trainer.max_epochs=1")
    losses = [-math.log(float(row[f"p_{row['label']}"])) for row in rows(run / "report" / "predictions.csv")]
    assert len(losses) % 3  # the last batch is smaller
    report = json.loads((run / "report" / "metrics.json").read_text())
    assert report["loss"] == pytest.approx(sum(losses) / len(losses), rel=1e-5)


OPTIONS = {
    "mixup and every augmentation": [
        "--model.augmentation.mixup=0.4",
        *(f"--model.augmentation.{name}=1" for name in ("flip", "blur", "erase", "speed", "jitter")),
    ],
    "class weights": ["--model.class_weights=[1,2,3,4]"],
    "label smoothing": ["--model.label_smoothing=0.1"],
    "no augmentation": ["--model.augmentation=null"],
    "a learned average": ["--model.network.average=learned"],
    "balanced sampling": ["--data.balanced=true"],
    "folds": ["--data.num_folds=3", "--data.fold=1"],
    "dense windows": ["--data.preprocessing.sampling=dense"],
    "all frames": ["--data.preprocessing.sampling=all"],
    "another optimizer": ["--model.optimizer=torch.optim.SGD", "--model.optimizer.lr=0.1"],
    "a schedule": [
        "--model.scheduler=torch.optim.lr_scheduler.CosineAnnealingLR",
        "--model.scheduler.T_max=6",
    ],
}


@pytest.fixture(scope="module")
def short(tiny, tmp_path_factory):
    """The run directory of a training of two epochs."""
    return train(tiny, tmp_path_factory.mktemp("short"), "--trainer.max_epochs=2", command="fit")


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_option_changes_what_is_learnt(tiny, short, tmp_path, options):
    run = train(tiny, tmp_path, *options, "--trainer.max_epochs=2", command="fit")
    losses = [float(row["train/loss"]) for row in rows(run / "metrics.csv") if row["train/loss"]]
    assert np.isfinite(losses).all()
    weights, before = content(run)["state_dict"], content(short)["state_dict"]
    assert any(name not in before or not torch.equal(weights[name], before[name]) for name in weights)


def test_loader_processes_change_nothing(tiny, short, tmp_path):
    trained_only = ["--monitor=null", "--trainer.limit_val_batches=0", "--trainer.max_epochs=2"]
    run = train(tiny, tmp_path, "--data.num_workers=1", *trained_only, command="fit")
    assert same_weights(run, short)


def test_a_schedule_is_followed_epoch_by_epoch(tiny, tmp_path):
    schedule = "torch.optim.lr_scheduler.StepLR"
    options = ["--model.scheduler", schedule, "--model.scheduler.step_size=2", "--model.scheduler.gamma=0.5"]
    run = train(tiny, tmp_path, *options, "--trainer.max_epochs=4", command="fit")
    rates = [float(row["lr-Adam"]) for row in rows(run / "metrics.csv") if row["lr-Adam"]]
    assert rates == pytest.approx([1e-3, 1e-3, 5e-4, 5e-4])


def test_early_stopping_is_added_beside_the_callbacks_of_a_run(tiny, tmp_path):
    callback = ["--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor=val/loss"]
    patience = ["--trainer.callbacks.patience=0", "--trainer.callbacks.min_delta=100"]
    run = train(tiny, tmp_path, *callback, *patience)
    assert content(run)["epoch"] == 1
    assert (run / "report" / "metrics.json").is_file()


def test_validate_measures_the_checkpoint_as_the_training_did(tiny, trained, tmp_path, capsys):
    best = content(trained, "best")["epoch"]
    logged = [row for row in rows(trained / "metrics.csv") if row["val/loss"]][best]
    checkpoint = str(trained / "checkpoints" / "best.ckpt")
    run = train(tiny, tmp_path, "--ckpt_path", checkpoint, command="validate")
    measured = rows(run / "metrics.csv")[0]
    for name in ("val/loss", "val/accuracy", "val/temporal_consistency"):
        assert float(measured[name]) == pytest.approx(float(logged[name]), rel=1e-5)
    printed = capsys.readouterr().out
    num_clips = sum(row["split"] == "val" for row in rows(run / "splits.csv"))
    assert f"Validation on {num_clips} clips of " in printed
    assert re.search(rf"accuracy +{float(measured['val/accuracy']):.3f} +\[\d\.\d\d, \d\.\d\d\]", printed)


@pytest.mark.parametrize("command", ["validate", "test"])
def test_a_checkpoint_is_not_measured_on_clips_that_it_learnt_from(tiny, trained, tmp_path, command):
    checkpoint = ["--ckpt_path", str(trained / "checkpoints" / "best.ckpt")]
    with pytest.raises(ValueError, match=rf"now in {'val' if command == 'validate' else 'test'}, but was in"):
        train(tiny, tmp_path, *checkpoint, "--data.split_seed=3", command=command)


def relabelled(strokes, folder, change):
    """A manifest of changed clips."""
    manifest = folder / "changed.csv"
    write_manifest(manifest, [change(record) for record in read_manifest(strokes)])
    return f"--data.source.path={manifest}"


def without_its_run(checkpoint, folder):
    """The same checkpoint without the list of clips that it was trained on."""
    (folder / "model" / "checkpoints").mkdir(parents=True)
    return str(shutil.copy(checkpoint, folder / "model" / "checkpoints"))


def test_a_set_for_test_alone_is_measured_whole(tiny, trained, strokes, tmp_path):
    data = relabelled(strokes, tmp_path, lambda r: replace(r, label="smash", split="test"))
    checkpoint = without_its_run(trained / "checkpoints" / "best.ckpt", tmp_path)
    run = train(tiny, tmp_path, data, "--ckpt_path", checkpoint, command="test")
    report = json.loads((run / "report" / "metrics.json").read_text())
    assert report["num_clips"] == report["per_class"]["smash"]["support"] == 24
    assert list(report["per_class"]) == ["serve", "forehand", "backhand", "smash"]
    with pytest.raises(ValueError, match=r"Expected clips for (train|val), but all 24 clips are for test"):
        train(tiny, tmp_path, data, "--data.classes=[serve,smash]")


def test_clips_without_labels_are_refused(tiny, trained, strokes, tmp_path):
    data = relabelled(strokes, tmp_path, lambda r: replace(r, label=None))
    checkpoint = ["--ckpt_path", without_its_run(trained / "checkpoints" / "best.ckpt", tmp_path)]
    for command, options in (("test", checkpoint), ("fit", [])):
        with pytest.raises(ValueError, match="Expected labelled clips"):
            train(tiny, tmp_path, data, *options, command=command)


def test_a_checkpoint_is_measured_with_its_own_preprocessing(tiny, trained, tmp_path):
    other = ["--data.preprocessing.size=[24,24]", "--data.preprocessing.roi=[0,0,40,40]"]
    checkpoint = ["--ckpt_path", str(trained / "checkpoints" / "best.ckpt")]
    run = train(tiny, tmp_path, *other, *checkpoint, command="test")
    assert rows(run / "report" / "predictions.csv") == rows(trained / "report" / "predictions.csv")


@pytest.mark.parametrize("precision", ["64-true", "bf16-true", "bf16-mixed"])
def test_a_training_runs_in_another_precision(tiny, tmp_path, precision):
    options = ["--trainer.max_epochs=1", "--model.augmentation.mixup=0.4"]
    run = train(tiny, tmp_path, f"--trainer.precision={precision}", *options)
    assert (run / "report" / "metrics.json").is_file()


def test_folders_may_have_names_that_look_like_markup(tiny, tmp_path, capsys):
    odd = tmp_path / "odd [" / "b] :boom: ünï"
    odd.mkdir(parents=True)
    cache = ["--data.cache_dir", str(odd / "cache")]
    run = train(tiny, odd, *cache, "--trainer.max_epochs=1")
    assert f"report: {run / 'report'}" in capsys.readouterr().out


def test_a_network_may_read_flow(tiny, strokes, tmp_path):
    flow = ["--data.preprocessing.flow", "true", "--model.augmentation", "null", "--trainer.max_epochs", "1"]
    run = train(tiny, tmp_path, *flow)
    model = load(run / "checkpoints" / "best.ckpt")
    assert model.network.cnn.layers[0].in_channels == 5  # told by the data
    predicted = {row["name"]: float(row["p_serve"]) for row in rows(run / "report" / "predictions.csv")}
    record = next(record for record in read_manifest(strokes) if record.name in predicted)
    again = model.predict(record.path, roi=record.roi).probabilities["serve"]
    assert again == pytest.approx(predicted[record.name], abs=1e-4)
