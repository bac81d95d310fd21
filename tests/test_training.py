import csv
import hashlib
import json
import math
import re
import shutil
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from tt_actions.callbacks import RunReport
from tt_actions.clips import ClipRecord, read_manifest, write_manifest
from tt_actions.encoder import write_video
from tt_actions.loading import load
from tt_actions.main import main
from tt_actions.runs import lock_run_dir

MOVES = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def content(run, name="last"):
    return torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)


def same_weights(run, other, name="last"):
    weights, others = content(run, name)["state_dict"], content(other, name)["state_dict"]
    assert weights.keys() == others.keys()
    return all(torch.equal(weights[key], others[key]) for key in weights)


def train(tiny, runs, *args, command="train"):
    main([command, *tiny, "--runs", str(runs), *args])
    return max((runs / "tiny").iterdir(), key=lambda path: path.stat().st_mtime_ns)


def assert_same_run(run, other):
    assert same_weights(run, other, "last")
    assert same_weights(run, other, "best")
    assert (run / "metrics.csv").read_text() == (other / "metrics.csv").read_text()
    assert rows(run / "report" / "predictions.csv") == rows(other / "report" / "predictions.csv")


def test_a_killed_run_that_is_resumed_ends_like_one_that_was_not(start, tiny, trained, tmp_path):
    process = start("train", *tiny, "--runs", tmp_path)
    for line in process.stdout:
        if line.startswith("epoch 2/6"):
            process.kill()
    assert process.wait() == -signal.SIGKILL
    run = tmp_path / "tiny" / "version_0"
    assert not (run / "report").exists()
    resumed = start("train", "--resume", run)
    output, _ = resumed.communicate()
    assert resumed.returncode == 0
    assert "epoch 2/6" not in output
    assert "epoch 6/6" in output
    assert_same_run(run, trained)
    assert list((tmp_path / "tiny").iterdir()) == [run]


def test_ctrl_c_leaves_what_a_run_goes_on_from_even_in_the_first_epoch(start, tiny, trained, tmp_path):
    process = start("train", *tiny, "--runs", tmp_path)
    run = tmp_path / "tiny" / "version_0"
    while not (run / "checkpoints" / "last.ckpt").exists():
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in output
    assert re.search(rf"Stopped in epoch \d.*`make train RESUME={run}`", output)
    assert not (run / "report").exists()
    main(["train", "--resume", str(run)])
    assert_same_run(run, trained)


def test_ctrl_c_before_the_training_ends_with_a_line(start, tmp_path):
    process = start("synth", "--out", tmp_path / "drawn", "--workers", "1")
    while not (tmp_path / "drawn" / "settings.json").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate()
    assert process.returncode == 130
    assert "Stopped." in output
    assert "Traceback" not in output


def test_a_run_that_is_over_can_be_made_longer(tiny, trained, tmp_path):
    run = train(tiny, tmp_path, "--trainer.max_epochs", "4")
    main(["train", "--resume", str(run), "--trainer.max_epochs", "6"])
    assert_same_run(run, trained)


def test_an_override_of_a_resumed_run_counts(tiny, tmp_path):
    run = train(tiny, tmp_path, "--trainer.max_epochs", "1", command="fit")
    main(["train", "--resume", str(run), "--trainer.max_epochs", "2", "--model.frame_loss", "0"])
    losses = [float(row["train/loss"]) for row in rows(run / "metrics.csv") if row["train/loss"]]
    assert losses[1] < 0.75 * losses[0]  # a third of it was the frames' part


def test_the_options_of_a_resumed_run_are_recorded_and_those_before_are_kept(tiny, tmp_path):
    run = train(tiny, tmp_path, "--trainer.max_epochs", "1", command="fit")
    configs = [(run / "config.yaml").read_text()]
    main(["fit", "--resume", str(run)])
    assert [path.name for path in run.glob("config*")] == ["config.yaml"]
    for epochs in (2, 3):
        main(["train", "--resume", str(run), f"--trainer.max_epochs={epochs}"])
        configs.append((run / "config.yaml").read_text())
    assert configs[1] == configs[0].replace("  max_epochs: 1\n", "  max_epochs: 2\n") != configs[0]
    assert configs[2] == configs[0].replace("  max_epochs: 1\n", "  max_epochs: 3\n")
    assert [(run / f"config_{n}.yaml").read_text() for n in (0, 1)] == configs[:2]
    report = json.loads((run / "report" / "metrics.json").read_text())
    assert report["provenance"]["config_hash"] == hashlib.sha256(configs[2].encode()).hexdigest()


