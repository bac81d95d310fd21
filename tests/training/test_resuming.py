import hashlib
import json
import re
import signal

import pytest
from run_files import content, rows, same_weights, train, wait_for

from tt_actions.main import main
from tt_actions.training.reports import ClipReport
from tt_actions.training.run_directory import lock_run_dir


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
    wait_for((run / "checkpoints" / "last.ckpt").exists, process)
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
    wait_for((tmp_path / "drawn" / "settings.json").exists, process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate()
    assert process.returncode == 130
    assert "Stopped." in output
    assert "Traceback" not in output


def test_a_run_that_is_over_can_be_made_longer(tiny, trained, tmp_path):
    run = train(tiny, tmp_path, "--trainer.max_epochs", "4", command="fit")
    main(["train", "--resume", str(run), "--trainer.max_epochs", "6"])
    assert_same_run(run, trained)


def test_an_override_of_a_resumed_run_counts(tiny, tmp_path):
    run = train(tiny, tmp_path, "--trainer.max_epochs", "1", command="fit")
    main(["fit", "--resume", str(run), "--trainer.max_epochs", "2", "--model.frame_loss", "0"])
    losses = [float(row["train/loss"]) for row in rows(run / "metrics.csv") if row["train/loss"]]
    assert losses[1] < 0.75 * losses[0]  # a third of it was the frames' part


def test_the_options_of_a_resumed_run_are_recorded_and_those_before_are_kept(tiny, tmp_path):
    run = train(tiny, tmp_path, "--trainer.max_epochs", "1", command="fit")
    configs = [(run / "config.yaml").read_text()]
    main(["fit", "--resume", str(run)])
    assert [path.name for path in run.glob("config*")] == ["config.yaml"]
    for command, epochs in (("fit", 2), ("train", 3)):
        main([command, "--resume", str(run), f"--trainer.max_epochs={epochs}"])
        configs.append((run / "config.yaml").read_text())
    assert configs[1] == configs[0].replace("  max_epochs: 1\n", "  max_epochs: 2\n") != configs[0]
    assert configs[2] == configs[0].replace("  max_epochs: 1\n", "  max_epochs: 3\n")
    assert [(run / f"config_{n}.yaml").read_text() for n in (0, 1)] == configs[:2]
    report = json.loads((run / "report" / "metrics.json").read_text())
    assert report["provenance"]["config_hash"] == hashlib.sha256(configs[2].encode()).hexdigest()


def test_a_resumed_run_keeps_its_network(tiny, tmp_path):
    run = train(tiny, tmp_path, "--trainer.max_epochs", "1", command="fit")
    before = (run / "config.yaml").read_text()
    with pytest.raises(ValueError, match=r"Expected `--resume` to keep the run's `model\.network`"):
        main(["train", "--resume", str(run), "--model.network.peepholes", "false"])
    with pytest.raises(
        ValueError, match=r"Expected data with the classes of the checkpoint .*smash\), but got"
    ):
        main(["train", "--resume", str(run), "--data.classes", "[serve,forehand,smash,backhand]"])
    assert (run / "config.yaml").read_text() == before
    (run / "config.yaml").write_text(before.replace("hidden_size: 16", "hidden_size: 9"))
    with pytest.raises(
        ValueError, match=r"Expected `--resume` with the network of the run.* size mismatch for network"
    ):
        main(["train", "--resume", str(run)])


def test_what_the_checkpoint_overrules_is_not_taken_for_an_option(tiny, tmp_path):
    scheduler = ["--model.scheduler=torch.optim.lr_scheduler.CosineAnnealingLR"]
    scheduler += ["--model.scheduler.T_max=1"]
    run = train(tiny, tmp_path, *scheduler, "--trainer.max_epochs=1", command="fit")
    before = (run / "config.yaml").read_text()
    for name, option in {
        "optimizer": "--model.optimizer.lr=0.1",
        "scheduler": "--model.scheduler.T_max=2",
        "lr_scales": '--model.lr_scales={"cnn": 0.5}',
    }.items():
        with pytest.raises(ValueError, match=f"Expected `--resume` to keep the run's `model.{name}`"):
            main(["fit", "--resume", str(run), "--trainer.max_epochs=2", option])
    assert (run / "config.yaml").read_text() == before
    with pytest.warns(
        UserWarning, match=r"continues as planned for 1 epochs, although `trainer.max_epochs` is now 2"
    ):
        main(["fit", "--resume", str(run), "--trainer.max_epochs=2"])


def test_a_moved_run_keeps_its_best_checkpoint(tiny, tmp_path):
    run = train(tiny, tmp_path / "here", "--trainer.max_epochs=2", command="fit")
    before = content(run, "best")
    moved = run.rename(tmp_path / "moved")
    worse = ["--model.frame_loss=100", "--trainer.max_epochs=3"]  # it counts in the monitored loss
    main(["fit", "--resume", str(moved), *worse])
    assert content(moved)["epoch"] == 2
    assert content(moved, "best")["epoch"] == before["epoch"]


def test_a_run_is_not_resumed_on_other_splits(tiny, tmp_path):
    run = train(tiny, tmp_path, "--trainer.max_epochs=1", command="fit")
    before = (run / "splits.csv").read_text()
    with pytest.raises(ValueError, match="with which this run started"):
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


def test_the_seconds_of_a_resumed_run_count_those_before_it_was_stopped(tiny, tmp_path):
    run = train(tiny, tmp_path, "--trainer.max_epochs", "1", command="fit")
    callbacks = content(run)["callbacks"]
    before = callbacks["RunReport"]
    assert 0 < before["seconds"] < 60
    assert 0 < before["processor_seconds"] < 60
    resumed = ClipReport(run, 0, "val/loss")
    resumed.load_state_dict({"seconds": 100.0, "processor_seconds": 200.0})
    after = resumed.state_dict()
    assert 100 < after["seconds"] < 110
    assert 200 <= after["processor_seconds"] < 210
