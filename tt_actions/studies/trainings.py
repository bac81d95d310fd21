"""Trainings in processes of their own: new, gone on with, or done already."""

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
# PR_SET_PDEATHSIG: a process that SIGKILL ends can't end its trainings itself
_END_WITH_PARENT = None if _PRCTL is None else partial(_PRCTL, 1, int(signal.SIGTERM))

LEFT_BY_DONE = ("splits.csv", "checkpoints/best.ckpt", "report/metrics.json", "report/predictions.csv")
"""Files of a run without which it does not count as done."""


@dataclass(frozen=True)
class Training:
    """One training and its place.

    Args:
        name: Name of the experiment and of its folder in ``runs``.
        runs: Folder of all runs.
        options: Its words on the command line, but for its place.
    """

    name: str
    runs: Path
    options: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Folder of its run directories."""
        return self.runs / self.name

    @property
    def log(self) -> Path:
        """File of all that the training prints."""
        return self.runs / f"{self.name}.log"

    @property
    def words(self) -> list[str]:
        """The command line of a new run."""
        return ["train", *self.options, "--runs", str(self.runs), "--experiment", self.name]


class Earlier(NamedTuple):
    """What was left of a training.

    Args:
        done: The run of the same clips with the same settings that is over, or None.
        stopped: The run of the same clips with the same settings that can be gone on with, or None.
    """

    done: Path | None
    stopped: Path | None


def find_earlier(training: Training) -> Earlier:
    """Find the runs of a training that were left earlier, those of other settings or clips aside.

    Args:
        training: What is to be trained.

    Raises:
        SubprocessError: If there are runs of the same settings, and their clips can't be read any more.
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
        if all((run_dir / file).is_file() for file in LEFT_BY_DONE):
            done = run_dir
        elif (run_dir / "checkpoints" / "last.ckpt").is_file():
            stopped = run_dir
    return Earlier(done, stopped)


def read_settings(words: Sequence[str]) -> dict[str, Any]:
    """Return the whole configuration of a command line, as a run saves it, without running it.

    Args:
        words: The command line.

    Raises:
        ValueError: If it is refused.
    """
    printed, told = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(told):
        try:
            ActionCLI([*words, "--print_config"])
        except SystemExit as end:
            if end.code:
                said = told.getvalue().split("error: ", 1)[-1]  # a hint at the help stands before
                raise UserError(said.strip()) from None
    return _plain(OmegaConf.create(printed.getvalue()))


def read_clips(settings: dict[str, Any]) -> list[list[str]]:
    """Return the clips that a configuration trains and tests on, as the rows of a run's ``splits.csv``.

    Args:
        settings: What :func:`read_settings` returned.

    Raises:
        OSError: If they are not there.
        ValueError: If they can't be read or split.
    """
    data = make_data(settings)
    return split_rows(data.records, data.cache.digest)


def _settings_of(run_dir: Path) -> dict[str, Any] | None:
    """The configuration of a run; None where there is none, or a kill or a full disk has cut it."""
    try:
        return _plain(OmegaConf.load(run_dir / "config.yaml"))
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _plain(config: Any) -> dict[str, Any]:
    plain = with_current_paths(OmegaConf.to_container(config))
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items() if key != "runs"}  # the folder may be moved


def train(training: Training, stopped: Path | None, tell: Callable[[str], Any]) -> Path:
    """Train in a process of its own, which ends with this one.

    Args:
        training: What to train.
        stopped: The run to go on with, or None for a new one.
        tell: Called twice a second with the last line that was printed; what it raises ends the training.

    Returns:
        The run's directory.

    Raises:
        SubprocessError: If the training fails, with the last line that it printed, or the
            signal that ended it, or leaves no whole run.
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
            tell(_last_line(training.log))
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        memory = ", as the system does where memory runs out" * (name == "SIGKILL")
        raise subprocess.SubprocessError(f"It was ended by {name}{memory}.")
    if process.returncode:
        last = _last_line(training.log).removeprefix("error: ")
        said = last or f"It ended with exit code {process.returncode}."
        raise subprocess.SubprocessError(said)
    own = list(set(training.folder.glob("version_*")) - others)
    if len(own) != 1:
        raise subprocess.SubprocessError(
            f"It left {len(own)} new runs in '{training.folder}' in place of one."
        )
    for file in LEFT_BY_DONE:
        if not (own[0] / file).is_file():
            raise subprocess.SubprocessError(f"It left no '{own[0] / file}'.")
    return own[0]


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
        lines = file.read().decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def format_duration(seconds: float) -> str:
    """Write a duration for a reader.

    Args:
        seconds: The duration.

    >>> format_duration(59.6), format_duration(200)
    ('60 s', '3.3 min')
    """
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


@contextlib.contextmanager
def stopping_by_sigterm() -> Iterator[None]:
    """End by SIGTERM as by Ctrl-C, with the training that runs, and not by leaving it behind."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