def test_a_resumed_run_keeps_its_network(tiny, tmp_path):
    run = train(tiny, tmp_path, "--trainer.max_epochs", "1", command="fit")
    before = (run / "config.yaml").read_text()
    with pytest.raises(ValueError, match=r"Expected the run's own network .* change its network\.lstm"):
        main(["train", "--resume", str(run), "--model.network.hidden_size", "9"])
    assert (run / "config.yaml").read_text() == before


def test_what_the_checkpoint_overrules_is_not_taken_for_an_option(tiny, tmp_path):
    scheduler = ["--model.scheduler=torch.optim.lr_scheduler.CosineAnnealingLR"]
    scheduler += ["--model.scheduler.T_max=1"]
    run = train(tiny, tmp_path, *scheduler, "--trainer.max_epochs=1", command="fit")
    before = (run / "config.yaml").read_text()
    for name, option in {
        "optimizer": "--model.optimizer.lr=0.1",
        "scheduler": "--model.scheduler.T_max=2",
    }.items():
        with pytest.raises(ValueError, match=f"Expected the run's own `model.{name}` with `--resume`"):
            main(["fit", "--resume", str(run), "--trainer.max_epochs=2", option])
    assert (run / "config.yaml").read_text() == before
    with pytest.warns(UserWarning, match=r"goes on as it began, for 1 epochs, not for the 2 of"):
        main(["fit", "--resume", str(run), "--trainer.max_epochs=2"])


def test_the_seed_decides_the_weights(tiny, trained, tmp_path):
    assert same_weights(train(tiny, tmp_path), trained)
    assert not same_weights(train(tiny, tmp_path, "--seed_everything", "1"), trained)


def test_the_best_checkpoint_is_that_of_the_best_epoch(trained):
    validated = [row for row in rows(trained / "metrics.csv") if row["val/loss"]]
    best = min(validated, key=lambda row: float(row["val/loss"]))
    assert content(trained, "best")["epoch"] == int(best["epoch"])
    assert content(trained, "last")["epoch"] == 5


def test_the_monitor_decides_which_epoch_is_best(tiny, tmp_path):
    run = train(tiny, tmp_path, "--monitor", "val/accuracy", "--model.optimizer.lr", "0.01")
    values = [float(row["val/accuracy"]) for row in rows(run / "metrics.csv") if row["val/accuracy"]]
    assert content(run, "best")["epoch"] == values.index(max(values))


def test_an_unknown_monitor_is_told_with_those_there_are(tiny, tmp_path):
    with pytest.raises(ValueError, match=r"`monitor` to be one of val/loss, .*val/f1, .* but got 'val/f2'"):
        train(tiny, tmp_path, "--monitor", "val/f2")
    assert not list(tmp_path.iterdir())


def test_one_class_may_be_monitored(tiny, tmp_path):
    run = train(tiny, tmp_path, "--monitor=val/class_accuracy/smash", "--trainer.max_epochs=1", command="fit")
    assert (run / "checkpoints" / "best.ckpt").is_file()


def test_without_validation_the_last_weights_are_the_best(tiny, tmp_path, capsys):
    epochs = "--trainer.max_epochs=2"
    with pytest.raises(ValueError, match=r"val_share` 0\. Raise it, or set `--monitor null`"):
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


def test_without_a_monitor_validation_is_shown_but_decides_nothing(tiny, tmp_path, capsys):
    run = train(tiny, tmp_path, "--monitor=null", "--model.frame_loss=100", "--trainer.max_epochs=3")
    assert content(run, "best")["epoch"] == 2
    assert len(re.findall(r"^epoch \d/3 .* val loss \S+ .* s$", capsys.readouterr().out, re.M)) == 3


@pytest.mark.filterwarnings("ignore:.*could not find the monitored key")
def test_the_last_weights_are_tested_where_nothing_was_validated(tiny, tmp_path, capsys):
    run = train(tiny, tmp_path, "--trainer.limit_val_batches=0", "--trainer.max_epochs=1")
    assert capsys.readouterr().out.count("No epoch was validated, so that none is the best: the last") == 1
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
    run = train(tiny, tmp_path, "--data.num_workers=1", "--trainer.max_epochs=2", command="fit")
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


