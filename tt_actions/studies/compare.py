"""Comparison of experiments: trains each with several seeds on one split, and resumes stopped trainings."""

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from tt_actions.errors import UserError
from tt_actions.evaluation.interval_text import count_clips, write_accuracy
from tt_actions.files import lock_folder
from tt_actions.sources.user_source import data_words, user_source
from tt_actions.studies.comparison import compare_runs
from tt_actions.studies.comparison_report import (
    QUICK_NOTE,
    production_notes,
    remove_results,
    write_comparison,
)
from tt_actions.studies.finished_run import FinishedRun, check_same_clips, read_finished_run
from tt_actions.studies.share_report import measure_shares, write_shares
from tt_actions.studies.shares import share_trainings
from tt_actions.studies.trainings import (
    Training,
    find_earlier,
    format_duration,
    read_settings,
    stopping_by_sigterm,
    train,
)
from tt_actions.training.console import say
from tt_actions.training.parser import make_data

EXPERIMENTS = Path("experiments")
_SMALL_SET = {"clips": 40, "players": 10, "seed": 0}
QUICK_SOURCES: dict[str, tuple[str, dict[str, object]]] = {
    "UserClips": ("SyntheticStrokes", {"out": "data/few", **_SMALL_SET, "size": "[160,120]"}),
    "UserDepth": (
        "SyntheticStrokes",
        {"out": "data/few_depth", **_SMALL_SET, "size": "[160,120]", "depth": "true"},
    ),
    "UserJoints": ("SyntheticSkeletons", {"out": "data/few_skeletons", **_SMALL_SET, "halls": 40}),
}
"""For each source of users' data, the source of a few synthetic clips that ``--quick`` uses instead."""

QUICK_OPTIONS = ("--trainer.max_epochs=2", "--trainer.limit_train_batches=2", "--wandb.mode=disabled")
"""Options of ``--quick``: W&B takes as long as such a training."""


def compare(
    models: Sequence[str],
    num_seeds: int,
    out: Path,
    data: Path | None = None,
    quick: bool = False,
    options: Sequence[str] = (),
    console: Console | None = None,
    layout: str | None = None,
    published: bool = False,
    shares: Sequence[float] = (),
) -> int:
    """Run all missing trainings of a comparison one after the other, and write the comparison.

    A training is finished if a run with the same settings and clips has a report. A stopped training is
    resumed. A failed training is reported and skipped.

    Args:
        models: Names of experiments in the folder ``experiments``, or YAML files.
        num_seeds: Number of seeds; they start at 0.
        out: Folder to write to; the runs are in its subfolder ``runs``.
        data: A folder or a manifest of clips instead of those of the experiments.
        quick: Whether to train on a few clips for a few epochs, as a smoke test.
        options: Options of every training.
        console: Console to print to (default: standard output).
        layout: Layout of the joints in ``data``, for the experiments on joints.
        published: Whether to show the published results of all models that have some, not only those of
            ``cnn_lstm`` on its four strokes.
        shares: Shares of the training clips, below 1, on which each model is trained as well.

    Returns:
        The exit code: 1 if a training failed.

    Raises:
        FileNotFoundError: If an experiment does not exist.
        ValueError: If there is nothing to compare, no experiment accepts the options, an experiment uses
            untrimmed recordings, another process is comparing in ``out``, or the runs were trained or tested
            on different clips.
    """
    console = console or Console(highlight=False, emoji=False)
    if options and not options[0].startswith("-"):
        raise UserError(
            f"Expected options, but got '{options[0]}'. List experiments after `--models`, such as "
            "`--models cnn lstm`."
        )
    trainings = _trainings(models, num_seeds, out, data, layout, quick, options)
    _check_options([training for (_, seed), training in trainings.items() if seed == 0], data is not None)
    out.mkdir(parents=True, exist_ok=True)
    in_use = f"Expected an unused folder, but another comparison is running in '{out}'."
    with lock_folder(out, in_use):
        try:
            with stopping_by_sigterm():
                return _compare(trainings, shares, out, quick, published, console)
        except KeyboardInterrupt:
            console.print("Stopped. Run the same command again to resume.")
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
    """Return the training of each model and seed."""
    configs = {Path(model).stem: _config(model) for model in models}
    if num_seeds < 1 or not configs or len(configs) < len(models):
        raise UserError(
            "Expected at least one seed and models with different names, but got "
            f"{num_seeds} and: {' '.join(models) or 'none'}. List each experiment once."
        )
    # seeds in the outer loop: after a third of the time, the comparison is complete for one seed
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


