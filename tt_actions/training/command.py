"""The commands that run an experiment: train, fit, validate, test and predict."""

import io
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path

import torch
from jsonargparse import ArgumentError
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.utilities.exceptions import SIGTERMException

from tt_actions.errors import UserError
from tt_actions.sources.user_source import data_words
from tt_actions.training.cli import ActionCLI
from tt_actions.training.parser import relevant_error
from tt_actions.training.processes import leave_group
from tt_actions.training.run_directory import RUN_DIR_VARIABLE


def train(
    *words: str,
    resume: Path | None = None,
    data: Path | None = None,
    layout: str | None = None,
    pose: str | None = None,
) -> None:
    """Train a model, test its best checkpoint and write the report.

    Args:
        *words: All other options set values of the experiment, as listed below.
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
        *words: All other options set values of the experiment, as listed below.
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
        *words: All other options set values of the experiment, as listed below.
        data: Your own clips instead of those of the experiment: a folder, a manifest CSV or annotations.
        layout: Layout of the joints in your own clips, such as ntu25.
        pose: Model that finds the joints in videos: blazepose, or onnx:PATH.
    """
    run("validate", words, None, data, layout, pose)


def test(*words: str, data: Path | None = None, layout: str | None = None, pose: str | None = None) -> None:  # noqa: PT028 - no test
    """Evaluate a checkpoint on the test clips and write the report.

    Args:
        *words: All other options set values of the experiment, as listed below.
        data: Your own clips instead of those of the experiment: a folder, a manifest CSV or annotations.
        layout: Layout of the joints in your own clips, such as ntu25.
        pose: Model that finds the joints in videos: blazepose, or onnx:PATH.
    """
    run("test", words, None, data, layout, pose)


def predict(
    *words: str, data: Path | None = None, layout: str | None = None, pose: str | None = None
) -> None:
    """Write a checkpoint's predictions for the test clips, or for all clips of a manifest without labels.

    Args:
        *words: All other options set values of the experiment, as listed below.
        data: Your own clips instead of those of the experiment: a folder, a manifest CSV or annotations.
        layout: Layout of the joints in your own clips, such as ntu25.
        pose: Model that finds the joints in videos: blazepose, or onnx:PATH.
    """
    run("predict", words, None, data, layout, pose)


def explain_options(command: str) -> str:
    """Return the help text of the experiment's options.

    Args:
        command: The command that accepts them.
    """
    shown = io.StringIO()
    with redirect_stdout(shown), suppress(SystemExit):
        ActionCLI([command, "--help"])
    return shown.getvalue().partition("\n\n")[2]  # without the usage, which lists all options


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
    if any(word.partition("=")[0] == "--resume" for word in words):
        raise UserError(
            f"Expected `--resume` with train or fit only, but got it with {command}. Pass a checkpoint: "
            f"`tt-actions {command} --config RUN/config.yaml --ckpt_path RUN/checkpoints/best.ckpt`."
        )
    try:
        ActionCLI([command, *_with_data(words, resume, data, layout, pose)], resume, pose)
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
    last, configs = 0, [] if resume is None else [resume / "config.yaml"]
    for place, word in enumerate(words):
        name, is_joined, path = word.partition("=")
        if name in ("--config", "-c") and (is_joined or place + 1 < len(words)):
            configs.append(Path(path if is_joined else words[place + 1]))
            last = place + (1 if is_joined else 2)
    own = data_words(configs, data, layout, pose, is_resumed=resume is not None)
    return [*words[:last], *own, *words[last:]]