def test_validate_measures_the_checkpoint_as_the_training_did(tiny, trained, tmp_path):
    best = content(trained, "best")["epoch"]
    logged = [row for row in rows(trained / "metrics.csv") if row["val/loss"]][best]
    checkpoint = str(trained / "checkpoints" / "best.ckpt")
    run = train(tiny, tmp_path, "--ckpt_path", checkpoint, command="validate")
    measured = rows(run / "metrics.csv")[0]
    for name in ("val/loss", "val/accuracy", "val/temporal_consistency"):
        assert float(measured[name]) == pytest.approx(float(logged[name]), rel=1e-5)


@pytest.mark.parametrize("command", ["validate", "test"])
def test_a_checkpoint_is_not_measured_on_clips_that_it_learnt_from(tiny, trained, tmp_path, command):
    checkpoint = ["--ckpt_path", str(trained / "checkpoints" / "best.ckpt")]
    with pytest.raises(ValueError, match=rf"for {'val' if command == 'validate' else 'test'} were used in"):
        train(tiny, tmp_path, *checkpoint, "--data.split_seed=3", command=command)
    train(tiny, tmp_path, *checkpoint, "--data.split_seed=3", command="predict")


def relabelled(strokes, folder, change):
    """A manifest of changed clips."""
    manifest = folder / "changed.csv"
    write_manifest(manifest, [change(record) for record in read_manifest(strokes)])
    return f"--data.source.path={manifest}"


def without_its_run(checkpoint, folder):
    """The same checkpoint where nothing says which clips it was trained on."""
    (folder / "model" / "checkpoints").mkdir(parents=True)
    return str(shutil.copy(checkpoint, folder / "model" / "checkpoints"))


def test_a_set_for_test_alone_is_measured_whole(tiny, trained, strokes, tmp_path):
    data = relabelled(strokes, tmp_path, lambda r: replace(r, label="smash", split="test"))
    checkpoint = without_its_run(trained / "checkpoints" / "best.ckpt", tmp_path)
    run = train(tiny, tmp_path, data, "--ckpt_path", checkpoint, command="test")
    report = json.loads((run / "report" / "metrics.json").read_text())
    assert report["num_clips"] == report["per_class"]["smash"]["support"] == 24
    assert list(report["per_class"]) == ["serve", "forehand", "backhand", "smash"]
    with pytest.raises(ValueError, match=r"Expected clips for (train|val), but all 24 are for test"):
        train(tiny, tmp_path, data, "--data.classes=[serve,smash]")


def test_clips_without_labels_are_predicted_and_nothing_else(tiny, trained, strokes, tmp_path):
    data = relabelled(strokes, tmp_path, lambda r: replace(r, label=None))
    checkpoint = ["--ckpt_path", without_its_run(trained / "checkpoints" / "best.ckpt", tmp_path)]
    run = train(tiny, tmp_path, data, *checkpoint, command="predict")
    predicted = rows(run / "report" / "predictions.csv")
    assert len(predicted) == 24
    assert {row["label"] for row in predicted} == {""}
    for command, options in (("test", checkpoint), ("fit", [])):
        with pytest.raises(ValueError, match="Expected labelled clips"):
            train(tiny, tmp_path, data, *options, command=command)


def test_a_checkpoint_is_measured_with_its_own_preprocessing(tiny, trained, tmp_path):
    other = ["--data.preprocessing.size=[24,24]", "--data.preprocessing.roi=[0,0,40,40]"]
    checkpoint = ["--ckpt_path", str(trained / "checkpoints" / "best.ckpt")]
    run = train(tiny, tmp_path, *other, *checkpoint, command="test")
    assert rows(run / "report" / "predictions.csv") == rows(trained / "report" / "predictions.csv")


def test_a_moved_run_keeps_its_best_checkpoint(tiny, tmp_path):
    run = train(tiny, tmp_path / "here", "--trainer.max_epochs=2", command="fit")
    before = content(run, "best")
    moved = run.rename(tmp_path / "moved")
    worse = ["--model.frame_loss=100", "--trainer.max_epochs=3"]  # it counts in the monitored loss
    main(["train", "--resume", str(moved), *worse])
    assert content(moved)["epoch"] == 2
    assert content(moved, "best")["epoch"] == before["epoch"]


def test_a_run_is_not_resumed_on_other_splits(tiny, tmp_path):
    run = train(tiny, tmp_path, "--trainer.max_epochs=1", command="fit")
    before = (run / "splits.csv").read_text()
    with pytest.raises(ValueError, match="with which this run began"):
        main(["train", "--resume", str(run), "--data.split_seed=3", "--trainer.max_epochs=2"])
    assert (run / "splits.csv").read_text() == before
    assert not (run / "config_0.yaml").exists()


