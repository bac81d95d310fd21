"""The report of a sweep: a ranked table of its trials, and a figure of the effect of each factor."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from tt_actions.evaluation.clip_scores import ENDS
from tt_actions.evaluation.interval_text import write_accuracy
from tt_actions.evaluation.significance import bootstrap_interval
from tt_actions.evaluation.style import write_figures
from tt_actions.evaluation.tables import Table
from tt_actions.studies.comparison_report import SHOWN, SYNTHETIC_NOTE
from tt_actions.studies.effects_figure import Factor, Level, effects_figure
from tt_actions.studies.sweep_file import Parameter, SweepFile

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

MEASURED = ("accuracy", "temporal_consistency")
"""Metrics that the table and the figure show in addition to the sweep's own metric."""

STATES = {
    "COMPLETE": "done",
    "PRUNED": "given up",
    "FAIL": "failed",
    "WAITING": "to do",
    "RUNNING": "running",
}
NUM_PRINTED_TRIALS = 10
"""Number of trials that are printed; the files contain all trials."""

MAX_LEVELS = 5
"""Most values of a range that are drawn one by one; with more, the trials are drawn in three groups."""


def factor_name(parameter: Parameter, file: SweepFile) -> str:
    """Return the shortest suffix of a parameter's name that is unique in the sweep.

    Args:
        parameter: A parameter of the sweep.
        file: The sweep.
    """
    parts = [part for part in parameter.name.split(".") if part != "init_args"]
    others = [f".{other.name}" for other in file.parameters if other.name != parameter.name]
    for length in range(1, len(parts)):
        end = ".".join(parts[-length:])
        if not any(name.replace(".init_args", "").endswith(f".{end}") for name in others):
            return end
    return ".".join(parts)


def write_sweep(
    folder: Path,
    file: SweepFile,
    trials: Sequence["FrozenTrial"],
    options: Sequence[str],
    console: Console,
) -> None:
    """Write the table ``trials`` and the figure ``effects`` (PNG, SVG and PDF), and print the table.

    Args:
        folder: Folder to write to.
        file: The sweep.
        trials: Its trials by slot; nothing is written until a trial has finished.
        options: Options of every trial.
        console: Console to print to.
    """
    if not any(trial.state.is_finished() for trial in trials):
        return
    table = trials_table(file, trials, options)
    table.write(folder / "trials")
    _narrow(table, sum(not parameter.is_fixed for parameter in file.parameters)).show(console)
    done = [trial for trial in trials if trial.state.name == "COMPLETE"]
    factors = [
        factor for parameter in file.parameters if len((factor := _factor(parameter, file, done)).levels) > 1
    ]
    if not factors:
        for old in folder.glob("effects.*"):  # of an earlier sweep of that name
            old.unlink()
        return
    titles = [f"validation {SHOWN[key]}" for key in MEASURED]
    note = " ".join(
        [
            "Small dots: trials. Large dots: their mean. Lines: 95 % bootstrap interval, for three or more "
            "trials. Each row averages over different settings of the other factors. Dashed line: mean of "
            "all trials.",
            *_made_by(file, trials, options),
        ]
    )
    figure = effects_figure(factors, titles, f"{file.name}: effect of each factor", note)
    write_figures(folder / "effects", figure)


def trials_table(file: SweepFile, trials: Sequence["FrozenTrial"], options: Sequence[str]) -> Table:
    """Make the table of all trials, ranked by the sweep's validation metric.

    Args:
        file: The sweep.
        trials: Its trials by slot.
        options: Options of every trial.
    """
    varied = [parameter for parameter in file.parameters if not parameter.is_fixed]
    columns = [f"{split}/{key}" for split in ("val", "test") for key in MEASURED]
    columns = [file.metric, *(column for column in columns if column != file.metric)]
    rows, records = [], []
    for rank, trial in enumerate(_ranked(file, trials), 1):
        figures = trial.user_attrs.get("figures", {})
        state = STATES[trial.state.name]
        detail = trial.user_attrs.get("error", "")
        if state == "given up":
            detail = f"after {max(trial.intermediate_values, default=0)} epochs"
        values = {factor_name(p, file): _value(p, trial) for p in varied}
        rows.append(
            [
                str(trial.user_attrs["slot"]),
                *("-" if value is None else level_label(value) for value in values.values()),
                *(_write_figure(column, figures) for column in columns),
                f"{state}: {detail}" if detail else state,
            ]
        )
        record = {"rank": rank if state == "done" else None, "trial": trial.user_attrs["slot"]}
        texts = {name: value if value is None else level_label(value) for name, value in values.items()}
        record |= texts | {column: figures.get(column) for column in columns}
        records.append(record | {"state": state, "error": detail or None, "run": trial.user_attrs.get("run")})
    names = [factor_name(p, file) for p in varied]
    headings = ["trial", *(name.replace("_", " ") for name in (*names, *columns)), "state"]
    notes = [
        f"Ranked by {file.metric} on the validation clips ({'higher' if file.maximize else 'lower'} is "
        "better). All numbers are from the epoch of the checkpoint that the run keeps. Test numbers do not "
        "affect the ranking.",
        *_clip_notes(trials),
    ]
    return Table(f"Sweep {file.name}", headings, rows, records, notes, _made_by(file, trials, options))


