import os
import re
import shutil
import subprocess
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from tt_actions.errors import UserError
from tt_actions.main import COMMANDS, ISSUES, SPINS, main, summaries
from tt_actions.training.command import COMMON_OPTIONS, ROOTS
from tt_actions.training.option_names import PARTS, names_of

OF_CLASSES = {
    "--data.preprocessing.num_frames": 7,
    "--data.preprocessing.roi": [0, 0, 8, 8],
    "--model.optimizer.init_args.lr": 0.25,
}
"""The usual options that belong to a class, which the help of all options does not list."""

EXPERIMENTS = ["train", "fit", "validate", "test"]


def help_of(capsys, command, *, everything=True):
    """The help of a command; for an experiment, of all its options or of the usual ones."""
    with suppress(SystemExit):
        main([command, "--help-all" if everything and command in EXPERIMENTS else "--help"])
    return capsys.readouterr().out


def entries(text):
    """Return the options of a help text with their explanations."""
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
    assert set(summaries()) == set(COMMANDS)
    for name, what in summaries().items():
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
def test_the_usual_options_and_how_all_begin_are_those_that_exist(capsys, command):
    usual = set(entries(help_of(capsys, command, everything=False)))
    everything = set(entries(help_of(capsys, command)))
    assert usual & set(COMMON_OPTIONS) - set(OF_CLASSES) - {"--help-all"} <= everything
    assert len(usual) < 30
    assert ("--ckpt_path" in usual) == (command not in ("train", "fit"))
    assert {flag.partition(".")[0] for flag in everything if flag.startswith("--")} <= ROOTS


@pytest.mark.parametrize("command", EXPERIMENTS)
def test_the_names_read_from_the_source_code_are_those_of_the_options(capsys, command):
    everything = set(entries(help_of(capsys, command)))
    for part in PARTS:
        # `--data.source.help` explains the classes of `--data.source`
        options = {flag.split(".")[1] for flag in everything if flag.startswith(f"--{part}.")} - {"help"}
        assert options <= names_of(part)
        assert names_of(part) - options <= {"class_names", "preprocessing", "logger"}


@pytest.mark.parametrize(("flag", "value"), OF_CLASSES.items())
def test_the_usual_options_of_classes_exist(capsys, flag, value):
    config = Path(__file__).with_name("tiny.yaml")
    with pytest.raises(SystemExit) as end:
        main(["train", "--config", str(config), flag, str(value), "--print_config"])
    assert not end.value.code
    setting = yaml.safe_load(capsys.readouterr().out)
    for part in flag.removeprefix("--").split("."):
        setting = setting[part] if part in setting else setting["init_args"][part]
    assert setting == value


SLOW = (
    "torch",
    "pytorch_lightning",
    "torchmetrics",
    "matplotlib",
    "scipy",
    "sklearn",
    "wandb",
    "onnxruntime",
)
AT_ONCE = """
import sys
from tt_actions.main import main
try:
    main(sys.argv[1:])
except (SystemExit, ValueError, OSError):
    pass
print("loaded:", *(name for name in {slow} if name in sys.modules))
"""


def loaded_by(*words):
    """Which slow packages a process has loaded when the command has ended."""
    command = [sys.executable, "-c", AT_ONCE.format(slow=SLOW), *words]
    end = subprocess.run(command, capture_output=True, text=True, check=True)
    return end.stdout.rpartition("loaded:")[2].split()


@pytest.mark.parametrize(
    "words",
    [
        *([command, "--help"] for command in COMMANDS),
        ["completion", "bash"],
        ["train", "--confg", "experiments/cnn.yaml"],
        ["train", "--config", "experiments/cnn.yaml", "--trainer.max_epoch", "3"],
        ["train", "--config", "experiments/cnn.yaml", "--model.network.init_args.chanels", "[4]"],
        ["train", "--config", "experiments/cnn.yaml", "--data.preprocessing.sise", "[8,8]"],
        ["train", "--config", "experiments/cnn.yaml", "--data.source.clps=3"],
        ["train", "--config", "nowhere.yaml"],
        ["train", "--data", "nowhere"],
        ["analyze", "match.mp4", "--chekpoint", "best.ckpt"],
        ["analyze"],
        ["label", "nowhere.mp4"],
        ["label", "README.md", "--out", "nowhere/marks.csv"],
        ["label", "README.md", "--checkpoint", "nowhere.ckpt"],
        ["predict", "nowhere", "--checkpoint", "best.ckpt"],
        ["predict", ".", "--checkpoint", "nowhere.ckpt"],
        ["predict", ".", "--chekpoint", "best.ckpt"],
    ],
    ids=" ".join,
)
def test_help_and_mistakes_load_nothing_slow(words):
    assert loaded_by(*words) == []


