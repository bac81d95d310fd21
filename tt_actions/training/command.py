"""The commands that run an experiment: train, fit, validate and test."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from itertools import pairwise
from pathlib import Path

from tt_actions.errors import UserError, describe_unknown, describe_unknown_of
from tt_actions.files import check_writable
from tt_actions.training.option_names import (
    OWN_CLASSES,
    PREPROCESSINGS,
    arguments_of,
    chosen_class,
    linked_to,
    names_of,
)

COMMON_OPTIONS = {
    "--config": "YAML file of the experiment, such as experiments/cnn_lstm.yaml",
    "--ckpt_path": "Checkpoint to evaluate, such as runs/cnn_lstm/version_0/checkpoints/best.ckpt",
    "--experiment": "Name of the folder of the runs (default: that of the YAML file)",
    "--runs": "Folder of all run directories (default: runs)",
    "--seed_everything": "Random seed (default: 0)",
    "--monitor": "Figure that selects the best checkpoint, such as val/accuracy (default: val/loss)",
    "--trainer.max_epochs": "Number of epochs",
    "--trainer.accelerator": "cpu, gpu or auto",
    "--trainer.devices": "Number of GPUs or processes",
    "--trainer.precision": "Precision of the arithmetic, such as 32-true or bf16-mixed",
    "--data.batch_size": "Number of clips in a step",
    "--data.preprocessing.num_frames": "Number of frames that are read from a clip",
    "--data.preprocessing.roi": "Region of the player in all clips, in pixels, such as [0,0,852,409]",
    "--data.cache_dir": "Folder that keeps decoded frames and joints (default: data/cache)",
    "--model.optimizer.init_args.lr": "Learning rate",
    "--wandb.mode": "online, offline or disabled (default: online if you are logged in to W&B)",
    "--print_config": "Print all settings and end",
    "--help-all": "List all options",
}
"""The options that most users need, with their explanations."""

ROOTS = frozenset(
    f"--{name}"
    for name in (
        *("ckpt_path", "compile", "config", "data", "experiment", "figures", "help", "metrics", "model"),
        *("monitor", "published", "print_config", "return_predictions", "runs", "seed_everything"),
        *("trainer", "verbose", "wandb"),
    )
)
"""What an option of an experiment begins with."""

EXAMPLES = {
    "train": "tt-actions train --config experiments/strokes.yaml --data my_clips --trainer.max_epochs 20",
    "fit": "tt-actions fit --config experiments/cnn_lstm.yaml --data my_clips",
    "validate": "tt-actions validate --config RUN/config.yaml --ckpt_path RUN/checkpoints/best.ckpt",
    "test": "tt-actions test --config RUN/config.yaml --ckpt_path RUN/checkpoints/best.ckpt --data clips",
}


def train(
    *words: str,
    resume: Path | None = None,
    data: Path | None = None,
    layout: str | None = None,
    pose: str | None = None,
) -> None:
    """Train a model, test its best checkpoint and write the report.

    Args:
        *words: All other options set values of the experiment, of which these are the usual ones.
        resume: Directory of a stopped run to resume, with its configuration and its last checkpoint.
        data: Your own clips instead of those of the experiment: a folder, a manifest CSV or annotations.
        layout: Layout of the joints in your own clips, such as ntu25.
        pose: Model that finds the joints in videos: blazepose, or onnx:PATH.
    """
    run("train", words, resume, data, layout, pose)


def fit(
    *words: str,
    resume: Path | None = None,
    data: Path | None = None,
    layout: str | None = None,
    pose: str | None = None,
) -> None:
    """Train and validate a model, without testing it.

    Args:
        *words: All other options set values of the experiment, of which these are the usual ones.
        resume: Directory of a stopped run to resume, with its configuration and its last checkpoint.
        data: Your own clips instead of those of the experiment: a folder, a manifest CSV or annotations.
        layout: Layout of the joints in your own clips, such as ntu25.
        pose: Model that finds the joints in videos: blazepose, or onnx:PATH.
    """
    run("fit", words, resume, data, layout, pose)


def validate(
    *words: str, data: Path | None = None, layout: str | None = None, pose: str | None = None
) -> None:
    """Evaluate a checkpoint on the validation clips.

    Args:
        *words: All other options set values of the experiment, of which these are the usual ones.
        data: Your own clips instead of those of the experiment: a folder, a manifest CSV or annotations.
        layout: Layout of the joints in your own clips, such as ntu25.
        pose: Model that finds the joints in videos: blazepose, or onnx:PATH.
    """
    run("validate", words, None, data, layout, pose)


def test(*words: str, data: Path | None = None, layout: str | None = None, pose: str | None = None) -> None:  # noqa: PT028 - no test
    """Evaluate a checkpoint on the test clips and write the report.

    Args:
        *words: All other options set values of the experiment, of which these are the usual ones.
        data: Your own clips instead of those of the experiment: a folder, a manifest CSV or annotations.
        layout: Layout of the joints in your own clips, such as ntu25.
        pose: Model that finds the joints in videos: blazepose, or onnx:PATH.
    """
    run("test", words, None, data, layout, pose)


def explain_options(command: str) -> str:
    """Return the help text of the options that most users need.

    Args:
        command: The command that accepts them.
    """
    parser = argparse.ArgumentParser(add_help=False, usage=argparse.SUPPRESS)
    options = parser.add_argument_group("options of the experiment")
    for flag, text in COMMON_OPTIONS.items():
        if flag != "--ckpt_path" or command in ("validate", "test"):
            options.add_argument(flag, action="store_true", help=text.replace("%", "%%"))
    return f"{parser.format_help()}\nexample:\n  {EXAMPLES[command]}\n"


def run(
    command: str,
    words: Sequence[str],
    resume: Path | None = None,
    data: Path | None = None,
    layout: str | None = None,
    pose: str | None = None,
) -> None:
    """Run a command through Lightning's command line.

    Args:
        command: The command.
        words: The options of the experiment.
        resume: Directory of the run to resume.
        data: The user's own clips.
        layout: Layout of the joints in these clips.
        pose: Model that finds the joints in these clips.

    Raises:
        UserError: If an option or the data are invalid.
    """
    if "--help-all" in words:
        _print_all_options(command)
        return
    if any(word.partition("=")[0] == "--resume" for word in words):
        raise UserError(
            f"Expected `--resume` with train or fit only, but got it with {command}. Pass a checkpoint: "
            f"`tt-actions {command} --config RUN/config.yaml --ckpt_path RUN/checkpoints/best.ckpt`."
        )
    _check_names(command, words)
    _check_exist(_configs(words)[0], resume, None if "--print_config" in words else data)
    _check_arguments(command, words, resume, has_own_clips=data is not None)
    for name, value in pairwise([*words, ""]):
        if name == "--runs" or name.startswith("--runs="):
            check_writable(Path(name.partition("=")[2] or value))
    _run([command, *_with_data(words, resume, data, layout, pose)], resume, pose)


def _print_all_options(command: str) -> None:
    """Print the help of the experiment's options, without the usage, which would list them all."""
    from tt_actions.training.cli import ActionCLI

    shown = io.StringIO()
    with redirect_stdout(shown), suppress(SystemExit):
        ActionCLI([command, "--help"])
    text = shown.getvalue().partition("\n\n")[2]
    sys.stdout.write(f"usage: tt-actions {command} [OPTIONS]\n\n{text}")


