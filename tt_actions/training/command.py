"""The commands of an experiment: train, fit, validate, test and predict."""

import io
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path

from jsonargparse import ArgumentError
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.utilities.exceptions import SIGTERMException

from tt_actions.errors import UserError
from tt_actions.sources.user_source import data_words
from tt_actions.training.cli import ActionCLI
from tt_actions.training.parser import meant
from tt_actions.training.processes import leave_group
from tt_actions.training.run_directory import RUN_DIR_VARIABLE


def train(
    *words: str, resume: Path | None = None, data: Path | None = None, layout: str | None = None
) -> None:
    """Train a model, test its best checkpoint and write the report.

    Args:
        *words: All other options are those of the experiment: see below.
        resume: Directory of a stopped run to resume, by its own configuration and last checkpoint.
        data: Your own clips in place of those of the experiment: a folder, a manifest CSV or annotations.
        layout: Layout of the joints in your own clips, such as ntu25.
    """
    run("train", words, resume, data, layout)


def fit(*words: str, resume: Path | None = None, data: Path | None = None, layout: str | None = None) -> None:
    """Train and validate a model, without the test.

    Args:
        *words: All other options are those of the experiment: see below.
        resume: Directory of a stopped run to resume, by its own configuration and last checkpoint.
        data: Your own clips in place of those of the experiment: a folder, a manifest CSV or annotations.
        layout: Layout of the joints in your own clips, such as ntu25.
    """
    run("fit", words, resume, data, layout)


def validate(*words: str) -> None:
    """Measure a checkpoint on the validation clips.

    Args:
        *words: All other options are those of the experiment: see below.
    """
    run("validate", words)


def test(*words: str) -> None:
    """Measure a checkpoint on the test clips and write the report.

    Args:
        *words: All other options are those of the experiment: see below.
    """
    run("test", words)


def predict(*words: str) -> None:
    """Write a checkpoint's predictions on the test clips, or on all of a manifest without labels.

    Args:
        *words: All other options are those of the experiment: see below.
    """
    run("predict", words)


def explain_options(command: str) -> str:
    """Return the help of the options of an experiment.

    Args:
        command: The command that takes them.
    """
    shown = io.StringIO()
    with redirect_stdout(shown), suppress(SystemExit):
        ActionCLI([command, "--help"])
    return shown.getvalue().partition("\n\n")[2]  # after the usage, which lists them all


def run(
    command: str,
    words: Sequence[str],
    resume: Path | None = None,
    data: Path | None = None,
    layout: str | None = None,
) -> None:
    """Hand a command over to Lightning.

    Args:
        command: The command.
        words: The options of the experiment.
        resume: Directory of the run to resume.
        data: The user's own clips.
        layout: Layout of the joints in them.

    Raises:
        UserError: If an option or the data are not as expected.
    """
    if any(word.partition("=")[0] == "--resume" for word in words):
        raise UserError(
            f"Expected `--resume` with train or fit, but got it with {command}. Name a checkpoint: "
            f"`tt-actions {command} --config RUN/config.yaml --ckpt_path RUN/checkpoints/best.ckpt`."
        )
    try:
        ActionCLI([command, *_with_data(words, resume, data, layout)], resume=resume)
    except (MisconfigurationException, ArgumentError) as error:
        raise UserError(meant(str(error))) from error
    except SIGTERMException:
        sys.exit(143)  # what a shell gives a program that SIGTERM ended; Lightning's is 0
    except SystemExit as end:
        # what a shell gives a program that Ctrl-C ended; Lightning's is 1
        sys.exit(130 if isinstance(end.__context__, KeyboardInterrupt) else end.code)
    finally:
        os.environ.pop(RUN_DIR_VARIABLE, None)
    leave_group()  # not where one failed: the others may not answer any more


def _with_data(words: Sequence[str], resume: Path | None, data: Path | None, layout: str | None) -> list[str]:
    """Put the user's own clips after the experiment's YAML and before the options, which so overrule them."""
    last, configs = 0, []
    for place, word in enumerate(words):
        name, is_joined, path = word.partition("=")
        if name in ("--config", "-c") and (is_joined or place + 1 < len(words)):
            configs.append(Path(path if is_joined else words[place + 1]))
            last = place + (1 if is_joined else 2)
    own = data_words(configs, data, layout, is_resumed=resume is not None)
    return [*words[:last], *own, *words[last:]]
