"""Accuracy over the number of training clips: the numbers, a table and a figure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter
from rich.console import Console

from tt_actions.clips.splits import read_split_clips
from tt_actions.evaluation.style import MARKERS, line_look, small_print, tidy, write_figures
from tt_actions.evaluation.tables import Table
from tt_actions.files import write_json
from tt_actions.studies.comparison import scores_over_seeds
from tt_actions.studies.finished_run import FinishedRun, check_same_clips
from tt_actions.studies.score_cells import BOLD_NOTE, bold_in_groups, plain_numbers, spread

SHOWN = {"accuracy": "accuracy", "f1": "F1"}
EPOCHS_NOTE = (
    "A smaller share is part of each larger one with the same seed, and the same for all models. All models "
    "are tested on the same clips. The number of epochs is the same for every share, so fewer clips also "
    "mean fewer training steps."
)


def measure_shares(runs: Mapping[tuple[str, int, float], FinishedRun]) -> dict[str, Any]:
    """Compute the contents of ``shares.json`` from finished runs.

    Args:
        runs: The run of each model, seed and share of the training clips.

    Returns:
        For each model a list, by increasing share, of ``share``, ``num_clips`` (mean number of training clips
        over the seeds), ``seeds``, and the scores ``accuracy`` and ``f1``, as in ``comparison.json``.

    Raises:
        ValueError: If the runs were not tested on the same clips.
    """
    testing = [run._replace(clips=frozenset(clip for clip in run.clips if clip[3])) for run in runs.values()]
    check_same_clips(testing)
    by_model: dict[str, dict[float, dict[int, FinishedRun]]] = {}
    for (model, seed, share), run in runs.items():
        by_model.setdefault(model, {}).setdefault(share, {})[seed] = run
    return {
        model: [_measure(share, by_seed) for share, by_seed in sorted(by_share.items())]
        for model, by_share in by_model.items()
    }


def _measure(share: float, by_seed: Mapping[int, FinishedRun]) -> dict[str, Any]:
    runs = list(by_seed.values())
    counts = [
        sum(clip.split == "train" for clip in read_split_clips(run.folder / "splits.csv")) for run in runs
    ]
    scores = scores_over_seeds(runs)
    return {
        "share": share,
        "num_clips": float(np.mean(counts)),
        "seeds": list(by_seed),
        **{key: scores[key] for key in SHOWN},
    }


def write_shares(folder: Path, models: Mapping[str, Any], made_by: Sequence[str], console: Console) -> None:
    """Write ``shares.json``, ``table_6`` and ``figure_4``, and print the table.

    Args:
        folder: Folder to write to.
        models: The result of :func:`measure_shares`.
        made_by: Sentences that say how the results were produced.
        console: Console to print to.
    """
    write_json(folder / "shares.json", {"models": models, "notes": [*made_by]})
    table = shares_table(models, made_by)
    table.write(folder / "table_6")
    table.show(console)
    write_figures(folder / "figure_4", shares_figure(models, made_by))


def shares_table(models: Mapping[str, Any], made_by: Sequence[str]) -> Table:
    """Make the table of accuracy and F1 by share of the training clips.

    Args:
        models: The result of :func:`measure_shares`.
        made_by: Sentences that say how the table was produced.
    """
    shares = sorted({point["share"] for points in models.values() for point in points})
    rows, records, means = [], [], []
    for share in shares:
        for model, points in models.items():
            for point in (point for point in points if point["share"] == share):
                scores = [spread(point[key]) for key in SHOWN]
                rows.append([f"{100 * share:g} %, {model}", f"{point['num_clips']:.0f}", *scores])
                means.append([None, *(point[key]["mean"] for key in SHOWN)])
                bare = plain_numbers(point, tuple(SHOWN))
                records.append({"share": share, "model": model, "num_clips": point["num_clips"], **bare})
    notes = [
        "Clips: number of training clips, as a mean over seeds. Shown: mean ± standard deviation over seeds "
        f"and, in brackets, the 95 % bootstrap interval over test clips. {EPOCHS_NOTE} {BOLD_NOTE}",
    ]
    bold = bold_in_groups(means, [str(record["share"]) for record in records])
    headings = ["share, model", "clips", *SHOWN.values()]
    return Table("Table 6: shares of the training clips", headings, rows, records, notes, list(made_by), bold)


def shares_figure(models: Mapping[str, Any], made_by: Sequence[str]) -> Figure:
    """Draw accuracy over the number of training clips, a line with a band for each model.

    Args:
        models: The result of :func:`measure_shares`.
        made_by: Sentences that say how the results were produced.
    """
    figure = Figure(figsize=(6.5, 4.4), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    for number, (model, points) in enumerate(models.items()):
        counts = [point["num_clips"] for point in points]
        look = line_look(number)
        marker = MARKERS[number % len(MARKERS)]
        means = [point["accuracy"]["mean"] for point in points]
        axes.plot(counts, means, marker=marker, ms=6, lw=1.8, label=model, **look)
        low, high = zip(*(_band(point["accuracy"]) for point in points), strict=True)
        axes.fill_between(counts, low, high, color=look["color"], alpha=0.15, lw=0)
    tidy(axes)
    axes.set_xscale("log")
    ticks = sorted({round(point["num_clips"]) for points in models.values() for point in points})
    axes.set_xticks(ticks, minor=False)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.minorticks_off()
    axes.set(xlabel="training clips", ylabel="accuracy", ylim=(0, 1.04))
    legend = figure.legend(frameon=False, fontsize=9, loc="outside upper left", ncols=3, handlelength=3.4)
    for text in legend.get_texts():
        text.set_parse_math(False)
    has_seeds = all(point["accuracy"]["std"] is not None for points in models.values() for point in points)
    band = "± standard deviation over seeds" if has_seeds else "95 % bootstrap interval over test clips"
    small_print(figure, " ".join([f"Lines: mean over seeds. Bands: {band}.", EPOCHS_NOTE, *made_by]))
    return figure


def _band(score: Mapping[str, Any]) -> tuple[float, float]:
    """Return the ends of the band of a score: its deviation over seeds or, with one seed, its interval."""
    mean, std = score["mean"], score["std"]
    low, high = (mean - std, mean + std) if std is not None else score["interval"] or (mean, mean)
    return max(low, 0.0), min(high, 1.0)