def _run(words: list[str], resume: Path | None, pose: str | None) -> None:
    """Run Lightning's command line, and say what its errors mean."""
    import torch
    from jsonargparse import ArgumentError
    from lightning_fabric.utilities.exceptions import MisconfigurationException
    from pytorch_lightning.utilities.exceptions import SIGTERMException

    from tt_actions.training.cli import ActionCLI
    from tt_actions.training.option_errors import relevant_error
    from tt_actions.training.processes import leave_group
    from tt_actions.training.run_directory import RUN_DIR_VARIABLE

    try:
        ActionCLI(words, resume, pose)
    except (MisconfigurationException, ArgumentError) as error:
        raise UserError(relevant_error(str(error))) from error
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"Expected enough memory on the GPU, but it is full: {str(error).partition('. ')[0]}. "
            "Use a smaller `--data.batch_size`, or `--trainer.precision bf16-mixed`."
        ) from error
    except SIGTERMException:
        sys.exit(143)  # the shell's exit code for SIGTERM; Lightning's is 0
    except SystemExit as end:
        # 130 is the shell's exit code for Ctrl-C; Lightning's is 1
        sys.exit(130 if isinstance(end.__context__, KeyboardInterrupt) else end.code)
    finally:
        os.environ.pop(RUN_DIR_VARIABLE, None)
    leave_group()  # not after a failure: the other processes may no longer answer


