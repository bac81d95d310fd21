"""Several experiments with several seeds on one split: what is trained, gone on with, or done already."""

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from rich.console import Console

from tt_actions.errors import UserError
from tt_actions.files import lock_folder
from tt_actions.sources.user_source import data_words, user_source
from tt_actions.studies.comparison import compare_runs
from tt_actions.studies.comparison_report import QUICK_NOTE, write_comparison
from tt_actions.studies.finished_run import FinishedRun, check_same_clips, read_finished_run
from tt_actions.studies.trainings import (
    Training,
    find_earlier,
    format_duration,
    read_settings,
    stopping_by_sigterm,
    train,
)
from tt_actions.training.console import say

EXPERIMENTS = Path("experiments")
_FEW = {"clips": 60, "players": 15, "seed": 0}
QUICK_SOURCES: dict[str, tuple[str, dict[str, object]]] = {
    "UserClips": ("SyntheticStrokes", {"out": "data/quick", **_FEW, "size": "[160,120]"}),
    "UserDepth": (
        "SyntheticStrokes",
        {"out": "data/quick_depth", **_FEW, "size": "[160,120]", "depth": "true"},
    ),
    "UserJoints": ("SyntheticSkeletons", {"out": "data/quick_skeletons", **_FEW, "halls": 40}),
}
"""The few clips that stand in for those of a user's source."""

QUICK_TRAINER = {"max_epochs": 3, "limit_train_batches": 10}


def compare(
    models: Sequence[str],
    num_seeds: int,
    out: Path,
    data: Path | None = None,
    quick: bool = False,
    options: Sequence[str] = (),
    console: Console | None = None,
    layout: str | None = None,
) -> int:
    """Train what is not done yet, one process after the other, and write the comparison.

    A training is done when a run of the very same settings and clips has its report; one that was stopped
    goes on; one that fails is told and left out.

    Args:
        models: Names of experiments in the folder ``experiments``, or YAML files.
        num_seeds: Number of seeds, which begin at 0.
        out: Where to write; runs are kept in its folder ``runs``.
        data: A folder or a manifest of clips instead of the experiments' own.
        quick: Whether to train on a few clips for a few epochs, only to see that all works.
        options: Options of every training.
        console: Where to print; standard output if None.
        layout: Layout of the joints in ``data``, for the experiments on joints.

    Returns:
        The exit code: 1 if a training failed.

    Raises:
        FileNotFoundError: If an experiment is not there.
        ValueError: If nothing is to be compared, no experiment takes the options or one is on untrimmed
            recordings, another process compares in ``out``, or the runs were trained and tested on different
            clips.
    """
    console = console or Console(highlight=False, emoji=False)
    trainings = _trainings(models, num_seeds, out, data, layout, quick, options)
    _check_options([training for (_, seed), training in trainings.items() if seed == 0])
    out.mkdir(parents=True, exist_ok=True)
    in_use = f"Expected a folder in which nothing is compared, but another process does so in '{out}'."
    with lock_folder(out, in_use):
        try:
            with stopping_by_sigterm():
                return _compare(trainings, out, quick, console)
        except KeyboardInterrupt:
            console.print("Stopped. The same command goes on from here.")
            raise


def _trainings(
    models: Sequence[str],
    num_seeds: int,
    out: Path,
    data: Path | None,
    layout: str | None,
    quick: bool,
    options: Sequence[str],
) -> dict[tuple[str, int], Training]:
    """Each model's and seed's training."""
    configs = {Path(model).stem: _config(model) for model in models}
    if num_seeds < 1 or not configs or len(configs) < len(models):
        raise UserError(
            "Expected at least one seed and models of different names, but got "
            f"{num_seeds} and: {' '.join(models) or 'none'}. Name each experiment once."
        )
    # seeds in the outer loop: a third of the time gives a whole comparison with one seed
    return {
        (model, seed): Training(
            name=f"{model}/seed_{seed}",
            runs=out / "runs",
            options=(
                *("--config", str(config), *_data_options(config, data, layout, quick), *options),
                *("--seed_everything", str(seed), "--wandb.group", model),
            ),
        )
        for seed in range(num_seeds)
        for model, config in configs.items()
    }


def _check_options(trainings: Sequence[Training]) -> None:
    """Refuse options that no experiment takes, and recordings; what one alone refuses is its failure."""
    accepted, refused = [], None
    for training in trainings:
        try:
            accepted.append((training.name, read_settings(training.words)))
        except UserError as error:
            refused = error
    if not accepted:
        raise UserError(f"Expected options that `train` takes, but got: {refused}")
    for name, settings in accepted:
        module, _, source = settings["data"]["source"]["class_path"].rpartition(".")
        if getattr(import_module(module), source).is_untrimmed:
            raise UserError(
                f"Expected experiments on clips of one stroke, but got '{name.partition('/')[0]}', whose "
                "recordings hold many. Train it, and compare the `segmentation.csv` of the reports."
            )


def _config(model: str) -> Path:
    path = Path(model) if model.endswith(".yaml") else EXPERIMENTS / f"{model}.yaml"
    if not path.is_file():
        there = ", ".join(sorted(file.stem for file in EXPERIMENTS.glob("*.yaml"))) or "none"
        raise FileNotFoundError(
            f"Expected an experiment, but there is no '{path}'. In '{EXPERIMENTS}' there are: {there}."
        )
    return path


def _data_options(config: Path, data: Path | None, layout: str | None, quick: bool) -> list[str]:
    source = user_source(config)
    words = data_words([config], data, layout if source == "UserJoints" else None)
    if data is None and quick and source in QUICK_SOURCES:  # recordings are refused later
        drawn, few = QUICK_SOURCES[source]
        words += ["--data.source", drawn, *(f"--data.source.{key}={value}" for key, value in few.items())]
    return words + [f"--trainer.{key}={value}" for key, value in QUICK_TRAINER.items()] * quick


def _compare(trainings: Mapping[tuple[str, int], Training], out: Path, quick: bool, console: Console) -> int:
    if quick:
        console.print(QUICK_NOTE, style="bold red")
    runs: dict[str, dict[int, FinishedRun]] = {model: {} for model, _ in trainings}
    failed = []
    for number, ((model, seed), training) in enumerate(trainings.items(), 1):
        label = f"{number}/{len(trainings)}  {model}, seed {seed}:"
        try:
            run_dir = _done_run(training, label, console)
        except subprocess.SubprocessError as error:
            failed.append({"model": model, "seed": seed, "error": str(error)})
            say(f"{label} failed: {error}  (its log: {training.log})", console)
            continue
        runs[model][seed] = read_finished_run(run_dir)
        check_same_clips([run for by_seed in runs.values() for run in by_seed.values()])
    tested = {model: by_seed for model, by_seed in runs.items() if by_seed}
    if tested:
        write_comparison(out, {**compare_runs(tested), "quick": quick, "failed": failed}, console)
        say(f"comparison: {out}", console)
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
            say(f"{label} {doing}", console)
        with console.status(f"{label} {doing}") as status:
            run_dir = train(training, earlier.stopped, lambda line: status.update(f"{label} {doing}  {line}"))
    metrics = json.loads((run_dir / "report" / "metrics.json").read_text("utf-8"))
    took = "done before" if earlier.done else f"done in {format_duration(time.perf_counter() - started_s)}"
    say(f"{label} {took}, accuracy {metrics['accuracy']:.3f}", console)
    return run_dir
