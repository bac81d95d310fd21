"""Several experiments with several seeds on one split: what is trained, gone on with, or done already."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf
from rich.console import Console

from tt_actions.cli import ActionCLI
from tt_actions.comparison import FinishedRun, check_same_clips, compare_runs, read_finished_run
from tt_actions.comparison_report import QUICK_NOTE, write_comparison
from tt_actions.runs import lock_folder

EXPERIMENTS = Path("experiments")
QUICK_CLIPS = {"out": "data/quick", "clips": 60, "players": 15, "seed": 0, "size": "[160,120]"}
QUICK_TRAINER = {"max_epochs": 3, "limit_train_batches": 10}


@dataclass(frozen=True)
class Training:
    """One experiment with one seed.

    Args:
        model: Name of the experiment.
        seed: Its random seed.
        config: Its YAML.
        runs: Folder of all runs.
        options: Words that follow on the command line.
    """

    model: str
    seed: int
    config: Path
    runs: Path
    options: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the experiment and of its folder in ``runs``."""
        return f"{self.model}/seed_{self.seed}"

    @property
    def log(self) -> Path:
        """File of all that the training prints."""
        return self.runs / f"{self.name}.log"

    @property
    def words(self) -> list[str]:
        """The command line of a new run."""
        place = ["--runs", str(self.runs), "--experiment", self.name, "--wandb.group", self.model]
        seed = ["--seed_everything", str(self.seed)]
        return ["train", "--config", str(self.config), *self.options, *seed, *place]


class Earlier(NamedTuple):
    """What an earlier comparison left of a training.

    Args:
        done: The run with the same settings that is over, or None.
        stopped: The run with the same settings that can be gone on with, or None.
    """

    done: Path | None
    stopped: Path | None


def compare(
    models: Sequence[str],
    num_seeds: int,
    out: Path,
    data: Path | None = None,
    quick: bool = False,
    options: Sequence[str] = (),
    console: Console | None = None,
) -> int:
    """Train what is not done yet, one process after the other, and write the comparison.

    A training is done when a run of the very same settings has its report; one that was stopped goes on; one
    that fails is told and left out.

    Args:
        models: Names of experiments in the folder ``experiments``, or YAML files.
        num_seeds: Number of seeds, which begin at 0.
        out: Where to write; runs are kept in its folder ``runs``.
        data: A folder or a manifest of clips instead of the experiments' own.
        quick: Whether to train on a few clips for a few epochs, only to see that all works.
        options: Options of every training.
        console: Where to print; standard output if None.

    Returns:
        The exit code: 1 if a training failed.

    Raises:
        FileNotFoundError: If an experiment is not there.
        ValueError: If nothing is to be compared, another process compares in ``out``, or the runs were not
            tested on the same clips.
    """
    console = console or Console(highlight=False, emoji=False)
    trainings = _trainings(models, num_seeds, out, data, quick, options)
    out.mkdir(parents=True, exist_ok=True)
    lock = lock_folder(out, f"a folder in which nothing is compared, but another process does so in '{out}'")
    try:
        with _stopping_by_sigterm():
            return _compare(trainings, out, quick, console)
    except KeyboardInterrupt:
        console.print("Stopped. The same command goes on from here.")
        raise
    finally:
        lock.release()


def _trainings(
    models: Sequence[str],
    num_seeds: int,
    out: Path,
    data: Path | None,
    quick: bool,
    options: Sequence[str],
) -> list[Training]:
    configs = {Path(model).stem: _config(model) for model in models}
    if num_seeds < 1 or not configs or len(configs) < len(models):
        raise ValueError(
            "Expected at least one seed and models of different names, but got "
            f"{num_seeds} and: {' '.join(models) or 'none'}. Name each experiment once."
        )
    # seeds in the outer loop: a third of the time gives a whole comparison with one seed
    words = (*_data_options(data, quick), *options)
    return [
        Training(model, seed, config, out / "runs", words)
        for seed in range(num_seeds)
        for model, config in configs.items()
    ]


def _config(model: str) -> Path:
    path = Path(model) if model.endswith(".yaml") else EXPERIMENTS / f"{model}.yaml"
    if not path.is_file():
        there = ", ".join(sorted(file.stem for file in EXPERIMENTS.glob("*.yaml"))) or "none"
        raise FileNotFoundError(
            f"Expected an experiment, but there is no '{path}'. In '{EXPERIMENTS}' there are: {there}."
        )
    return path