def _with_data(
    words: Sequence[str], resume: Path | None, data: Path | None, layout: str | None, pose: str | None
) -> list[str]:
    """Insert the user's own clips after the experiment's YAML and before the options, which override them."""
    from tt_actions.sources.user_source import data_words

    configs, last = _configs(words)
    configs = [*([] if resume is None else [resume / "config.yaml"]), *configs]
    own = data_words(configs, data, layout, pose, is_resumed=resume is not None)
    return [*words[:last], *own, *words[last:]]


def _configs(words: Sequence[str]) -> tuple[list[Path], int]:
    """Return the YAML files among the words, and the number of words up to the last of them."""
    last, configs = 0, []
    for place, word in enumerate(words):
        name, is_joined, path = word.partition("=")
        if name in ("--config", "-c") and (is_joined or place + 1 < len(words)):
            configs.append(Path(path if is_joined else words[place + 1]))
            last = place + (1 if is_joined else 2)
    return configs, last


def _check_names(command: str, words: Sequence[str]) -> None:
    """Raise an error for an option that no part of an experiment has before anything slow is imported."""
    for word in words:
        flag = word.partition("=")[0]
        root, *rest = flag.removeprefix("--").split(".")
        if not flag.startswith("--"):
            continue
        known: Sequence[str] = [*COMMON_OPTIONS, *ROOTS]
        if f"--{root}".rstrip("+") in ROOTS:
            names = names_of(root) if rest else set()
            if not names or rest[0].rstrip("+") in names:
                continue
            known = [f"--{root}.{name}" for name in names]
        text = describe_unknown(flag, known)
        ending = "" if text.endswith("?") else "."
        raise UserError(f"{text}{ending} `tt-actions {command} --help-all` lists all options.")


def _check_arguments(command: str, words: Sequence[str], resume: Path | None, has_own_clips: bool) -> None:
    """Raise an error for an argument that a class of ours does not have before anything slow is imported.

    What is not known without imports, such as a class of another package, is checked later.
    """
    parts = {part: _arguments_given(part, words) for part in OWN_CLASSES}
    if has_own_clips:
        del parts["data.source"]  # it depends on the files
    if not any(parts.values()):
        return
    contents = _contents([*([] if resume is None else [resume / "config.yaml"]), *_configs(words)[0]])
    for part, flags in parts.items():
        name = chosen_class(part, words, contents)
        names = PREPROCESSINGS if name is None and part == "data.preprocessing" else [name] if name else []
        known = list(dict.fromkeys(known for name in names for known in arguments_of(part, name)))
        for flag in flags:
            option = flag.removeprefix(f"--{part}.").removeprefix("init_args.").partition(".")[0].rstrip("+")
            if known and option not in (*known, "class_path", "init_args", "dict_kwargs", "help"):
                own = [name for name in known if name not in linked_to(part)]
                text = describe_unknown_of("` or `".join(names), part, option, own)
                ending = "" if text.endswith("?") else "."
                raise UserError(f"{text}{ending} `tt-actions {command} --help-all` lists all options.")


def _arguments_given(part: str, words: Sequence[str]) -> list[str]:
    """Return the flags of a class's arguments; the choice of another class drops those before it."""
    flags = [word.partition("=")[0] for word in words]
    choices = [index for index, flag in enumerate(flags) if flag in (f"--{part}", f"--{part}.class_path")]
    return [flag for flag in flags[max(choices, default=0) :] if flag.startswith(f"--{part}.")]


def _contents(configs: Sequence[Path]) -> list[dict[str, object]]:
    """Return the contents of YAML files; one that can't be read is refused later."""
    import yaml

    contents = []
    for config in configs:
        with suppress(OSError, UnicodeDecodeError, yaml.YAMLError):
            content = yaml.safe_load(config.read_text("utf-8"))
            if isinstance(content, dict):
                contents.append(content)
    return contents


def _check_exist(configs: Sequence[Path], resume: Path | None, data: Path | None) -> None:
    """Raise an error for a missing file before anything slow is imported."""
    wanted = [("the YAML file of an experiment", config) for config in configs]
    if resume is not None:
        wanted.append(("a run directory such as runs/cnn_lstm/version_0", resume / "config.yaml"))
    if data is not None:
        wanted.append(("a folder, a manifest or annotations of clips as `--data`", data))
    for what, path in wanted:
        if not path.exists():
            raise FileNotFoundError(f"Expected {what}, but there is no '{path}'. Check the path.")
