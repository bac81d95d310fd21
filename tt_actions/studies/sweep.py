"""Search over an experiment's options with W&B, or with Optuna if you are not logged in to W&B."""

import csv
import os
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from omegaconf import OmegaConf
from rich.console import Console

from tt_actions.clips.splits import read_split_clips
from tt_actions.errors import UserError
from tt_actions.evaluation.clip_scores import ENDS
from tt_actions.evaluation.history import read_history
from tt_actions.sources.user_source import data_words
from tt_actions.studies.finished_run import read_finished_run
from tt_actions.studies.sweep_file import ARGS, SweepFile, check_options, find_sweep, read_sweep
from tt_actions.studies.sweep_report import MEASURED, factor_name, write_sweep
from tt_actions.studies.trainings import (
    Training,
    find_earlier,
    format_duration,
    read_clips,
    stopping_by_sigterm,
    train,
)
from tt_actions.training.console import say
from tt_actions.training.wandb_logger import WandbOptions

if TYPE_CHECKING:
    import optuna

    from tt_actions.studies.optuna_study import SweepStudy


def sweep(
    name: str,
    out: Path,
    data: Path | None = None,
    storage: str | None = None,
    options: Sequence[str] = (),
    console: Console | None = None,
    grace_s: int | None = None,
    layout: str | None = None,
) -> int:
    """Run a sweep, join a running one as another worker, or resume a stopped one.

    Args:
        name: Name of a sweep in ``experiments/sweeps``, or the path of a YAML file.
        out: Folder of all sweeps; this sweep uses a subfolder with the name of its file.
        data: A folder or a manifest of clips instead of those of the experiment.
        storage: Optuna URL of the database that the workers share (default: an SQLite file in ``out``).
        options: Options of every training.
        console: Console to print to (default: standard output).
        grace_s: Seconds without a sign of life after which a worker counts as dead (default: one minute).
        layout: Layout of the joints in ``data`` (default: that of the experiment).

    Returns:
        The exit code: 1 if a trial failed.

    Raises:
        FileNotFoundError: If the sweep does not exist.
        OSError: If the clips do not exist.
        ValueError: If the file, a parameter, an option or the clips are invalid, or Optuna is needed but not
            installed.
    """
    console = console or Console(highlight=False, emoji=False)
    file = read_sweep(find_sweep(name))
    config = Path(file.words[file.words.index("--config") + 1])
    options = [*data_words([config], data, layout), *options]
    settings = check_options(file, options)
    folder = out / file.name
    tracking = WandbOptions(**settings["wandb"])
    if tracking.resolved_mode() == "online":
        return _sweep_online(file, folder, options, tracking, console)
    try:
        from tt_actions.studies.optuna_study import GRACE_S, SweepStudy
    except ModuleNotFoundError as error:
        raise UserError(
            f"Expected Optuna, which runs sweeps without W&B, but {error.name} is not installed. "
            "Install it: pip install 'tt-actions[sweep]', or log in to W&B: wandb login."
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    study = SweepStudy(
        file=file,
        options=options,
        url=storage or f"sqlite:///{out / file.name}.db",
        settings=settings,
        clips=lambda: read_clips(settings),
        folder=folder,
        grace_s=grace_s or GRACE_S,
    )
    return _sweep_offline(study, folder, options, console)


def _sweep_online(
    file: SweepFile, folder: Path, options: Sequence[str], tracking: WandbOptions, console: Console
) -> int:
    """Create the sweep on W&B and run its trials until it is finished."""
    import wandb

    sweep_id = wandb.sweep(
        wandb_definition(file, folder, options), entity=tracking.entity, project=tracking.project
    )
    entity = tracking.entity or wandb.Api().default_entity
    command = f"wandb agent {entity}/{tracking.project}/{sweep_id}"
    say(f"To run trials on other machines with tt_actions installed: {command}", console)
    scripts = str(Path(sys.executable).parent)  # the folder of the tt-actions command that the agent runs
    os.environ["PATH"] = os.pathsep.join([scripts, os.environ.get("PATH", "")])
    wandb.agent(sweep_id, entity=entity, project=tracking.project)
    say(f"runs: {folder / 'runs'}; W&B shows the ranking and the effects.", console)
    return 0


def wandb_definition(file: SweepFile, folder: Path, options: Sequence[str]) -> dict[str, Any]:
    """Return the sweep's definition for W&B: the file, with the options and the run folder in its command.

    Args:
        file: The sweep.
        folder: Its folder.
        options: Options of every training.
    """
    place = ["--runs", str(folder / "runs"), "--experiment", "trial", "--wandb.group", file.name]
    command = [str(word) for word in file.raw["command"][:-1]]
    return {"name": file.name, **file.raw, "command": [*command, *options, *place, ARGS]}


def _sweep_offline(study: "SweepStudy", folder: Path, options: Sequence[str], console: Console) -> int:
    worker = Worker(study, folder, tuple(options), console)
    before = [trial for trial in study.trials if trial.state.is_finished()]
    say(f"{study.file.name}: {study.num_trials} trials, {len(before)} already done.", console)
    try:
        with stopping_by_sigterm():
            study.work(worker.run, lambda: say("Waiting for the trials of other workers.", console))
    except KeyboardInterrupt:
        console.print("Stopped. Run the same command again to resume.")
        raise
    finally:
        write_sweep(folder, study.file, study.trials, options, console)
    failed = [trial for trial in study.trials if "error" in trial.user_attrs]
    if failed:
        console.print(f"{len(failed)} of {study.num_trials} trials failed: see the table.", style="red")
    say(f"sweep: {folder}", console)
    return 1 if failed else 0


class Epochs(NamedTuple):
    """Validation metrics of a training so far.

    Args:
        by_epoch: Values of the sweep's metric by epoch.
        at_best: Metrics of the epoch with the best checkpoint.
    """

    by_epoch: dict[int, float]
    at_best: dict[str, float]


class Worker:
    """Runs the trials of a sweep one after the other.

    Args:
        study: The trials.
        folder: The sweep's folder.
        options: Options of every trial.
        console: Console to print to.
    """

    def __init__(self, study: "SweepStudy", folder: Path, options: tuple[str, ...], console: Console) -> None:
        self.study, self.folder, self.options, self.console = study, folder, options, console

    def run(self, trial: "optuna.Trial") -> float:
        """Train or resume a trial and return the metric at the epoch of its best checkpoint.

        Args:
            trial: The trial of the Optuna study.

        Raises:
            TrialFailedError: If the training fails.
            TrialPruned: If the trial is stopped early.
        """
        from tt_actions.studies.optuna_study import TrialFailedError

        file, slot = self.study.file, trial.user_attrs["slot"]
        point = {parameter.name: parameter.suggest(trial) for parameter in file.parameters}
        training = Training(
            name=f"trial_{slot:03}",
            runs=self.folder / "runs",
            options=(*file.trial_words(point, self.options), "--wandb.group", file.name),
        )
        shown = ", ".join(
            f"{factor_name(p, file)} {point[p.name]}" for p in file.parameters if not p.is_fixed
        )
        label = f"{slot + 1}/{self.study.num_trials}  {shown}:"
        started_s = time.perf_counter()
        try:
            run_dir = self._trained(training, trial, label)
            epochs = read_epochs(run_dir, file.metric)
            value = epochs.at_best[file.metric]
        except (subprocess.SubprocessError, KeyError) as error:
            has_message = isinstance(error, subprocess.SubprocessError)
            message = str(error) if has_message else f"no value of {file.metric}"
            trial.set_user_attr("error", message)
            say(f"{label} failed: {message}  (its log: {training.log})", self.console)
            raise TrialFailedError(message) from error
        tested = read_finished_run(run_dir).metrics
        num_val = sum(record.split == "val" for record in read_split_clips(run_dir / "splits.csv"))
        figures = epochs.at_best | {f"test/{key}": tested.get(key) for key in (*MEASURED, *ENDS)}
        trial.set_user_attr("figures", figures)
        trial.set_user_attr("num_clips", {"val": num_val, "test": tested["num_clips"]})
        trial.set_user_attr("run", str(run_dir))
        source = str(OmegaConf.load(run_dir / "config.yaml").data.source.class_path).rpartition(".")[2]
        trial.set_user_attr("made_by", {"source": source, "commit": tested["provenance"]["commit"]})
        duration = format_duration(time.perf_counter() - started_s)
        say(f"{label} {file.metric} {value:.3f} on {num_val} clips, done in {duration}", self.console)
        return value

    def _trained(self, training: Training, trial: "optuna.Trial", label: str) -> Path:
        from optuna import TrialPruned

        earlier = find_earlier(training)
        if earlier.done:
            return earlier.done
        activity = "resuming" if earlier.stopped else "training"
        if not self.console.is_terminal:
            say(f"{label} {activity}", self.console)
        reported: set[int] = set()
        others = set(training.folder.glob("version_*")) - {earlier.stopped}  # runs with other settings
        with self.console.status(f"{label} {activity}") as status:

            def on_line(line: str) -> None:
                status.update(f"{label} {activity}  {line}")
                if self.study.file.early_terminate is None:
                    return
                for epoch, value in sorted(_values_so_far(training, others, self.study.file.metric).items()):
                    if epoch not in reported:
                        reported.add(epoch)
                        trial.report(value, epoch)
                        if trial.should_prune():
                            say(f"{label} stopped early after epoch {epoch}, {value:.3f}", self.console)
                            raise TrialPruned

            return train(training, earlier.stopped, on_line)


def _values_so_far(training: Training, others: Collection[Path], metric: str) -> dict[int, float]:
    """Return the metric by epoch of the run that is training; empty before it has written any."""
    found = training.folder.glob("version_*/metrics.csv")
    runs = [path for path in found if path.parent not in others and path.stat().st_size]
    if not runs:
        return {}
    try:
        return read_history(max(runs, key=lambda path: path.stat().st_mtime)).get(metric, {})
    except (ValueError, csv.Error):  # the training is rewriting the file
        return {}


def read_epochs(run_dir: Path, metric: str) -> Epochs:
    """Read the validation metrics of a run.

    Args:
        run_dir: Its directory.
        metric: The metric to return for every epoch.
    """
    history = read_history(run_dir / "metrics.csv")
    monitor = OmegaConf.load(run_dir / "config.yaml").monitor
    monitored = history.get(monitor or metric, {})
    if not monitored:
        return Epochs(history.get(metric, {}), {})
    if monitor is None:
        best = max(monitored)  # the last epoch
    else:
        best = (min if monitor.endswith("loss") else max)(monitored, key=monitored.__getitem__)
    wanted = {metric, *(f"val/{key}" for key in MEASURED)}
    at_best = {key: history[key][best] for key in wanted if best in history.get(key, {})}
    return Epochs(history.get(metric, {}), at_best)
