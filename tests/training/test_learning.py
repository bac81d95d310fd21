from dataclasses import replace

import numpy as np
import pytest
import torch
from run_files import content, rows, same_weights, train, wait_for

from tt_actions.clips.manifest import read_manifest, write_manifest
from tt_actions.clips.records import ClipRecord
from tt_actions.main import main
from tt_actions.recognition.loading import load
from tt_actions.video.encoder import write_video

MOVES = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


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
    main(["fit", "--resume", str(run), "--trainer.max_epochs=2"])


def test_the_head_starts_from_chance_for_other_classes(tiny, trained, strokes, tmp_path):
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


def test_a_training_is_not_measured_on_clips_that_its_first_weights_have_seen(tiny, trained, tmp_path):
    init = ["--model.init_from", str(trained / "checkpoints" / "best.ckpt"), "--trainer.max_epochs=1"]
    other = "--data.split_seed=3"
    with pytest.raises(ValueError, match=rf"the run '{trained}' was not trained on"):
        train(tiny, tmp_path, *init, other)
    assert not list(tmp_path.iterdir())
    child = train(tiny, tmp_path, *init, command="fit")
    (child / "splits.csv").unlink()  # nothing but the first run's own tells
    with pytest.raises(ValueError, match=rf"the run '{trained}' was not trained on"):
        train(tiny, tmp_path, other, "--ckpt_path", str(child / "checkpoints" / "best.ckpt"), command="test")


def test_a_run_stopped_in_its_first_epoch_has_its_own_weights(start, tiny, trained, tmp_path):
    source = tmp_path / "source.ckpt"
    source.write_bytes((trained / "checkpoints" / "best.ckpt").read_bytes())
    init = ["--model.init_from", str(source)]
    init.append("--trainer.max_epochs=3")
    undisturbed = train(tiny, tmp_path / "undisturbed", *init, command="fit")
    process = start("fit", *tiny, "--runs", tmp_path / "killed", *init)
    run = tmp_path / "killed" / "tiny" / "version_0"
    wait_for((run / "checkpoints" / "last.ckpt").exists, process)
    process.kill()
    process.wait()
    source.unlink()
    main(["fit", "--resume", str(run)])
    assert same_weights(run, undisturbed)


def test_weights_of_another_network_are_refused(tiny, trained, tmp_path):
    init = ["--model.init_from", str(trained / "checkpoints" / "best.ckpt")]
    with pytest.raises(ValueError, match=r"Expected `init_from` to contain weights of the same CNNLSTM"):
        train(tiny, tmp_path, *init, "--model.network.init_args.hidden_size=9", command="fit")
    with pytest.raises(FileNotFoundError, match=r"there is no file 'gone\.ckpt'"):
        train(tiny, tmp_path, "--model.init_from=gone.ckpt", command="fit")
    assert not list(tmp_path.iterdir())


def test_learning_rates_are_scaled_by_part(tiny, tmp_path):
    with pytest.raises(ValueError, match=r"parts of the network \(cnn, lstm, head\).*but got stem: 0.1"):
        train(tiny, tmp_path, '--model.lr_scales={"stem": 0.1}', command="fit")
    run = train(tiny, tmp_path, '--model.lr_scales={"cnn": 0.1}', "--trainer.max_epochs=1", command="fit")
    groups = content(run)["optimizer_states"][0]["param_groups"]
    assert sorted(group["lr"] for group in groups) == pytest.approx([1e-4, 1e-3])