@pytest.mark.parametrize(
    "words",
    [
        ["analyze", "match.mp4", "--out"],
        ["compare", "--out"],
        ["explain", "--checkpoint", "best.ckpt", "--clip", "clip.mp4", "--out"],
        ["export", "--checkpoint", "best.ckpt", "--out"],
        ["live", "--checkpoint", "best.ckpt", "--source", "0", "--out"],
        ["sweep", "ablation", "--out"],
        ["synth", "--out"],
        ["train", "--config", "experiments/cnn.yaml", "--runs"],
    ],
    ids=lambda words: words[0],
)
def test_a_place_that_can_not_be_written_to_is_refused_at_once(words, tmp_path, capsys, monkeypatch):
    (tmp_path / "file").touch()
    words = [*words, str(tmp_path / "file" / "out")]
    _, said = ended(monkeypatch, capsys, *words)
    assert re.fullmatch(r"error: Expected to write '.*', but got: Not a directory\. .*\n?", said)
    assert loaded_by(*words) == []


def test_the_loaded_packages_would_be_seen():
    assert "torch" in loaded_by("train", "--help-all")


@pytest.mark.parametrize("given", [None, "7"])
def test_threads_that_wait_leave_their_core_to_others_unless_the_user_decides(monkeypatch, given):
    name, value = SPINS
    monkeypatch.setenv(name, given or "")
    if given is None:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "argv", ["tt-actions", "--help"])
    main()
    assert os.environ[name] == (given or value)


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
    """Run like the console script; return the exit code and the output on standard error."""
    monkeypatch.setattr(sys, "argv", ["tt-actions", *map(str, args)])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr().err
    return (1, end.value.code) if isinstance(end.value.code, str) else (end.value.code, said)


REFUSED = {
    "an unknown option": (
        ["--model.frame_los", "1"],
        "got `--model.frame_los`. Did you mean `--model.frame_loss`?",
    ),
    "an option of the wrong part": (
        ["--trainer.fold", "1"],
        "Expected an option that exists, but got `--trainer.fold`",
    ),
    "a word too much": (["more"], "Expected only options, but got 'more'"),
    "an unknown argument of a class": (
        ["--model.network.hiden_size", "8"],
        "that `CNNLSTM` has, but got `model.network.hiden_size`. Did you mean `model.network.hidden_size`?",
    ),
    "a class without such an argument": (
        ["--data.preprocessing.layout", "ntu25"],
        "that `Preprocessing` has, but got `data.preprocessing.layout`. It has fps, size, ",
    ),
    "a choice": (
        ["--wandb.mode", "onlin"],
        "Expected `wandb.mode` to be auto, online, offline or disabled, but got 'onlin'.",
    ),
    "a list for a choice": (
        ["--data.preprocessing.sampling", "[all]"],
        "Expected `data.preprocessing.sampling` to be uniform, dense or all, but got ['all'].",
    ),
    "no list": (
        ["--data.preprocessing.roi", "[1,2]"],
        "Expected `data.preprocessing.roi` to be a list of 4 values, but got [1, 2].",
    ),
    "a word for the rate of an optimizer": (
        ["--model.optimizer.lr", "x"],
        "Expected `model.optimizer.lr` to be a number, but got 'x'.",
    ),
    "a choice of several lists": (["--trainer.precision", "17"], "to be 64, 32, 16, transformer-engine, "),
    "a value of the wrong type": (
        ["--trainer.max_epochs", "many"],
        "Expected `trainer.max_epochs` to be a whole number, but got 'many'.",
    ),
    "a rate below 0": (["--data.preprocessing.fps", "-1"], "Expected `fps` to be positive, but got -1.0"),
    "a value out of its list": (["--data.preprocessing.sampling", "some"], "some"),
    "a value out of its range": (["--data.batch_size", "0"], "`batch_size` to be at least 1, but got 0"),
    "an unknown class": (
        ["--model.network", "CNNLSTMM"],
        "`model.network` to be the import path of a class, but got 'CNNLSTMM'. Did you mean `CNNLSTM`?",
    ),
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
    "a missing config": (
        ["--config", "nowhere.yaml"],
        "Expected the YAML file of an experiment, but there is no 'nowhere.yaml'",
    ),
    "a video as config": (["--config", "{video}"], "to be YAML, but it is not text"),
    "a logger": (["--trainer.logger", "true"], "Expected no `trainer.logger`, because"),
    "a schedule of no length": (
        ["--model.scheduler", "CosineAnnealingLR", "--model.scheduler.T_max", "0"],
        "Expected `T_max` of `scheduler` to be at least 1, but got 0",
    ),
    "missing data": (["--data.source.path", "nowhere"], "no folder 'nowhere'"),
    "a missing manifest": (["--data.source.path", "nowhere.csv"], "no file 'nowhere.csv'"),
    "an absent strategy": (["--trainer.strategy", "none"], "invalid strategy name"),
    "an absent device": (["--trainer.accelerator", "mps"], "`MPSAccelerator` can not run on your system"),
}


