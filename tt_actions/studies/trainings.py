"""Trainings in child processes, and the search for earlier runs that are finished or can be resumed."""

import contextlib
import ctypes
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from omegaconf import OmegaConf

from tt_actions.class_paths import with_current_paths
from tt_actions.clips.splits import read_splits, split_rows
from tt_actions.errors import UserError
from tt_actions.training.cli import ActionCLI
from tt_actions.training.parser import make_data

_PRCTL = getattr(ctypes.CDLL(None), "prctl", None) if sys.platform == "linux" else None
# PR_SET_PDEATHSIG: a process that is killed by SIGKILL can't stop its trainings itself
_END_WITH_PARENT = None if _PRCTL is None else partial(_PRCTL, 1, int(signal.SIGTERM))

FILES_OF_FINISHED_RUN = (
    "splits.csv",
    "checkpoints/best.ckpt",
    "report/metrics.json",
    "report/predictions.csv",
)
"""Files that a run must contain to count as finished."""


@dataclass(frozen=True)
class Training:
    """One training: its options and the folder of its runs.

    Args:
        name: Name of the experiment and of its subfolder of ``runs``.
        runs: Folder of all runs.
        options: Options on the command line, except for name and folder.
    """

    name: str
    runs: Path
    options: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Folder that contains its run directories."""
        return self.runs / self.name

    @property
    def log(self) -> Path:
        """File with the output of the training."""
        return self.runs / f"{self.name}.log"

    @property
    def words(self) -> list[str]:
        """The command line of a new run."""
        return ["train", *self.options, "--runs", str(self.runs), "--experiment", self.name]


class Earlier(NamedTuple):
    """Earlier runs of a training with the same settings and the same clips.

    Args:
        done: A finished run, or None.
        stopped: A run that can be resumed, or None.
    """

    done: Path | None
    stopped: Path | None


def find_earlier(training: Training) -> Earlier:
    """Find earlier runs of a training; runs with other settings or clips don't count.

    Args:
        training: The training.

    Raises:
        SubprocessError: If there are runs with the same settings, but their clips can no longer be read.
    """
    try:
        settings = read_settings(training.words)
    except UserError:  # the training reports it
        return Earlier(None, None)
    found = [path for path in sorted(training.folder.glob("version_*")) if _settings_of(path) == settings]
    if found:
        try:
            clips = read_clips(settings)
        except (UserError, OSError) as error:
            raise subprocess.SubprocessError(str(error)) from error
        found = [path for path in found if read_splits(path / "splits.csv") == clips]
    done = stopped = None
    for run_dir in found:
        if all((run_dir / file).is_file() for file in FILES_OF_FINISHED_RUN):
            done = run_dir
        elif (run_dir / "checkpoints" / "last.ckpt").is_file():
            stopped = run_dir
    return Earlier(done, stopped)


def read_settings(words: Sequence[str]) -> dict[str, Any]:
    """Return the whole configuration of a command line, as a run saves it, without running it.

    Args:
        words: The words of the command line.

    Raises:
        ValueError: If the command line is invalid.
    """
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            ActionCLI([*words, "--print_config"])
        except SystemExit as end:
            if end.code:
                message = stderr.getvalue().split("error: ", 1)[-1]  # without the hint at the help before it
                raise UserError(message.strip()) from None
    return _plain(OmegaConf.create(stdout.getvalue()))


def read_clips(settings: dict[str, Any]) -> list[list[str]]:
    """Return the clips of a configuration as the rows of a run's ``splits.csv``.

    Args:
        settings: The configuration, from :func:`read_settings`.

    Raises:
        OSError: If the clips do not exist.
        ValueError: If the clips can't be read or split.
    """
    data = make_data(settings)
    return split_rows(data.records, data.cache.digest)


def _settings_of(run_dir: Path) -> dict[str, Any] | None:
    """Return the configuration of a run, or None if it is missing or incomplete (killed run, full disk)."""
    try:
        return _plain(OmegaConf.load(run_dir / "config.yaml"))
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _plain(config: Any) -> dict[str, Any]:
    plain = with_current_paths(OmegaConf.to_container(config))
    assert isinstance(plain, dict)
    data = plain.get("data")
    if isinstance(data, dict) and data.get("train_share") == 1:  # runs before it was an option lack it
        plain["data"] = {
            key: value for key, value in data.items() if key not in ("train_share", "share_seed")
        }
    others = {"runs", "published", "figures"}  # the folder may be moved; what is shown changes no result
    if not plain.get("metrics"):
        others.add("metrics")  # as in runs before it was an option
    return {str(key): value for key, value in plain.items() if key not in others}


def train(training: Training, stopped: Path | None, on_line: Callable[[str], Any]) -> Path:
    """Train in a child process, which ends when this process ends.

    Args:
        training: The training.
        stopped: The run to resume, or None for a new one.
        on_line: Called twice per second with the last line of output; an exception from it stops the
            training.

    Returns:
        The run's directory.

    Raises:
        SubprocessError: If the training fails or leaves no complete run. The message contains the last line
            of output, or the signal that ended the process.
    """
    words = ["train", "--resume", str(stopped)] if stopped else training.words
    training.log.parent.mkdir(parents=True, exist_ok=True)
    others = set(training.folder.glob("version_*")) - {stopped}
    with training.log.open("a" if stopped else "w", encoding="utf-8") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            [sys.executable, "-u", "-m", "tt_actions.main", *words],
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_END_WITH_PARENT,  # noqa: PLW1509 - one call into libc
        )
    try:
        while process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.5)
            on_line(_last_line(training.log))
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        memory = ", which the system sends when memory runs out" * (name == "SIGKILL")
        raise subprocess.SubprocessError(f"The training was ended by {name}{memory}.")
    if process.returncode:
        last = _last_line(training.log).removeprefix("error: ")
        raise subprocess.SubprocessError(last or f"The training ended with exit code {process.returncode}.")
    own = list(set(training.folder.glob("version_*")) - others)
    if len(own) != 1:
        raise subprocess.SubprocessError(
            f"Expected one new run in '{training.folder}', but the training left {len(own)}."
        )
    for file in FILES_OF_FINISHED_RUN:
        if not (own[0] / file).is_file():
            raise subprocess.SubprocessError(
                f"Expected the training to write '{own[0] / file}', but it did not."
            )
    return own[0]


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
        lines = file.read().decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def format_duration(seconds: float) -> str:
    """Write a duration as short text.

    Args:
        seconds: The duration.

    >>> format_duration(59.6), format_duration(200)
    ('60 s', '3.3 min')
    """
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


@contextlib.contextmanager
def stopping_by_sigterm() -> Iterator[None]:
    """Handle SIGTERM like Ctrl-C, so that the running training is stopped too."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