def _write_figure(column: str, figures: dict[str, Any]) -> str:
    if figures.get(column) is None:
        return "-"
    ends = {end: figures.get(f"test/{end}") for end in ENDS} if column == "test/accuracy" else {}
    return write_accuracy({"accuracy": figures[column], **ends})


def _clip_notes(trials: Sequence["FrozenTrial"]) -> list[str]:
    counts = next((counted for trial in trials if (counted := trial.user_attrs.get("num_clips"))), None)
    if counts is None:
        return []
    return [
        f"{counts['val']} validation clips and {counts['test']} test clips. In brackets: 95 % interval of "
        "the test accuracy. The validation numbers of the best trials are optimistic, because the trials are "
        "chosen by them."
    ]


def _narrow(table: Table, num_factors: int) -> Table:
    """Reduce the table to the best trials for the screen, with the settings of each trial in one cell."""
    names = table.headings[1 : 1 + num_factors]
    rows = []
    for trial, *cells in table.rows[:NUM_PRINTED_TRIALS]:
        settings = ", ".join(f"{name} {cell}" for name, cell in zip(names, cells, strict=False))
        rows.append([f"{trial}: {settings}", *cells[num_factors:]])
    headings = ["trial", *(heading.replace("/", " ") for heading in table.headings[1 + num_factors :])]
    title = f"{table.title}: the best of {len(table.rows)}"
    return replace(table, title=title, headings=headings, rows=rows)


def _ranked(file: SweepFile, trials: Sequence["FrozenTrial"]) -> list["FrozenTrial"]:
    order = list(STATES)
    sign = -1 if file.maximize else 1
    return sorted(
        trials,
        key=lambda trial: (
            order.index(trial.state.name),
            sign * trial.value if trial.value is not None else 0.0,
            trial.user_attrs["slot"],
        ),
    )


def _made_by(file: SweepFile, trials: Sequence["FrozenTrial"], options: Sequence[str]) -> list[str]:
    states = [STATES[trial.state.name] for trial in trials]
    counted = ", ".join(f"{states.count(state)} {state}" for state in STATES.values() if state in states)
    made = [made for trial in trials if (made := trial.user_attrs.get("made_by"))]
    commits = sorted({one["commit"][:10] for one in made if one["commit"]})
    words = shlex.join(["train", *file.words, *options])
    notes = [f"Made by `{words}`, {file.method}; trials: {counted}; commit {' and '.join(commits) or '-'}."]
    return notes + [SYNTHETIC_NOTE] * any(one["source"] == "SyntheticStrokes" for one in made)


def _value(parameter: Parameter, trial: "FrozenTrial") -> Any:
    """Return a trial's value of a parameter, or None before the trial starts."""
    if parameter.is_fixed:
        return parameter.values[0]
    value = trial.params.get(parameter.name)
    return json.loads(value) if parameter.values and value is not None else value


def level_label(value: Any) -> str:
    """Write the value of an option as short, readable text.

    Args:
        value: The value.

    >>> [level_label(value) for value in (True, 0.00123456, [16, 32], "null")]
    ['on', '0.00123', '16 32', 'none']
    >>> level_label({"class_path": "torch.optim.Adam", "init_args": {"amsgrad": True}})
    'Adam amsgrad on'
    """
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list):
        return " ".join(level_label(item) for item in value)
    if isinstance(value, dict):
        name = str(value.get("class_path", "")).rpartition(".")[2]
        given = value.get("init_args") or {} if name else value
        return " ".join([name, *(f"{key} {level_label(item)}" for key, item in given.items())]).strip()
    return "none" if value == "null" else str(value)


def _factor(parameter: Parameter, file: SweepFile, trials: Sequence["FrozenTrial"]) -> Factor:
    """Group the trials by their value of a parameter.

    Each value becomes a level; a range with many values becomes three levels.
    """
    values = [_value(parameter, trial) for trial in trials]
    groups: dict[str, list[FrozenTrial]]
    if parameter.values:
        groups = {level_label(value): [] for value in parameter.values}
        for value, trial in zip(values, trials, strict=True):
            groups[level_label(value)].append(trial)
    else:
        by_value = sorted(zip(values, trials, strict=True), key=lambda pair: pair[0])
        distinct = len(set(values)) <= MAX_LEVELS
        parts = [[pair] for pair in by_value]
        if not distinct:
            cuts = np.array_split(np.arange(len(by_value)), 3)
            parts = [[by_value[index] for index in cut] for cut in cuts]
        groups = {}
        for part in parts:
            ends = list(dict.fromkeys(level_label(part[index][0]) for index in (0, -1)))
            groups.setdefault(" to ".join(ends), []).extend(trial for _, trial in part)
    levels = [_level(label, own) for label, own in groups.items() if own]
    return Factor(factor_name(parameter, file).replace("_", " "), levels)


def _level(label: str, trials: Sequence["FrozenTrial"]) -> Level:
    columns = [
        [
            trial.user_attrs["figures"][f"val/{key}"]
            for trial in trials
            if f"val/{key}" in trial.user_attrs["figures"]
        ]
        for key in MEASURED
    ]
    return Level(
        label,
        columns,
        [fmean(column) if column else None for column in columns],
        [_interval(column) for column in columns],
    )


def _interval(column: list[float]) -> tuple[float, float] | None:
    if len(column) < 3:
        return None
    values = np.array(column)
    low, high = bootstrap_interval(lambda counts: counts @ values / len(values), len(values))
    return float(low), float(high)