@pytest.mark.parametrize(("args", "message"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_reported_before_anything_is_made(
    monkeypatch, capsys, tiny, strokes, tmp_path, args, message
):
    args = [arg.replace("{video}", str(next(strokes.parent.rglob("*.mp4")))) for arg in args]
    code, said = ended(monkeypatch, capsys, "train", *tiny, "--runs", tmp_path / "runs", *args)
    assert code in (1, 2)
    assert message in said
    assert len(said.splitlines()) == 1
    assert "bug" not in said
    assert code == 1 or "tt-actions train --help" in said
    assert not list((tmp_path / "runs").glob("*/*/checkpoints"))


UNFIT = {
    "a network without an optimizer": (["--model.optimizer", "null"], "Expected `optimizer` for CNNLSTM"),
    "an option of learning by gradient": (
        ["--model.network", "HistogramKernel", "--data.preprocessing.flow", "true"],
        "without gradients, but got optimizer, augmentation, frame_loss. Remove them.",
    ),
    "frames without flow": (
        [
            *("--model.network", "HistogramKernel", "--model.optimizer", "null"),
            *("--model.augmentation", "null", "--model.frame_loss", "0"),
        ],
        "Expected frames with 5 channels for HistogramKernel, but got 3",
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


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            ["--model.optimizer.lr", "-1"],
            "Expected valid arguments for `optimizer`, but got an error: Invalid learning rate",
        ),
        (
            ["--model.scheduler", "torch.optim.lr_scheduler.StepLR", "--model.scheduler.step_size", "a"],
            "step_size",
        ),
    ],
)
def test_an_error_of_a_library_is_reported_in_a_line(monkeypatch, capsys, tiny, tmp_path, option, message):
    code, said = ended(monkeypatch, capsys, "fit", *tiny, "--runs", tmp_path, *option)
    assert message in said
    assert code == 2 or len(said.splitlines()) == 1


def configured(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(["train", *map(str, words), "--print_config"])
    assert not end.value.code
    return yaml.safe_load(capsys.readouterr().out)["data"]


@pytest.mark.parametrize(
    ("experiment", "source"),
    [
        ("clips", "UserClips"),
        ("cnn_lstm", "UserClips"),
        ("stgcn", "UserJoints"),
        ("depth_cnn_lstm", "UserDepth"),
        ("rally_cnn_lstm", "UserRallies"),
    ],
)
def test_the_experiment_decides_what_reads_a_users_data(capsys, experiment, source):
    config = ["--config", Path(__file__).parents[1] / "experiments" / f"{experiment}.yaml"]
    data = configured(capsys, "--data", "mine", *config, "--data.batch_size", 2)
    assert data["source"] == {
        "class_path": f"tt_actions.sources.{source}",
        "init_args": data["source"]["init_args"] | {"path": "mine"},
    }
    assert data["batch_size"] == 2
    given = configured(capsys, *config, "--data=mine", "--data.source.path", "other")
    assert given["source"]["init_args"]["path"] == "other"


def test_the_layout_of_a_users_joints_is_an_option_of_its_own(capsys):
    config = Path(__file__).parents[1] / "experiments" / "stgcn.yaml"
    data = configured(capsys, "--config", config, "--data", "m.csv", "--layout", "kinect20")
    assert data["preprocessing"]["init_args"]["layout"] == "kinect20"


@pytest.mark.parametrize(("option", "value"), [("pose", "blazepose"), ("layout", "ntu25")])
@pytest.mark.parametrize("run", ["train", "test", "resumed"])
def test_options_of_joints_are_refused_by_an_experiment_of_frames(trained, run, option, value):
    if run == "resumed":
        words = ["train", "--resume", trained]
    else:
        words = [run, "--config", Path(__file__).parents[1] / "experiments" / "cnn_lstm.yaml"]
    reason = (
        rf"^Expected no `{option}`, because the model reads video frames, but got '{value}'\. Remove it\."
    )
    with pytest.raises(UserError, match=reason):
        main([*map(str, words), f"--{option}", value])


def test_a_resumed_run_keeps_its_source_with_other_data(capsys, trained, tmp_path):
    data = configured(capsys, "--resume", trained, "--data", tmp_path / "moved.csv")
    assert data["source"]["class_path"] == "tt_actions.sources.UserClips"
    assert data["source"]["init_args"]["path"] == str(tmp_path / "moved.csv")


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
        (["names", "--sports", "tenis"], 2, "`--sports` to be table_tennis or tennis, but got 'tenis'"),
        (
            ["synth"],
            2,
            "error: Expected `--out`, but got none. `tt-actions synth --help` explains the options.",
        ),
        (
            ["synth", "--out", "x", "--seed", "one"],
            2,
            "Expected `--seed` to be a whole number, but got 'one'.",
        ),
        (
            ["analyze", "v.mp4", "--checkpoint", "c", "--engine", "jax"],
            2,
            "to be torch or onnx, but got 'jax'.",
        ),
        (["check", "a", "b"], 2, "Expected only options, but got 'b'"),
        (["completion", "cmd"], 2, "Expected `shell` to be bash, zsh, fish or tcsh, but got 'cmd'."),
        (["validate", "--resume", "runs/x"], 1, "Expected `--resume` with train or fit"),
        (["synth", "--out", "x", "--size", "big"], 2, "WxH such as 320x240, but got 'big'"),
        (["synth", "--out", "x", "--players", "0"], 1, "`num_players` to be at least 2, but got 0"),
        (["synth", "--out", "x", "--clip", "4"], 2, "--clip"),
    ],
)
def test_every_command_ends_with_a_line_and_a_code(monkeypatch, capsys, args, code, message):
    assert ended(monkeypatch, capsys, *args)[0] == code
    said = ended(monkeypatch, capsys, *args)[1]
    assert message in said
    assert len(said.splitlines()) == 1 or args[0] in ("trian", "train")
    assert not Path("x").exists()