def test_a_run_that_another_process_trains_is_not_resumed(tiny, tmp_path):
    train(tiny, tmp_path, "--trainer.max_epochs", "1", command="fit")
    run = tmp_path / "tiny" / "version_0"
    with lock_run_dir(run), pytest.raises(ValueError, match=r"another process is training in '.*version_0'"):
        main(["train", "--resume", str(run)])
    main(["train", "--resume", str(run), "--trainer.max_epochs", "2"])
    assert (run / "report" / "metrics.json").is_file()


def test_a_run_that_is_terminated_says_so_and_can_be_resumed(start, tiny, trained, tmp_path):
    process = start("train", *tiny, "--runs", tmp_path, "--trainer.max_epochs=500")
    run = tmp_path / "tiny" / "version_0"
    for line in process.stdout:
        if line.startswith("epoch   2/500"):
            process.terminate()
            break
    output = process.stdout.read()
    assert process.wait() == 143
    assert f"`make train RESUME={run}`" in output
    main(["train", "--resume", str(run), "--trainer.max_epochs=6"])
    assert same_weights(run, trained)


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


@pytest.fixture(scope="module")
def moves(tmp_path_factory):
    """Clips of a bright square that moves left, right, up or down."""
    folder = tmp_path_factory.mktemp("moves")
    rng = np.random.default_rng(0)
    records = []
    for i in range(96):
        label = list(MOVES)[i % 4]
        step = np.array(MOVES[label])
        start = rng.integers(8, 16, 2) - 7 * step
        frames = np.full((8, 32, 32, 3), rng.integers(0, 80), np.uint8)
        for t in range(8):
            x, y = start + 2 * t * step
            frames[t, y : y + 8, x : x + 8] = 230
        path = folder / f"{i}.mp4"
        write_video(path, frames, fps=10, crf=10)
        records.append(ClipRecord(path, label, group=f"group {i // 4}"))
    write_manifest(folder / "moves.csv", records)
    labels = rng.permutation([record.label for record in records])
    write_manifest(
        folder / "shuffled.csv",
        [ClipRecord(r.path, str(label), group=r.group) for r, label in zip(records, labels, strict=True)],
    )
    return folder


def learn(tiny, moves, runs, manifest):
    """Train on the moving squares without augmentation; return the last training and the test accuracy."""
    options = {
        "data.source.path": moves / manifest,
        "data.preprocessing.num_frames": 8,
        "data.batch_size": 16,
        "model.augmentation": "null",
        "model.network.dropout": 0,
        "model.network.channels": [8, 16, 16],
        "model.network.hidden_size": 32,
        "model.network.feature_size": 32,
        "model.optimizer.lr": 0.005,
        "trainer.max_epochs": 60,
        "trainer.check_val_every_n_epoch": 10,
    }
    run = train(tiny, runs, *(f"--{name}={value}" for name, value in options.items()))
    history = rows(run / "metrics.csv")
    last = [float(row["train/accuracy"]) for row in history if row["train/accuracy"]][-1]
    return last, float(next(row["test/accuracy"] for row in history if row["test/accuracy"]))


def test_what_can_be_learnt_is_learnt_and_holds_for_other_groups(tiny, moves, tmp_path):
    training, test = learn(tiny, moves, tmp_path, "moves.csv")
    assert training == 1.0
    assert test >= 0.9


def test_shuffled_labels_teach_nothing_about_other_groups(tiny, moves, tmp_path):
    _, test = learn(tiny, moves, tmp_path, "shuffled.csv")
    assert test <= 0.5


def test_a_handful_of_drawn_clips_is_learnt_by_heart(tiny, strokes, tmp_path):
    records = read_manifest(strokes)
    few = [*records[:4], records[8], records[12]]
    splits = ["train"] * 4 + ["val", "test"]
    manifest = tmp_path / "few.csv"
    write_manifest(
        manifest,
        [ClipRecord(r.path, r.label, group=s, split=s) for r, s in zip(few, splits, strict=True)],
    )
    options = ["--model.augmentation=null", "--model.network.dropout=0", "--model.optimizer.lr=0.005"]
    options += [f"--data.source.path={manifest}", "--trainer.max_epochs=60", "--data.batch_size=4"]
    run = train(tiny, tmp_path, *options, "--trainer.check_val_every_n_epoch=20", command="fit")
    assert (
        float([row["train/accuracy"] for row in rows(run / "metrics.csv") if row["train/accuracy"]][-1]) == 1
    )


