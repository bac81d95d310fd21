import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import tt_actions
from tt_actions.main import main

VICTIM = "ran"
"""The file that code of a payload would leave in the current folder."""

PAYLOADS = {
    "os.system": {"scheduler": {"class_path": "os.system", "init_args": {"command": f"touch {VICTIM}"}}},
    "posix.system": {"scheduler": "posix.system"},
    "subprocess.check_output": {
        "optimizer": {"class_path": "subprocess.check_output", "init_args": {"args": ["touch", VICTIM]}}
    },
    "evil.Network": {"network": {"class_path": "evil.Network", "init_args": {}}},
    "evil.Changes": {"augmentation": {"class_path": "evil.Changes", "init_args": {}}},
    "tt_actions.files.write_json": {
        "network": {
            "class_path": "tt_actions.models.CRF",
            "init_args": {
                "num_classes": 4,
                "network": {"class_path": "tt_actions.files.write_json", "init_args": {"path": VICTIM}},
            },
        }
    },
    "torch.optim.swa_utils.update_bn": {
        "scheduler": {"class_path": "torch.optim.swa_utils.update_bn", "init_args": {}}
    },
    "nt.system": {"optimizer": [{"class_path": "nt.system"}]},
    "os.popen": {
        "scheduler": {
            "class_path": "torch.optim.lr_scheduler.LambdaLR",
            "init_args": {"lr_lambda": "os.popen"},
        }
    },
    "evil.instantiate": {"_instantiator": "evil.instantiate"},
    "evil.Task": {"_class_path": "evil.Task"},
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a module in it that leaves a file when it is imported."""
    (tmp_path / "evil.py").write_text(f"open({VICTIM!r}, 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.fixture
def evil(request, trained, folder):
    """The name that a checkpoint holds beside good weights, and the checkpoint, in a run directory."""
    path = folder / "run" / "checkpoints" / "best.ckpt"
    path.parent.mkdir(parents=True)
    content = torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)
    torch.save(content | {"hyper_parameters": content["hyper_parameters"] | PAYLOADS[request.param]}, path)
    (path.parent / "last.ckpt").write_bytes(path.read_bytes())
    (folder / "run" / "config.yaml").write_bytes((trained / "config.yaml").read_bytes())
    return request.param, path


@pytest.mark.parametrize("evil", PAYLOADS, indirect=True)
def test_a_checkpoint_that_names_other_classes_is_refused(evil, tiny, folder):
    name, path = evil
    with pytest.raises(ValueError, match=f"best.ckpt' to name .* but got `{name}`"):
        tt_actions.load(path)
    for command in (["train", "--resume", str(path.parent.parent)], ["fit", *tiny, "--ckpt_path", str(path)]):
        with pytest.raises(ValueError, match=f"(best|last).ckpt' to name .* but got `{name}`"):
            main(command)
    assert not (folder / VICTIM).exists()


@pytest.mark.parametrize("evil", ["evil.Network"], indirect=True)
def test_every_command_refuses_a_checkpoint_that_names_other_classes(evil, tiny, folder, strokes):
    name, path = evil
    video = str(next(strokes.parent.rglob("*.mp4")))
    out = ["--out", str(folder / "out")]
    commands = [
        ["train", "--resume", str(path.parent.parent)],
        ["train", *tiny, "--model.init_from", str(path)],
        ["fit", *tiny, "--ckpt_path", str(path)],
        ["validate", *tiny, "--ckpt_path", str(path)],
        ["test", *tiny, "--ckpt_path", str(path)],
        ["predict", video, "--checkpoint", str(path)],
        ["explain", "--checkpoint", str(path), "--clip", video, *out],
        ["analyze", video, "--checkpoint", str(path), *out],
        ["live", "--checkpoint", str(path), "--source", video, *out],
        ["coach", video, "--checkpoint", str(path), *out],
        ["export", "--checkpoint", str(path), *out],
    ]
    for command in commands:
        with pytest.raises(ValueError, match=f"best.ckpt' to name .* but got `{name}`|last.ckpt.*`{name}`"):
            main(command)
    assert not (folder / VICTIM).exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--model.scheduler", "os.system"],
        ["--model.optimizer={class_path: subprocess.check_output, init_args: {args: [touch, ran]}}"],
        ["--model.network", "evil.Network"],
        ["--model.augmentation", "evil.Changes"],
        ["--data.source", "evil.Source"],
        ["--data.source", "tt_actions.sources.synthetic.generate.synthesize"],
        ["--trainer.callbacks+=evil.Callback"],
        ["--trainer.logger", "evil.Logger"],
    ],
)
def test_options_and_yaml_that_name_other_classes_are_refused(tiny, folder, options, capsys):
    with pytest.raises(SystemExit):
        main(["fit", *tiny, *options])
    assert "Expected a class that tt_actions knows, but got `" in capsys.readouterr().err
    assert not (folder / VICTIM).exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--model.scheduler={class_path: pytorch_lightning.loggers.WandbLogger.download_artifact}"],
        ["--model.scheduler", "torch.optim.lr_scheduler.StepLR.get_lr"],
        ["--trainer.callbacks+=pytorch_lightning.callbacks.model_summary.summarize"],
    ],
)
def test_a_function_is_no_class(tiny, folder, options, capsys):
    with pytest.raises((SystemExit, ValueError)) as refused:
        main(["fit", *tiny, *options, "--runs", str(folder / "runs")])
    assert options[-1].split(".")[-1].rstrip("}") in f"{refused.value}{capsys.readouterr().err}"
    assert not (folder / "runs").exists()


def test_a_config_beside_a_checkpoint_runs_nothing(trained, folder):
    path = folder / "run" / "checkpoints" / "best.ckpt"
    path.parent.mkdir(parents=True)
    path.write_bytes((trained / "checkpoints" / "best.ckpt").read_bytes())
    config = (trained / "config.yaml").read_text()
    changed = config.replace("tt_actions.sources.UserClips", "evil.Source")
    assert changed != config
    (folder / "run" / "config.yaml").write_text(changed)
    with pytest.raises(SystemExit):
        main(["fit", "--config", str(folder / "run" / "config.yaml")])
    with pytest.raises(ValueError, match=r"evil\.Source|config\.yaml"):
        main(["export", "--checkpoint", str(path), "--int8", "--out", str(folder / "out")])
    assert not (folder / VICTIM).exists()


PACKAGE = """
from tt_actions.models import CNNLSTM

class Own(CNNLSTM):
    "An engineer's network."
"""


@pytest.fixture
def package(tmp_path):
    """A folder with a package of one network."""
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").write_text(PACKAGE)
    return tmp_path


def run(folder, *args):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    command = [sys.executable, *map(str, args)]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


LOAD = """
import sys
import tt_actions
from tt_actions.main import main

print(type(tt_actions.load(sys.argv[1], sys.argv[2].split()).network).__name__)
main(sys.argv[3:])
"""
"""Load a checkpoint and trust some packages, and run a command after that."""


def test_a_package_of_ones_own_is_trusted_by_name(package, tiny, strokes, monkeypatch, capsys):
    own = ["--model.network.class_path", "my_package.Own", "--runs", str(package / "runs")]
    options = [*tiny, *own, "--trainer.max_epochs", "1"]
    trained = run(package, "-m", "tt_actions.main", "train", *options, "--trust", "my_package")
    assert trained.returncode == 0, trained.stderr
    best = package / "runs" / "tiny" / "version_0" / "checkpoints" / "best.ckpt"
    video = next(strokes.parent.rglob("*.mp4"))
    explain = ["explain", "--checkpoint", str(best), "--clip", str(video), "--out", str(package / "out")]
    explain += ["--roi", "0,0,60,80"]

    monkeypatch.syspath_prepend(package)  # it is there, and is not trusted yet in this process
    with pytest.raises(SystemExit):
        main(["fit", *options])
    assert "`my_package.Own`, which was not imported" in capsys.readouterr().err
    for refused in (lambda: tt_actions.load(best), lambda: main(explain)):
        with pytest.raises(ValueError, match=r"`my_package\.Own`, which was not imported"):
            refused()

    trusted = run(package, "-c", LOAD, best, "my_package", *explain)
    assert (trusted.returncode, trusted.stdout.splitlines()[0]) == (0, "Own"), trusted.stderr

    installed = package / "my_package-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[tt_actions]\nnetworks = my_package\n")
    trusted = run(package, "-c", LOAD, best, "", *explain)
    assert (trusted.returncode, trusted.stdout.splitlines()[0]) == (0, "Own"), trusted.stderr


@pytest.mark.parametrize("name", ["not a name", "jsonargparse", "a-b"])
def test_what_is_no_package_is_not_trusted(name):
    with pytest.raises(ValueError, match="Expected `--trust` to be the import name of a package"):
        main(["check", str(Path(__file__).parent), "--trust", name])


@pytest.mark.parametrize(
    "options",
    [
        ["--model.augmentation", "tt_actions.transforms.Augmentation"],
        ["--model.augmentation={class_path: 'tt_actions.transforms.Augmentation'}"],
        ["--model={augmentation: tt_actions.transforms.Augmentation}"],
        ["--config", "old.yaml"],
    ],
)
def test_old_class_paths_are_accepted_however_they_are_written(tiny, folder, options, capsys):
    old = 'model: {augmentation: {"class_path": "tt_actions.transforms.Augmentation"}}'
    (folder / "old.yaml").write_text(old)
    with pytest.raises(SystemExit) as end:
        main(["fit", *tiny, *options, "--print_config"])
    shown = capsys.readouterr().out
    assert not end.value.code
    assert "class_path: tt_actions.training.augmentation.Augmentation" in shown