@pytest.mark.parametrize("command", ["validate", "test"])
def test_an_untrained_network_is_not_measured(monkeypatch, capsys, tiny, tmp_path, command):
    runs = tmp_path / "runs"
    code, said = ended(monkeypatch, capsys, command, *tiny, "--runs", runs)
    assert (code, said) == (
        1,
        f"error: Expected `--ckpt_path`, the checkpoint to {command}, but got none. "
        "Pass one such as runs/cnn_lstm/version_0/checkpoints/best.ckpt.",
    )
    missing = ended(monkeypatch, capsys, command, *tiny, "--runs", runs, "--ckpt_path", "no.ckpt")
    assert missing == (
        1,
        "error: Expected a checkpoint, but there is no file 'no.ckpt'. Check the path.",
    )


def test_a_checkpoint_of_other_classes_is_refused(monkeypatch, capsys, tiny, trained, strokes, tmp_path):
    renamed = strokes.with_name("renamed.csv")
    renamed.write_text(strokes.read_text().replace(",serve,", ",lob,"))
    checkpoint = ["--ckpt_path", trained / "checkpoints" / "best.ckpt", "--runs", tmp_path]
    code, said = ended(monkeypatch, capsys, "test", *tiny, *checkpoint, "--data.source.path", renamed)
    assert code == 1
    assert "Expected clips of serve, forehand, backhand, smash only, but got clips of lob." in said


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


