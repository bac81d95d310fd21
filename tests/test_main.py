import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

from tt_actions.main import COMMANDS, main

EXPERIMENTS = ["train", "fit", "validate", "test", "predict"]


def help_of(capsys, command):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert not end.value.code
    return capsys.readouterr().out


def entries(text):
    """The options that a help text lists, each with what it says of it."""
    found, options = {}, None
    for line in text.splitlines():
        if start := re.match(r"  (-.*?)(?:  +(.*))?$", line):
            options = re.findall(r"--?[\w.-]+", start[1])
            found |= dict.fromkeys(options, start[2] or "")
        elif line.startswith(" " * 20) and options:
            found |= {option: f"{found[option]} {line.strip()}" for option in options}
        else:
            options = None
    return {option: re.split(r"\((?:required, )?type: ", said)[0].strip() for option, said in found.items()}


def test_the_installed_command_lists_its_commands():
    command = Path(sysconfig.get_path("scripts")) / "tt-actions"
    end = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    for name, what in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(what)}$", end.stdout, re.MULTILINE)
    assert not end.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_every_option(capsys, command):
    text = help_of(capsys, command)
    said = entries(text)
    assert len(said) >= (30 if command in EXPERIMENTS else 1)
    assert [option for option, explanation in said.items() if len(explanation) < 10] == []
    assert max(map(len, text.partition("\n\n")[2].splitlines())) <= 120


@pytest.mark.parametrize("command", EXPERIMENTS)
def test_help_offers_what_belongs_to_a_run_and_not_what_the_data_own(capsys, command):
    text = help_of(capsys, command)
    offered = set(entries(text))
    assert offered >= {
        "--experiment",
        "--runs",
        "--monitor",
        "--wandb.mode",
        "--model.frame_loss",
        "--data.fold",
    }
    assert not offered & {"--model.class_names", "--model.preprocessing", "--model.network.num_classes"}
    assert command != "train" or "--resume" in text


@pytest.mark.parametrize(
    ("option", "subclass"), [("model.network", "CNNLSTM"), ("data.source", "SyntheticStrokes")]
)
def test_help_explains_the_arguments_of_a_class(capsys, option, subclass):
    with pytest.raises(SystemExit):
        main(["train", f"--{option}.help", subclass])
    said = entries(capsys.readouterr().out)
    assert len(said) > 3
    assert all(len(explanation) > 5 for explanation in said.values())


def ended(monkeypatch, capsys, *args):
    """Run as the console script does; return the exit code and what is said on standard error."""
    monkeypatch.setattr(sys, "argv", ["tt-actions", *map(str, args)])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr().err
    return (1, end.value.code) if isinstance(end.value.code, str) else (end.value.code, said)


REFUSED = {
    "an unknown option": (["--model.frame_los", "1"], "unrecognized arguments: --model.frame_los"),
    "an option of the wrong part": (["--trainer.fold", "1"], "unrecognized arguments: --trainer.fold"),
    "a word too much": (["more"], "unrecognized arguments: more"),
    "an unknown argument of a class": (["--model.network.hiden_size", "8"], "'hiden_size' is not accepted"),
    "a value of the wrong type": (["--trainer.max_epochs", "many"], "Given value: many"),
    "a value out of its list": (["--data.preprocessing.sampling", "some"], "some"),
    "a value out of its range": (["--data.batch_size", "0"], "`batch_size` to be at least 1, but got 0"),
    "an unknown class": (["--model.network", "CNNLSTMM"], "CNNLSTMM"),
    "a class of another kind": (["--model.network", "UserClips"], "UserClips"),
    "a foreign network": (
        ["--model.network", "subprocess.Popen"],
        "Expected a class that tt_actions knows, but got `subprocess.Popen`, which was not imported.",
    ),
    "a foreign source": (["--data.source", "os.system"], "but got `os.system`, which was not imported"),
    "a foreign optimizer": (
        ["--model.optimizer", "subprocess.Popen"],
        "but got `subprocess.Popen`, which was not",
    ),
    "a missing config": (["--config", "nowhere.yaml"], "File does not exist: "),
    "missing data": (["--data.source.path", "nowhere"], "no folder 'nowhere'"),
    "a missing manifest": (["--data.source.path", "nowhere.csv"], "no file 'nowhere.csv'"),
    "an absent device": (["--trainer.accelerator", "mps"], "`MPSAccelerator` can not run on your system"),
}