def _check_options(trainings: Sequence[Training], has_own_clips: bool) -> None:
    """Check that some experiment accepts the options, that none uses recordings, and that the clips exist.

    If only some experiments reject the options, their trainings fail and are reported later.
    """
    accepted: list[tuple[str, dict[str, Any]]] = []
    refused: UserError | None = None
    for training in trainings:
        try:
            accepted.append((training.name, read_settings(training.words)))
        except UserError as error:
            refused = error
    if refused is not None and not accepted:
        raise refused
    for name, settings in accepted:
        source = make_data(settings).source
        if source.is_untrimmed:
            raise UserError(
                f"Expected experiments on clips of one stroke, but got '{name.partition('/')[0]}', whose "
                "recordings contain many. Train it with `train`, and compare the `segmentation.csv` in the "
                "reports."
            )
        if has_own_clips:
            source.records()


def _config(model: str) -> Path:
    path = Path(model) if model.endswith(".yaml") else EXPERIMENTS / f"{model}.yaml"
    if not path.is_file():
        available = ", ".join(sorted(file.stem for file in EXPERIMENTS.glob("*.yaml"))) or "none"
        raise FileNotFoundError(
            f"Expected an experiment, but there is no '{path}'. "
            f"Use one of those in '{EXPERIMENTS}': {available}."
        )
    return path


def _data_options(config: Path, data: Path | None, layout: str | None, quick: bool) -> list[str]:
    source = user_source(config)
    words = data_words([config], data, layout if source == "UserJoints" else None)
    if data is None and quick and source in QUICK_SOURCES:  # recordings raise an error later
        drawn, few = QUICK_SOURCES[source]
        words += ["--data.source", drawn, *(f"--data.source.{key}={value}" for key, value in few.items())]
    return words + [*QUICK_OPTIONS] * quick


def _compare(
    trainings: Mapping[tuple[str, int], Training],
    shares: Sequence[float],
    out: Path,
    quick: bool,
    published: bool,
    console: Console,
) -> int:
    if quick:
        console.print(QUICK_NOTE, style="bold red")
    on_shares = share_trainings(trainings, shares)
    total = len(trainings) + len(on_shares)
    whole = {(model, seed, 1.0): training for (model, seed), training in trainings.items()}
    runs, failed = _run_all(whole, 1, total, console)
    tested: dict[str, dict[int, FinishedRun]] = {}
    for (model, seed, _), run in runs.items():
        tested.setdefault(model, {})[seed] = run
    if tested:
        numbers = {**compare_runs(tested), "quick": quick, "all_published": published, "failed": failed}
        write_comparison(out, numbers, console)
        if on_shares:
            more, failed_shares = _run_all(on_shares, 1 + len(whole), total, console)
            failed += failed_shares
            made_by = production_notes({**numbers, "failed": failed})
            write_shares(out, measure_shares({**runs, **more}), made_by, console)
        say(f"comparison: {out}", console)
    else:
        remove_results(out)
    if failed:
        console.print(
            f"{len(failed)} of {total} trainings failed. Run the same command to try them again.",
            style="red",
        )
    return 1 if failed else 0


def _run_all(
    trainings: Mapping[tuple[str, int, float], Training], first: int, total: int, console: Console
) -> tuple[dict[tuple[str, int, float], FinishedRun], list[dict[str, Any]]]:
    """Run the trainings of each model, seed and share; return the finished runs and what failed."""
    runs: dict[tuple[str, int, float], FinishedRun] = {}
    failed: list[dict[str, Any]] = []
    for number, ((model, seed, share), training) in enumerate(trainings.items(), first):
        label = f"{number}/{total}  {model}{'' if share == 1 else f' on {100 * share:g} %'}, seed {seed}:"
        try:
            run_dir = _finished_run(training, label, console)
        except subprocess.SubprocessError as error:
            of_share = {} if share == 1 else {"share": share}
            failed.append({"model": model, "seed": seed, **of_share, "error": str(error)})
            say(f"{label} failed: {error}  (its log: {training.log})", console)
            continue
        runs[model, seed, share] = read_finished_run(run_dir)
        check_same_clips([run for (_, s, f), run in runs.items() if f == share and (share == 1 or s == seed)])
    return runs, failed


def _finished_run(training: Training, label: str, console: Console) -> Path:
    """Return the run of a training, which is trained now if necessary, and print the result in one line."""
    earlier = find_earlier(training)
    started_s = time.perf_counter()
    run_dir = earlier.done
    if run_dir is None:
        activity = "resuming" if earlier.stopped else "training"
        if not console.is_terminal:
            say(f"{label} {activity}", console)
        with console.status(f"{label} {activity}") as status:
            run_dir = train(
                training, earlier.stopped, lambda line: status.update(f"{label} {activity}  {line}")
            )
    metrics = json.loads((run_dir / "report" / "metrics.json").read_text("utf-8"))
    result = "already done" if earlier.done else f"done in {format_duration(time.perf_counter() - started_s)}"
    say(f"{label} {result}, accuracy {write_accuracy(metrics)} on {count_clips(metrics)}", console)
    return run_dir