PACKAGE = """
import os
from tt_actions.models import CNNLSTM

class Broken(CNNLSTM):
    "A network with a bug, once that is wanted."

    def forward(self, frames, lengths):
        for _ in zip([1], [] if os.environ.get("WITH_BUG") else [2], strict=True):
            pass
        return super().forward(frames, lengths)
"""


def test_a_bug_shows_its_traceback_and_where_to_report_it(
    start, monkeypatch, capsys, tiny, strokes, tmp_path
):
    (tmp_path / "broken_package.py").write_text(PACKAGE)
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    network = ["--model.network.class_path", "broken_package.Broken", "--trust", "broken_package"]
    words = ["fit", *tiny, *network, "--runs", str(tmp_path), "--trainer.max_epochs", "1"]
    output, _ = (process := start(*words, PYTHONPATH=paths, WITH_BUG="1")).communicate()
    assert process.returncode == 1
    assert "Traceback (most recent call last):" in output
    assert "broken_package.py" in output
    last = output.splitlines()[-1]
    assert last.startswith("error: This is a bug: ValueError: zip() argument 2 is shorter than argument 1.")
    assert last.endswith(ISSUES)

    monkeypatch.syspath_prepend(tmp_path)
    main(words)
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(next(strokes.parent.rglob("*.mp4")), videos / name)
    (videos / "c.mp4").write_bytes(b"no video")
    (checkpoint,) = (tmp_path / "tiny").glob("*/checkpoints/last.ckpt")
    batch = ["analyze", videos, "--checkpoint", checkpoint, "--out", tmp_path / "out", "--no-video"]
    batch += ["--trust", "broken_package", "--crop", "none"]
    capsys.readouterr()
    with monkeypatch.context() as buggy:
        buggy.setenv("WITH_BUG", "1")
        buggy.setattr(sys, "argv", ["tt-actions", *map(str, batch)])
        with pytest.raises(SystemExit, match=r"^error: This is a bug: ValueError: zip\(\)"):
            main()
    assert "failed:" not in "".join(capsys.readouterr())
    monkeypatch.setattr(sys, "argv", ["tt-actions", *map(str, batch)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    output = "".join(capsys.readouterr())
    assert "c.mp4 failed: Expected" in output
    assert "2 of 3 videos" in output


def completed(script, *words):
    """What bash offers for the last of some words."""
    line = f"source '{script}'; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; COMPREPLY=(); "
    line += f"_shtab_tt_actions tt-actions '{words[-1]}' '{words[-2]}'; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    end = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert not end.stderr
    return set(end.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_commands_and_options(capsys, tmp_path):
    main(["completion", "bash"])
    script = tmp_path / "tt-actions.bash"
    script.write_text(capsys.readouterr().out)
    subprocess.run(["bash", "-n", script], check=True)
    assert completed(script, "tt-actions", "co") == {"compare", "coach", "completion"}
    assert completed(script, "tt-actions", "explain", "--st") == {"--start-s"}
    assert completed(script, "tt-actions", "analyze", "--engine", "o") == {"onnx"}
    offered = completed(script, "tt-actions", "train", "--")
    assert offered >= {"--resume", "--data", "--layout", "--trust", "--config", "--trainer.max_epochs"}


@pytest.mark.parametrize("shell", ["zsh", "fish", "tcsh"])
def test_other_shells_have_a_script_too(capsys, shell):
    main(["completion", shell])
    said = capsys.readouterr().out
    assert "coach" in said
    assert "start-s" in said or shell == "tcsh"  # whose completion knows no options of commands