@pytest.mark.parametrize(("args", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_told_before_anything_is_made(monkeypatch, capsys, tiny, tmp_path, args, message):
    code, said = ended(monkeypatch, capsys, "train", *tiny, "--runs", tmp_path / "runs", *args)
    assert code in (1, 2)
    assert message in said
    assert len(said.splitlines()) <= (12 if code == 2 else 1)
    assert code == 1 or "tt-actions train --help" in said
    assert not list((tmp_path / "runs").glob("*/*/checkpoints"))


UNFIT = {
    "a network without an optimizer": (["--model.optimizer", "null"], "Expected `optimizer` for CNNLSTM"),
    "an option of learning by gradient": (
        ["--model.network", "HistogramKernel", "--data.preprocessing.flow", "true"],
        "without, but got optimizer, augmentation, frame_loss. Leave them out.",
    ),
    "frames without flow": (
        [
            *("--model.network", "HistogramKernel", "--model.optimizer", "null"),
            *("--model.augmentation", "null", "--model.frame_loss", "0"),
        ],
        "Expected frames of 5 channels for HistogramKernel, but got 3",
    ),
    "weights that are not there": (["--model.init_from", "nowhere.ckpt"], "no file 'nowhere.ckpt'"),
}


@pytest.mark.parametrize(("args", "message"), UNFIT.values(), ids=UNFIT)
def test_a_model_that_cannot_be_trained_is_refused_before_clips_are_decoded(
    monkeypatch, capsys, tiny, tmp_path, args, message
):
    folders = ["--runs", tmp_path / "runs", "--data.cache_dir", tmp_path / "cache"]
    code, said = ended(monkeypatch, capsys, "train", *tiny, *folders, *args)
    assert code == 1
    assert message in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["model", "data", "trainer", "data.preprocessing", None])
def test_a_misspelt_key_of_a_file_is_refused(monkeypatch, capsys, tiny, tmp_path, where):
    config = yaml.safe_load(Path(tiny[1]).read_text())
    part = config
    for name in where.split(".") if where else ():
        part = part[name]
    part["mispelt"] = 1
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(config))
    code, said = ended(monkeypatch, capsys, "train", "--config", tmp_path / "wrong.yaml")
    assert code == 2
    assert "mispelt" in said.splitlines()[-1]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["trian"], 1, "Expected one of these commands, but got 'trian'."),
        (["train", "--resume", "nowhere"], 1, "no 'nowhere/config.yaml'"),
        (["train", "--resume"], 2, "expected one argument"),
        (["check", "nowhere"], 1, "no folder 'nowhere'"),
        (["synth"], 2, "--out"),
        (["synth", "--out", "x", "--size", "big"], 2, "WxH such as 320x240, but got 'big'"),
        (["synth", "--out", "x", "--players", "0"], 1, "`num_players` to be at least 2, but got 0"),
        (["synth", "--out", "x", "--clip", "4"], 2, "--clip"),
    ],
)
def test_every_command_ends_with_a_line_and_a_code(monkeypatch, capsys, args, code, message):
    assert ended(monkeypatch, capsys, *args)[0] == code
    assert message in ended(monkeypatch, capsys, *args)[1]
    assert not Path("x").exists()


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_an_untrained_network_is_not_measured(monkeypatch, capsys, tiny, tmp_path, command):
    runs = tmp_path / "runs"
    code, said = ended(monkeypatch, capsys, command, *tiny, "--runs", runs)
    assert (code, said) == (
        1,
        f"error: Expected `--ckpt_path`, the checkpoint to {command}, but got none. "
        "Name one such as runs/cnn_lstm/version_0/checkpoints/best.ckpt.",
    )
    missing = ended(monkeypatch, capsys, command, *tiny, "--runs", runs, "--ckpt_path", "no.ckpt")
    assert missing == (1, "error: Expected a checkpoint, but there is no file 'no.ckpt'.")


def test_a_checkpoint_of_other_classes_is_refused(monkeypatch, capsys, tiny, trained, strokes, tmp_path):
    renamed = strokes.with_name("renamed.csv")
    renamed.write_text(strokes.read_text().replace(",serve,", ",lob,"))
    checkpoint = ["--ckpt_path", trained / "checkpoints" / "best.ckpt", "--runs", tmp_path]
    code, said = ended(monkeypatch, capsys, "test", *tiny, *checkpoint, "--data.source.path", renamed)
    assert code == 1
    assert "Expected clips of serve, forehand, backhand, smash, but got some of lob." in said


def test_a_foreign_class_path_runs_nothing_in_a_real_process(start, tiny, tmp_path):
    args = ["--data.source", "subprocess.Popen", "--data.source.args", f"[touch,{tmp_path}/ran]"]
    output, _ = (process := start("train", *tiny, "--runs", tmp_path / "runs", *args)).communicate()
    assert process.returncode == 2
    assert "Traceback" not in output
    assert "Expected a class that tt_actions knows, but got `subprocess.Popen`" in output.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_an_override_reaches_what_is_interpolated(tiny, tmp_path):
    config = yaml.safe_load(Path(tiny[1]).read_text())
    config["model"]["network"]["init_args"]["fc_size"] = "${model.network.init_args.hidden_size}"
    config["data"]["split_seed"] = "${seed_everything}"
    (tmp_path / "interpolated.yaml").write_text(yaml.safe_dump(config))
    options = [*tiny[2:], "--model.network.hidden_size", "24", "--seed_everything", "5"]
    options += ["--trainer.max_epochs", "1", "--runs", str(tmp_path)]
    main(["fit", "--config", str(tmp_path / "interpolated.yaml"), *options])
    saved = yaml.safe_load((tmp_path / "tiny" / "version_0" / "config.yaml").read_text())
    assert saved["model"]["network"]["init_args"]["fc_size"] == 24
    assert saved["data"]["split_seed"] == 5


def test_check_says_what_a_set_holds(capsys, strokes):
    with pytest.raises(SystemExit) as end:
        main(["check", str(strokes)])
    assert end.value.code == 0
    assert "24 clips in 24 files, 0 of them unreadable." in capsys.readouterr().out


def test_synth_draws_what_is_asked(tmp_path):
    main(["synth", "--out", str(tmp_path), "--clips=1", "--players=2", "--size=160x120", "--workers=1"])
    assert [path.suffix for path in sorted((tmp_path / "clips" / "serve").iterdir())] == [".mp4", ".npz"]


def test_the_variable_of_the_run_directory_is_cleared_after_a_run(trained):
    assert trained.is_dir()
    assert "TT_ACTIONS_RUN_DIR" not in os.environ