def _data_options(data: Path | None, quick: bool) -> list[str]:
    words = []
    if data is not None:
        words = ["--data.source", "UserClips", "--data.source.path", str(data)]
    elif quick:
        words = ["--data.source", "SyntheticStrokes"]
        words += [f"--data.source.{key}={value}" for key, value in QUICK_CLIPS.items()]
    return words + [f"--trainer.{key}={value}" for key, value in QUICK_TRAINER.items()] * quick


def _compare(trainings: Sequence[Training], out: Path, quick: bool, console: Console) -> int:
    if quick:
        console.print(QUICK_NOTE, style="bold red")
    runs: dict[str, dict[int, FinishedRun]] = {training.model: {} for training in trainings}
    failed = []
    for number, training in enumerate(trainings, 1):
        label = f"{number}/{len(trainings)}  {training.model}, seed {training.seed}:"
        try:
            run_dir = _done_run(training, label, console)
        except subprocess.SubprocessError as error:
            failed.append({"model": training.model, "seed": training.seed, "error": str(error)})
            _say(console, f"{label} failed: {error}  (all it says: {training.log})")
            continue
        runs[training.model][training.seed] = read_finished_run(run_dir)
        check_same_clips([run for by_seed in runs.values() for run in by_seed.values()])
    tested = {model: by_seed for model, by_seed in runs.items() if by_seed}
    if tested:
        write_comparison(out, {**compare_runs(tested), "quick": quick, "failed": failed}, console)
        _say(console, f"comparison: {out}")
    if failed:
        console.print(
            f"{len(failed)} of {len(trainings)} trainings failed; the same command tries them again.",
            style="red",
        )
    return 1 if failed else 0


def _done_run(training: Training, label: str, console: Console) -> Path:
    """Return the training's run, trained now unless it was before, and say so in a line."""
    earlier = find_earlier(training)
    started_s = time.perf_counter()
    run_dir = earlier.done
    if run_dir is None:
        doing = "going on" if earlier.stopped else "training"
        if not console.is_terminal:
            _say(console, f"{label} {doing}")
        with console.status(f"{label} {doing}") as status:
            _train(training, earlier.stopped, lambda line: status.update(f"{label} {doing}  {line}"))
        run_dir = find_earlier(training).done
        assert run_dir is not None, "a training that ends well leaves its report"
    metrics = json.loads((run_dir / "report" / "metrics.json").read_text("utf-8"))
    took = "done before" if earlier.done else f"done in {_duration(time.perf_counter() - started_s)}"
    _say(console, f"{label} {took}, accuracy {metrics['accuracy']:.3f}")
    return run_dir


def find_earlier(training: Training) -> Earlier:
    """Find the runs of a training that an earlier comparison left, those of other settings aside.

    Args:
        training: What is to be trained.
    """
    config = _settings(training)
    done = stopped = None
    for run_dir in sorted((training.runs / training.name).glob("version_*")):
        saved = run_dir / "config.yaml"
        if config is None or not saved.is_file() or _plain(OmegaConf.load(saved)) != config:
            continue
        if (run_dir / "report" / "metrics.json").is_file():
            done = run_dir
        elif (run_dir / "checkpoints" / "last.ckpt").is_file():
            stopped = run_dir
    return Earlier(done, stopped)


def _settings(training: Training) -> dict[str, Any] | None:
    """The whole configuration as a run saves it; None where options are refused: the training tells."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        try:
            ActionCLI([*training.words, "--print_config"])
        except SystemExit as end:
            if end.code:
                return None
    return _plain(OmegaConf.create(printed.getvalue()))


def _plain(config: Any) -> dict[str, Any]:
    plain = OmegaConf.to_container(config)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items() if key != "runs"}  # the folder may be moved


def _train(training: Training, stopped: Path | None, tell: Any) -> None:
    """Train in a process of its own, which ends with this one."""
    words = ["train", "--resume", str(stopped)] if stopped else training.words
    training.log.parent.mkdir(parents=True, exist_ok=True)
    with training.log.open("a" if stopped else "w", encoding="utf-8") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            [sys.executable, "-u", "-m", "tt_actions.main", *words], stdout=log, stderr=subprocess.STDOUT
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
    if process.returncode:
        said = _last_line(training.log) or f"it ended with exit code {process.returncode}."
        raise subprocess.SubprocessError(said)


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
        lines = file.read().decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, soft_wrap=True)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


@contextlib.contextmanager
def _stopping_by_sigterm() -> Iterator[None]:
    """End by SIGTERM as by Ctrl-C, with the training that runs, and not by leaving it behind."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