def network_weights(run, name="last"):
    state = content(run, name)["state_dict"]
    return {key: weight for key, weight in state.items() if key.startswith("network.")}


def test_a_training_begins_with_the_weights_of_another_and_keeps_what_is_frozen(tiny, trained, tmp_path):
    source = tmp_path / "source.ckpt"
    source.write_bytes((trained / "checkpoints" / "best.ckpt").read_bytes())
    begin = ["--model.init_from", str(source), "--trainer.max_epochs=1"]
    run = train(tiny, tmp_path, *begin, '--model.lr_scales={"cnn": 0.0, "lstm": 0.0}', command="fit")
    before, after = network_weights(trained, "best"), network_weights(run)
    same = {name for name, weight in after.items() if torch.equal(weight, before[name])}
    assert same == {name for name in after if name.startswith(("network.cnn.", "network.lstm."))}
    source.unlink()
    assert load(run / "checkpoints" / "best.ckpt").class_names == ("serve", "forehand", "backhand", "smash")
    main(["train", "--resume", str(run), "--trainer.max_epochs=2"])


def test_the_head_is_begun_anew_for_other_classes(tiny, trained, strokes, tmp_path):
    manifest = tmp_path / "renamed.csv"
    write_manifest(manifest, [replace(r, label=f"my {r.label}") for r in read_manifest(strokes)])
    init = ["--model.init_from", str(trained / "checkpoints" / "best.ckpt")]
    still = [
        "--data.source.path",
        str(manifest),
        "--model.optimizer.init_args.lr=0",
        "--trainer.max_epochs=1",
    ]
    run = train(tiny, tmp_path, *init, *still, command="fit")
    before, after = network_weights(trained, "best"), network_weights(run)
    same = {name for name, weight in after.items() if torch.equal(weight, before[name])}
    heads = {name for name in after if name.startswith("network.head.")}
    assert same == set(after) - heads


def test_weights_of_another_network_are_refused(tiny, trained, tmp_path):
    init = ["--model.init_from", str(trained / "checkpoints" / "best.ckpt")]
    with pytest.raises(ValueError, match=r"Expected `init_from` to hold the weights of the same CNNLSTM"):
        train(tiny, tmp_path, *init, "--model.network.init_args.hidden_size=9", command="fit")
    with pytest.raises(FileNotFoundError, match=r"there is no file 'gone\.ckpt'"):
        train(tiny, tmp_path, "--model.init_from=gone.ckpt", command="fit")
    assert not list(tmp_path.iterdir())


def test_a_network_may_read_flow(tiny, strokes, tmp_path):
    flow = ["--data.preprocessing.flow", "true", "--model.augmentation", "null", "--trainer.max_epochs", "1"]
    with pytest.raises(ValueError, match="Expected frames of 3 channels for CNNLSTM, but got 5"):
        train(tiny, tmp_path, *flow)
    run = train(tiny, tmp_path, *flow, "--model.network.in_channels", "5")
    model = load(run / "checkpoints" / "best.ckpt")
    assert model.network.cnn.layers[0].in_channels == 5
    predicted = {row["name"]: float(row["p_serve"]) for row in rows(run / "report" / "predictions.csv")}
    record = next(record for record in read_manifest(strokes) if record.name in predicted)
    again = model.predict(record.path, roi=record.roi).probabilities["serve"]
    assert again == pytest.approx(predicted[record.name], abs=1e-4)


def test_learning_rates_are_scaled_by_part(tiny, tmp_path):
    with pytest.raises(ValueError, match=r"parts of the network \(cnn, lstm, head\).*but got stem: 0.1"):
        train(tiny, tmp_path, '--model.lr_scales={"stem": 0.1}', command="fit")
    run = train(tiny, tmp_path, '--model.lr_scales={"cnn": 0.1}', "--trainer.max_epochs=1", command="fit")
    groups = content(run)["optimizer_states"][0]["param_groups"]
    assert sorted(group["lr"] for group in groups) == pytest.approx([1e-4, 1e-3])


def test_the_seconds_of_a_resumed_run_count_those_before_it_was_stopped(tiny, tmp_path):
    run = train(tiny, tmp_path, "--trainer.max_epochs", "1", command="fit")
    callbacks = content(run)["callbacks"]
    before = callbacks["RunReport"]["seconds"]
    assert 0 < before < 60
    resumed = RunReport(run, 0, "val/loss", None)
    resumed.load_state_dict({"seconds": 100.0})
    assert 100 < resumed.state_dict()["seconds"] < 110
